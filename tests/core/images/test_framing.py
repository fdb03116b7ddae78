"""Where a box of the network's input lies in the original image; numbers worked out by hand."""

import io
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deconv_core import Box, ImageFolder
from deconv_core.images.framing import Part, Resize, in_image, seen_part

SQUARE = (224, 224)


@pytest.mark.parametrize(
    ("image", "resize", "size", "part"),
    [
        ((300, 400), "stretch", SQUARE, Part(0, 0, 400, 300)),
        ((256, 512), "crop", SQUARE, Part(144, 16, 368, 240)),
        ((600, 300), "crop", SQUARE, Part(18.75, 168.75, 281.25, 431.25)),
        ((112, 112), "crop", SQUARE, Part(7, 7, 105, 105)),
        ((341, 341), "crop", (299, 299), Part(21, 21, 320, 320)),
    ],
)
def test_the_part_that_is_seen(
    image: tuple[int, int], resize: Resize, size: tuple[int, int], part: Part
) -> None:
    assert seen_part(image, resize, size) == part


@pytest.mark.parametrize(
    ("box", "image", "resize", "part"),
    [
        (Box(0, 0, 112, 56), (300, 400), "stretch", Part(0, 0, 100, 150)),
        (Box(168, 112, 56, 28), (300, 400), "stretch", Part(200, 225, 250, 300)),
        (Box(10, 20, 30, 40), (256, 512), "crop", Part(164, 26, 204, 56)),
        (Box(112, 0, 16, 32), (600, 300), "crop", Part(18.75, 300, 56.25, 318.75)),
        (Box(-14, -14, 252, 252), (300, 400), "stretch", Part(0, 0, 400, 300)),
        (Box(-14, -14, 252, 252), (256, 512), "crop", Part(144, 16, 368, 240)),
        (Box(-8, 216, 24, 24), (448, 448), "stretch", Part(432, 0, 448, 32)),
    ],
)
def test_a_box_of_the_input_in_the_image(
    box: Box, image: tuple[int, int], resize: Resize, part: Part
) -> None:
    assert in_image(box, image, resize, SQUARE) == part


def saved(wide: int, tall: int, spot: tuple[int, int], orientation: int) -> bytes:
    """A black picture with a white square of 40 pixels around ``spot`` (x, y), seen upright."""
    pixels = np.zeros((tall, wide), np.uint8)
    pixels[spot[1] - 20 : spot[1] + 20, spot[0] - 20 : spot[0] + 20] = 255
    stored, exif, stream = Image.fromarray(pixels), Image.Exif(), io.BytesIO()
    if orientation == 6:  # a reader turns it by 90 degrees clockwise
        stored = stored.transpose(Image.Transpose.ROTATE_90)
        exif[0x0112] = 6
    stored.save(stream, "JPEG", quality=95, exif=exif)
    return stream.getvalue()


@pytest.mark.parametrize("resize", ["stretch", "crop"])
@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize(("wide", "tall"), [(2400, 1600), (700, 900)])
def test_what_the_network_sees_is_found_in_the_original(
    tmp_path: Path, resize: Resize, orientation: int, wide: int, tall: int
) -> None:
    spot = wide // 2 + 90, tall // 2 - 130
    (tmp_path / "a.jpg").write_bytes(saved(wide, tall, spot, orientation))
    folder = ImageFolder(tmp_path, resize=resize)
    rows, columns = np.nonzero(folder.read(0)[..., 0] > 128)
    box = Box(rows.min(), columns.min(), np.ptp(rows) + 1, np.ptp(columns) + 1)
    found = folder.original(0, longest=800)
    assert (found.width, found.height) == (wide, tall)
    assert max(found.pixels.shape) == 800
    part = in_image(box, (tall, wide), resize, SQUARE)
    square = (spot[0] - 20, spot[1] - 20, spot[0] + 20, spot[1] + 20)
    one_pixel = max(wide, tall) / 224
    assert astuple(part) == pytest.approx(square, abs=one_pixel)
    rows, columns = np.nonzero(found.pixels[..., 0] > 128)
    scale = 800 / max(wide, tall)
    assert (columns.mean(), rows.mean()) == pytest.approx((spot[0] * scale, spot[1] * scale), abs=1)


def test_a_small_original_is_not_enlarged(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert np.array_equal(ImageFolder(tmp_path).original(0, longest=1600).pixels, pixels)
