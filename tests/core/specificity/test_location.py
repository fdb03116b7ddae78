"""Pictures of all maps at one place, on switches of one pass, against ``reconstruct``."""

import numpy as np
import pytest
import torch

from deconv_core.graph.steps import Convolution
from deconv_core.images.folder import ImageFolder
from deconv_core.network.network import Network
from deconv_core.pictures import Rule
from deconv_core.reconstruction.reconstruct import reconstruct
from deconv_core.specificity.location import Location
from deconv_core.specificity.other_maps import other_maps
from deconv_core.specificity.random_networks import random_network
from deconv_core.units import Activation, Unit
from tests.core import independent

PICTURE = "dog/noise.png"


@pytest.mark.parametrize("rule", ["deconvnet", "guided", "gradient"])
@pytest.mark.parametrize(("layer", "place"), [("conv2_2", (0, 50)), ("conv4_1", (12, 9))])
def test_pictures_are_those_of_reconstruct(
    network: Network,
    images: ImageFolder,
    pictures: dict[str, np.ndarray],
    layer: str,
    place: tuple[int, int],
    rule: Rule,
) -> None:
    location = Location.of(network, layer, pictures[PICTURE], place)
    loud = np.flatnonzero(location.activations > 0).tolist()
    assert loud
    wanted = [
        Activation(Unit(layer, channel), PICTURE, *place, float(location.activations[channel]))
        for channel in loud
    ]
    found = location.pictures(loud, rule)
    for mine, made in zip(found, reconstruct(network, images, wanted, rule=rule), strict=True):
        assert location.box == made.box
        assert np.abs(mine - made.pixels).max() <= 1e-5 * np.abs(made.pixels).max()


@pytest.mark.parametrize("rule", ["deconvnet", "guided", "gradient"])
def test_a_silent_map_starts_from_1(
    network: Network, pictures: dict[str, np.ndarray], rule: Rule
) -> None:
    location = Location.of(network, "conv3_4", pictures[PICTURE], (20, 20))
    silent = np.flatnonzero(location.activations == 0).tolist()
    assert silent
    raised = location.activations.copy()
    raised[silent] = 1
    changed = Location(
        *(network, location.layer, location.pixels, location.place, raised, location.switches)
    )
    found = location.pictures(silent, rule)
    assert found.any()
    assert np.array_equal(found, changed.pictures(silent, rule))


def test_other_maps_are_other_distinct_and_seeded() -> None:
    unit = Unit("conv4_4", 7)
    chosen = other_maps(unit, 100)
    assert len(set(chosen)) == 31
    assert 7 not in chosen
    assert chosen == other_maps(unit, 100)
    assert chosen != other_maps(unit, 100, seed=1)
    assert other_maps(unit, 10) == (0, 1, 2, 3, 4, 5, 6, 8, 9)


def test_random_networks_have_the_same_graph_and_other_weights(full_width: Network) -> None:
    drawn = random_network(full_width, "conv3_1", 0)
    value = full_width.value_of("conv3_1")
    assert [n.shape for n in drawn.graph.nodes] == [n.shape for n in full_width.graph.nodes[:value]]
    for node, given in zip(drawn.graph.nodes, full_width.graph.nodes, strict=False):
        if isinstance(node.step, Convolution):
            weight = node.step.weight
            assert weight.std() == pytest.approx((2 / weight[0].numel()) ** 0.5, rel=0.05)
            assert not torch.equal(weight, given.step.weight)
            assert not node.step.bias.any()


def test_responses_are_those_of_the_whole_image(
    network: Network, pictures: dict[str, np.ndarray]
) -> None:
    location = Location.of(network, "conv3_2", pictures[PICTURE], (3, 40))
    others = list(pictures.values())[:5]
    maps = independent.feature_maps(network, independent.normalised(network, np.stack(others)))
    for channel in range(3):
        expected = maps["conv3_2"][:, channel, 3, 40].numpy()
        assert np.allclose(location.responses(others, channel), expected, rtol=1e-5, atol=1e-6)
