"""Errors of writing to disk, as messages that say what to do."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deconv_core.errors import MAKE_ROOM, DeconvError

_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)


def can_write(folder: Path) -> bool:
    """False if the system forbids writing to a folder; the folder need not exist yet."""
    there = next(
        (place for place in (folder, *folder.parents) if os.access(place, os.F_OK)), folder
    )
    return os.access(there, os.W_OK | os.X_OK)


def is_full(error: OSError) -> bool:
    """True if the disk is full, or the account has used its quota."""
    return error.errno in _FULL


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
        raise DeconvError(f"{what}: {why_not_written(error)}") from error


def why_not_written(error: OSError) -> str:
    """The message for an error of writing: what is wrong, and what helps."""
    said = error.strerror or str(error)
    if is_full(error):
        return f"the disk is full; {MAKE_ROOM}, for example by deleting datasets or exports"
    advice = (
        "; allow it to the account that runs this program, or set DECONV_HOME to another folder"
        if error.errno in _FORBIDDEN
        else ""
    )
    return f"the data folder cannot be written to ({said}){advice}"
