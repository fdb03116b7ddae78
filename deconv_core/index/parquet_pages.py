"""Parquet files of strangers: no page is unpacked that is larger than its file is worth.

Arrow takes the size of a page, and how it is packed, from the page's own header: a few bytes can
become 2 GB before it notices. It reads the pages of a column in one piece, so the headers in that
piece are looked at on the way.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

import pyarrow.parquet as pq

from deconv_core.storage import Location, RemoteFile

_SLACK = 2**16
"""Bytes that the pages of any file may have."""
_SIZE, _PACKED = 2, 3  # numbers of fields, as in parquet.thrift
_PARTS = {5: 2, 7: 2, 8: 4}
"""What describes a page (values, a dictionary, values of version 2), and there the encoding."""
_ENCODINGS = (0, 2, 3, 8)
"""Plain, dictionary, runs, dictionary: others make long texts of nothing, and none is written."""
_DEEPEST = 3
_AHEAD = 2**18
_OTHER = "its pages are not of the kind that is written here"


@contextmanager
def open_parquet(
    path: Location | bytes, swelling: int, texts: Sequence[str] = ()
) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file so that its checksums, and the sizes of its pages, are checked.

    Args:
        path: the file, or its content.
        swelling: bytes that each byte of the file may become; all pages read count together.
        texts: columns of texts that may be repeated, read as dictionaries.
    """
    with io.BytesIO(path) if isinstance(path, bytes) else path.open("rb") as opened:
        pages = _Pages(opened, swelling)
        with pq.ParquetFile(  # buffered before, columns that overlap would be read as one
            pages, page_checksum_verification=True, read_dictionary=list(texts), pre_buffer=False
        ) as file:
            groups = range(file.num_row_groups)
            rows = sum(file.metadata.row_group(group).num_rows for group in groups)
            pages.footer_is_read(rows)
            yield file


class _Pages(io.RawIOBase):
    """A file of which everything that is read after the footer has to be pages."""

    def __init__(self, file: BinaryIO | RemoteFile, swelling: int) -> None:
        self._file, self._place = file, 0
        self._size = file.seek(0, os.SEEK_END)
        self._left = swelling * self._size + _SLACK
        self._footer_read = False
        self._ahead, self._ahead_from = b"", 0

    def footer_is_read(self, rows: int) -> None:
        """Take everything from here for pages, which have so many rows."""
        if rows > self._left:
            raise ValueError(f"it claims {rows:,} rows in {self._size:,} bytes")
        self._footer_read = True

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = start + place
        return self._place

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= self._size - self._place:
            raise ValueError("a column reaches beyond the file")
        content = self._bytes(self._place, size)
        self._place += size
        if self._footer_read:
            try:
                self._left = _left_after(content, self._left)
            except (LookupError, TypeError) as error:
                raise ValueError(_OTHER) from error
        return content

    def _bytes(self, place: int, size: int) -> bytes:
        """Bytes of the file; some more are fetched, as the columns that are read are neighbours."""
        start = place - self._ahead_from
        if not 0 <= start <= start + size <= len(self._ahead):
            self._file.seek(place)
            self._ahead, self._ahead_from, start = self._file.read(max(size, _AHEAD)), place, 0
        return self._ahead[start : start + size]


def _left_after(column: bytes, left: int) -> int:
    """Bytes that other pages may have after those of a column.

    Raises:
        ValueError: there are none left, or something else than pages is here.
        LookupError, TypeError: a header is not one.
    """
    if column.startswith(b"PAR1"):  # a column without rows is read from the file's beginning, in
        return left  # vain: to Thrift a P is the end of an empty header
    place = 0
    while place < len(column):
        header, place = _header(column, place)
        place += header[_PACKED]
        left -= header[_SIZE]
        if min(header[_PACKED], header[_SIZE], left) < 0:
            raise ValueError(f"it claims a page of {header[_SIZE]:,} bytes")
        for number, encoding in _PARTS.items():
            part = header.get(number)
            if part is not None and (part[encoding] not in _ENCODINGS or part[1] > left + _SLACK):
                raise ValueError(_OTHER)
    if place != len(column):
        raise ValueError(_OTHER)
    return left


def _header(data: bytes, place: int, depth: int = 0) -> tuple[dict[int, Any], int]:
    """The fields of a header by number, and the place behind it.

    Thrift's compact protocol, as far as Arrow writes it: what could be read in two ways (a field
    twice, a number in the long form) is refused.
    """
    fields: dict[int, Any] = {}
    number = 0
    while head := data[place]:
        kind, step, place = head & 15, head >> 4, place + 1
        number += step
        if not step or depth > _DEEPEST:
            raise ValueError(_OTHER)
        if kind in (1, 2):  # true, false
            fields[number] = kind == 1
        elif kind in (5, 6):  # integers of 32 and 64 bits
            value, place = _integer(data, place)
            fields[number] = (value >> 1) ^ -(value & 1)
        elif kind == 8:  # bytes
            length, place = _integer(data, place)
            place += length
        elif kind == 12:
            fields[number], place = _header(data, place, depth + 1)
        else:
            raise ValueError(_OTHER)
    return fields, place + 1


def _integer(data: bytes, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, and the place behind it."""
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 127) << shift
        shift, place = shift + 7, place + 1
        if byte < 128:
            return value, place
        if shift > 63:
            raise ValueError(_OTHER)
