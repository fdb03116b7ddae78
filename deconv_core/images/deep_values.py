"""Reads the full values of PNG, PGM and PPM files; Pillow alone keeps only eight bits of them."""

from __future__ import annotations

import re
import struct

import numpy as np
from PIL import Image

from deconv_core.errors import ImageError
from deconv_core.images.metadata import PngParts
from deconv_core.images.pixel_values import Alpha, Values, white_of, with_transparent

_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # PNG colour type -> values of a pixel
_PNM_HEADER = re.compile(rb"P([56])" + 3 * rb"(?:\s|#[^\r\n]*[\r\n])+([0-9]{1,9})" + rb"\s")


def png_values(parts: PngParts, first: Image.Image) -> Values:
    """The values of a 16-bit PNG.

    Args:
        parts: the parts of the file.
        first: the image that Pillow reads: the upper eight bits; all bits of a grey image.
    """
    if parts.colour == 0:
        stored = np.asarray(first).astype(np.uint16)[..., None]
    elif parts.colour == 4:  # four bytes a pixel, as in Pillow's RGBA
        stored = _unpacked(parts, "RGBA", "RGBA").view(">u2").astype(np.uint16)
    else:
        mode = "RGB" if parts.colour == 2 else "RGBA"
        stored = np.asarray(first).astype(np.uint16)
        stored <<= 8
        stored |= _unpacked(parts, mode, f"{mode};16L")  # takes the lower byte of each value
    channels = _CHANNELS[parts.colour]
    colours = 1 if channels < 3 else 3
    alpha: Alpha = "straight" if channels > colours else ""
    values = Values(stored, colours, 65_535.0, alpha)
    if parts.transparent:
        values = with_transparent(values, struct.unpack(f">{colours}H", parts.transparent))
    return values


def _unpacked(parts: PngParts, mode: str, rawmode: str) -> np.ndarray:
    size = parts.width, parts.height
    packed = b"".join(parts.pixels)
    return np.asarray(Image.frombytes(mode, size, packed, "zip", rawmode, parts.interlaced))


def pnm_layout(content: bytes) -> tuple[int, int, int, int, int] | None:
    """(channels, width, height, highest value, offset of the values) of a PGM or PPM.

    None for other files, and for a highest value of 255, which Pillow reads quickly.
    """
    found = _PNM_HEADER.match(content[:4096])
    if found is None:
        return None
    kind, width, height, highest = (int(number) for number in found.groups())
    if highest == 255 or not 0 < highest < 65_536:
        return None
    return (1 if kind == 5 else 3), width, height, highest, found.end()


def pnm_values(content: bytes, layout: tuple[int, int, int, int, int]) -> Values:
    """The values of a PGM or PPM.

    Raises:
        ImageError: the file is cut off.
    """
    channels, width, height, highest, start = layout
    kind = np.dtype(">u2" if highest > 255 else "u1")
    count = channels * width * height
    if len(content) - start < count * kind.itemsize:
        raise ImageError("damaged: the file ends before the end of its picture")
    stored = np.frombuffer(content, kind, count, start).reshape(height, width, channels)
    return Values(stored, channels, float(highest), ranged=highest > 255)


def image_values(image: Image.Image) -> Values:
    """The values of an image in Pillow's mode I or F."""
    stored = np.asarray(image)[..., None]
    return Values(stored, 1, white_of(stored) if image.mode == "F" else 65_535.0)
