"""Areas under ROC curves, against scikit-learn, brute force over pairs, and a simulation."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from deconv_core.statistics import roc

LABELS = 4


def peaks_of(kind: str) -> np.ndarray:
    """Peaks (3, 60): many ties, silent images, negative values."""
    rng = np.random.default_rng(5)
    values = {
        "distinct": rng.normal(0, 1, (3, 60)),
        "silent in many": np.maximum(rng.normal(-0.5, 1, (3, 60)), 0),
        "tied": rng.integers(-2, 3, (3, 60)),
        "one value": np.full((3, 60), 2),
        "both zeros": np.where(rng.integers(0, 2, (3, 60)), 0.0, -0.0),
        "tiny and huge": rng.choice([1e-45, 1e-38, 1e15, 0, -1e15], (3, 60)),
    }[kind]
    return values.astype(np.float32)


KINDS = ["distinct", "silent in many", "tied", "one value", "both zeros", "tiny and huge"]
CODES = np.random.default_rng(1).integers(0, LABELS, 60)


@pytest.mark.parametrize("kind", KINDS)
def test_an_area_is_that_of_scikit_learn_and_the_share_of_won_pairs(kind: str) -> None:
    values = peaks_of(kind)
    found = roc.areas(values, CODES, LABELS)
    for channel, peaks in enumerate(values):
        for label in range(LABELS):
            here, others = peaks[label == CODES], peaks[label != CODES]
            assert found[channel, label] == pytest.approx(
                roc_auc_score(label == CODES, peaks), abs=1e-12
            )
            won = [(a > b) + 0.5 * (a == b) for a in here for b in others]
            assert found[channel, label] == pytest.approx(np.mean(won), abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_area_between_two_groups_leaves_all_other_images_out(kind: str) -> None:
    peaks = peaks_of(kind)[0]
    first, second = peaks[CODES == 2], peaks[CODES == 3]
    found = roc.between(first, second)
    truth = np.repeat([True, False], [len(first), len(second)])
    expected = roc_auc_score(truth, np.concatenate([first, second]))
    assert found.area == pytest.approx(expected, abs=1e-12)
    assert (found.images, found.others) == (len(first), len(second))
    assert 0 <= found.low <= found.area <= found.high <= 1
    turned = roc.between(second, first)
    assert turned.area == pytest.approx(1 - found.area, abs=1e-12)
    assert (turned.low, turned.high) == pytest.approx((1 - found.high, 1 - found.low))


def test_labels_of_no_image_and_of_every_image_have_no_area() -> None:
    values = peaks_of("distinct")
    assert np.isnan(roc.areas(values, CODES, LABELS + 1)[:, LABELS]).all()
    assert np.isnan(roc.areas(values, np.zeros(60, int), 1)).all()
    assert roc.areas(values[:0], CODES, LABELS).shape == (0, LABELS)


def test_a_map_that_tells_a_label_apart_has_area_1_and_the_opposite_one_0() -> None:
    codes = np.array([0, 0, 1, 1, 1])
    values = np.array([[5, 4, 3, 0, 0], [0, 0, 1, 1, 2]], np.float32)
    assert roc.areas(values, codes, 2).tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(("times", "images", "others"), [(1, 30, 60), (4, 30, 60), (9, 50, 10)])
def test_the_interval_is_that_of_hanley_and_mcneil(times: int, images: int, others: int) -> None:
    # Their model: both groups are exponential; then the area is times / (times + 1).
    rng, true = np.random.default_rng(0), times / (times + 1)
    values = rng.exponential(1, (4000, images + others))
    values[:, :images] *= times
    codes = np.repeat([1, 0], [images, others])
    areas = roc.areas(values.astype(np.float32), codes, 2)[:, 1]
    assert areas.mean() == pytest.approx(true, abs=0.01)
    low, high = roc.interval(*(np.array([x], float) for x in (true, images, others)))
    assert (low[0] + high[0]) / 2 == pytest.approx(true)
    assert (high[0] - low[0]) / 2 == pytest.approx(1.96 * areas.std(), rel=0.06)


@pytest.mark.parametrize("area", [0.0, 0.5, 0.99, 1.0])
def test_the_interval_lies_within_0_and_1(area: float) -> None:
    low, high = roc.interval(np.array([area]), np.array([1.0]), np.array([3.0]))
    assert 0 <= low[0] <= area <= high[0] <= 1


def test_the_interval_covers_the_true_area_about_95_times_of_100() -> None:
    rng, images, others, shift = np.random.default_rng(0), 40, 200, 1.0
    true = 0.7602499389065233  # P(a > b) for a ~ N(1, 1), b ~ N(0, 1): Phi(1 / sqrt(2))
    codes = np.repeat([1, 0], [images, others])
    values = rng.normal(0, 1, (1000, images + others))
    values[:, :images] += shift
    area = roc.areas(values.astype(np.float32), codes, 2)[:, 1]
    low, high = roc.interval(area, np.float64(images), np.float64(others))
    assert 0.92 <= ((low <= true) & (true <= high)).mean() <= 0.98


@pytest.mark.parametrize(
    ("images", "others", "times"),
    [(16, 16, 30.0), (16, 240, 30.0), (16, 16, 1 / 30), (240, 16, 1 / 30)],
)
def test_groups_that_are_told_apart_by_all_images_have_an_interval(
    images: int, others: int, times: float
) -> None:
    # Groups whose true area is 0.968 or 0.032 often show 1 or 0; the interval must hold the truth.
    rng, true = np.random.default_rng(0), times / (times + 1)
    codes = np.repeat([1, 0], [images, others])
    values = rng.exponential(1, (2000, images + others))
    values[:, :images] *= times
    area = roc.areas(values.astype(np.float32), codes, 2)[:, 1]
    low, high = roc.interval(area, np.float64(images), np.float64(others))
    edge = (area == 0) | (area == 1)
    assert edge.sum() >= 20
    assert ((low <= true) & (true <= high))[edge].mean() > 0.95


def test_the_interval_of_an_area_of_1_shrinks_with_more_images_and_mirrors_that_of_0() -> None:
    images, one = np.array([1.0, 4.0, 16.0, 64.0, 1000.0]), np.ones(5)
    low, high = roc.interval(one, images, images)
    assert high.tolist() == [1] * 5
    assert (np.diff(low) > 0).all()
    assert 0 < low[0] < 0.5
    assert 0.995 < low[-1] < 1
    mirrored = roc.interval(0 * one, images, images)
    assert mirrored[1] == pytest.approx(1 - low)
    assert (mirrored[0] == 0).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [1, 9, 50, 60, 100])
def test_the_strongest_are_those_of_plain_sorting(kind: str, k: int) -> None:
    values = peaks_of(kind)
    found = roc.strongest(values, k)
    for peaks, images in zip(values, found, strict=True):
        firing = [n for n in range(60) if peaks[n] > 0]
        assert images.tolist() == sorted(firing, key=lambda n: (-peaks[n], n))[:k]


def test_precision_is_the_share_among_those_that_fire() -> None:
    top = [np.array([0, 1, 2, 3]), np.array([2]), np.array([], int)]
    found = roc.precision(top, np.array([0, 1, 1, 0]), 3, 3)
    assert found[0].tolist() == [1 / 3, 2 / 3, 0]
    assert found[1].tolist() == [0, 1, 0]
    assert np.isnan(found[2]).all()
