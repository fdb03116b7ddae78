"""The network as named layers: geometry, colours, normalisation, fingerprint."""

import dataclasses

import numpy as np
import pytest
import torch

from deconv_core.errors import DeconvError, WeightsError
from deconv_core.network.network import POOL, PREPROCESSINGS, Network, build_network
from tests.core import drawings, independent, networks
from tests.core.independent import LAYERS, stages

TORCHVISION, CAFFE = PREPROCESSINGS["torchvision"], PREPROCESSINGS["caffe"]


def test_the_layers_are_vgg19s_in_order(network: Network) -> None:
    assert tuple(network.layers) == LAYERS
    assert [layer.name for layer in network.layers.values()] == list(LAYERS)
    assert network.architecture == "VGG19"


def test_layers_have_the_sides_of_the_maps_torch_makes(
    network: Network, pictures: dict[str, np.ndarray]
) -> None:
    inputs = independent.normalised(network, pictures["a.png"][None])
    for name, maps in independent.feature_maps(network, inputs).items():
        layer = network.layers[name]
        assert maps.shape[1:] == (layer.channels, layer.height, layer.width)


def test_torchvision_preprocessing_is_torchvisions(network: Network) -> None:
    from torchvision.transforms import v2

    pixels = torch.from_numpy(drawings.noise(1)).permute(2, 0, 1)[None]
    steps = v2.Compose(
        [
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
        ]
    )
    torch.testing.assert_close(network.normalise(pixels), steps(pixels))


def test_caffe_preprocessing_subtracts_the_means_and_keeps_0_to_255() -> None:
    network = build_network("caffe", networks.random_chain(), CAFFE)
    red_green_blue = torch.tensor([255, 10, 0], dtype=torch.uint8).view(1, 3, 1, 1)
    found = network.normalise(red_green_blue).flatten().tolist()
    assert found == pytest.approx([255 - 123.68, 10 - 116.779, 0 - 103.939])


def test_weights_that_expect_blue_first_are_turned_round_in_conv1_1_only() -> None:
    # Three maps wide, so that later layers have three channels below them too.
    chain = networks.random_chain(1, [3, 3, POOL, 3])
    network = build_network("caffe", chain, CAFFE)
    for place, (stage, step) in enumerate(zip(stages(network), chain, strict=True)):
        if isinstance(step, str):
            continue
        expected = step[0][:, [2, 1, 0]] if place == 0 else step[0]
        assert torch.equal(stage.weight, expected)


def test_a_fingerprint_is_of_the_weights_and_preprocessing_not_of_the_source() -> None:
    first = build_network("one", networks.random_chain(1), TORCHVISION)
    assert build_network("two", networks.random_chain(1), TORCHVISION).fingerprint == (
        first.fingerprint
    )
    assert len(first.fingerprint) == 16
    assert int(first.fingerprint, 16) >= 0
    others = {
        first.fingerprint,
        build_network("one", networks.random_chain(2), TORCHVISION).fingerprint,
        build_network("one", networks.random_chain(1), CAFFE).fingerprint,
        build_network("one", networks.random_chain(1)[:-1], TORCHVISION).fingerprint,
    }
    assert len(others) == 4
    changed = networks.random_chain(1)
    changed[0][1][0] += 1e-6
    assert build_network("one", changed, TORCHVISION).fingerprint not in others


def test_the_caffe_fingerprint_tells_the_channel_order_apart() -> None:
    chain = networks.random_chain(1)
    flipped = [(chain[0][0].flip(1), chain[0][1]), *chain[1:]]
    assert build_network("a", chain, CAFFE).fingerprint != (
        build_network("a", flipped, CAFFE).fingerprint
    )


def test_a_network_cannot_be_changed(network: Network) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        network.source = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        network.layers["conv1_1"] = network.layers["pool1"]  # type: ignore[index]


def test_an_unknown_layer_lists_what_there_is(network: Network) -> None:
    with pytest.raises(
        DeconvError, match=r"'fc6' is not a layer .* choose one of conv1_1, conv1_2"
    ):
        network.layer("fc6")
    with pytest.raises(DeconvError, match="'relu1_1'"):
        network.value_of("relu1_1")


def test_a_chain_that_pools_everything_away_is_refused() -> None:
    steps: list[int | str] = [2, *[POOL] * 8]
    with pytest.raises(WeightsError, match="away to nothing"):
        build_network("tiny", networks.random_chain(0, steps), TORCHVISION)


def test_a_chain_that_does_not_continue_is_refused() -> None:
    chain = networks.random_chain()
    wrong = [*chain[:3], chain[5], *chain[6:]]
    with pytest.raises(WeightsError, match="expected"):
        build_network("wrong", wrong, TORCHVISION)
