"""Image files made byte by byte, as programs other than Pillow write them."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import tifffile
from PIL import Image

from deconv_core.images.picture_files import read_picture
from deconv_core.images.pixel_values import ValueRange


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(content: bytes, value_range: ValueRange = "type") -> np.ndarray:
    """The whole picture as RGB, before it is resized; whole numbers with a sign."""
    drawn = read_picture(content, value_range).drawn(lambda image: image)
    return np.asarray(drawn.convert("RGB")).astype(int)


def grey(values: np.ndarray) -> np.ndarray:
    """(H, W) as three equal colours."""
    return np.repeat(np.asarray(values)[..., None], 3, axis=2)


# -- PNG -----------------------------------------------------------------------------------------


def chunk(kind: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def with_chunks(png: bytes, *chunks: bytes, after: bool = False) -> bytes:
    """A PNG with more chunks before, or after, its pixels."""
    place = png.index(b"IEND" if after else b"IDAT") - 4
    return png[:place] + b"".join(chunks) + png[place:]


PASSES = (
    *((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4)),
    *((2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)),
)
"""First row, first column, step down, step across of each pass of an interlaced PNG."""


def png_16(values: np.ndarray, colour: int, *chunks: bytes, interlaced: bool = False) -> bytes:
    """A PNG of 16 bits: (H, W, C) of a colour type."""
    parts = [values[y::dy, x::dx] for y, x, dy, dx in PASSES] if interlaced else [values]
    rows = [b"\0" + row.astype(">u2").tobytes() for part in parts if part.size for row in part]
    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, colour, 0, 0, interlaced)
    content = [chunk(b"IHDR", head), *chunks, chunk(b"IDAT", zlib.compress(b"".join(rows)))]
    return b"\x89PNG\r\n\x1a\n" + b"".join([*content, chunk(b"IEND", b"")])


# -- JPEG ----------------------------------------------------------------------------------------


def segment(kind: int, data: bytes) -> bytes:
    return bytes([0xFF, kind]) + struct.pack(">H", len(data) + 2) + data


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    """A JPEG with more segments at its beginning."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


# -- TIFF ----------------------------------------------------------------------------------------


def tiff(values: np.ndarray, **options: object) -> bytes:
    """A TIFF by tifffile, which has nothing in common with what the product reads with."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, metadata=None, **options)
    return buffer.getvalue()


def lzw(data: bytes) -> bytes:
    """Bytes as one LZW strip."""
    packed = encoded(Image.frombytes("L", (len(data), 1), data), "TIFF", compression="tiff_lzw")
    with tifffile.TiffFile(io.BytesIO(packed)) as file:
        (start,), (count,) = file.pages[0].dataoffsets, file.pages[0].databytecounts
    return packed[start : start + count]


def tiff_of(tags: dict[int, tuple[int, ...]], strips: list[bytes], order: str = "<") -> bytes:
    """A TIFF from its tags (whole numbers) and strips, laid out as it is told."""
    tags = {**tags, 279: tuple(len(strip) for strip in strips)}
    start = 8 + 2 + 12 * (len(tags) + 1) + 4
    longs = b"".join(
        struct.pack(f"{order}{len(v)}I", *v) for v in tags.values() if len(v) > 1
    ) + bytes(4 * len(strips))
    data, offsets = start + len(longs), []
    for strip in strips:
        offsets.append(data)
        data += len(strip)
    entries, blob = [], b""
    for tag, value in sorted({**tags, 273: tuple(offsets)}.items()):
        if len(value) == 1:
            entries.append(struct.pack(f"{order}HHII", tag, 4, 1, value[0]))
        else:
            entries.append(struct.pack(f"{order}HHII", tag, 4, len(value), start + len(blob)))
            blob += struct.pack(f"{order}{len(value)}I", *value)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(entries))
    return head + b"".join(entries) + bytes(4) + blob.ljust(len(longs), b"\0") + b"".join(strips)
