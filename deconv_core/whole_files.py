"""Writes files so that a name never belongs to a partial file.

A file is written in the same folder under a unique temporary name. When it is on the disk, it is
renamed: ``.images.parquet.0f3c...9a.part`` becomes ``images.parquet``. Several threads, processes
and computers may write the same file at once; the last rename wins. A failed write leaves no file.
A killed write leaves its temporary file, which ``remove_parts`` deletes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from deconv_core.storage import Location, part_name, written_name


def write_whole(path: Location, content: bytes, *, synchronised: bool = True) -> None:
    """Write a file; its name never belongs to a partial file, even after a power cut.

    Args:
        path: path of the file.
        content: what to write.
        synchronised: False does not wait for the disk: after a power cut the file may be damaged.

    Raises:
        OSError: it cannot be written; no partial file is left.
    """
    if not isinstance(path, Path):
        path.write_bytes(content)
        return
    with whole_file(path, synchronised=synchronised) as part, part.open("xb") as file:
        file.write(content)


@contextmanager
def whole_file(path: Path, *, synchronised: bool = True) -> Iterator[Path]:
    """A temporary path to write to; the file gets the name ``path`` at the end of the block.

    ::

        with whole_file(target) as part, zipfile.ZipFile(part, "w") as archive:
            ...

    Raises:
        OSError: it cannot be written. After this or any other exception no partial file is left,
            and the old file at ``path`` is unchanged.
    """
    part = path.with_name(part_name(path.name))
    try:
        yield part
        if synchronised:
            _to_disk(part, os.O_RDWR)
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            part.unlink()  # makes room on a full disk
        raise
    if synchronised and os.name != "nt":  # Windows cannot open folders
        _to_disk(path.parent, os.O_RDONLY)  # the caller may delete older files next


def remove_parts(
    folder: Location, of: Callable[[str], bool], *, unchanged_for: float = 0.0
) -> None:
    """Delete the temporary files of killed writes in a folder.

    Args:
        folder: the folder.
        of: called with the final name of a temporary file; True deletes the file.
        unchanged_for: keeps files that changed in the last ``unchanged_for`` seconds. Use 0 only if
            a lock prevents other writes.
    """
    for part in folder.glob(".*.part"):
        name = written_name(part.name)
        with suppress(FileNotFoundError):  # another process finished or removed it
            if name and of(name) and (not unchanged_for or _age(part) >= unchanged_for):
                part.unlink()


def _age(path: Location) -> float:
    return time.time() - path.stat().st_mtime_ns / 1e9


def _to_disk(path: Path, access: int) -> None:
    """Wait until a file's content, or a folder's names, are on the disk."""
    opened = os.open(path, access)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
