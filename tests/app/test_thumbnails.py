"""Thumbnails show what a scan sees: both are decoded by the same function."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deconv_core.images.folder import ImageFolder
from deconv_dashboard.start.previews import preview, thumbnail
from tests.core.files import encoded, png_16, tiff

DEEP = np.full((40, 60), 0x6400, np.uint16)
CLEAR = Image.new("RGBA", (60, 40), (0, 0, 0, 0))
CLEAR.paste((200, 30, 60, 255), (0, 0, 60, 20))
PALETTE = Image.new("RGB", (60, 40), (10, 200, 90)).quantize(4)
FILES = {
    "16 bits.png": encoded(Image.fromarray(DEEP)),
    "16 bits.tif": encoded(Image.fromarray(DEEP), "TIFF"),
    "16 bits, high bytes first.tif": tiff(DEEP, photometric="minisblack", byteorder=">"),
    "16 bits of RGB.png": png_16(np.dstack([DEEP] * 3), 2),
    "white is zero.tif": tiff(DEEP, photometric="miniswhite"),
    "32 bits.tif": tiff(DEEP.astype("u4") * 65_537, photometric="minisblack"),
    "floats.tif": tiff((DEEP / 65_535).astype("f4"), photometric="minisblack"),
    "16 bits.pgm": b"P5 60 40 65535\n" + DEEP.astype(">u2").tobytes(),
    "a logo.png": encoded(CLEAR),
    "a logo.webp": encoded(CLEAR, "WEBP", lossless=True),
    "grey and clear.png": encoded(CLEAR.convert("LA")),
    "a palette.png": encoded(PALETTE),
    "a clear palette.png": encoded(PALETTE, transparency=PALETTE.getpixel((0, 0))),
    "ink.jpg": encoded(Image.new("CMYK", (60, 40), (0, 255, 255, 0)), "JPEG"),
    "ink.tif": encoded(Image.new("CMYK", (60, 40), (255, 0, 0, 0)), "TIFF"),
    "an animation.gif": encoded(
        PALETTE, "GIF", save_all=True, append_images=[Image.new("P", (60, 40), 1)]
    ),
    "grey.jpg": encoded(Image.new("L", (60, 40), 77), "JPEG"),
    "large.jpg": encoded(Image.new("RGB", (1600, 1200), (20, 120, 220)), "JPEG"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("pictures")
    for name, content in FILES.items():
        (place / name).write_bytes(content)
    return place


@pytest.mark.parametrize("name", FILES)
def test_a_thumbnail_is_what_a_scan_sees(name: str, folder: Path) -> None:
    images = ImageFolder(folder)
    seen = images.read(images.position(name)).astype(int)
    made = thumbnail(name, folder / name, 64)
    assert made.error == ""
    with Image.open(io.BytesIO(made.jpeg)) as opened:
        shown = np.asarray(opened.convert("RGB")).astype(int)
    assert shown.shape == (64, 64, 3)
    for part in (0.2, 0.8):  # above and below the middle, where a logo changes
        there, here = seen[int(224 * part), 112], shown[int(64 * part), 32]
        assert np.abs(there - here).max() <= 6  # a JPEG's error


def test_a_preview_notes_odd_values_and_stretches_them(tmp_path: Path) -> None:
    dark = (np.arange(4096).reshape(64, 64)).astype(np.uint16)
    (tmp_path / "dark.png").write_bytes(encoded(Image.fromarray(dark)))
    (tmp_path / "plain.png").write_bytes(encoded(Image.new("RGB", (9, 9), (1, 2, 3))))
    notes = {t.image_id: t.note for t in preview(ImageFolder(tmp_path)).thumbnails}
    assert notes["plain.png"] == ""
    assert notes["dark.png"].startswith("nearly black: its values go from 0 to 4,095")
    stretched = preview(ImageFolder(tmp_path, value_range="file")).thumbnails
    assert [t.note for t in stretched] == ["", ""]
    with Image.open(io.BytesIO(stretched[0].jpeg)) as opened:
        assert np.asarray(opened.convert("L")).max() > 240
