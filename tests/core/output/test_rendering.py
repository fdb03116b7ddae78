"""Pictures of reconstructions: where zero is, what a scale does, where content lies."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from deconv_core.errors import DeconvError
from deconv_core.output.rendering import Scale, compose_grid, tile
from deconv_core.pictures import Reconstruction
from deconv_core.units import Activation, Box, Unit
from tests.core.independent import GEOMETRY
from tests.thorough import examples

GREY, PAPER = 128, 255


def made(pixels: np.ndarray, window: Box | None = None) -> Reconstruction:
    """A reconstruction of these signed pixels (3, H, W), with a patch that counts its pixels."""
    _, height, width = pixels.shape
    window = window or Box(10, 20, height, width)
    box = window.clip(224, 224)
    patch = np.arange(height * width * 3).reshape(height, width, 3).astype(np.uint8)
    activation = Activation(Unit("conv1_1", 0), "a.png", 0, 0, 1.0)
    return Reconstruction(activation, window, box, pixels.astype(np.float32), patch)


def flat(value: float, side: int = 3) -> Reconstruction:
    return made(np.full((3, side, side), value))


SCALES = [Scale.shared([flat(2.0)]), Scale.per_tile(), Scale.percentile(99), Scale.shared([])]


@pytest.mark.parametrize("scale", SCALES, ids=lambda scale: scale.kind)
def test_zero_is_mid_grey_in_every_scale(scale: Scale) -> None:
    assert (scale.to_rgb(np.zeros((3, 4, 5), np.float32)) == GREY).all()
    pixels = np.zeros((3, 4, 5), np.float32)
    pixels[1, 2, 3] = -1.5
    drawn = scale.to_rgb(pixels)
    assert drawn.shape == (4, 5, 3)
    assert (np.delete(drawn.reshape(-1), (2 * 5 + 3) * 3 + 1) == GREY).all()


@pytest.mark.parametrize("scale", SCALES[:3], ids=lambda scale: scale.kind)
@examples()
@given(arrays.arrays(np.float32, (3, 4, 4), elements=st.floats(-4, 4, width=32)))
def test_plus_and_minus_are_equally_far_from_grey(scale: Scale, pixels: np.ndarray) -> None:
    plus, minus = scale.to_rgb(pixels).astype(int), scale.to_rgb(-pixels).astype(int)
    assert (abs((plus - GREY) + (minus - GREY)) <= 1).all()  # one step of rounding at halves
    assert ((plus - GREY) * pixels.transpose(1, 2, 0) >= 0).all()


def test_a_shared_scale_by_hand() -> None:
    scale = Scale.shared([flat(-4.0), flat(2.0)])
    assert scale.limit == 4.0
    pixels = np.array([-4.0, -2.0, 0.0, 1.0, 2.0, 4.0, 8.0]).reshape(1, 1, 7).repeat(3, 0)
    assert scale.to_rgb(pixels)[0, :, 0].tolist() == [1, 64, 128, 160, 192, 255, 255]


def test_a_shared_scale_keeps_strengths_apart_and_per_tile_does_not() -> None:
    strong, weak = flat(4.0), flat(1.0)
    shared, each = Scale.shared([strong, weak]), Scale.per_tile()
    assert np.asarray(tile(weak, "reconstruction", shared)).max() == 160
    assert np.asarray(tile(strong, "reconstruction", shared)).max() == 255
    for picture in (strong, weak):
        assert np.asarray(tile(picture, "reconstruction", each)).max() == 255


def test_one_scale_serves_two_grids() -> None:
    scale = Scale.shared([flat(4.0), flat(8.0)])
    first = np.asarray(compose_grid([flat(4.0)], scale=scale))
    second = np.asarray(compose_grid([flat(8.0)], scale=scale))
    assert first[3, 3, 0] == 192  # 128 + 127 * 4 / 8, to the even
    assert second[3, 3, 0] == 255


def test_a_percentile_clips_the_strongest_pixels_only() -> None:
    pixels = np.concatenate([np.full(98, 1.0), np.full(2, 100.0)]).reshape(1, 10, 10).repeat(3, 0)
    drawn = Scale.percentile(90).to_rgb(pixels)
    assert (drawn == 255).all()
    assert (Scale.percentile(100).to_rgb(pixels)[0, 0] == 129).all()


def test_scales_are_named_in_their_caption() -> None:
    assert (
        Scale.shared([flat(-1234.5)]).caption
        == "grey is 0; same colour scale in all tiles (±1.23e+03)"
    )
    assert "each tile on its own scale" in Scale.per_tile().caption
    assert "strongest 0.5 % clipped" in Scale.percentile(99.5).caption
    assert len({scale.caption for scale in SCALES}) == 4


def test_a_percentile_of_several_pictures_is_one_scale_for_all_of_them() -> None:
    strong, weak = np.zeros((3, 10, 10)), np.zeros((3, 10, 10))
    strong[0, 0] = np.arange(1, 11)  # magnitudes 1 .. 10; zeros do not count
    weak[0, 0] = -np.arange(11, 21)  # and 11 .. 20
    scale = Scale.percentile(50, [made(strong), made(weak)])
    assert scale.limit == pytest.approx(10.5)
    drawn = scale.to_rgb(np.full((3, 1, 1), 10.5, np.float32))
    assert (drawn == 255).all()
    assert "same colour scale in all tiles (±10.5, strongest 50 % clipped)" in scale.caption
    assert scale.limit_of(np.ones((3, 2, 2), np.float32)) == pytest.approx(10.5)


@pytest.mark.parametrize("percent", [0, -1, 100.1, float("nan")])
def test_a_percentile_outside_its_range_is_an_error(percent: float) -> None:
    with pytest.raises(DeconvError, match="above 0 and at most 100"):
        Scale.percentile(percent)


def test_red_stays_red() -> None:
    pixels = np.zeros((3, 2, 2), np.float32)
    pixels[0] = 1
    assert tile(made(pixels), "reconstruction", Scale.per_tile()).getpixel((0, 0)) == (
        255,
        GREY,
        GREY,
    )


# -- places --------------------------------------------------------------------------------------


def clipped(top: int, left: int) -> Reconstruction:
    """A window of 10 x 10 pixels that begins at (top, left) of the image; the content is light."""
    window = Box(top, left, 10, 10)
    box = window.clip(224, 224)
    activation = Activation(Unit("conv1_1", 0), "a.png", 0, 0, 1.0)
    pixels = np.ones((3, box.height, box.width), np.float32)
    patch = np.full((box.height, box.width, 3), 77, np.uint8)
    return Reconstruction(activation, window, box, pixels, patch)


@pytest.mark.parametrize(
    ("top", "left", "rows", "columns"),
    [
        (-4, -3, slice(4, 10), slice(3, 10)),  # clipped at the top left: content at bottom right
        (220, 218, slice(0, 4), slice(0, 6)),
        (-4, 218, slice(4, 10), slice(0, 6)),
        (50, 50, slice(0, 10), slice(0, 10)),
    ],
)
@pytest.mark.parametrize(("kind", "value"), [("reconstruction", 255), ("patch", 77)])
def test_clipped_content_stays_at_its_true_place(
    top: int, left: int, rows: slice, columns: slice, kind: str, value: int
) -> None:
    drawn = np.asarray(tile(clipped(top, left), kind, Scale.per_tile()))
    expected = np.full((10, 10, 3), GREY)
    expected[rows, columns] = value
    assert np.array_equal(drawn, expected)


def test_content_clipped_on_both_sides_stays_in_the_middle() -> None:
    window = Box(-14, -14, 252, 252)
    picture = made(np.ones((3, 224, 224)), window)
    drawn = np.asarray(tile(picture, "reconstruction", Scale.per_tile()))
    assert (drawn[14:238, 14:238] == 255).all()
    assert (drawn[:14] == GREY).all()
    assert (drawn[238:] == GREY).all()


def test_enlarging_repeats_pixels() -> None:
    picture = made(np.random.default_rng(0).normal(size=(3, 3, 3)))
    for kind in ("reconstruction", "patch"):
        small = np.asarray(tile(picture, kind, Scale.per_tile()))
        large = np.asarray(tile(picture, kind, Scale.per_tile(), tile_size=12))
        assert np.array_equal(large, small.repeat(4, 0).repeat(4, 1))


def nine(side: int) -> Sequence[Reconstruction]:
    return [made(np.full((3, side, side), n + 1.0), Box(0, 0, side, side)) for n in range(9)]


@pytest.mark.parametrize(
    ("layer", "side"),
    [("conv1_2", 23), ("conv2_2", 50), ("conv3_4", 152), ("conv4_4", 356), ("conv5_2", 572)],
)
def test_native_grids_have_the_originals_sides(layer: str, side: int) -> None:
    _, _, size, _ = GEOMETRY[layer]
    window = Box(0, 0, size, size)
    pictures = [made(np.ones((3, min(size, 224), min(size, 224))), window) for _ in range(9)]
    for kind in ("reconstruction", "patch"):
        assert compose_grid(pictures, kind).size == (side, side) == (3 * size + 8, 3 * size + 8)


def test_tiles_go_row_by_row_with_two_pixels_of_white_between_and_around() -> None:
    grid = np.asarray(compose_grid(nine(5)))
    covered = np.zeros(grid.shape[:2], bool)
    for place in range(9):
        row, column = divmod(place, 3)
        top, left = 2 + row * 7, 2 + column * 7
        expected = np.rint(GREY + 127 * (place + 1) / 9)
        assert (grid[top : top + 5, left : left + 5] == expected).all()
        covered[top : top + 5, left : left + 5] = True
    assert (grid[~covered] == PAPER).all()
    assert grid.shape == (23, 23, 3)


def test_fewer_than_nine_and_other_columns() -> None:
    assert compose_grid(nine(5)[:4]).size == (23, 16)
    assert compose_grid(nine(5)[:1], columns=1).size == (9, 9)
    assert compose_grid(nine(5), columns=9).size == (2 + 9 * 7, 9)
    empty_place = np.asarray(compose_grid(nine(5)[:4]))[9:, 9:]
    assert (empty_place == PAPER).all()


def test_a_tile_size_makes_windows_of_all_sizes_fit() -> None:
    mixed = [nine(5)[0], nine(7)[0]]
    assert compose_grid(mixed, tile_size=20).size == (2 + 3 * 22, 24)
    with pytest.raises(DeconvError, match=r"tiles of \[5, 7\] pixels.*give tile_size"):
        compose_grid(mixed)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"pictures": []}, "nothing to draw"),
        ({"columns": 0}, "columns is 0"),
        ({"tile_size": 0}, "tile_size is 0|nothing|1 to 4096"),
        ({"tile_size": 5000}, "tile_size is 5000 pixels; choose 1 to 4096"),
        ({"tile_size": -2}, "tile_size is -2"),
        ({"kind": "heatmap"}, "kind='heatmap' is not known"),
    ],
)
def test_bad_arguments_are_errors(argument: dict, message: str) -> None:
    with pytest.raises(DeconvError, match=message):
        compose_grid(**({"pictures": nine(5)} | argument))


def test_a_receptive_field_much_larger_than_the_image_is_drawn_as_the_image() -> None:
    window, box = Box(-60, -50, 101, 100), Box(0, 0, 40, 50)  # of an image of 80 x 80 pixels
    activation = Activation(Unit("deep", 0), "a.png", 0, 0, 1.0)
    light, patch = np.ones((3, 40, 50), np.float32), np.zeros((40, 50, 3), np.uint8)
    picture = Reconstruction(activation, window, box, light, patch, (80, 80))
    assert picture.frame == Box(0, -50, 80, 100)  # wide by a quarter only, so as it is
    deep = Reconstruction(activation, Box(-60, -60, 101, 101), box, light, patch, (80, 80))
    drawn = np.asarray(tile(deep, "reconstruction", Scale.per_tile()))
    assert drawn.shape == (80, 80, 3)
    assert (drawn[:40, :50] == 255).all()
    assert (drawn[40:] == 128).all()
    assert (drawn[:, 50:] == 128).all()


def test_a_receptive_field_that_is_not_square_lies_in_the_middle_of_a_square_tile() -> None:
    picture = made(np.ones((3, 4, 10)), Box(20, 20, 4, 10))
    drawn = np.asarray(tile(picture, "reconstruction", Scale.per_tile()))
    assert drawn.shape == (10, 10, 3)
    assert (drawn[3:7] == 255).all()
    assert (drawn[:3] == 128).all()
    assert (drawn[7:] == 128).all()
    grid = compose_grid([picture] * 2, columns=2, scale=Scale.per_tile())
    assert grid.size == (26, 14)
