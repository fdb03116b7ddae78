"""Files that appear under their names when they are whole, or not at all.

A file is written beside its place, under a name that no other write takes, and renamed when it is
on the disk: ``.images.parquet.0f3c...9a.part`` becomes ``images.parquet``. Any number of threads,
processes and computers may write the same file at once; the last rename wins. A write that fails
leaves nothing; what a killed one leaves has a name that nobody else gives, and ``remove_parts``
deletes it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from deconv_core.storage import Location, part_name, written_name


def write_whole(path: Location, content: bytes) -> None:
    """Write a file so that its name never stands for half of it, even after a power cut.

    Raises:
        OSError: it cannot be written; nothing is left of it then.
    """
    if not isinstance(path, Path):
        path.write_bytes(content)
        return
    with whole_file(path) as part, part.open("xb") as file:
        file.write(content)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Another path to write to; what was written gets the name ``path`` at the end of the block.

    ::

        with whole_file(target) as part, zipfile.ZipFile(part, "w") as archive:
            ...

    Raises:
        OSError: it cannot be written. Then, and after any other exception, nothing is left of it,
            and what was at ``path`` before is still there.
    """
    part = path.with_name(part_name(path.name))
    try:
        yield part
        _to_disk(part, os.O_RDWR)
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            part.unlink()  # a full disk needs the room
        raise
    if os.name != "nt":  # folders cannot be opened there
        _to_disk(path.parent, os.O_RDONLY)  # what the file replaces may be deleted next


def remove_parts(
    folder: Location, of: Callable[[str], bool], *, unchanged_for: float = 0.0
) -> None:
    """Delete what killed writes left in a folder.

    Args:
        folder: where they wrote.
        of: called with the name that a file was to get; True if it is to be deleted.
        unchanged_for: seconds; files written to since then are kept. 0 is for the holder of a lock
            that keeps others from writing.
    """
    for part in folder.glob(".*.part"):
        name = written_name(part.name)
        with suppress(FileNotFoundError):  # finished, or removed by another
            if name and of(name) and (not unchanged_for or _age(part) >= unchanged_for):
                part.unlink()


def _age(path: Location) -> float:
    return time.time() - path.stat().st_mtime_ns / 1e9


def _to_disk(path: Path, access: int) -> None:
    """Wait until a file's content, or a folder's names, would survive a power cut."""
    opened = os.open(path, access)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
