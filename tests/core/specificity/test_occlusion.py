"""Occlusion against a loop over whole images, and against Captum."""

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from deconv_core import Unit, load_network
from deconv_core.errors import CancelledError, DeconvError
from deconv_core.network.network import Network
from deconv_core.specificity.occlusion import Occlusion, occlusions
from deconv_core.specificity.table import occlusion_table
from tests.core import drawings, independent
from tests.core.network.modules import Chain, lively

SIZE = 64, 48
UNIT, PLACE = Unit("conv2", 5), (7, 4)
AFTER = 5
"""Modules of the chain up to that layer, its rectification included."""


@pytest.fixture(scope="module")
def chain() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(*lively(Chain()))


@pytest.fixture(scope="module")
def network(chain: nn.Sequential) -> Network:
    return load_network(chain, "torchvision", input_size=SIZE)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.ascontiguousarray(drawings.noise(4)[: SIZE[0], : SIZE[1]])


def finest(network: Network, pixels: np.ndarray, size: int, stride: int) -> Occlusion:
    *_, found = occlusions(network, pixels, UNIT, PLACE, size, stride)
    return found


def readings(chain: nn.Sequential, inputs: Tensor, strongest: int, best: int) -> list[Tensor]:
    """Activation, sum, probability and class of each input, by the module itself."""
    with torch.no_grad():
        maps = chain[:AFTER](inputs.clone())
        scores = chain(inputs.clone()).softmax(1)
    activation = maps[:, UNIT.channel, PLACE[0], PLACE[1]]
    return [activation, maps[:, strongest].sum((1, 2)), scores[:, best], scores.argmax(1)]


def test_all_four_are_those_of_a_loop_over_whole_images(
    chain: nn.Sequential, network: Network, pixels: np.ndarray
) -> None:
    found = finest(network, pixels, size=20, stride=8)
    assert found.tops == (0, 8, 16, 24, 32, 40, 48)
    assert found.lefts == (0, 8, 16, 24, 32)  # the last one reaches the border
    whole = independent.normalised(network, pixels[None])
    maps, scores = chain[:AFTER](whole.clone()).detach(), chain(whole.clone()).detach()
    strongest, best = int(maps[0].amax((1, 2)).argmax()), int(scores[0].argmax())
    assert found.strongest == strongest
    expected = []
    for top in found.tops:
        for left in found.lefts:
            changed = pixels.copy()
            changed[top : top + 20, left : left + 20] = 128
            inputs = independent.normalised(network, changed[None])
            expected.append([float(part) for part in readings(chain, inputs, strongest, best)])
    activations, sums, probabilities, classes = np.moveaxis(
        np.array(expected).reshape(7, 5, 4), -1, 0
    )
    made = found.found
    assert np.allclose(made.activations, activations, rtol=1e-5, atol=1e-6)
    assert np.allclose(made.sums, sums, rtol=1e-5)
    assert made.probabilities is not None
    assert np.allclose(made.probabilities, probabilities, rtol=1e-5)
    assert np.array_equal(made.classes, classes)
    assert np.ptp(activations) > 0.1 * activations.max()
    assert np.ptp(sums) > 0.01 * sums.max()
    assert np.ptp(probabilities) > 1e-3
    assert len(np.unique(classes)) > 1
    unchanged = [float(part) for part in readings(chain, whole, strongest, best)]
    without = found.without
    assert np.allclose(
        [without.activations, without.sums, without.probabilities, without.classes],
        unchanged,
        rtol=1e-5,
    )


@pytest.mark.filterwarnings("ignore::UserWarning:captum")
def test_captum_occludes_the_same(
    chain: nn.Sequential, network: Network, pixels: np.ndarray
) -> None:
    from captum.attr import Occlusion as Captums

    side = 16
    found = finest(network, pixels, side, side)
    inputs = independent.normalised(network, pixels[None])
    grey = independent.normalised(network, np.full_like(pixels, 128)[None])
    best = int(chain(inputs.clone())[0].argmax())

    def captum(answer: Callable[[Tensor], Tensor]) -> np.ndarray:
        """The answer (1,) with the square at each position, by what Captum says is lost."""
        with torch.no_grad():
            window = (3, side, side)
            lost = Captums(answer).attribute(inputs, window, strides=window, baselines=grey)
            return (answer(inputs) - lost[0, 0, ::side, ::side]).numpy()

    made = found.found
    for number, mine in enumerate((made.activations, made.sums, made.probabilities)):
        expected = captum(
            lambda x, number=number: readings(chain, x, found.strongest, best)[number]
        )
        assert np.allclose(mine, expected, rtol=1e-5, atol=1e-6)
    each = [captum(lambda x, k=k: chain(x.clone()).softmax(1)[:, k]) for k in range(5)]
    assert np.array_equal(made.classes, np.argmax(each, axis=0))


def test_without_a_classifier_there_are_no_classes(chain: nn.Sequential) -> None:
    network = load_network(chain[:AFTER], "torchvision", input_size=SIZE)
    pixels = np.ascontiguousarray(drawings.noise(4)[: SIZE[0], : SIZE[1]])
    found = finest(network, pixels, 32, 32)
    assert found.found.probabilities is None
    assert found.found.classes is None
    assert found.found.sums.shape == (2, 2)


def test_a_classifier_behind_a_step_without_a_deconvnet_is_passed_over() -> None:
    convolutions = nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.SiLU()
    gated = nn.Sequential(*convolutions, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
    network = load_network(gated.eval(), "torchvision", input_size=SIZE)
    assert network.head is not None
    pixels = np.ascontiguousarray(drawings.noise(4)[: SIZE[0], : SIZE[1]])
    *_, found = occlusions(network, pixels, Unit(next(iter(network.layers)), 5), PLACE, 32, 32)
    assert found.found.classes is None
    assert found.found.sums.shape == (2, 2)


def test_it_comes_coarse_to_fine_and_stops(network: Network, pixels: np.ndarray) -> None:
    done: list[tuple[int, int]] = []
    parts = occlusions(
        *(network, pixels, UNIT, PLACE, 16, 8),
        progress=lambda now, of: done.append((now, of)),
    )
    coarse, middle, fine = parts
    assert fine.tops == tuple(range(0, 49, 8))
    assert middle.tops == fine.tops[::2]
    assert coarse.tops == fine.tops[::4]
    assert np.allclose(coarse.found.sums, fine.found.sums[::4, ::4], rtol=0)
    assert np.allclose(middle.found.sums, fine.found.sums[::2, ::2], rtol=0)
    assert done[-1] == (35, 35)
    assert done == sorted(done)
    cancel = threading.Event()
    parts = occlusions(network, pixels, UNIT, PLACE, 16, 8, cancel=cancel)
    next(parts)
    cancel.set()
    with pytest.raises(CancelledError):
        next(parts)


def test_a_place_or_an_image_that_is_not_there_is_refused(
    network: Network, pixels: np.ndarray
) -> None:
    for arguments, said in (
        ((pixels[:-1], UNIT, PLACE), "shape"),
        ((pixels, Unit(UNIT.layer, 8), PLACE), "channel is 8"),
        ((pixels, UNIT, (99, 0)), "row is 99"),
        ((pixels, UNIT, PLACE, 0), "size is 0"),
    ):
        with pytest.raises(DeconvError, match=said):
            next(occlusions(network, *arguments))


def test_the_table_has_a_row_for_each_position(network: Network, pixels: np.ndarray) -> None:
    assert network.head is not None
    found = finest(network, pixels, 20, 20)
    head = replace(network.head, classes=("ant", "bee", "cow", "dog", "eel"))
    table = occlusion_table(found, head)
    assert len(table) == 1 + len(found.tops) * len(found.lefts)
    assert table["activation"][0] == found.without.activations
    row = table[(table["top"] == 40) & (table["left"] == 20)].iloc[0]
    assert row["sum"] == found.found.sums[2, 1]
    made = found.found
    assert made.classes is not None
    assert made.probabilities is not None
    assert row["probability"] == made.probabilities[2, 1]
    assert row["class"] == head.classes[made.classes[2, 1]]
    unnamed = occlusion_table(found, network.head)
    assert unnamed["class"][0] == f"class {found.without.classes}"
