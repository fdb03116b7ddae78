"""Errors of writing to disk, as messages that say what to do."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deconv_core.errors import FULL_DISK, DeconvError, NoRoomError

_FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)


def can_write(folder: Path) -> bool:
    """False if the system forbids writing to a folder; the folder need not exist yet."""
    there = next(
        (place for place in (folder, *folder.parents) if os.access(place, os.F_OK)), folder
    )
    return os.access(there, os.W_OK | os.X_OK)


@contextmanager
def writing(what: str) -> Iterator[None]:
    """Turn an ``OSError`` raised inside into a ``DeconvError`` that says what to do.

    Args:
        what: the beginning of the message, for example "the export did not start".

    Raises:
        DeconvError: the disk is full, or the data folder cannot be written to.
    """
    try:
        yield
    except OSError as error:
        raise not_written(error, f"{what}: ") from error


def not_written(error: OSError, start: str = "") -> DeconvError:
    """The error to raise for an error of writing; its message begins with ``start``."""
    if error.errno in FULL_DISK:
        room = "make room, for example by deleting datasets or exports"
        return NoRoomError(f"{start}the disk is full", room)
    forbidden = (
        "allow it to the account that runs this program",
        "set DECONV_HOME to another folder",
    )
    return DeconvError(
        f"{start}the data folder cannot be written to ({error.strerror or error})",
        *(forbidden if error.errno in _FORBIDDEN else ()),
    )
