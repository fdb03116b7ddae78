"""Deletion: how fast an activation falls when pixels are replaced in the order of a picture."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter

from deconv_core.images.decoding import Pixels
from deconv_core.specificity.location import Location
from deconv_core.units import Box

PERCENT = tuple(range(9))
"""Percent of the field that are replaced, step by step."""
PERCENT_OF_OTHERS = (0, 4, 8)
"""The same for other maps' pictures: they are many."""
FEWEST_PIXELS = 100
"""Smaller fields cannot be replaced in steps of one percent."""
Replacement = Literal["blur", "grey", "mean"]
REPLACEMENTS: tuple[Replacement, ...] = ("blur", "grey", "mean")
Curve = tuple[float, ...]
"""The share of the activation that is left at each step; 1 at the first."""
Ranks = npt.NDArray[np.int64]
"""For each pixel of a box (height, width): when its block is replaced, counted from 0."""

_BLOCK, _SMOOTHED, _BLURRED = 4, 5, 31
_MOST_IMAGES = 32
"""Images that pass up together."""


def replacement_of(pixels: Pixels, kind: Replacement = "blur") -> Pixels:
    """What pixels of an image (height, width, 3) are replaced by, uint8 of the same shape.

    - blur: the mean of the 31x31 pixels around each.
    - grey: 128.
    - mean: the mean colour of the image.
    """
    if kind == "grey":
        return np.full_like(pixels, 128)
    if kind == "mean":
        return np.broadcast_to(pixels.mean((0, 1)).round().astype(np.uint8), pixels.shape).copy()
    blurred = uniform_filter(pixels.astype(np.float64), (_BLURRED, _BLURRED, 1), mode="nearest")
    replacement: Pixels = blurred.round().clip(0, 255).astype(np.uint8)
    return replacement


def blocks(height: int, width: int) -> Ranks:
    """The number of each pixel's block (height, width), counted in reading order.

    Blocks have 4x4 pixels, fewer at the right and bottom; in small fields they are so small that
    there are at least a hundred, or single pixels.
    """
    side = min(_BLOCK, max(1, math.isqrt(height * width // 100)))
    rows, columns = np.arange(height) // side, np.arange(width) // side
    return np.asarray(rows[:, None] * (columns[-1] + 1) + columns, np.int64)


def ranks(picture: npt.NDArray[np.floating[Any]]) -> Ranks:
    """The order of a picture (3, height, width): blocks of most energy first.

    The energy is the absolute values, summed over colours and smoothed by a box of 5x5 pixels.
    """
    energy = np.abs(picture.astype(np.float64)).sum(0)
    smooth = uniform_filter(energy, _SMOOTHED, mode="constant").ravel()
    numbers = blocks(*energy.shape)
    means = np.bincount(numbers.ravel(), smooth) / np.bincount(numbers.ravel())
    return _ranked(np.argsort(-means, kind="stable"), numbers)


def random_ranks(box: Box, seed: int) -> Ranks:
    """A random order of the blocks of a box."""
    numbers = blocks(box.height, box.width)
    order = np.random.default_rng(seed).permutation(int(numbers.max()) + 1)
    return _ranked(order, numbers)


def _ranked(order: npt.NDArray[np.int64], numbers: Ranks) -> Ranks:
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    return places[numbers]


def replaced(pixels: Pixels, by: Pixels, box: Box, order: Ranks, percent: int) -> Pixels:
    """The image with the first blocks of an order replaced, in all ``percent`` of the box."""
    count = math.ceil(percent * (int(order.max()) + 1) / 100)
    changed = pixels.copy()
    rows, columns = slice(box.top, box.bottom), slice(box.left, box.right)
    chosen = order < count
    changed[rows, columns][chosen] = by[rows, columns][chosen]
    return changed


def curves(
    location: Location,
    channel: int,
    orders: Sequence[Ranks],
    by: Pixels,
    percents: Sequence[int] = PERCENT,
) -> tuple[Curve, ...]:
    """For each order, the share of a map's activation that is left at each step.

    The activation is computed anew for each changed image; it has to be above 0 in the image.
    """
    images = (
        replaced(location.pixels, by, location.box, order, percent)
        for order in orders
        for percent in percents[1:]
    )
    left = np.concatenate([location.responses(some, channel) for some in _batches(images)])
    shares = left.astype(np.float64) / float(location.activations[channel])
    return tuple((1.0, *curve) for curve in shares.reshape(len(orders), -1).tolist())


def _batches(images: Iterable[Pixels]) -> Iterator[list[Pixels]]:
    rest = iter(images)
    while some := list(islice(rest, _MOST_IMAGES)):
        yield some
