"""Peaks: joined, selected, halved, and the best of an image."""

import numpy as np

from deconv_core.peaks import Peaks
from tests.core.independent import chain_layers


def peaks(values: list[list[float]]) -> Peaks:
    """Peaks whose rows are twice and whose columns three times their values."""
    numbers = np.array(values)
    places = (numbers * by for by in (2, 3))
    return Peaks(numbers.astype(np.float32), *(place.astype(np.uint8) for place in places))


def listed(found: Peaks) -> list[list[list[float]]]:
    return [array.tolist() for array in (found.values, found.rows, found.columns)]


def test_of_equal_maps_the_first_row_then_column_then_channel_is_the_best() -> None:
    values = np.array([[5, 9, 9, 9, 9], [2, 2, 2, 2, 1]], np.float32)
    rows = np.array([[0, 3, 1, 1, 1], [7, 6, 6, 6, 0]], np.uint8)
    columns = np.array([[0, 0, 200, 2, 2], [0, 9, 8, 8, 0]], np.uint8)
    assert Peaks(values, rows, columns).best_channels().tolist() == [3, 2]


def test_images_are_joined_one_after_the_other_and_maps_side_by_side() -> None:
    first, second = peaks([[1, 2]]), peaks([[3, 4], [5, 6]])
    both = Peaks.join([Peaks.of_no_image(2), first, second])
    assert listed(both) == listed(peaks([[1, 2], [3, 4], [5, 6]]))
    assert [array.dtype for array in (both.values, both.rows, both.columns)] == [
        *(np.float32, np.uint8, np.uint8)
    ]
    assert listed(Peaks.join([second, peaks([[7], [8]])], axis=1)) == listed(
        peaks([[3, 4, 7], [5, 6, 8]])
    )


def test_images_and_maps_are_selected() -> None:
    found = peaks([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    assert listed(found.select(np.array([True, False, True]))) == listed(
        peaks([[1, 2, 3], [7, 8, 9]])
    )
    assert listed(found.select(channels=slice(1, 2))) == listed(peaks([[2], [5], [8]]))
    assert listed(found.select([2, 0], slice(0, 2))) == listed(peaks([[7, 8], [1, 2]]))


def test_in_a_pooling_a_peak_is_at_half_its_place() -> None:
    convolution, pooling = chain_layers([2, "pool"])
    found = peaks([[1, 2, 3]])
    assert listed(found.at(convolution)) == listed(found)
    assert listed(found.at(pooling)) == [[[1, 2, 3]], [[1, 2, 3]], [[1, 3, 4]]]
