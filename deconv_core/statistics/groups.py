"""Groups among the images that activate a feature map most: does it answer to several things?

The images are compared by their profiles: the peaks of all other maps of the layer in them. k-means
splits them into k groups. A split counts only if it passes three tests:

- Stability: each of 20 seeds draws 80 % of the images and its own starts, and assigns all images
  to the groups it found. The mean adjusted Rand index of each two seeds (1 for equal splits, 0 for
  chance) has to be at least 0.8.
- A gap: one long cloud can be cut in two at the same place each time. So on the line between the
  centres of each two groups, fewer images have to lie around the middle than around either centre:
  so few that a distribution with a single hill would show it in less than 1 of 100 cases.
- Size: the smallest group has at least a tenth of the images.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

STABLE = 0.8
"""The least stability of a split that counts."""
CHANCE = 0.01
"""A gap that a single hill would show with a larger probability does not count."""
SMALLEST = 0.1
"""The least share of the images in a group."""
MOST_GROUPS = 4
_AXES = 8
_SEEDS = 20
_STARTS = 4
_DRAWN = 0.8


@dataclass(frozen=True, eq=False)
class Split:
    """A split of images into groups.

    Attributes:
        codes: for each image, the number of its group.
        stability: the mean adjusted Rand index of each two seeds.
    """

    codes: Codes
    stability: float


def split(values: Values) -> Split | None:
    """The split into 2 to 4 groups that passes the tests; of several, the one with most groups.

    Args:
        values: the peaks (C, n) of the C other maps in n images.

    Returns:
        The split, or None: the images are one group.
    """
    points = profiles(values)
    if points.shape[1] == 0:
        return None
    tested = (_tested(points, k) for k in range(MOST_GROUPS, 1, -1))
    return next((found for found in tested if found is not None), None)


def profiles(values: Values) -> Numbers:
    """The images as points: the first eight principal axes of the normal scores of each map.

    A normal score is the value of the normal distribution at the rank of a peak. So no strong peak
    decides alone, and a single map has no groups: only maps that agree make them.

    Args:
        values: the peaks (C, n).

    Returns:
        (n, 8), or fewer axes if the images do not differ along as many.
    """
    from scipy.special import ndtri

    count = values.shape[1]
    lower = [np.sign(peaks[:, None] - peaks).sum(axis=1) for peaks in values]
    scores = ndtri((np.array(lower).reshape(-1, count) / count + 1) / 2)
    squares, axes = np.linalg.eigh(scores.T @ scores)
    kept = squares > 1e-9 * max(squares[-1], 1e-9)
    points: Numbers = (axes * np.sqrt(np.maximum(squares, 0)))[:, kept][:, -_AXES:]
    return points


def rand_index(one: Codes, other: Codes) -> float:
    """The adjusted Rand index of two splits of the same images (Hubert & Arabie 1985)."""
    table = np.zeros((one.max() + 1, other.max() + 1))
    np.add.at(table, (one, other), 1)

    def pairs(counts: Numbers) -> float:
        return float((counts * (counts - 1) / 2).sum())

    both, rows, columns = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    expected = rows * columns / pairs(table.sum())
    most = (rows + columns) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)


def gap(points: Numbers, codes: Codes, pair: tuple[int, int]) -> float:
    """The probability of so few images midway between two groups, if both were a single hill.

    The line between the centres is cut into bands of a third of its length, around each centre and
    around the middle. In a single hill, the middle holds at least as many as the emptier side.
    """
    from scipy.special import bdtr

    here, there = (points[codes == code] for code in pair)
    start, way = here.mean(axis=0), there.mean(axis=0) - here.mean(axis=0)
    along = (np.concatenate([here, there]) - start) @ way / (way @ way)
    near, middle, far = (int((np.abs(along - at) <= 1 / 6).sum()) for at in (0, 0.5, 1))
    side = min(near, far)
    return float(bdtr(middle, middle + side, 0.5))


def _tested(points: Numbers, k: int) -> Split | None:
    """The split into k groups, if it passes the tests."""
    tries = [_seeded(points, k, seed) for seed in range(_SEEDS)]
    pairs = itertools.combinations(tries, 2)
    stability = float(np.mean([rand_index(*pair) for pair in pairs]))
    if stability < STABLE:
        return None
    codes = _nearest(points, _centres(points, k, np.random.default_rng(_SEEDS)))
    if np.bincount(codes, minlength=k).min() < SMALLEST * len(points):
        return None
    if any(gap(points, codes, pair) >= CHANCE for pair in itertools.combinations(range(k), 2)):
        return None
    return Split(codes, stability)


def _seeded(points: Numbers, k: int, seed: int) -> Codes:
    """The groups that one seed finds: from a part of the images, for all of them."""
    rng = np.random.default_rng(seed)
    drawn = rng.choice(len(points), int(_DRAWN * len(points)), replace=False)
    return _nearest(points, _centres(points[drawn], k, rng))


def _nearest(points: Numbers, centres: Numbers) -> Codes:
    """For each point, the nearest centre."""
    distances = ((points[:, None] - centres) ** 2).sum(axis=2)
    return np.asarray(distances.argmin(axis=1), np.int64)


def _centres(points: Numbers, k: int, rng: np.random.Generator) -> Numbers:
    """The centres of k-means, the best of several starts."""
    from scipy.cluster.vq import ClusterError, kmeans2

    best, least = points[:k], np.inf
    for _ in range(_STARTS):
        try:
            centres, codes = kmeans2(points, k, 20, minit="++", missing="raise", rng=rng)
        except ClusterError:  # a group was left without points
            continue
        squares = float(((points - centres[codes]) ** 2).sum())
        if squares < least:
            best, least = centres, squares
    return best
