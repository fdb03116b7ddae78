"""Seals: checksums in Parquet files that detect damage.

Parquet's own checksums cover the pages of a file, but not the headers that say how to read them. So
a file of an index contains a seal between its pages and its footer, where Parquet readers skip it::

    PAR1 | pages | "deconvS1" | SHA-256 of the pages | SHA-256 of the rest | footer | length | PAR1

The second checksum is quick to check: it is checked when a file is first used, together with the
pages that are read. Before a scan continues from a file, both checksums are checked.
"""

from __future__ import annotations

import hashlib
import os
from typing import BinaryIO

from deconv_core.storage import RemoteFile

_MAGIC = b"deconvS1"
_SEAL = len(_MAGIC) + 2 * 32
_END = 8  # the footer's length (4 bytes, little-endian) and "PAR1"
_PIECE = 2**22


class BrokenSealError(ValueError):
    """The bytes of a file differ from the bytes that were written."""


def sealed(parquet: bytes | memoryview) -> bytes:
    """Add a seal before the footer of a Parquet file."""
    content = memoryview(parquet)
    start = len(content) - _END - int.from_bytes(content[-_END:-4], "little")
    pages, rest = content[:start], content[start:]
    digests = hashlib.sha256(pages).digest() + hashlib.sha256(rest).digest()
    return b"".join([pages, _MAGIC, digests, rest])


def check_seal(file: BinaryIO | RemoteFile, *, whole: bool) -> None:
    """Compare a Parquet file with its seal.

    Args:
        file: opened for reading.
        whole: read and compare everything; otherwise only the footer.

    Raises:
        BrokenSealError: it is not a Parquet file, has no seal, or was changed.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END))
    end = file.read(_END)
    length = int.from_bytes(end[:4], "little")
    start = size - _END - length
    if len(end) < _END or end[4:] != b"PAR1" or start < 4:
        raise BrokenSealError("it is cut off or is not a Parquet file")
    file.seek(max(0, start - _SEAL))
    head = file.read(min(_SEAL, start)) + file.read(length + _END)
    if not head.startswith(_MAGIC):
        raise BrokenSealError("it has no seal")
    pages, rest = head[len(_MAGIC) :][:32], head[len(_MAGIC) + 32 :][:32]
    if hashlib.sha256(head[_SEAL:]).digest() != rest:
        raise BrokenSealError("its footer was changed")
    if whole and _digest_of(file, start - _SEAL) != pages:
        raise BrokenSealError("its content was changed")


def _digest_of(file: BinaryIO | RemoteFile, count: int) -> bytes:
    """SHA-256 of the first ``count`` bytes."""
    file.seek(0)
    digest = hashlib.sha256()
    while count > 0 and (piece := file.read(min(_PIECE, count))):
        digest.update(piece)
        count -= len(piece)
    return digest.digest()
