"""Orders, percentiles and choices of positions, against plain Python."""

import numpy as np
import pytest

from deconv_core.statistics import bands


def test_equal_values_are_ordered_by_name() -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 4, 50).astype(np.float32)
    names = np.array([f"{n}.png" for n in rng.permutation(50)], object)
    expected = sorted(range(50), key=lambda n: (values[n], names[n]))
    assert bands.ascending(values, names).tolist() == expected


@pytest.mark.parametrize("k", range(1, 12))
@pytest.mark.parametrize("count", [0, 1, 2, 5, 9, 10, 11, 100, 131_072])
def test_spread_positions_are_even_and_include_both_ends(count: int, k: int) -> None:
    found = bands.spread(count, k).tolist()
    assert len(found) == len(set(found)) == min(k, count)
    assert found == sorted(found)
    if 1 < k <= count:
        assert (found[0], found[-1]) == (0, count - 1)
        gaps = np.diff(found)
        assert gaps.max() - gaps.min() <= 1
    if k == 1 and count:
        assert abs(found[0] - (count - 1) / 2) <= 0.5


def test_a_seed_chooses_the_same_positions_each_time_and_all_of_them_sometimes() -> None:
    assert bands.spread(20, 5, seed=3).tolist() == bands.spread(20, 5, seed=3).tolist()
    chosen = [bands.spread(20, 5, seed=seed).tolist() for seed in range(100)]
    assert all(found == sorted(set(found)) and len(found) == 5 for found in chosen)
    assert {n for found in chosen for n in found} == set(range(20))
    assert bands.spread(4, 9, seed=1).tolist() == [0, 1, 2, 3]


def test_percentiles_are_shares_below() -> None:
    assert bands.percentiles(4).tolist() == [0, 0.25, 0.5, 0.75]
    assert bands.percentiles(0).tolist() == []


def test_shares_below_count_smaller_peaks_only() -> None:
    values = np.array([[3, 1, 2, 2], [0, 0, 0, 0], [5, 6, 7, 8]], np.float32)
    peaks = np.array([2, 0, 9], np.float32)
    assert bands.shares_below(values, peaks).tolist() == [0.25, 0, 1]
    assert bands.shares_below(np.empty((2, 0), np.float32), peaks[:2]).tolist() == [0, 0]
    drawn = np.random.default_rng(0).integers(0, 5, (7, 30)).astype(np.float32)
    expected = [np.mean([value < row[3] for value in row]) for row in drawn]
    assert bands.shares_below(drawn, drawn[:, 3]).tolist() == expected
