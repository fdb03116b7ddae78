"""Work that a person waits for goes first: jobs rest between two steps while a page computes.

The server holds a lock file while it computes for a page. A job that finds the lock taken waits. If
the server is killed, the system releases the lock.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock

from deconv_core.progress import CancelFlag

LONGEST_REST = 1.0
"""Seconds that a job rests before each step, at most: it goes on slowly while pages compute."""
_PAUSE = 0.02


class PageWork:
    """The lock file of one data folder."""

    def __init__(self, home: Path) -> None:
        """Use the data folder ``home``; nothing is created yet."""
        self._path = home / "jobs" / ".pages"

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Hold the lock while a page computes; without it, if another server holds it."""
        lock = self._lock(timeout=2 * _PAUSE)
        with suppress(OSError, filelock.Timeout):
            if self._path.parent.is_dir():  # otherwise there was never a job
                lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def rest(self, cancel: CancelFlag, seconds: float = LONGEST_REST) -> None:
        """Wait until no page computes, ``cancel`` is set, or these seconds are over."""
        until = time.monotonic() + seconds
        while self._taken() and not cancel.is_set() and time.monotonic() < until:
            time.sleep(_PAUSE)

    def _taken(self) -> bool:
        try:
            if self._path.parent.is_dir():
                with self._lock(timeout=0):
                    pass
            return False
        except filelock.Timeout:
            return True
        except OSError:
            return False

    def _lock(self, timeout: float) -> filelock.BaseFileLock:
        return filelock.FileLock(self._path, timeout=timeout, thread_local=False)
