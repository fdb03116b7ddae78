"""Deleting several things together: all of them, or none.

What is deleted first gets another name beside its own. If one cannot be renamed, those before it
get their names back. The content goes afterwards; what a killed server left goes next time.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import filelock

from deconv_core.errors import DeconvError
from deconv_dashboard.writing import why_not_written

_ENDING = ".deleted"


def move_away(paths: Sequence[Path]) -> list[Path]:
    """Take files and folders away from their names. Only for the holder of the queue's lock.

    Args:
        paths: what is not there is passed over. A folder with a ``scan.lock`` that somebody holds
            is being scanned, from the command line if not by a job.

    Returns:
        What ``delete_moved`` has to delete, once the lock is given back.

    Raises:
        DeconvError: one of them is being scanned, or cannot be renamed; all stay then.
    """
    there = [path for path in paths if os.path.lexists(path)]
    with ExitStack() as locks:
        for lock in (path / "scan.lock" for path in there):
            if lock.exists():
                locks.enter_context(_taken(lock))
        if os.name == "nt":  # an open file keeps its folder from being renamed there
            locks.close()
        _rename_all(there)
    return [
        left for folder in {path.parent for path in paths} for left in folder.glob(f".*{_ENDING}")
    ]


def delete_moved(moved: Iterable[Path]) -> None:
    """Delete what was moved away."""
    for path in moved:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink(missing_ok=True)


def delete_left_over(folders: Iterable[Path]) -> None:
    """Delete what a killed server had moved away. Only for the holder of the queue's lock."""
    delete_moved([path for folder in folders for path in folder.glob(f".*{_ENDING}")])


def _taken(lock: Path) -> filelock.BaseFileLock:
    taken = filelock.FileLock(lock)
    try:
        taken.acquire(blocking=False)
    except filelock.Timeout:
        raise DeconvError(
            "a scan is writing to this index; wait for its end, or cancel it first"
        ) from None
    except OSError as error:
        raise DeconvError(f"nothing was deleted: {why_not_written(error)}") from error
    return taken


def _rename_all(paths: Sequence[Path]) -> None:
    moved: list[tuple[Path, Path]] = []
    try:
        for path in paths:
            new = path.with_name(f".{path.name}.{secrets.token_hex(8)}{_ENDING}")
            os.replace(path, new)
            moved.append((path, new))
    except OSError as error:
        for path, new in moved:
            with suppress(OSError):
                os.replace(new, path)
        raise DeconvError(f"nothing was deleted: {why_not_written(error)}") from error
