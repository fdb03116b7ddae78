"""Reads TIFF pictures that Pillow reads wrongly or not at all.

Pillow reads pictures of 8 bits a value correctly. For others it has faults: it reads 16 bits in
separate planes as 8, and shows 0 as black where it is white. It does not know unsigned 32 bits,
several floats, or half of the ways to pack 12 bits. This module reads every value as the file's
tags describe it, and refuses files with an unclear description.
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import TiffImagePlugin

from deconv_core.errors import ImageError
from deconv_core.images.pixel_values import Alpha, Values, white_of

STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MOST_CHANNELS = 4096
_KINDS = {1: "u", 2: "i", 3: "f"}  # SampleFormat; 4 is undefined, 5 and 6 are complex
_FLOAT_BITS, _WHOLE_BITS = (16, 32, 64), (8, 16, 32, 64)
_COLOURS = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4}  # PhotometricInterpretation -> colours
_BY_LIBTIFF = {5: "LZW", 32773: "PackBits", 34926: "Zstandard", 50000: "Zstandard"}
_BY_ZLIB = (8, 32946)
_NAMES = {
    **{2: "CCITT", 3: "CCITT", 4: "CCITT", 6: "JPEG", 7: "JPEG", 34712: "JPEG 2000"},
    **{33003: "JPEG 2000", 33005: "JPEG 2000", 34887: "LERC", 34925: "LZMA", 50001: "WebP"},
    **{50002: "JPEG XL", 34892: "JPEG", 34677: "SGI log", 34676: "SGI log"},
}


@dataclass(frozen=True)
class TiffLayout:
    """How a TIFF stores its first picture, according to its tags.

    Attributes:
        width: width in pixels.
        height: height in pixels.
        channels: number of values of a pixel.
        bits: bits of one value.
        kind: "u" unsigned, "i" signed, "f" float.
        order: byte order, "<" or ">".
        photometric: meaning of the values, TIFF's number.
        extras: meaning of the channels after the colours, TIFF's numbers.
        planar: True if each channel is stored separately.
        compression: TIFF's number.
        predictor: 1 none, 2 differences of neighbours, 3 the same for floats.
        backwards: True if the bits of each byte are in reverse order.
        piece: (height, width) of a strip or tile.
        tiled: True for tiles, which are stored whole even beyond the picture's border.
        places: (offset, bytes) of every strip or tile.
        palette: all red values, then all green, then all blue ones; () without a palette.
        orientation: EXIF's number.
        profile: the colour profile, or b"".
        missing: the value that marks missing pixels, or None.
        subsampled: True if neighbouring pixels share colours, without JPEG compression.
    """

    width: int
    height: int
    channels: int
    bits: int
    kind: str
    order: str
    photometric: int
    extras: tuple[int, ...]
    planar: bool
    compression: int
    predictor: int
    backwards: bool
    piece: tuple[int, int]
    tiled: bool
    places: tuple[tuple[int, int], ...]
    palette: tuple[int, ...]
    orientation: int
    profile: bytes
    missing: float | None
    subsampled: bool

    @property
    def plain(self) -> bool:
        """True for kinds that Pillow reads correctly: at most 8 bits, unsigned, not in planes."""
        return self.bits <= 8 and self.kind == "u" and not self.planar

    @property
    def nbytes(self) -> int:
        """Size of all values in bytes, unpacked."""
        return self.width * self.height * self.channels * max(1, math.ceil(self.bits / 8))

    @property
    def _type(self) -> np.dtype[Any]:
        bits = self.bits if self.bits in _WHOLE_BITS else 8 * math.ceil(self.bits / 8)
        return np.dtype(f"{self.order}{self.kind}{bits // 8}")

    def described(self) -> str:
        """A description for messages, for example "16-bit, 3 channels in planes, LZW"."""
        kind = {"u": "", "i": " signed", "f": " float"}[self.kind]
        channels = f"{self.channels} channel{'s' * (self.channels > 1)}"
        packed = {1: "", **_NAMES, **_BY_LIBTIFF}.get(self.compression)
        packed = f"compression {self.compression}" if packed is None else packed
        parts = [f"{self.bits}-bit{kind}", channels + " in planes" * self.planar, packed]
        return ", ".join(part for part in parts if part)


# -- tags ----------------------------------------------------------------------------------------


def tiff_layout(content: bytes) -> TiffLayout:
    """Read how the first picture of a TIFF is stored.

    Raises:
        ImageError: the tags are missing, contradict each other, or describe an unsupported kind.
    """
    tags, order = _tags(content)
    width, height = _one(tags, 256, 0), _one(tags, 257, 0)
    channels = _one(tags, 277, 1)
    if width < 1 or height < 1 or not 1 <= channels <= MOST_CHANNELS:
        raise ImageError(f"damaged: a TIFF of {width} x {height} pixels")
    if max(_one(tags, 32997, 1), _one(tags, 32998, 1)) > 1:
        raise ImageError("a TIFF of a volume is not read; save its layers as pictures")
    bits, kinds = set(_all(tags, 258, (1,))), set(_all(tags, 339, (1,)))
    if kinds & {5, 6}:
        raise ImageError("a TIFF of complex numbers is not read; save their absolute values")
    if len(bits) > 1 or len(kinds) > 1 or not kinds <= set(_KINDS):
        raise ImageError(
            f"a TIFF whose channels have {_listed(bits)} bits, of the formats {_listed(kinds)}, is "
            "not read; save it with the same number of bits in each"
        )
    tiled = 324 in tags
    piece = (_one(tags, 323, 0), _one(tags, 322, 0)) if tiled else (_one(tags, 278, height), width)
    offsets, counts = (_all(tags, tag, ()) for tag in ((324, 325) if tiled else (273, 279)))
    if not tiled:
        piece = (min(piece[0], height), width)
    if len(offsets) != len(counts) or min(*piece) < 1:
        raise ImageError("damaged: a TIFF with an incomplete list of its parts")
    return TiffLayout(
        width=width,
        height=height,
        channels=channels,
        bits=bits.pop(),
        kind=_KINDS[kinds.pop()],
        order=order,
        photometric=_one(tags, 262, 0),
        extras=_all(tags, 338, ()),
        planar=_one(tags, 284, 1) == 2 and channels > 1,
        compression=_one(tags, 259, 1),
        predictor=_one(tags, 317, 1),
        backwards=_one(tags, 266, 1) == 2,
        piece=piece,
        tiled=tiled,
        places=tuple(zip(offsets, counts, strict=True)),
        palette=_all(tags, 320, ()),
        orientation=_orientation(tags),
        profile=_profile(tags),
        missing=_missing(tags),
        subsampled=_one(tags, 262, 0) == 6
        and _one(tags, 259, 1) not in (6, 7)
        and _all(tags, 530, (2, 2)) != (1, 1),
    )


def _tags(content: bytes) -> tuple[TiffImagePlugin.ImageFileDirectory_v2, str]:
    if content.startswith(b"MM\0+"):  # Pillow does not read them
        raise ImageError("a BigTIFF whose high bytes come first is not read; save it as a TIFF")
    directory = TiffImagePlugin.ImageFileDirectory_v2(content[: 16 if content[2:3] == b"+" else 8])
    try:
        file = io.BytesIO(content)
        file.seek(directory.next)
        directory.load(file)
    except Exception as error:  # Pillow raises nearly anything on damaged tags
        raise ImageError(f"damaged: {error or type(error).__name__}") from error
    return directory, "<" if content[:2] == b"II" else ">"


def _all(
    tags: TiffImagePlugin.ImageFileDirectory_v2, tag: int, default: tuple[int, ...]
) -> tuple[int, ...]:
    """The whole numbers of a tag.

    Raises:
        ImageError: the tag holds something else.
    """
    try:
        found = tags.get(tag, default)
    except Exception as error:
        raise ImageError(f"damaged: tag {tag} of the TIFF cannot be read") from error
    found = found if isinstance(found, tuple) else (found,)
    if not all(type(value) is int and value >= 0 for value in found):
        raise ImageError(f"damaged: tag {tag} of the TIFF does not hold whole numbers")
    return found


def _one(tags: TiffImagePlugin.ImageFileDirectory_v2, tag: int, default: int) -> int:
    return (_all(tags, tag, (default,)) or (default,))[0]


def _listed(numbers: set[int]) -> str:
    return " and ".join(str(number) for number in sorted(numbers))


def _orientation(tags: TiffImagePlugin.ImageFileDirectory_v2) -> int:
    try:
        found = _one(tags, 274, 1)
    except ImageError:
        return 1
    return found if 1 <= found <= 8 else 1


def _profile(tags: TiffImagePlugin.ImageFileDirectory_v2) -> bytes:
    try:
        found = tags.get(34675, b"")
    except Exception:  # damaged metadata is ignored
        return b""
    return found if isinstance(found, bytes) else b""


def _missing(tags: TiffImagePlugin.ImageFileDirectory_v2) -> float | None:
    """The value with which GDAL marks missing pixels, or None."""
    try:
        return float(str(tags.get(42113, "")).strip("\0 "))
    except Exception:
        return None


# -- values --------------------------------------------------------------------------------------


def tiff_values(content: bytes, layout: TiffLayout) -> Values:
    """Read the values of a TIFF's first picture.

    Raises:
        ImageError: the file is damaged, or its kind is not supported.
    """
    _check(layout)
    planes = layout.channels if layout.planar else 1
    inner = layout.channels // planes
    down, across = (
        math.ceil(whole / part)
        for whole, part in zip((layout.height, layout.width), layout.piece, strict=True)
    )
    if len(layout.places) < planes * down * across:
        raise ImageError("damaged: parts of the TIFF are missing")
    stored = np.empty((planes, layout.height, layout.width, inner), layout._type.newbyteorder("="))
    for plane in range(planes):
        for number in range(down * across):
            place = layout.places[plane * down * across + number]
            top, left = number // across * layout.piece[0], number % across * layout.piece[1]
            rows = layout.piece[0] if layout.tiled else min(layout.piece[0], layout.height - top)
            part = _piece(content, layout, place, rows, inner)
            target = stored[plane, top : top + layout.piece[0], left : left + layout.piece[1]]
            target[...] = part[: target.shape[0], : target.shape[1]]
    values = np.moveaxis(stored[..., 0], 0, -1) if layout.planar else stored[0]
    return _meant(values, layout)


def _check(layout: TiffLayout) -> None:
    """Refuse kinds of TIFF that would be read wrongly.

    Raises:
        ImageError: the kind is not supported.
    """
    known = _FLOAT_BITS if layout.kind == "f" else _WHOLE_BITS
    packed = layout.kind == "u" and 1 <= layout.bits < 16 and layout.predictor == 1
    colours = _COLOURS.get(layout.photometric)
    if (
        colours is None
        or layout.channels < colours
        or not (layout.bits in known or packed)
        or layout.predictor not in ((1, 2, 3) if layout.kind == "f" else (1, 2))
        or (layout.compression not in (1, *_BY_ZLIB, *_BY_LIBTIFF))
        or (layout.photometric == 3 and (layout.kind != "u" or layout.bits > 16))
        or (layout.photometric == 5 and layout.kind != "u")
    ):
        raise ImageError(
            f"a TIFF of this kind is not read ({layout.described()}, colours of kind "
            f"{layout.photometric}); save it as an uncompressed 16-bit RGB or grey TIFF, or a PNG"
        )


def _piece(
    content: bytes, layout: TiffLayout, place: tuple[int, int], rows: int, inner: int
) -> np.ndarray:
    """The values of one strip or tile: (rows, columns, channels), in native byte order."""
    across = layout.piece[1] * inner
    row_bytes = math.ceil(across * layout.bits / 8)
    data = _unpacked(content[place[0] : place[0] + place[1]], layout, rows * row_bytes)
    if len(data) < rows * row_bytes or place[0] + place[1] > len(content):
        raise ImageError("damaged: the TIFF ends before the end of its picture")
    raw = np.frombuffer(data, np.uint8, rows * row_bytes).reshape(rows, row_bytes)
    if layout.backwards:
        raw = np.packbits(np.unpackbits(raw, axis=1, bitorder="little"), axis=1)
    if layout.bits not in _WHOLE_BITS:
        return _from_bits(raw, layout.bits, across).reshape(rows, -1, inner)
    if layout.predictor == 3:
        return _float_sums(raw, inner, layout).reshape(rows, -1, inner)
    values = raw.view(layout._type).reshape(rows, -1, inner)
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if layout.predictor == 2:
        whole = values.view(f"u{values.dtype.itemsize}")
        values = np.cumsum(whole, axis=1, dtype=whole.dtype).view(values.dtype)
    return values


def _from_bits(raw: np.ndarray, bits: int, across: int) -> np.ndarray:
    """Whole numbers that are packed across byte borders: (rows, ``across``)."""
    each = np.unpackbits(raw, axis=1, count=across * bits).reshape(len(raw), across, bits)
    found = np.zeros(each.shape[:2], np.uint16)
    for bit in range(bits):
        found = found << 1 | each[..., bit]
    return found if bits > 8 else found.astype(np.uint8)


def _float_sums(raw: np.ndarray, inner: int, layout: TiffLayout) -> np.ndarray:
    """Undo predictor 3: differences of the bytes of floats, the highest bytes of a row first."""
    size = layout.bits // 8
    sums = np.cumsum(raw.reshape(len(raw), -1, inner), axis=1, dtype=np.uint8)
    by_float = sums.reshape(len(raw), size, -1).transpose(0, 2, 1)
    floats = np.ascontiguousarray(by_float).view(f">f{size}")[..., 0]
    return floats.astype(f"=f{size}")


def _unpacked(packed: bytes, layout: TiffLayout, size: int) -> bytes:
    """The bytes of a strip or tile, at most ``size``."""
    if layout.compression == 1:
        return packed
    try:
        if layout.compression in _BY_ZLIB:
            return zlib.decompressobj().decompress(packed, size)
        return _by_libtiff(packed, layout.compression, size)
    except Exception as error:
        raise ImageError(f"damaged: a part of the TIFF cannot be unpacked ({error})") from error


def _by_libtiff(packed: bytes, compression: int, size: int) -> bytes:
    """Unpack bytes with libtiff: as an 8-bit grey TIFF of one row, which Pillow reads."""
    entries = [
        *((256, 4, size), (257, 4, 1), (258, 3, 8), (259, 3, compression), (262, 3, 1)),
        *((273, 4, 122), (277, 3, 1), (278, 4, 1), (279, 4, len(packed))),
    ]
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    body = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    file = io.BytesIO(head + body + bytes(4) + packed)
    with TiffImagePlugin.TiffImageFile(file) as opened:
        return opened.tobytes()


def _meant(stored: np.ndarray, layout: TiffLayout) -> Values:
    """The values, with their meaning from the tags."""
    if layout.photometric == 3:
        return _from_palette(stored[..., 0], layout.palette)
    colours = _COLOURS[layout.photometric]
    alpha: Alpha = ""
    kept = stored[..., :colours]
    for place, meaning in enumerate(layout.extras[: layout.channels - colours]):
        if meaning in (1, 2) and colours < 4:
            alpha = "multiplied" if meaning == 1 else "straight"
            kept = np.concatenate([kept, stored[..., colours + place, None]], axis=-1)
            break
    return Values(
        kept,
        colours,
        white_of(kept, layout.bits if layout.kind == "u" else None),
        alpha,
        inverted=layout.photometric == 0,
        missing=layout.missing,
        ranged=colours < 4,
    )


def _from_palette(numbers: np.ndarray, palette: tuple[int, ...]) -> Values:
    """Colours from a palette. Some programs write 8-bit values, or 8 bits followed by 8 zeros."""
    length = len(palette) // 3
    if length == 0 or numbers.max(initial=0) >= length:
        raise ImageError("damaged: a TIFF with missing colours in its palette")
    table = np.array(palette[: 3 * length]).reshape(3, length).T
    white = 255.0 if table.max() < 256 else 65_535.0 if (table % 256).any() else 65_280.0
    return Values(table.clip(0, 65_535).astype(np.uint16)[numbers], 3, white, ranged=False)
