"""How far two maps agree, against scipy, brute force over images, and simulations."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import hypergeom, norm, spearmanr

from deconv_core.statistics import agreement


def two_maps(kind: str, images: int = 60) -> np.ndarray:
    """Peaks (2, images) of maps that have something in common."""
    rng = np.random.default_rng(3)
    common = rng.normal(0, 1, images)
    values = {
        "distinct": common + rng.normal(0, 1, (2, images)),
        "silent in many": np.maximum(common + rng.normal(-0.7, 1, (2, images)), 0),
        "tied": np.round(common + rng.normal(0, 1, (2, images))),
        "other scales": (common + rng.normal(0, 1, (2, images))) * [[1e-6], [1e6]],
        "opposed": np.stack([common, rng.normal(0, 1, images) - common]),
    }[kind]
    return values.astype(np.float32)


KINDS = ["distinct", "silent in many", "tied", "other scales", "opposed"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_correlation_is_that_of_scipy(kind: str) -> None:
    first, second = two_maps(kind)
    found = agreement.between(first, second, 9)
    assert found.correlation == pytest.approx(spearmanr(first, second).statistic, abs=1e-12)
    assert -1 <= found.low < found.correlation < found.high <= 1
    assert found.images == 60


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [1, 9, 30, 100])
def test_shared_images_are_those_of_plain_sorting(kind: str, k: int) -> None:
    first, second = two_maps(kind)
    found = agreement.between(first, second, k)
    tops = []
    for peaks in (first, second):
        firing = [image for image in range(60) if peaks[image] > 0]
        tops.append(set(sorted(firing, key=lambda image: (-peaks[image], image))[:k]))
    assert found.tops == (len(tops[0]), len(tops[1]))
    assert found.shared == len(tops[0] & tops[1])
    assert found.chance == pytest.approx(len(tops[0]) * len(tops[1]) / 60)


@pytest.mark.parametrize(
    ("images", "firing", "k"), [(8, (3, 8), 3), (9, (2, 4), 5), (7, (7, 7), 4)]
)
def test_chance_is_that_of_all_draws(images: int, firing: tuple[int, int], k: int) -> None:
    first, second = (
        np.where(np.arange(images) < fire, np.arange(images) + 1, 0).astype(np.float32)
        for fire in firing
    )
    found = agreement.between(first, second, k)
    one, other = found.tops
    draws = list(itertools.combinations(range(images), other))
    shared = [len(set(draw) & set(range(one))) for draw in draws]
    assert found.chance == pytest.approx(float(Fraction(sum(shared), len(draws))))
    assert sum(number <= found.most for number in shared) >= 0.95 * len(draws)
    assert sum(number < found.most for number in shared) < 0.95 * len(draws)


@pytest.mark.parametrize(
    ("images", "one", "other"), [(30_000, 300, 300), (194, 9, 4), (20, 15, 12)]
)
def test_chance_among_many_images_is_that_of_scipy(images: int, one: int, other: int) -> None:
    rng = np.random.default_rng(0)
    first, second = (
        np.where(np.arange(images) < firing, rng.uniform(1, 2, images), 0).astype(np.float32)
        for firing in (one, other)
    )
    found = agreement.between(first, second, max(one, other))
    assert found.tops == (one, other)
    assert found.most == hypergeom(images, one, other).ppf(0.95)


def test_equal_and_opposite_maps() -> None:
    one = np.random.default_rng(0).uniform(0.1, 1, 50).astype(np.float32)
    same, opposed = agreement.between(one, one**3, 9), agreement.between(one, 1 / one, 9)
    assert (same.correlation, same.shared) == (pytest.approx(1), 9)
    assert (opposed.correlation, opposed.shared) == (pytest.approx(-1), 0)
    assert same.low == pytest.approx(1, abs=1e-6)
    assert opposed.high == pytest.approx(-1, abs=1e-6)


def test_three_images_say_nothing() -> None:
    found = agreement.between(np.float32([1, 2, 3]), np.float32([1, 2, 3]), 9)
    assert (found.correlation, found.low, found.high) == (pytest.approx(1), -1, 1)


@pytest.mark.parametrize(
    ("silent", "strength"), [(0.0, 0.0), (0.0, 0.6), (0.5, 0.3), (0.5, 0.8), (0.9, 0.0), (0.9, 0.6)]
)
def test_the_interval_covers_the_true_correlation_in_95_of_100_cases(
    silent: float, strength: float
) -> None:
    rng, least = np.random.default_rng(1), norm.ppf(silent)

    def drawn(images: int) -> np.ndarray:
        common, own = rng.normal(0, 1, images), rng.normal(0, 1, (2, images))
        peaks = np.sqrt(strength) * common + np.sqrt(1 - strength) * own
        return np.maximum(peaks, least).astype(np.float32)

    true = spearmanr(*drawn(200_000)).statistic
    found = [agreement.rank_correlation(*drawn(200)) for _ in range(400)]
    assert 0.92 <= np.mean([low <= true <= high for _, low, high in found]) <= 0.995


def test_the_width_of_the_interval_is_that_of_drawing_the_images_again() -> None:
    rng, (first, second) = np.random.default_rng(0), two_maps("silent in many", 400)
    found, low, high = agreement.rank_correlation(first, second)
    again = []
    for _ in range(400):
        images = rng.integers(0, 400, 400)
        again.append(np.arctanh(spearmanr(first[images], second[images]).statistic))
    assert found > 0.3
    width = 2 * 1.96 * max(np.std(again), 1 / np.sqrt(397))
    assert np.arctanh(high) - np.arctanh(low) == pytest.approx(width, rel=0.1)
