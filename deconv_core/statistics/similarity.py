"""Correlations between feature maps: which maps fire on the same images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]

_IMAGES_AT_ONCE = 8192
_MOST_ORDERED = 512
"""The time to find the best order grows with about the third power of the number of maps."""


def correlations(values: Values, channel: int) -> Numbers:
    """Pearson's correlation of one map's peaks with those of each map, over all images.

    Args:
        values: the peaks (C, N) of C maps in N images.
        channel: the one map.

    Returns:
        (C,); NaN for maps that are the same in all images, for example dead maps.
    """
    one = values[channel].astype(np.float64) - values[channel].mean(dtype=np.float64)
    found = np.full(len(values), np.nan)
    if not varies(values[channel : channel + 1])[0]:
        return found
    for number in np.flatnonzero(varies(values)):
        other = values[number] - values[number].mean(dtype=np.float64)
        found[number] = one @ other / np.sqrt((one @ one) * (other @ other))
    return found.clip(-1, 1)


def correlation_matrix(values: Values) -> Numbers:
    """Pearson's correlation of the peaks of each two maps (C, C); each map has to vary."""
    means = values.mean(axis=1, dtype=np.float64, keepdims=True)
    products = np.zeros((len(values), len(values)))
    for first in range(0, values.shape[1], _IMAGES_AT_ONCE):
        part = values[:, first : first + _IMAGES_AT_ONCE] - means
        products += part @ part.T
    deviations = np.sqrt(np.diag(products))
    found: Numbers = products / np.outer(deviations, deviations)
    return found.clip(-1, 1)


def varies(values: Values) -> npt.NDArray[np.bool_]:
    """For each map (C, N), whether its peaks differ between images; dead maps do not."""
    if not values.shape[1]:
        return np.zeros(len(values), bool)
    return np.asarray(values.min(axis=1) < values.max(axis=1))


def clustered(matrix: Numbers) -> npt.NDArray[np.int64]:
    """An order in which similar maps are neighbours.

    It is the order of a hierarchical clustering with the mean distance 1 - correlation between
    groups. For up to 512 maps, it is the order with the smallest sum of distances between
    neighbours, of all orders that the tree allows.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    if len(matrix) < 3:
        return np.arange(len(matrix))
    distances = squareform(1 - matrix, checks=False)
    tree = linkage(distances, "average", optimal_ordering=len(matrix) <= _MOST_ORDERED)
    return np.asarray(leaves_list(tree), np.int64)
