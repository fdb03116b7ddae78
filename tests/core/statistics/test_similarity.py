"""Correlations against numpy.corrcoef, and the order of a clustering against all orders."""

import itertools

import numpy as np
import pytest

from deconv_core.statistics import similarity


def peaks(images: int = 30, maps: int = 7) -> np.ndarray:
    rng = np.random.default_rng(0)
    mixed = rng.normal(0, 1, (maps, 3)) @ rng.normal(0, 1, (3, images))
    return np.maximum(mixed + rng.normal(0, 0.5, mixed.shape), 0).astype(np.float32)


def test_correlations_are_those_of_numpy() -> None:
    values = peaks()
    expected = np.corrcoef(values.astype(float))
    np.testing.assert_allclose(similarity.correlation_matrix(values), expected, atol=1e-12)
    for channel in range(len(values)):
        found = similarity.correlations(values, channel)
        np.testing.assert_allclose(found, expected[channel], atol=1e-12)


def test_many_images_are_summed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarity, "_IMAGES_AT_ONCE", 7)
    values = peaks() + np.float32(1000)  # far from 0 rounding would show
    expected = np.corrcoef(values.astype(float))
    np.testing.assert_allclose(similarity.correlation_matrix(values), expected, atol=1e-12)


def test_maps_that_do_not_vary_have_no_correlation() -> None:
    values = peaks()
    values[2], values[4] = 0, 0.1
    assert similarity.varies(values).tolist() == [True, True, False, True, False, True, True]
    found = similarity.correlations(values, 0)
    assert np.isnan(found).tolist() == [False, False, True, False, True, False, False]
    assert np.isnan(similarity.correlations(values, 2)).all()
    assert not similarity.varies(values[:, :0]).any()


def test_equal_and_opposite_maps_correlate_fully() -> None:
    rng = np.random.default_rng(0)
    one = rng.uniform(0, 1, 50).astype(np.float32)
    found = similarity.correlations(np.stack([one, 2 * one + 1, 1 - one]), 0)
    np.testing.assert_allclose(found, [1, 1, -1], atol=1e-6)
    assert (np.abs(found) <= 1).all()


def test_clustered_maps_are_neighbours() -> None:
    rng = np.random.default_rng(3)
    groups = rng.permutation(np.repeat([0, 1, 2], 5))
    values = rng.normal(0, 1, (3, 200))[groups] + rng.normal(0, 0.5, (15, 200))
    order = similarity.clustered(np.corrcoef(values))
    assert sorted(order) == list(range(15))
    assert len([key for key, _ in itertools.groupby(groups[order])]) == 3


def test_the_order_of_a_chain_is_the_chain() -> None:
    """Maps on a line: of the orders that keep pairs together, the best one follows the line."""
    places = np.array([3.0, 0.0, 2.0, 1.0])
    matrix = 1 - np.abs(places[:, None] - places) / 4
    assert places[similarity.clustered(matrix)].tolist() in ([0, 1, 2, 3], [3, 2, 1, 0])


@pytest.mark.parametrize("maps", [0, 1, 2])
def test_few_maps_keep_their_order(maps: int) -> None:
    assert similarity.clustered(np.eye(maps)).tolist() == list(range(maps))
