"""Ranks in a distribution: which belong to a band, which of them to show, how high a peak is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.int64]


def ascending(values: npt.NDArray[np.float32], names: npt.NDArray[np.object_]) -> Positions:
    """The order of images by value, the smallest first; equal values are ordered by name."""
    by_name = np.argsort(names, kind="stable")
    return by_name[np.argsort(values[by_name], kind="stable")]


def percentiles(count: int) -> npt.NDArray[np.float64]:
    """For each rank of ``count`` images, the share of images below it: 0 to less than 1."""
    return np.arange(count) / max(count, 1)


def shares_below(
    values: npt.NDArray[np.float32], peaks: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """For each map, the share of its peaks (C, N) that are smaller than a given peak (C,).

    Equal peaks are not smaller. Without images, the share is 0.
    """
    below = [np.count_nonzero(row < peak) for row, peak in zip(values, peaks, strict=True)]
    shares: npt.NDArray[np.float64] = np.array(below, np.float64) / max(values.shape[1], 1)
    return shares


def spread(count: int, k: int, seed: int | None = None) -> Positions:
    """Choose k of ``count`` positions, in order; all of them if there are at most k.

    Args:
        count: the number of positions.
        k: how many to choose. Evenly spaced ones include the first and the last; a single one is
            in the middle.
        seed: choose at random with this seed; None chooses evenly spaced ones.
    """
    if count <= k:
        return np.arange(count)
    if seed is not None:
        return np.sort(np.random.default_rng(seed).choice(count, k, replace=False))
    if k == 1:
        return np.array([(count - 1) // 2])
    return np.arange(k) * (count - 1) // (k - 1)
