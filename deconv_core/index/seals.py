"""Parquet files that notice when they are damaged.

Parquet's own checksums cover the pages of a file but not what says how to read them. So a file of
an index carries a seal between its pages and its footer, where every Parquet reader passes over
it::

    PAR1 | pages | "deconvS1" | SHA-256 of the pages | SHA-256 of the rest | footer | length | PAR1

The second half is quick to check and is checked whenever a file is first used, with the pages that
are read; all of it is checked before a scan builds on the file.
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
    """The bytes of a file are not those that were written."""


def sealed(parquet: bytes | memoryview) -> bytes:
    """A whole Parquet file with a seal before its footer."""
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
        BrokenSealError: it is no Parquet file, has no seal, or is not as it was written.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END))
    end = file.read(_END)
    length = int.from_bytes(end[:4], "little")
    start = size - _END - length
    if len(end) < _END or end[4:] != b"PAR1" or start < 4:
        raise BrokenSealError("it is cut short or is no Parquet file")
    file.seek(max(0, start - _SEAL))
    head = file.read(min(_SEAL, start)) + file.read(length + _END)
    if not head.startswith(_MAGIC):
        raise BrokenSealError("it has no seal")
    pages, rest = head[len(_MAGIC) :][:32], head[len(_MAGIC) + 32 :][:32]
    if hashlib.sha256(head[_SEAL:]).digest() != rest:
        raise BrokenSealError("its footer is not as it was written")
    if whole and _digest_of(file, start - _SEAL) != pages:
        raise BrokenSealError("it is not as it was written")


def _digest_of(file: BinaryIO | RemoteFile, count: int) -> bytes:
    """SHA-256 of the first ``count`` bytes."""
    file.seek(0)
    digest = hashlib.sha256()
    while count > 0 and (piece := file.read(min(_PIECE, count))):
        digest.update(piece)
        count -= len(piece)
    return digest.digest()
