"""Occlusion against Captum and against a loop over whole images."""

import threading

import numpy as np
import pytest
import torch

from deconv_core.errors import CancelledError
from deconv_core.network.network import Network
from deconv_core.specificity.location import Location
from deconv_core.specificity.occlusion import occlusions
from tests.core import independent

PICTURE = "dog/noise.png"


@pytest.fixture(scope="module")
def location(network: Network, pictures: dict[str, np.ndarray]) -> Location:
    return Location.of(network, "conv3_2", pictures[PICTURE], (28, 25))


def test_activations_are_those_of_a_loop_over_whole_images(
    network: Network, location: Location
) -> None:
    channel = int(location.activations.argmax())
    *_, found = occlusions(location, channel, size=60, stride=50)
    assert found.tops == found.lefts == (0, 50, 100, 150, 200)
    changed = []
    for top in found.tops:
        for left in found.lefts:
            changed.append(location.pixels.copy())
            changed[-1][top : top + 60, left : left + 60] = 128
    inputs = independent.normalised(network, np.stack(changed))
    maps = independent.feature_maps(network, inputs)["conv3_2"]
    expected = maps[:, channel, 28, 25].reshape(5, 5).numpy()
    assert np.allclose(found.activations, expected, rtol=1e-4, atol=1e-5)
    assert np.ptp(expected) > 0.1 * expected.max()


@pytest.mark.filterwarnings("ignore::UserWarning:captum")
def test_captum_occludes_the_same(network: Network, location: Location) -> None:
    from captum.attr import Occlusion

    channel = int(location.activations.argmax())
    *_, found = occlusions(location, channel, size=32, stride=32)
    model, ends = independent.torch_model(network)
    model = model[: list(model).index(ends["conv3_2"]) + 1].eval()
    unit = Occlusion(lambda inputs: model(inputs)[:, channel, 28, 25])
    inputs = independent.normalised(network, location.pixels[None])
    grey = independent.normalised(network, np.full_like(location.pixels, 128)[None])
    with torch.no_grad():
        lost = unit.attribute(inputs, (3, 32, 32), strides=(3, 32, 32), baselines=grey)
    expected = location.activations[channel] - lost[0, 0, ::32, ::32].numpy()
    assert np.allclose(found.activations, expected, rtol=1e-4, atol=1e-4)


def test_it_comes_coarse_to_fine_and_stops(location: Location) -> None:
    coarse, middle, fine = occlusions(location, 0, size=40, stride=20)
    assert fine.tops == tuple(range(0, 201, 20))  # the last one reaches the border
    assert middle.tops == fine.tops[::2]
    assert coarse.tops == fine.tops[::4]
    assert np.array_equal(coarse.activations, fine.activations[::4, ::4])
    assert np.array_equal(middle.activations, fine.activations[::2, ::2])
    cancel = threading.Event()
    parts = occlusions(location, 0, 40, 20, cancel)
    next(parts)
    cancel.set()
    with pytest.raises(CancelledError):
        next(parts)
