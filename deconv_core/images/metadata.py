"""Metadata of image files: orientation and colour profile; damaged metadata is ignored.

PNG and JPEG files are split into parts here. The decoder gets only the parts that decide the
pixels. So damaged metadata, which browsers ignore too, cannot make a picture unreadable.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

LARGEST_METADATA = 2**24
"""Largest unpacked profile, EXIF or XMP that is read, in bytes."""
_MOST_UNPACKED = 4 * LARGEST_METADATA
"""The most bytes that are unpacked from one file in all."""
_MOST_SEGMENTS = LARGEST_METADATA // 2**16
PNG_START = b"\x89PNG\r\n\x1a\n"
JPEG_START = b"\xff\xd8\xff"
_ORIENTATION = 0x0112
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')
_EXIF = b"Exif\0\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_ICC = b"ICC_PROFILE\0"
_NO_SEGMENT = (0x01, *range(0xD0, 0xDB))  # JPEG: markers without a length, and the pixels


@dataclass(frozen=True, slots=True)
class Metadata:
    """The stored bytes of EXIF, XMP and colour profile; b"" for each that is missing."""

    exif: bytes = b""
    xmp: bytes = b""
    profile: bytes = b""

    @property
    def orientation(self) -> int:
        """The EXIF orientation, 1 to 8; 1 if it is missing or cannot be read."""
        said = _exif_orientation(self.exif)
        if said is None and (found := _XMP_ORIENTATION.search(self.xmp[:LARGEST_METADATA])):
            said = int(found[1])
        return said or 1


def _exif_orientation(exif: bytes) -> int | None:
    """The orientation in the first directory of EXIF data, or None."""
    head = 0
    while exif.startswith(_EXIF, head):
        head += len(_EXIF)
    exif = exif[head:]
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None or len(exif) < 8:
        return None
    (start,) = struct.unpack_from(f"{order}I", exif, 4)
    (count,) = struct.unpack(f"{order}H", exif[start : start + 2].ljust(2, b"\0"))
    for place in range(start + 2, min(start + 2 + 12 * count, len(exif) - 11), 12):
        tag, kind, number = struct.unpack_from(f"{order}HHI", exif, place)
        if tag == _ORIENTATION:
            sizes = {1: "B", 3: "H", 4: "I"}  # byte, short, long
            if kind not in sizes or number != 1:
                return None
            (value,) = struct.unpack_from(f"{order}{sizes[kind]}", exif, place + 8)
            return int(value) if 1 <= value <= 8 else None
    return None


# -- PNG -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PngParts:
    """The parts of a PNG.

    Attributes:
        content: the file with only the parts that decide the pixels.
        metadata: its EXIF, XMP and colour profile.
        width: width in pixels.
        height: height in pixels.
        depth: bits of one value.
        colour: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha.
        interlaced: 1 if the PNG is interlaced, else 0.
        transparent: the transparent colour as stored, or b"".
        pixels: the compressed pixels, chunk by chunk.
    """

    content: bytes
    metadata: Metadata
    width: int = 0
    height: int = 0
    depth: int = 0
    colour: int = 0
    interlaced: int = 0
    transparent: bytes = b""
    pixels: tuple[bytes, ...] = field(default=(), repr=False)


def png_parts(content: bytes) -> PngParts:
    """Split a PNG into its parts; the rest of a file that is cut off stays as it is."""
    found, kept, pixels = PngParts(b"", Metadata()), [PNG_START], []
    unpacker = _Unpacker()
    metadata, transparent = found.metadata, b""
    for kind, data, chunk in _png_chunks(content):
        if kind == b"IHDR" and len(data) == 13 and _is_sound(chunk):
            width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", data)
            found = PngParts(b"", metadata, width, height, depth, colour, interlaced)
        if not kind or not kind[0] & 32:  # a capital letter first: the chunk decides the pixels
            kept.append(chunk)
            pixels += [data] if kind == b"IDAT" else []
        elif kind == b"tRNS":
            if _fits(data, found.colour):
                transparent = data
                kept.append(chunk)
        elif _is_sound(chunk):
            metadata = _with_png_chunk(metadata, kind, data, unpacker)
        if kind == b"IEND":
            break
    return replace(
        found,
        content=b"".join(kept),
        metadata=metadata,
        transparent=transparent,
        pixels=tuple(pixels),
    )


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """(kind, data, whole chunk) of each chunk; for the rest of a cut file, kind is b""."""
    place = len(PNG_START)
    while place < len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        end = place + 12 + length
        if len(content) < end:
            yield b"", b"", content[place:]
            return
        yield content[place + 4 : place + 8], content[place + 8 : end - 4], content[place:end]
        place = end


def _is_sound(chunk: bytes) -> bool:
    return zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")


def _fits(transparent: bytes, colour: int) -> bool:
    """True if a PNG's transparent colour has the right length for its colour type."""
    return {0: len(transparent) == 2, 2: len(transparent) == 6, 3: len(transparent) <= 256}.get(
        colour, False
    )


def _with_png_chunk(known: Metadata, kind: bytes, data: bytes, unpacker: _Unpacker) -> Metadata:
    name, _, rest = data.partition(b"\0")
    match kind:
        case b"eXIf":
            return replace(known, exif=data)
        case b"iCCP":
            return replace(known, profile=unpacker.unpacked(rest[1:]))
        case b"iTXt" if name == b"XML:com.adobe.xmp":
            text = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
            return replace(known, xmp=unpacker.unpacked(text) if rest[:1] == b"\1" else text)
        case b"tEXt" | b"zTXt" if name == b"Raw profile type exif" and not known.exif:
            text = rest if kind == b"tEXt" else unpacker.unpacked(rest[1:])
            return replace(known, exif=_raw_profile(text))
    return known


class _Unpacker:
    """Unpacks zlib data of one file, up to a limit for each piece and for all pieces together."""

    def __init__(self) -> None:
        """Start with the full limit."""
        self._left = _MOST_UNPACKED

    def unpacked(self, packed: bytes) -> bytes:
        """The unpacked data; b"" if it is damaged or too large."""
        unpacker = zlib.decompressobj()
        most = min(LARGEST_METADATA, self._left)
        try:
            found = unpacker.decompress(packed, most) if most else b""
        except zlib.error:
            return b""
        self._left -= len(found)
        return found if unpacker.eof else b""


def _raw_profile(text: bytes) -> bytes:
    """The bytes that ImageMagick writes as hexadecimal digits, after a name and a length."""
    try:
        return bytes.fromhex(text.split(b"\n", 3)[3].replace(b"\n", b"").decode("ascii"))
    except (ValueError, IndexError):
        return b""


# -- JPEG ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class JpegParts:
    """The parts of a JPEG.

    Attributes:
        content: the file with only the parts that decide the pixels.
        metadata: its EXIF, XMP and colour profile.
        whole: True if it is stored in several passes, so that a decoder keeps all of it in memory.
    """

    content: bytes
    metadata: Metadata
    whole: bool = False


def jpeg_parts(content: bytes) -> JpegParts:
    """Split a JPEG into its parts; from the first invalid segment on, the file stays as it is."""
    kept, exif, xmp = [content[:2]], list[bytes](), b""
    profile: dict[int, bytes] = {}
    place, progressive, colours, scanned = 2, False, 0, 0
    while content[place : place + 1] == b"\xff" and place + 4 <= len(content):
        kind = content[place + 1]
        if kind == 0xFF:  # a fill byte
            place += 1
            continue
        end = place + 2 + int.from_bytes(content[place + 2 : place + 4], "big")
        data = content[place + 4 : end]
        if kind in (0xC0, 0xC1, 0xC2) and len(data) > 5:
            progressive, colours = kind == 0xC2, data[5]
        if kind in _NO_SEGMENT or end < place + 4:
            scanned = data[0] if kind == 0xDA and data else 0
            break
        if kind == 0xE1 and data.startswith(_EXIF):
            exif += [data[len(_EXIF) :]] if len(exif) < _MOST_SEGMENTS else []
        elif kind == 0xE1 and data.startswith(_XMP):
            xmp = data[len(_XMP) :]
        elif kind == 0xE2 and data.startswith(_ICC) and len(data) > 14:
            profile[data[12]] = data[14:]
        if not _is_metadata(kind, data):
            kept.append(content[place:end])
        place = end
    kept.append(content[place:])
    found = Metadata(b"".join(exif), xmp, b"".join(profile[n] for n in sorted(profile)))
    return JpegParts(b"".join(kept), found, progressive or 0 < scanned < colours)


def _is_metadata(kind: int, data: bytes) -> bool:
    """True for a comment, or an application segment that does not affect the pixels."""
    says_colours = (kind == 0xE0 and data.startswith(b"JFIF\0") and len(data) >= 14) or (
        kind == 0xEE and data.startswith(b"Adobe") and len(data) >= 12
    )
    return not says_colours and (kind == 0xFE or 0xE0 <= kind <= 0xEF)
