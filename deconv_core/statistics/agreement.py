"""How far two feature maps agree on the same images: whether both rank them alike.

Activations of two maps have different scales, so only ranks are compared: by Spearman's rank
correlation over all images, and by how many of the strongest images are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, lgamma

import numpy as np
import numpy.typing as npt

from deconv_core.statistics import roc

Values = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]

_Z = 1.959963984540054
"""95 % of a normal distribution lie within this many standard deviations."""
_MOST = 0.95


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike two maps rank the same images.

    Attributes:
        correlation: Spearman's rank correlation of the peaks; equal peaks share their mean rank.
        low: beginning of its 95 % interval.
        high: end of its 95 % interval.
        images: number of images.
        tops: how many of the strongest images of each map are compared.
        shared: how many of these are the same.
        chance: how many would be the same on average if the maps had nothing in common.
        most: at most as many would be the same by chance, in 95 % of all cases.
    """

    correlation: float
    low: float
    high: float
    images: int
    tops: tuple[int, int]
    shared: int
    chance: float
    most: int


def between(first: Values, second: Values, k: int) -> Agreement:
    """How far two maps agree.

    Args:
        first: the peaks of one map; they must not all be equal.
        second: the peaks of the other map in the same images; they must not all be equal.
        k: how many of the strongest images are compared, or fewer if fewer activate a map.
    """
    images = len(first)
    found = rank_correlation(first, second)
    one, other = (set(top.tolist()) for top in roc.strongest(np.stack([first, second]), k))
    chance = len(one) * len(other) / images
    most = _most_by_chance(images, len(one), len(other))
    return Agreement(*found, images, (len(one), len(other)), len(one & other), chance, most)


def rank_correlation(first: Values, second: Values) -> tuple[float, float, float]:
    """Spearman's rank correlation, beginning and end of its 95 % interval.

    The interval is that of Fisher's z. Its width comes from how much each image influences the
    correlation (its asymptotic variance: Borkowf 2002), so it holds for any distribution, also for
    maps that are silent in most images. It is at least as wide as for maps that have nothing in
    common: where few images activate a map, their influences show too little.
    """
    one, other = _Grades(first), _Grades(second)
    spread = np.sqrt(one.variance * other.variance)
    found = float(np.clip((one.centred @ other.centred) / len(first) / spread, -1, 1))
    if len(first) <= 3:
        return found, -1.0, 1.0
    if abs(found) > 1 - 1e-12:
        return found, found, found
    together = one.centred * other.centred
    together += one.moved(other.centred) + other.moved(one.centred)
    alone = sum(
        (grades.centred**2 + 2 * grades.moved(grades.centred)) / grades.variance
        for grades in (one, other)
    )
    influence = together / spread - found / 2 * alone
    error = _Z * max(influence.std() / (1 - found**2), 1.0) / np.sqrt(len(first) - 3)
    centre = np.arctanh(found)
    return found, float(np.tanh(centre - error)), float(np.tanh(centre + error))


class _Grades:
    """The ranks of the peaks of one map, as shares of the images, less their mean.

    Attributes:
        centred: the share of images with a smaller peak, and half of those with an equal one,
            less 1/2.
        variance: of these numbers.
    """

    def __init__(self, peaks: Values) -> None:
        _, self._groups, counts = np.unique(peaks, return_inverse=True, return_counts=True)
        self.centred: Numbers = ((np.cumsum(counts) - counts / 2) / len(peaks) - 0.5)[self._groups]
        self.variance = float(np.mean(self.centred**2))

    def moved(self, weights: Numbers) -> Numbers:
        """How much one more image of each peak would raise the weighted mean of the ranks."""
        sums = np.bincount(self._groups, weights)
        above = sums.sum() - np.cumsum(sums)
        moved: Numbers = (above + sums / 2)[self._groups] / len(weights)
        return moved


def _most_by_chance(images: int, one: int, other: int) -> int:
    """The number that two random draws of images share at most in 95 % of all cases."""
    reached, shared = 0.0, max(0, one + other - images) - 1
    while reached < _MOST - 1e-9 and shared < min(one, other):
        shared += 1
        ways = _log_ways(one, shared) + _log_ways(images - one, other - shared)
        reached += exp(ways - _log_ways(images, other))
    return shared


def _log_ways(images: int, chosen: int) -> float:
    return lgamma(images + 1) - lgamma(chosen + 1) - lgamma(images - chosen + 1)
