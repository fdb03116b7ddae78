"""Which pixels a location sees: the published table, and the definition, step by step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deconv_core.graph.geometry import layers_of
from deconv_core.layers import Layer, ReceptiveField
from deconv_core.network.network import Network, vgg_graph
from deconv_core.units import Box
from tests.core.independent import GEOMETRY, LAYERS, POOL, chain_layers
from tests.core.networks import random_chain
from tests.thorough import examples

VGG19 = (2, 2, POOL, 2, 2, POOL, 2, 2, 2, 2, POOL, 2, 2, 2, 2, POOL, 2, 2, 2, 2, POOL)


@pytest.mark.parametrize("layer", LAYERS)
def test_vgg19_has_the_table_of_semantics(network: Network, layer: str) -> None:
    found = network.layers[layer]
    field = found.receptive_field
    assert (found.height, field.stride, field.size, field.offset) == GEOMETRY[layer]
    assert found.width == found.height


def test_conv4_4_at_row_3_column_7_by_hand() -> None:
    # 3 * 8 - 54 = -30; 7 * 8 - 54 = 2; 116 pixels each way.
    field = ReceptiveField(size=116, stride=8, offset=-54)
    assert field.box(3, 7) == Box(-30, 2, 116, 116)
    assert field.box(3, 7).clip(224, 224) == Box(0, 2, 86, 116)


steps = st.lists(st.sampled_from([1, POOL]), min_size=1, max_size=14).filter(
    lambda chain: chain.count(POOL) <= 5
)


def layers_of_chain(chain: list[int | str]) -> list[Layer]:
    return list(layers_of(vgg_graph(random_chain(0, chain))).values())


@examples()
@given(steps, st.integers(0, 6))
def test_a_window_is_the_union_of_what_the_layer_below_sees(
    chain: list[int | str], location: int
) -> None:
    *below, last = layers_of_chain(chain)
    previous = below[-1].receptive_field if below else ReceptiveField(1, 1, 0)
    places = range(2 * location, 2 * location + 2)
    if chain[-1] != POOL:
        places = range(location - 1, location + 2)
    firsts = [previous.box(place, place).top for place in places]
    ends = [previous.box(place, place).bottom for place in places]
    window = last.receptive_field.box(location, location)
    assert (window.top, window.bottom) == (min(firsts), max(ends))
    assert (window.left, window.right) == (min(firsts), max(ends))


@examples()
@given(steps)
def test_sides_halve_and_strides_double_at_every_pooling(chain: list[int | str]) -> None:
    for layer in layers_of_chain(chain):
        assert layer.height * layer.receptive_field.stride == 224


def test_layers_are_named_by_block_and_place() -> None:
    layers = layers_of_chain([5, POOL, 6, 7, POOL])
    assert [layer.name for layer in layers] == ["conv1_1", "pool1", "conv2_1", "conv2_2", "pool2"]
    assert [layer.channels for layer in layers] == [5, 5, 6, 7, 7]
    assert [layer.is_pool for layer in layers] == [False, True, False, False, True]
    assert [layer.pooled_from for layer in layers] == ["", "conv1_1", "", "", "conv2_2"]


def test_vgg19_has_its_own_names_and_the_layers_of_the_definition() -> None:
    layers = layers_of_chain(list(VGG19))
    assert tuple(layer.name for layer in layers) == LAYERS
    assert tuple(layers) == chain_layers(VGG19)


def test_a_field_that_is_not_square_has_a_width_of_its_own() -> None:
    field = ReceptiveField(5, 2, -1, (9, 4, -3))
    assert field.width == 9
    assert field.box(1, 2) == Box(1, 5, 5, 9)
    assert not field.sees_all
    everything = ReceptiveField(299, 0, 0, (224, 0, 0))
    assert everything.sees_all
    assert everything.box(3, 4) == Box(0, 0, 299, 224)


def test_a_pixel_belongs_to_the_location_that_is_centred_nearest() -> None:
    field = ReceptiveField(116, 8, -54)  # location 3 is centred at 3 * 8 - 54 + 57.5 = 27.5
    layer = Layer("conv4_4", 1, 28, 28, field)
    assert [layer.location_at(y, 0)[0] for y in (0, 7, 23, 24, 31, 32, 223)] == [
        *(0, 0, 2, 3, 3, 4, 27)
    ]
    assert Layer("all", 1, 1, 1, ReceptiveField(224, 0, 0)).location_at(100, 5) == (0, 0)
