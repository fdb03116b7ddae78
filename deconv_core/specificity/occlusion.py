"""Occlusion: a map's activation while a grey square slides over the image: the paper's figure 7."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deconv_core.arguments import callbacks, whole_number
from deconv_core.errors import CancelledError
from deconv_core.images.decoding import Pixels
from deconv_core.progress import CancelFlag
from deconv_core.specificity.location import Location

_GREY = 128
_COARSE = (4, 2, 1)
_MOST_IMAGES = 32


@dataclass(frozen=True, eq=False)
class Occlusion:
    """A map's activation at one location for each position of the square.

    Attributes:
        size: side of the square, in pixels.
        tops: its first rows.
        lefts: its first columns.
        activations: (len(tops), len(lefts)).
    """

    size: int
    tops: tuple[int, ...]
    lefts: tuple[int, ...]
    activations: npt.NDArray[np.float32]


def occlusions(
    location: Location,
    channel: int,
    size: int = 32,
    stride: int = 8,
    cancel: CancelFlag | None = None,
) -> Iterator[Occlusion]:
    """Slide a grey square over the image of a location, coarse to fine.

    Args:
        location: where the map responds.
        channel: the map.
        size: side of the square, in pixels.
        stride: pixels from one position to the next.
        cancel: set it to stop between batches.

    Yields:
        The activations at every fourth position along each axis, at every second, and at all.

    Raises:
        DeconvError: an argument is not allowed.
        CancelledError: ``cancel`` was set.
    """
    whole_number("size", size, 1), whole_number("stride", stride, 1)
    callbacks(None, cancel)
    height, width = location.pixels.shape[:2]
    known: dict[tuple[int, int], float] = {}
    for coarse in _COARSE:
        tops = _starts(height, size, stride)[::coarse]
        lefts = _starts(width, size, stride)[::coarse]
        wanted = [(top, left) for top in tops for left in lefts]
        _complete(location, channel, size, wanted, known, cancel)
        found = np.array([[known[top, left] for left in lefts] for top in tops], np.float32)
        yield Occlusion(size, tops, lefts, found)


def _starts(length: int, size: int, stride: int) -> tuple[int, ...]:
    """First pixels of the square along an axis; the last position reaches the border."""
    return tuple(range(0, (math.ceil(max(length - size, 0) / stride) + 1) * stride, stride))


def _complete(
    location: Location,
    channel: int,
    size: int,
    wanted: list[tuple[int, int]],
    known: dict[tuple[int, int], float],
    cancel: CancelFlag | None,
) -> None:
    """Add what is not known yet; a square outside the field changes nothing."""
    box = location.box
    missing = []
    for top, left in wanted:
        inside = top < box.bottom and top + size > box.top
        if inside and left < box.right and left + size > box.left:
            if (top, left) not in known:
                missing.append((top, left))
        else:
            known[top, left] = float(location.activations[channel])
    for first in range(0, len(missing), _MOST_IMAGES):
        if cancel is not None and cancel.is_set():
            raise CancelledError("stopped")
        some = missing[first : first + _MOST_IMAGES]
        images = [_occluded(location.pixels, place, size) for place in some]
        known |= zip(some, location.responses(images, channel).tolist(), strict=True)


def _occluded(pixels: Pixels, place: tuple[int, int], size: int) -> Pixels:
    changed = pixels.copy()
    changed[place[0] : place[0] + size, place[1] : place[1] + size] = _GREY
    return changed
