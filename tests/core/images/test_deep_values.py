"""Pictures of more than 8 bits: rounding, ranges, and what is said of odd ones."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from deconv_core.errors import ImageError
from deconv_core.images.decoding import decode_image
from deconv_core.images.picture_files import read_picture
from tests.core.files import chunk, encoded, grey, pixels, png_16, tiff

RAMP = np.arange(65_536, dtype=np.uint16).reshape(256, 256)
"""Every value that 16 bits have."""
CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}


def rounded(values: np.ndarray) -> np.ndarray:
    return np.rint(values / 257).astype(int)  # 65,535 / 255


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("colour", CHANNELS)
def test_a_png_of_16_bits_is_rounded_to_the_nearest(colour: int, interlaced: bool) -> None:
    values = np.random.default_rng(0).integers(0, 65_536, (37, 53, CHANNELS[colour]))
    found = pixels(png_16(values, colour, interlaced=interlaced))
    expected = rounded(values)
    if colour in (4, 6):
        opaque = expected[..., -1:] / 255
        expected = np.rint(expected[..., :-1] * opaque + 255 * (1 - opaque))
    if expected.shape[2] == 1:
        expected = grey(expected[..., 0])
    assert np.abs(found - expected).max() <= (1 if colour in (4, 6) else 0)


def test_every_value_of_16_bits_becomes_the_nearest_of_8() -> None:
    expected = grey(rounded(RAMP))
    three = np.dstack([RAMP] * 3)
    for content in (
        encoded(Image.fromarray(RAMP)),
        encoded(Image.fromarray(RAMP), "TIFF"),
        encoded(Image.fromarray(RAMP), "JPEG2000", irreversible=False),
        tiff(three, photometric="rgb"),
        png_16(three, 2),
        b"P5 256 256 65535\n" + RAMP.astype(">u2").tobytes(),
        b"P6 256 256 65535\n" + three.astype(">u2").tobytes(),
    ):
        assert np.array_equal(pixels(content), expected)


@pytest.mark.parametrize("colour", [0, 2])
def test_the_transparent_colour_of_16_bits_is_compared_whole(colour: int) -> None:
    values = np.full((4, 5, CHANNELS[colour]), 0x1234)
    values[0, 0] += 1  # another colour, though the same in eight bits
    clear = struct.pack(f">{CHANNELS[colour]}H", *[0x1234] * CHANNELS[colour])
    found = pixels(png_16(values, colour, chunk(b"tRNS", clear)))
    assert tuple(found[0, 0]) == (0x12,) * 3
    assert (found[1:] == 255).all()


@pytest.mark.parametrize("highest", [1, 15, 100, 300, 1023, 4095, 65_534])
def test_pgm_and_ppm_say_themselves_what_is_white(highest: int) -> None:
    values = np.random.default_rng(0).integers(0, highest, (20, 30, 3), endpoint=True)
    kind = ">u2" if highest > 255 else "u1"
    for start, part in ((b"P6", values), (b"P5", values[..., :1])):
        head = b"%s\n# by hand\n30 20 # and so on\n%d\n" % (start, highest)
        found = pixels(head + part.astype(kind).tobytes())
        expected = np.rint(part * 255.0 / highest)
        assert np.array_equal(found, np.broadcast_to(expected, (20, 30, 3)))
        with pytest.raises(ImageError, match="ends before the end of its picture"):
            read_picture(head + part.astype(kind).tobytes()[:-1])


def test_values_above_the_highest_are_white() -> None:
    assert (pixels(b"P5 2 1 1000\n" + struct.pack(">2H", 1000, 5000)) == 255).all()


# -- the range of the file -----------------------------------------------------------------------


def twelve_bits() -> np.ndarray:
    return (np.arange(64 * 64).reshape(64, 64) % 4096).astype(np.uint16)


STRETCHED = np.rint(twelve_bits() * 255.0 / 4095)


def test_twelve_bits_in_sixteen_are_told_and_stretched() -> None:
    dark = twelve_bits()
    three = np.dstack([dark] * 3)
    for content in (
        encoded(Image.fromarray(dark)),
        encoded(Image.fromarray(dark), "TIFF"),
        tiff(dark, photometric="minisblack", compression="zlib"),
        tiff(np.moveaxis(three, -1, 0), photometric="rgb", planarconfig="separate"),
        png_16(three, 2),
        b"P5 64 64 65535\n" + dark.astype(">u2").tobytes(),
    ):
        note = read_picture(content).note
        assert note == "nearly black: its values go from 0 to 4,095; 0 is black, 65,535 white"
        assert pixels(content).max() == 16
        assert decode_image(content).note == note
        assert read_picture(content, "file").note == ""
        assert np.array_equal(pixels(content, "file"), grey(STRETCHED))


def test_white_is_zero_is_stretched_too() -> None:
    content = tiff(twelve_bits(), photometric="miniswhite")
    assert read_picture(content).note.startswith("nearly white: its values go from 0 to 4,095; 0")
    assert np.array_equal(pixels(content, "file"), grey(255 - STRETCHED))


def test_colours_are_stretched_together() -> None:
    values = np.zeros((3, 4, 3), np.uint16)
    values[...] = (1000, 2000, 3000)
    assert tuple(pixels(tiff(values, photometric="rgb"), "file")[0, 0]) == (0, 128, 255)


SCALES = {
    "0 to 1": (0, 1, ""),
    "0 to 255": (0, 255, ""),
    "a little beyond 1": (0, 1.02, "nearly black: its values go from 0 to 1.02; 0 is black, 255 w"),
    "high dynamic range": (0, 3.7, "nearly black: its values go from 0 to 3.7; 0 is black, 255 w"),
    "0 to 65,535": (0, 65_535, "nearly white: its values go from 0 to 65,535; 0 is black, 255 wh"),
    "0 to 1000": (0, 1000, "cut off: its values go from 0 to 1,000; 0 is black, 255 white"),
    "decibels": (-80, -1, "nearly black: its values go from -80 to -1; 0 is black, 1 white"),
    "normals": (-1, 1, "cut off: its values go from -1 to 1; 0 is black, 1 white"),
}


@pytest.mark.parametrize("scale", SCALES)
def test_floats_of_any_scale_are_told_and_stretched(scale: str) -> None:
    low, high, note = SCALES[scale]
    values = np.linspace(low, high, 256 * 8, dtype=np.float32).reshape(64, 32)
    for content in (
        tiff(values, photometric="minisblack"),
        tiff(values.astype("f8"), photometric="minisblack"),
        tiff(np.dstack([values] * 3), photometric="rgb"),
    ):
        found = read_picture(content)
        assert found.note.startswith(note) if note else found.note == ""
        expected = np.rint((values.astype(float) - low) * 255 / (high - low))
        assert np.abs(pixels(content, "file") - grey(expected)).max() <= 1


def test_signed_numbers() -> None:
    values = np.linspace(-1000, 3000, 400).astype(np.int16).reshape(20, 20)
    content = tiff(values, photometric="minisblack")
    assert read_picture(content).note.startswith("nearly black: its values go from -1,000 to 3,000")
    stretched = np.rint((values.astype(float) + 1000) * 255 / 4000)
    assert np.array_equal(pixels(content, "file"), grey(stretched))


def test_infinite_and_missing_numbers_do_not_count_in_the_range() -> None:
    values = np.array([[np.nan, -np.inf, np.inf, 100.0, 200.0, 300.0]], np.float32)
    found = pixels(tiff(values, photometric="minisblack"), "file")[0, :, 0]
    assert found.tolist() == [0, 0, 255, 0, 128, 255]


@pytest.mark.parametrize("value", [0, 7, 65_535])
def test_one_value_has_no_range(value: int) -> None:
    content = encoded(Image.fromarray(np.full((5, 5), value, np.uint16)))
    assert (pixels(content, "file") == rounded(np.array(value))).all()
    assert read_picture(content).note == ""


def test_ordinary_pictures_are_neither_told_nor_changed() -> None:
    dark = Image.fromarray(np.full((30, 30, 3), 20, np.uint8) + np.arange(3, dtype=np.uint8))
    mask = np.zeros((64, 64), np.uint16)
    mask[3, 3] = 65_535
    normal = np.random.default_rng(0).integers(0, 65_536, (40, 40)).astype(np.uint16)
    for content in (
        *(encoded(dark, kind) for kind in ("PNG", "JPEG", "TIFF", "BMP", "WEBP")),
        encoded(Image.fromarray(mask)),  # nearly black, and no other range would change that
        encoded(Image.fromarray(normal)),
        encoded(dark.convert("P")),
    ):
        assert read_picture(content).note == ""
        if b"IHDR" not in content or b"\x10\0\0\0\0" not in content[:40]:
            assert np.array_equal(pixels(content, "file"), pixels(content))


def test_alpha_is_not_stretched() -> None:
    values = np.zeros((4, 4, 2), np.uint16)
    values[..., 0], values[..., 1] = np.arange(16).reshape(4, 4) * 100, 65_535 // 2
    found = pixels(png_16(values, 4), "file")
    assert abs(int(found[0, 0, 0]) - 128) <= 1  # black, half of it, on white
    assert found[3, 3, 0] == 255
