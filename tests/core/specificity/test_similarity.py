"""Similarities against SciPy and plain numpy, and what scores as edges."""

import numpy as np
import pytest
from scipy.ndimage import convolve1d, gaussian_filter
from scipy.stats import spearmanr

from deconv_core.specificity.edges import edges
from deconv_core.specificity.similarity import Similarity, similarities


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_similarities_are_those_of_scipy_and_of_the_definition() -> None:
    picture, others = noise(0, 3, 9, 7), noise(1, 4, 3, 9, 7)
    others[1] = picture * np.float32(-2)
    others[2][:, :4] = 0  # ties
    for found, other in zip(similarities(picture, others), others, strict=True):
        expected = spearmanr(np.abs(picture).ravel(), np.abs(other).ravel()).statistic
        assert found.spearman == pytest.approx(expected, abs=1e-12)
        mine, its = picture.ravel().astype(float), other.ravel().astype(float)
        cosine = mine @ its / np.sqrt((mine @ mine) * (its @ its))
        assert found.cosine == pytest.approx(cosine, abs=1e-12)
    opposite = similarities(picture, others)[1]
    assert (opposite.spearman, opposite.cosine) == pytest.approx((1, -1))


def test_an_empty_picture_is_like_nothing() -> None:
    (found,) = similarities(noise(0, 3, 4, 4), np.zeros((1, 3, 4, 4)))
    assert found == Similarity(0.0, 0.0)


def test_the_picture_of_an_edge_filter_scores_as_edges() -> None:
    smooth = gaussian_filter(noise(3, 60, 60, 3), (3, 3, 0))
    patch = (128 + 40 * smooth / smooth.std()).clip(0, 255).astype(np.uint8)
    steps = convolve1d(patch.astype(float), [1, 0, -1], axis=1, mode="nearest")
    filtered = steps.transpose(2, 0, 1)
    shuffled = np.random.default_rng(0).permutation(filtered.ravel()).reshape(filtered.shape)
    of_filter, of_noise = similarities(edges(patch), np.stack([filtered, shuffled]))
    assert of_filter.spearman > 0.5
    assert abs(of_noise.spearman) < 0.05


def test_edges_of_a_ramp_are_the_same_everywhere_inside() -> None:
    ramp = np.broadcast_to(np.arange(0, 30, 3, dtype=np.uint8)[:, None, None], (10, 8, 3))
    found = edges(ramp)
    assert found.shape == (3, 10, 8)
    assert np.allclose(found[:, 1:-1], 3 * 8)  # Sobel's weights are 1, 2, 1, two pixels apart
