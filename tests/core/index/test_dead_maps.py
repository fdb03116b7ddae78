"""Layers in which more than a quarter of the maps is dead, counted by hand and by brute force."""

from pathlib import Path

import pytest

from deconv_core import ActivationIndex, ImageFolder, Network, scan
from deconv_core.demo import demo_index
from deconv_core.index.dead_maps import dead_maps_sentence, layers_with_many_dead_maps
from deconv_core.network.network import PREPROCESSINGS, build_network
from tests.core import drawings, networks

PLACES = {"conv1_2": 1, "conv2_1": 3, "conv3_3": 8, "conv4_1": 11, "conv5_4": 19}


def network_with(dead: dict[str, int]) -> Network:
    """A narrow network of which the first maps of some layers answer to nothing."""
    chain = networks.random_chain(3)
    for layer, count in dead.items():
        weight, bias = chain[PLACES[layer]]
        weight[:count], bias[:count] = 0.0, -1.0
        bias[count:] = 0.5  # the others answer to something
    return build_network("mine.pth", chain, PREPROCESSINGS["torchvision"])


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> ImageFolder:
    folder = tmp_path_factory.mktemp("few")
    return ImageFolder(drawings.save(folder, {f"{n}.png": drawings.noise(n) for n in range(4)}))


def test_more_than_a_quarter_is_many_and_a_quarter_is_not(
    images: ImageFolder, tmp_path: Path
) -> None:
    # Widths are 4, 5, 6, 7, 8: 1 of 4 is a quarter, 2 of 5 more, 1 of 6 less, 2 of 7 more.
    made = network_with({"conv1_2": 1, "conv2_1": 2, "conv3_3": 1, "conv4_1": 2, "conv5_4": 2})
    index = scan(made, images, tmp_path / "index")
    found = {dead.layer: (dead.dead, dead.maps) for dead in layers_with_many_dead_maps(index)}
    counted = {}
    for name, layer in index.layers.items():
        peaks = [index.peaks(name, channel)["value"].max() for channel in range(layer.channels)]
        dead = sum(not peak > 0 for peak in peaks)
        if not layer.is_pool and 4 * dead > layer.channels:
            counted[name] = (dead, layer.channels)
    assert found == counted
    assert found["conv2_1"] == (2, 5)
    assert found["conv4_1"] == (2, 7)
    assert not {"conv1_2", "conv3_3", "conv5_4"} & set(found)
    said = dead_maps_sentence(index, layers_with_many_dead_maps(index))
    assert "never fire in the 4 images" in said
    assert "conv2_1 (2 of 5)" in said
    assert "pool" not in said
    assert "another preprocessing than torchvision, which the scan used; there are only 4" in said


def test_the_demo_has_no_such_layer() -> None:
    index = ActivationIndex.open(demo_index())
    assert layers_with_many_dead_maps(index) == []
