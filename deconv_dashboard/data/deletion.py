"""Deletes several files and folders together: all of them, or none.

First every path is renamed within its folder. If one rename fails, the earlier ones are undone.
Then the renamed files are deleted. If a server is killed in between, a later start deletes them.
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
from deconv_dashboard.writing import not_written

_ENDING = ".deleted"


def move_away(paths: Sequence[Path]) -> list[Path]:
    """Rename files and folders that are to be deleted. The caller must hold the queue's lock.

    Args:
        paths: the files and folders; missing ones are skipped. A held ``scan.lock`` in a folder
            means that a scan is running, perhaps from the command line.

    Returns:
        The renamed paths, for ``delete_moved`` after the lock is released.

    Raises:
        DeconvError: one of them is being scanned or cannot be renamed; nothing is renamed then.
    """
    there = [path for path in paths if os.path.lexists(path)]
    with ExitStack() as locks:
        for lock in (path / "scan.lock" for path in there):
            if lock.exists():
                locks.enter_context(_taken(lock))
        if os.name == "nt":  # on Windows an open file prevents renaming its folder
            locks.close()
        _rename_all(there)
    return [
        left for folder in {path.parent for path in paths} for left in folder.glob(f".*{_ENDING}")
    ]


def delete_moved(moved: Iterable[Path]) -> None:
    """Delete the paths that ``move_away`` renamed."""
    for path in moved:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink(missing_ok=True)


def delete_left_over(folders: Iterable[Path]) -> None:
    """Delete what a killed server renamed but did not delete. The caller holds the queue's lock."""
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
        raise not_written(error, "nothing was deleted: ") from error
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
        raise not_written(error, "nothing was deleted: ") from error
