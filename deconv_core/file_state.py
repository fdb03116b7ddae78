"""The state of a file: tells without reading the file whether its content may have changed."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from deconv_core.storage import Location

_TICK = 50_000_000  # ns; two changes within a tick of the system's clock may have equal times


@dataclass(frozen=True, slots=True)
class FileState:
    """What the system knows about a file: if the state changed, the content may have changed.

    Attributes:
        path: path of the file.
        size: size in bytes.
        mtime_ns: time of the last change of the content, in ns; programs can set it, and a copy may
            keep the time of the original.
        ctime_ns: time of the last change of the file, in ns; programs cannot set it. 0 for a remote
            file.
        inode: number of the file on its disk; 0 for a remote file.
        looked_at: time of this check in ns if the file had just changed, else 0. Such a file could
            change again with the same times, so its state equals no other state.
    """

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int = 0
    inode: int = 0
    looked_at: int = 0

    @classmethod
    def of(cls, path: Location, found: os.stat_result | None = None) -> FileState:
        """The current state of a file; links are followed.

        Args:
            path: path of the file.
            found: its ``os.stat`` result, if it is already known.

        Raises:
            OSError: the file is missing or cannot be accessed.
        """
        if not isinstance(path, Path):
            remote = path.stat()
            return cls(str(path), remote.st_size, remote.st_mtime_ns)
        found = found or path.stat()
        now = time.time_ns()
        just_now = now if abs(now - found.st_ctime_ns) < _TICK else 0
        times = found.st_mtime_ns, found.st_ctime_ns
        return cls(str(path), found.st_size, *times, found.st_ino, just_now)
