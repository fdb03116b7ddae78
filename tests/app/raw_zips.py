"""Zips with names of exactly the given bytes, as programs other than Python write them."""

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

UTF_8_FLAG = 0x800


def png(value: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((9, 9, 3), value, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def unicode_path(name: bytes, text: str, *, version: int = 1, checksum: int | None = None) -> bytes:
    """Info-ZIP's extra field 0x7075 for a name."""
    content = text.encode()
    crc = zlib.crc32(name) if checksum is None else checksum
    return struct.pack("<HHBI", 0x7075, 5 + len(content), version, crc) + content


def raw_zip(
    names: Sequence[bytes],
    *,
    flags: Sequence[int] | int = 0,
    extras: Sequence[bytes] = (),
    contents: Sequence[bytes] = (),
) -> io.BytesIO:
    """A zip of stored pictures.

    Args:
        names: the names of the entries.
        flags: the flags of each entry, or of all.
        extras: the extra field of each entry.
        contents: the content of each entry; by default pictures of different greys.
    """
    out, directory = io.BytesIO(), b""
    for place, name in enumerate(names):
        flag = flags if isinstance(flags, int) else flags[place]
        extra = extras[place] if extras else b""
        content = contents[place] if contents else png(place)
        sizes = (zlib.crc32(content), len(content), len(content), len(name), len(extra))
        offset = out.tell()
        out.write(struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, flag, 0, 0, 0x5821, *sizes))
        out.write(name + extra + content)
        directory += struct.pack("<IHHHHHHIIIHH", 0x02014B50, 20, 20, flag, 0, 0, 0x5821, *sizes)
        directory += struct.pack("<HHHII", 0, 0, 0, 0, offset) + name + extra
    end = len(names), len(names), len(directory), out.tell(), 0
    out.write(directory + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, *end))
    out.seek(0)
    return out
