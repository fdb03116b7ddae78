"""Deletion against Captum, against a loop over whole images, and its calibration."""

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from deconv_core.network.network import PREPROCESSINGS, Network, build_network
from deconv_core.specificity.deletion import (
    PERCENT,
    blocks,
    curves,
    random_ranks,
    ranks,
    replaced,
    replacement_of,
)
from deconv_core.specificity.location import Location
from deconv_core.units import Box
from tests.core import independent
from tests.core.networks import random_chain

PICTURE = "dog/noise.png"


def strongest(network: Network, layer: str, pixels: np.ndarray) -> tuple[Location, int]:
    """A location inside the image, and the map that responds most there."""
    place = (network.layers[layer].height // 2, network.layers[layer].width // 2 - 3)
    location = Location.of(network, layer, pixels, place)
    return location, int(location.activations.argmax())


def by_hand(pixels: np.ndarray, by: np.ndarray, box: Box, picture: np.ndarray) -> list[np.ndarray]:
    """Images with 1 to 8 % of the box replaced, as the definition says, in plain loops."""
    tall, wide = box.height, box.width
    energy = np.abs(picture.astype(float)).sum(0)
    padded = np.pad(energy, 2)
    smooth = np.array(
        [[padded[r : r + 5, c : c + 5].mean() for c in range(wide)] for r in range(tall)]
    )
    cells = [(r, c) for r in range(0, tall, 4) for c in range(0, wide, 4)]
    cells.sort(key=lambda cell: -smooth[cell[0] : cell[0] + 4, cell[1] : cell[1] + 4].mean())
    made = []
    for percent in range(1, 9):
        changed = pixels.copy()
        for row, column in cells[: -(-percent * len(cells) // 100)]:
            rows = slice(box.top + row, min(box.top + row + 4, box.bottom))
            columns = slice(box.left + column, min(box.left + column + 4, box.right))
            changed[rows, columns] = by[rows, columns]
        made.append(changed)
    return made


@pytest.mark.parametrize("kind", ["blur", "grey", "mean"])
def test_a_curve_is_that_of_a_loop_over_whole_images(
    network: Network, pictures: dict[str, np.ndarray], kind: str
) -> None:
    pixels = pictures[PICTURE]
    location, channel = strongest(network, "conv3_4", pixels)
    (picture,) = location.pictures([channel])
    by = replacement_of(pixels, kind)
    changed = by_hand(pixels, by, location.box, picture)
    inputs = independent.normalised(network, np.stack([pixels, *changed]))
    maps = independent.feature_maps(network, inputs)["conv3_4"]
    left = maps[:, channel, *location.place].numpy()
    (found,) = curves(location, channel, [ranks(picture)], by)
    assert len(found) == len(PERCENT) == 9
    assert np.allclose(found, left / left[0], rtol=1e-4, atol=1e-5)
    assert found[-1] < 1


@pytest.mark.filterwarnings("ignore::UserWarning:captum")
def test_captum_ablates_the_same(network: Network, pictures: dict[str, np.ndarray]) -> None:
    from captum.attr import FeatureAblation

    pixels = pictures[PICTURE]
    location, channel = strongest(network, "conv3_2", pixels)
    order, by, box = random_ranks(location.box, 3), replacement_of(pixels), location.box
    (found,) = curves(location, channel, [order], by)
    model, ends = independent.torch_model(network)
    model = model[: list(model).index(ends["conv3_2"]) + 1].eval()
    ablation = FeatureAblation(lambda inputs: model(inputs)[:, channel, *location.place])
    inputs = independent.normalised(network, pixels[None])
    blurred = independent.normalised(network, by[None])
    whole = float(location.activations[channel])
    for percent in (1, 4, 8):
        mask = torch.zeros(1, 1, *pixels.shape[:2], dtype=torch.long)
        inside = mask[0, 0, box.top : box.bottom, box.left : box.right]
        count = -(-percent * (int(order.max()) + 1) // 100)
        inside[torch.from_numpy(order < count)] = 1
        lost = ablation.attribute(inputs, baselines=blurred, feature_mask=mask)
        at = np.argwhere(order < count)[0] + (box.top, box.left)
        expected = whole - float(lost[0, 0, at[0], at[1]])
        assert found[percent] == pytest.approx(expected / whole, rel=1e-4, abs=1e-5)


def test_blocks_are_4_by_4_and_smaller_in_small_fields() -> None:
    numbers = blocks(46, 92)
    assert numbers[0, 3] == 0
    assert numbers[0, 4] == 1
    assert numbers[4, 0] == 23
    assert len(np.unique(numbers)) == 12 * 23
    assert np.bincount(numbers.ravel()).max() == 16
    assert len(np.unique(blocks(14, 14))) == 14 * 14
    assert len(np.unique(blocks(5, 3))) == 15


def test_what_is_replaced_is_the_share_that_is_said(pictures: dict[str, np.ndarray]) -> None:
    pixels, box = pictures[PICTURE], Box(20, 30, 100, 80)
    by = np.full_like(pixels, 7)
    pixels = np.where(pixels == 7, 8, pixels).astype(np.uint8)
    order = random_ranks(box, 0)
    for percent in PERCENT:
        changed = (replaced(pixels, by, box, order, percent) == 7).all(2)
        assert changed.sum() == pytest.approx(percent * 80, abs=16)
        changed[20:120, 30:110] = False
        assert not changed.any()


def test_the_blur_is_the_mean_around(pictures: dict[str, np.ndarray]) -> None:
    pixels = pictures[PICTURE]
    expected = pixels[50:81, 70:101].reshape(-1, 3).mean(0)
    assert np.abs(replacement_of(pixels)[65, 85] - expected).max() <= 0.51


CHAIN = random_chain(5, [6, 6, "pool", 16])


def network_of(chain: list) -> Network:
    return build_network("wide", chain, PREPROCESSINGS["torchvision"], "", (32, 32))


def shuffled(generator: np.random.Generator) -> Network:
    """The same network with the last layer's weights shuffled between its maps."""
    weight, bias = CHAIN[-1]
    order = torch.from_numpy(generator.permutation(16))
    return network_of([*CHAIN[:-1], (weight[order], bias[order])])


@pytest.mark.parametrize("null", ["another map stands for it", "weights are shuffled"])
def test_a_picture_that_is_not_the_maps_own_has_a_uniform_position(null: str) -> None:
    wide, generator, positions = network_of(CHAIN), np.random.default_rng(11), []
    while len(positions) < 150:
        pixels = generator.integers(0, 256, (32, 32, 3), np.uint8)
        place = (int(generator.integers(16)), int(generator.integers(16)))
        location = Location.of(wide, "conv2_1", pixels, place)
        channel = int(generator.integers(16))
        if not location.activations[channel] > 0:
            continue
        others = generator.permutation([other for other in range(16) if other != channel]).tolist()
        if null == "weights are shuffled":
            there = Location.of(shuffled(generator), "conv2_1", pixels, place)
            compared = there.pictures([channel, *others[:5]])
        else:
            compared = location.pictures(others[:6])
        orders = [ranks(picture) for picture in compared]
        left = np.mean(curves(location, channel, orders, replacement_of(pixels)), axis=1)
        below, ties = (left[1:] < left[0]).sum(), (left[1:] == left[0]).sum()
        positions.append((below + generator.random() * (ties + 1)) / 6)
    assert kstest(positions, "uniform").pvalue > 0.01
