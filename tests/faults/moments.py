"""Ends a process at a chosen file operation, so that the product needs no hooks for it.

Between two file operations a killed process always leaves the same files. So a kill at each of
them, and with each file half written, covers every possible moment. Linux only: the children are
forks, made before torch has computed anything.
"""

import os
import re
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn


class Moments:
    """Counts what the process does to files below a folder, and ends it at one moment."""

    def __init__(self, below: Path, fatal: int | None) -> None:
        """Watch a folder; ``fatal`` is the number of the moment to die at, None only counts."""
        self._below, self._fatal = below, fatal
        self.seen: list[str] = []
        self._really = os.fsync, os.replace, os.unlink

    def install(self) -> None:
        """Put the watch in the place of the system's calls."""
        os.fsync, os.replace, os.unlink = self._fsync, self._replace, self._unlink

    def _fsync(self, file: int) -> None:
        path = Path(f"/proc/self/fd/{file}").readlink()
        if path.is_file():
            self._moment("half written", path, lambda: os.ftruncate(file, path.stat().st_size // 2))
        self._really[0](file)

    def _replace(self, source: Any, target: Any) -> None:
        self._moment("before the rename of", target)
        self._really[1](source, target)
        self._moment("after the rename of", target)

    def _unlink(self, path: Any, **how: Any) -> None:
        self._moment("before the deletion of", path)
        self._really[2](path, **how)

    def _moment(self, what: str, path: Any, harm: Callable[[], None] = lambda: None) -> None:
        if not Path(path).is_relative_to(self._below):
            return
        if len(self.seen) == self._fatal:
            harm()
            os.kill(os.getpid(), signal.SIGKILL)
        name = Path(path).relative_to(self._below).as_posix()
        name = re.sub(r"(^|/)\.(.*)\.[0-9a-f]{32}\.part$", r"\1\2", name)
        self.seen.append(f"{what} {re.sub(r'-[0-9a-f]{8}', '', name)}")


def fork(work: Callable[[], object]) -> int:
    """Run something in a copy of this process; returns its exit status, negative for a signal."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _work_and_leave(work)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _work_and_leave(work: Callable[[], object]) -> NoReturn:
    status = 1
    try:
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)
