"""Which pixels a location sees: the published table, and the definition, step by step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deconv_core.layers import POOL, Layer, ReceptiveField, chain_layers
from deconv_core.network.network import Network
from deconv_core.units import Box
from tests.core.independent import GEOMETRY, LAYERS
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


@examples()
@given(steps, st.integers(0, 6))
def test_a_window_is_the_union_of_what_the_layer_below_sees(
    chain: list[int | str], location: int
) -> None:
    *below, last = chain_layers(chain)
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
    for layer in chain_layers(chain):
        assert layer.height * layer.receptive_field.stride == 224


def test_layers_are_named_by_block_and_place() -> None:
    layers = chain_layers((5, POOL, 6, 7, POOL))
    assert [layer.name for layer in layers] == ["conv1_1", "pool1", "conv2_1", "conv2_2", "pool2"]
    assert [layer.channels for layer in layers] == [5, 5, 6, 7, 7]
    assert [layer.is_pool for layer in layers] == [False, True, False, False, True]
    assert isinstance(layers[0], Layer)


def test_vgg19s_first_names_are_vgg19s() -> None:
    assert tuple(layer.name for layer in chain_layers(VGG19)) == LAYERS
