"""Opens zips with damaged entries in the table of contents, which Python's zipfile refuses.

Examples of damage: a name that is marked as UTF-8 but is not, an extra field that is longer than
its space, an unknown version. Only the damaged entry is skipped, and its name is reported.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

from deconv_core.images.passed_over import Skipped
from deconv_dashboard.data.uploads import DAMAGED
from deconv_dashboard.upload.archive_checks import END, MOST_FILES, end_of_directory

_ENTRY, _ENTRY_SIZE = b"PK\x01\x02", 46
_UTF_8_FLAG = 0x800
_PLAIN_VERSION = 20
_UNKNOWN_FIELD = 0xFFFF


@dataclass(frozen=True, eq=False)
class ZipEntries:
    """An opened zip.

    Attributes:
        archive: reads the entries.
        infos: the entries that can be read, in the archive's order.
        faulty: the others, with their reasons.
    """

    archive: zipfile.ZipFile
    infos: tuple[zipfile.ZipInfo, ...]
    faulty: tuple[Skipped, ...] = ()


def open_zip(file: BinaryIO) -> ZipEntries:
    """Open a zip, and separate the entries that are damaged in the table of contents.

    Raises:
        Exception: one of ``DAMAGED``; it is not a zip, or the whole file is damaged.
    """
    try:
        archive = zipfile.ZipFile(file)
        return ZipEntries(archive, tuple(archive.infolist()))
    except DAMAGED:
        place, directory = _directory(file)
        spans = list(_spans(directory))
        faults = {number: why for number, at in enumerate(spans) if (why := _fault(directory[at]))}
        if not faults:
            raise
    mended = bytearray(directory)
    for number in faults:
        mended[spans[number]] = _without_fault(directory[spans[number]])
    archive = zipfile.ZipFile(_Overlaid(file, place, bytes(mended)))
    infos = archive.infolist()
    return ZipEntries(
        archive,
        tuple(info for number, info in enumerate(infos) if number not in faults),
        tuple(
            Skipped(name, why)
            for number, why in faults.items()
            if not (name := _shown_name(directory[spans[number]])).endswith(("/", "\\"))
        ),
    )


def _directory(file: BinaryIO) -> tuple[int, bytes]:
    """The offset of the table of contents, and its bytes."""
    end, size = end_of_directory(file)
    file.seek(max(0, end - size))
    return end - size, file.read(size)


def _spans(directory: bytes) -> Iterator[slice]:
    """The span of each entry in the table of contents, up to the first invalid one."""
    at = 0
    for _ in range(MOST_FILES):
        if directory[at : at + 4] != _ENTRY or len(directory) < at + _ENTRY_SIZE:
            return
        lengths = struct.unpack_from("<HHH", directory, at + 28)
        yield slice(at, at := at + _ENTRY_SIZE + sum(lengths))


def _fault(entry: bytes) -> str:
    """Why zipfile refuses a zip with only this entry; "" if it accepts it."""
    end = struct.pack("<4sHHHHIIH", END, 0, 0, 1, 1, len(entry), 0, 0)
    try:
        zipfile.ZipFile(io.BytesIO(entry + end)).close()
    except UnicodeDecodeError:
        return "its name is marked as UTF-8 but is not; pack it again"
    except DAMAGED as error:
        said = str(error) or type(error).__name__
        return f"damaged in the table of contents of the zip ({said}); pack it again"
    return ""


def _shown_name(entry: bytes) -> str:
    (length,) = struct.unpack_from("<H", entry, 28)
    return entry[_ENTRY_SIZE : _ENTRY_SIZE + length].decode("utf-8", "backslashreplace")


def _without_fault(entry: bytes) -> bytes:
    """The entry, changed so that zipfile accepts it; same length. It is listed but never read."""
    mended = bytearray(entry)
    flags, name, extra = (struct.unpack_from("<H", entry, at)[0] for at in (8, 28, 30))
    struct.pack_into("<H", mended, 6, _PLAIN_VERSION)
    struct.pack_into("<H", mended, 8, flags & ~_UTF_8_FLAG)
    if extra >= 4:
        with suppress(struct.error):  # the entry is cut off
            struct.pack_into("<HH", mended, _ENTRY_SIZE + name, _UNKNOWN_FIELD, extra - 4)
    return bytes(mended)


class _Overlaid(io.RawIOBase):
    """A file in which some bytes are replaced when it is read."""

    def __init__(self, file: BinaryIO, place: int, content: bytes) -> None:
        self._file, self._place, self._content = file, place, content

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int | None = -1) -> bytes:
        at = self._file.tell()
        found = bytearray(self._file.read(-1 if size is None else size))
        first = max(at, self._place)
        last = min(at + len(found), self._place + len(self._content))
        if first < last:
            found[first - at : last - at] = self._content[first - self._place : last - self._place]
        return bytes(found)
