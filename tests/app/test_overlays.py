"""A feature map over its image: every pixel shows the location centred nearest to it."""

import numpy as np
import pytest
from PIL import Image

from deconv_core.layers import Layer, ReceptiveField
from deconv_dashboard.server.overlays import plain, plane_over, small_planes

VGG = [(1, 1, 0, 224), (3, 1, -1, 224), (2, 2, 0, 112), (92, 8, -42, 28), (268, 32, -118, 7)]
OTHERS = [
    ReceptiveField(11, 4, -2),  # AlexNet's first: 55 locations over 224 pixels
    ReceptiveField(67, 16, -22),
    ReceptiveField(7, 2, -3, (5, 3, -1)),
]


def brightness(image: Image.Image, height: int, width: int) -> np.ndarray:
    """Of each pixel of the input, from a picture that is a whole number of times as large."""
    times = image.height // height
    assert (image.height, image.width) == (times * height, times * width)
    return np.asarray(image)[::times, ::times].astype(int)


def nearest(field: tuple[int, int, int], locations: int, pixel: int) -> set[int]:
    """The locations whose receptive fields are centred nearest to a pixel: one, or two."""
    size, stride, offset = field
    far = [abs(offset + n * stride + (size - 1) / 2 - pixel) for n in range(locations)]
    return {n for n, distance in enumerate(far) if distance == min(far)}


@pytest.mark.parametrize(("size", "stride", "offset", "side"), VGG)
def test_of_vgg_a_location_covers_a_square_of_its_stride(
    size: int, stride: int, offset: int, side: int
) -> None:
    layer = Layer("conv", 1, side, side, ReceptiveField(size, stride, offset))
    drawn = np.random.default_rng(side)
    pixels = drawn.integers(0, 256, (224, 224, 3), dtype=np.uint8)
    plane = drawn.random((side, side), dtype=np.float32)
    grey = pixels.astype(float) @ np.array([0.299, 0.587, 0.114]) * 0.6 + 20
    cover = np.kron(plane / plane.max(), np.ones((stride, stride)))[..., None] * 0.9
    expected = np.rint(grey[..., None] * (1 - cover) + np.array([255.0, 122.0, 26.0]) * cover)
    seen = plane_over(pixels, plane, layer)
    assert seen.size == (448, 448)
    np.testing.assert_allclose(brightness(seen, 224, 224), expected, atol=1)


@pytest.mark.parametrize("field", OTHERS)
def test_of_others_a_pixel_shows_the_location_centred_nearest(field: ReceptiveField) -> None:
    rows, columns = (13, 9)
    height, width = 64, 40
    layer = Layer("conv", 1, rows, columns, field, input_size=(height, width))
    pixels = np.zeros((height, width, 3), np.uint8)
    down = (field.size, field.stride, field.offset)
    across = field.across or down
    for row, column in ((0, 0), (5, 4), (12, 8), (3, 7)):
        plane = np.zeros((rows, columns), np.float32)
        plane[row, column] = 1
        bright = brightness(plane_over(pixels, plane, layer), height, width)[..., 0] > 100
        for y in range(height):
            for x in range(width):
                at = nearest(down, rows, y), nearest(across, columns, x)
                if len(at[0]) == len(at[1]) == 1:
                    assert bright[y, x] == (at == ({row}, {column})), (y, x)


def test_locations_that_see_everything_lie_evenly_over_the_image() -> None:
    layer = Layer("all", 1, 2, 4, ReceptiveField(20, 0, 0), input_size=(20, 40))
    plane = np.zeros((2, 4), np.float32)
    plane[1, 2] = 1
    bright = brightness(plane_over(np.zeros((20, 40, 3), np.uint8), plane, layer), 20, 40)
    assert np.argwhere(bright[..., 0] > 100).min(axis=0).tolist() == [10, 20]
    assert np.argwhere(bright[..., 0] > 100).max(axis=0).tolist() == [19, 29]


def test_pictures_keep_their_proportions() -> None:
    assert plain(np.zeros((224, 224, 3), np.uint8)).size == (448, 448)
    assert plain(np.zeros((30, 60, 3), np.uint8)).size == (480, 240)
    assert plain(np.zeros((600, 500, 3), np.uint8)).size == (500, 600)


def test_small_planes_keep_the_largest_location_of_each_cell() -> None:
    planes = np.random.default_rng(0).random((3, 120, 57), dtype=np.float32) - 0.3
    planes[2] = 0
    levels, white = small_planes(planes)
    assert white == pytest.approx(np.quantile(planes[planes > 0], 0.99), rel=1e-6)
    assert (levels.shape, levels.dtype) == ((3, 40, 29), np.uint8)  # cells of 3 x 2 locations
    for row, column in ((0, 0), (5, 28), (39, 3)):
        cell = planes[:2, 3 * row : 3 * row + 3, 2 * column : 2 * column + 2].max(axis=(1, 2))
        expected = np.clip(cell / white, 0, 1) * 255
        np.testing.assert_allclose(levels[:2, row, column], expected, atol=0.51)
    assert not levels[2].any()


def test_small_planes_are_whole_if_there_is_room_for_all_locations() -> None:
    planes = np.array([[[0, 1], [2, 4]], [[4, 4], [4, 4]]], np.float32)
    levels, white = small_planes(planes)
    assert white == 4
    assert levels[0].tolist() == [[0, 64], [128, 255]]
    assert (levels[1] == 255).all()
    dark, none = small_planes(np.zeros((2, 3, 3), np.float32))
    assert none == 0
    assert not dark.any()
