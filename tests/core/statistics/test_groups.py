"""Groups in planted data are found, and a single cloud, however long or skewed, is not split."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from deconv_core.statistics import groups
from tests.thorough import one_in

SEEDS = range(100, 120)[:: one_in(20)]


def planted(rng: np.random.Generator, labels: np.ndarray, maps: int = 64) -> np.ndarray:
    """Peaks (maps, images): eight maps answer to each label; all vary with three factors."""
    signal = np.zeros((labels.max() + 1, maps))
    for own in signal:
        own[rng.choice(maps, 8, replace=False)] = rng.uniform(2, 5, 8)
    factors = rng.normal(0, 1, (len(labels), 3)) @ rng.normal(0, 0.3, (3, maps))
    values = signal[labels] + factors + rng.normal(0, 1, (len(labels), maps))
    return np.maximum(values - 0.5, 0).astype(np.float32).T


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("share", [(0.5, 0.5), (0.8, 0.2), (0.4, 0.3, 0.3)])
@pytest.mark.parametrize("images", [40, 100])
def test_planted_labels_are_found(seed: int, share: tuple[float, ...], images: int) -> None:
    rng = np.random.default_rng(seed)
    parts = np.round(np.cumsum(share) * images).astype(int)
    labels = rng.permutation(np.searchsorted(parts, np.arange(images), side="right"))
    found = groups.split(planted(rng, labels))
    assert found is not None
    assert found.codes.max() + 1 == len(share)
    assert adjusted_rand_score(labels, found.codes) > 0.85
    assert groups.STABLE <= found.stability <= 1


def one_label(rng: np.random.Generator) -> np.ndarray:
    return planted(rng, np.zeros(100, int))


def noise(rng: np.random.Generator) -> np.ndarray:
    return np.maximum(rng.normal(0, 1, (256, 100)), 0)


def long_cloud(rng: np.random.Generator) -> np.ndarray:
    """One cause decides nearly all: k-means always cuts at the same place."""
    return rng.normal(2, 1, (64, 1)) @ rng.normal(0, 1, (1, 100)) + rng.normal(0, 0.3, (64, 100))


def half_silent(rng: np.random.Generator) -> np.ndarray:
    return np.maximum(long_cloud(rng), 0)


def skewed(rng: np.random.Generator) -> np.ndarray:
    causes = rng.normal(0, 1, (64, 2)) @ rng.normal(0, 1, (2, 100))
    return np.exp(causes + rng.normal(0, 1, (64, 100)))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("cloud", [one_label, noise, long_cloud, half_silent, skewed])
def test_one_cloud_is_one_group(cloud: Callable[..., np.ndarray], seed: int) -> None:
    values = cloud(np.random.default_rng(seed)).astype(np.float32)
    assert groups.split(values) is None


def test_a_long_cloud_is_cut_stably_and_only_the_missing_gap_tells() -> None:
    points = groups.profiles(long_cloud(np.random.default_rng(0)))
    first, second = (groups._seeded(points, 2, seed) for seed in (0, 1))
    assert groups.rand_index(first, second) > groups.STABLE
    assert groups.gap(points, first, (0, 1)) > 0.1


def test_the_same_images_give_the_same_groups() -> None:
    labels = np.repeat([0, 1], 30)
    first, second = (groups.split(planted(np.random.default_rng(1), labels)) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.codes.tolist() == second.codes.tolist()


def test_few_images_that_differ_are_no_group() -> None:
    values = planted(np.random.default_rng(2), np.repeat([0, 1], [94, 6]))
    found = groups.split(values)
    assert found is None or np.bincount(found.codes).min() >= 10


@pytest.mark.parametrize("maps", [0, 1, 3])
def test_equal_images_and_few_maps_are_one_group(maps: int) -> None:
    assert groups.split(np.ones((maps, 50), np.float32)) is None


def test_the_rand_index_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    for k, other in ((2, 2), (2, 4), (3, 3), (1, 1), (1, 2)):
        for _ in range(5):
            one, two = rng.integers(0, k, 30), rng.integers(0, other, 30)
            found = groups.rand_index(one, two)
            assert found == pytest.approx(adjusted_rand_score(one, two), abs=1e-12)
    assert groups.rand_index(one, one) == 1


def test_a_gap_is_unlikely_only_between_two_hills() -> None:
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1], 50)
    apart = np.concatenate([rng.normal(-3, 1, 50), rng.normal(3, 1, 50)])[:, None]
    assert groups.gap(apart, codes, (0, 1)) < 0.001
    for hill in (rng.normal(0, 1, 100), rng.uniform(0, 1, 100), rng.exponential(1, 100)):
        points = np.sort(hill)[:, None]
        assert groups.gap(points, codes, (0, 1)) > groups.CHANCE
