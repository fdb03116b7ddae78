"""Which content a file has, told without reading it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from deconv_core.storage import Location

_TICK = 50_000_000  # ns; two changes within a tick of the system's clock can have one time


@dataclass(frozen=True, slots=True)
class FileState:
    """What a system says of a file; a file whose state is another may have another content.

    Attributes:
        path: where it is.
        size: in bytes.
        mtime_ns: when its content was changed, as it claims: copies can keep the time of another.
        ctime_ns: when anything of it was changed, which no program can claim; 0 of a remote file.
        inode: number of the file on its disk; 0 of a remote file.
        looked_at: 0; or when, if it had changed just before. It could change again under the same
            times, so its state then equals no other.
    """

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int = 0
    inode: int = 0
    looked_at: int = 0

    @classmethod
    def of(cls, path: Location, found: os.stat_result | None = None) -> FileState:
        """The state of a file now; links are followed.

        Args:
            path: where it is.
            found: what the system just said of it, if it was asked already.

        Raises:
            OSError: there is none, or it may not be looked at.
        """
        if not isinstance(path, Path):
            remote = path.stat()
            return cls(str(path), remote.st_size, remote.st_mtime_ns)
        found = found or path.stat()
        now = time.time_ns()
        just_now = now if abs(now - found.st_ctime_ns) < _TICK else 0
        times = found.st_mtime_ns, found.st_ctime_ns
        return cls(str(path), found.st_size, *times, found.st_ino, just_now)
