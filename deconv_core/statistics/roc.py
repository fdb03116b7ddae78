"""How well the peaks of a feature map tell the images of one label from all others.

The area under the ROC curve is the probability that an image of the label has a larger peak than
an image of another label, with ties counted half: 1 and 0 tell all of them apart, 0.5 tells none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deconv_core.threads import in_threads

Values = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

_Z = 1.959963984540054
"""95 % of a normal distribution lie within this many standard deviations."""
_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)


@dataclass(frozen=True, slots=True)
class Area:
    """The area under the ROC curve between two groups of images.

    Attributes:
        area: the probability that an image of the first group has the larger peak.
        low: beginning of its 95 % interval.
        high: end of its 95 % interval.
        images: number of images in the first group.
        others: number of images in the second group.
    """

    area: float
    low: float
    high: float
    images: int
    others: int


def between(first: Values, second: Values) -> Area:
    """How well the peaks tell one group of images from another; both groups need an image."""
    codes = np.repeat(np.array([1, 0]), [len(first), len(second)])
    area = areas(np.concatenate([first, second])[None], codes, 2)[0, 1:]
    low, high = interval(area, np.array([len(first)], float), np.array([len(second)], float))
    return Area(float(area[0]), float(low[0]), float(high[0]), len(first), len(second))


def areas(values: Values, codes: Codes, labels: int) -> Numbers:
    """The area under the ROC curve of each map and label.

    Args:
        values: the peaks (C, N) of C maps in N images.
        codes: for each image, the number of its label.
        labels: how many labels there are.

    Returns:
        (C, labels); NaN for a label that no image or every image has.
    """
    counts = np.bincount(codes, minlength=labels).astype(float)
    pairs = counts * (codes.size - counts)
    low = codes.astype(np.uint64)
    places = np.arange(1.0, codes.size + 1)

    def of_map(peaks: Values) -> Numbers:
        # Sorting numbers that end with the label is several times faster than sorting an order.
        keys = np.sort(_growing(peaks).astype(np.uint64) << _SHIFT | low)
        bits = (keys >> _SHIFT).astype(np.uint32)
        new = np.flatnonzero(bits[1:] != bits[:-1]) + 1
        ranks = places
        if len(new) < len(keys) - 1:  # equal peaks share the mean of their ranks
            bounds = np.concatenate([[0], new, [len(keys)]])
            ranks = np.repeat((bounds[:-1] + bounds[1:] + 1) / 2, np.diff(bounds))
        sums = np.bincount((keys & _LOW).astype(np.int64), ranks, labels)
        wins: Numbers = sums - counts * (counts + 1) / 2
        return wins

    wins = np.stack(in_threads(of_map, values)) if len(values) else np.empty((0, labels))
    with np.errstate(invalid="ignore"):
        return np.asarray(wins / pairs)


def interval(area: Numbers, images: Numbers, others: Numbers) -> tuple[Numbers, Numbers]:
    """The 95 % interval of areas after Hanley & McNeil (1982), within 0 and 1.

    An area of 0 or 1 has no error by their formula, however few images there are. There, the other
    end of the interval is the area that is as far from 0 or 1 as its own error, which their formula
    gives for both directions; the larger one counts.

    Args:
        area: the areas.
        images: the numbers of images of the labels.
        others: the numbers of all other images.
    """
    error = _error(area, images, others)
    low, high = np.clip(area - error, 0, 1), np.clip(area + error, 0, 1)
    images, others = np.broadcast_to(images, area.shape), np.broadcast_to(others, area.shape)
    for edge, end, sign in ((1, low, -1), (0, high, 1)):
        here = area == edge
        end[here] = edge + sign * _width_at_the_edge(images[here], others[here])
    return low, high


def _error(area: Numbers, images: Numbers, others: Numbers) -> Numbers:
    """Half the width of the interval around an area."""
    two_images, two_others = area / (2 - area), 2 * area**2 / (1 + area)
    variance = (
        area * (1 - area)
        + (images - 1) * (two_images - area**2)
        + (others - 1) * (two_others - area**2)
    )
    pairs = np.maximum(images * others, 1)
    return np.asarray(_Z * np.sqrt(np.maximum(variance, 0) / pairs))


def _width_at_the_edge(images: Numbers, others: Numbers) -> Numbers:
    """The width of the interval of an area that is exactly 0 or 1."""
    near, far = np.zeros(len(images)), np.ones(len(images))
    for _ in range(40):  # halves the range that the width lies in
        width = (near + far) / 2
        errors = _error(1 - width, images, others), _error(1 - width, others, images)
        within = width < np.maximum(*errors)
        near, far = np.where(within, width, near), np.where(within, far, width)
    return far


def strongest(values: Values, k: int) -> list[Codes]:
    """For each map, the k images with the largest peaks above 0, the strongest first.

    Args:
        values: the peaks (C, N); of equal peaks, the image that comes first is the stronger one.
        k: how many images, or fewer if fewer activate the map.
    """

    def of_map(peaks: Values) -> Codes:
        limit = np.partition(peaks, -k)[-k] if len(peaks) > k else -np.inf
        found = np.flatnonzero((peaks >= limit) & (peaks > 0))
        return found[np.argsort(-peaks[found], kind="stable")][:k]

    return in_threads(of_map, values)


def precision(top: Sequence[Codes], codes: Codes, labels: int, k: int) -> Numbers:
    """The share of each label among the k strongest images of each map.

    Args:
        top: for each map, at least its k strongest images, if as many activate it.
        codes: for each image, the number of its label.
        labels: how many labels there are.
        k: how many images. If fewer activate the map, the share is among these.

    Returns:
        (C, labels); NaN for a map that no image activates.
    """
    found = np.full((len(top), labels), np.nan)
    for number, images in enumerate(top):
        if len(images):
            found[number] = np.bincount(codes[images[:k]], minlength=labels) / len(images[:k])
    return found


def _growing(peaks: Values) -> npt.NDArray[np.uint32]:
    """The bits of the floats, changed so that they grow with the float."""
    bits = (peaks + np.float32(0)).view(np.uint32)  # no negative zero
    return np.where(bits >> np.uint32(31) == 1, ~bits, bits | np.uint32(0x80000000))
