"""Checks where an index may be written: files of other programs are never replaced or deleted.

A new index needs a new or empty folder, outside the folder of images. A scan continues only in a
folder that is certainly an index: its manifest proves it, or the metadata that this program writes
into Parquet files (so that a lost manifest can be replaced). Other files in it are kept.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from itertools import islice
from pathlib import Path

import filelock
import pyarrow.parquet as pq

from deconv_core.errors import DeconvError
from deconv_core.images.passed_over import hidden_place, made_by_a_system
from deconv_core.index.folder import IndexFolder, is_index_file_name
from deconv_core.index.parts import READ_ERRORS
from deconv_core.storage import Location, names_below, source, written_name

LOCK = "scan.lock"
_NAMED = 3
_ELSEWHERE = "choose a folder that is new or empty"


class _Writer(Enum):
    THIS_PROGRAM = "a Parquet file with metadata of this program"
    ANOTHER = "a Parquet file without such metadata"
    UNKNOWN = "not a readable Parquet file"


def holds_index(folder: IndexFolder) -> bool:
    """True if a folder is certainly an index, also one without a readable manifest."""
    return folder.has_own_manifest() or any(
        _writer(path) is _Writer.THIS_PROGRAM for path in folder.parquet_files()
    )


def check_place(folder: IndexFolder, image_root: Location) -> None:
    """Check that a scan may begin or resume an index in a folder; nothing is changed.

    Raises:
        DeconvError: it is a file, holds other files, or lies in the folder of images.
    """
    path = folder.path
    for above in (path, *path.parents) if isinstance(path, Path) else ():
        if os.path.lexists(above) and not above.is_dir():
            what = "a link to nothing" if above.is_symlink() else "a file"
            named = "it" if above == path else above
            raise DeconvError(f"cannot write the index at {path}: {named} is {what}; {_ELSEWHERE}")
    if holds_index(folder):
        return
    _check_apart(path, image_root)
    others = sorted(islice(_other_things(folder), 1000))
    if others and not holds_index(folder):  # again: another scan may have begun one just now
        named = ", ".join(map(ascii, others[:_NAMED]))
        more = f" and {len(others) - _NAMED:,} more" if len(others) > _NAMED else ""
        raise DeconvError(
            f"cannot write the index at {path}: the folder holds {named}{more} and is not an "
            f"index; {_ELSEWHERE}"
        )


def check_written_here(paths: Iterable[Location]) -> None:
    """Check that no other program wrote the files that will be replaced or deleted.

    Raises:
        DeconvError: another program wrote one of them.
    """
    for path in paths:
        if _writer(path) is _Writer.ANOTHER:
            raise DeconvError(
                f"{path} was not written by this program; move it out of the index, and scan again"
            )


@contextmanager
def created_folder(path: Location) -> Iterator[None]:
    """Make a folder; after an error in the block, remove it again if it is empty."""
    if not isinstance(path, Path):
        yield
        return
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    had_lock = (path / LOCK).exists()
    try:
        path.mkdir(parents=True, exist_ok=True)
        yield
    except filelock.Timeout:  # another scan uses the folder
        raise
    except BaseException:
        with suppress(OSError):
            if not had_lock and [entry.name for entry in path.iterdir()] == [LOCK]:
                (path / LOCK).unlink()
        for folder in made:
            with suppress(OSError):
                folder.rmdir()  # fails if it is not empty
        raise


def _writer(path: Location) -> _Writer:
    """The program that wrote a Parquet file."""
    try:
        metadata = pq.read_schema(source(path)).metadata or {}
    except READ_ERRORS:
        return _Writer.UNKNOWN
    ours = any(key.startswith(b"deconv_") for key in metadata)
    return _Writer.THIS_PROGRAM if ours else _Writer.ANOTHER


def _check_apart(index: Location, images: Location) -> None:
    """Check that neither folder is inside the other."""
    inside = names_below(index, images)
    if inside is not None and not hidden_place(inside):
        where = "in the folder of images" if inside else "in the place of the folder of images"
        raise DeconvError(
            f"the index {index} would lie {where}, {images}; choose a folder beside it, for "
            f"example {_beside(images)}"
        )
    if not inside and names_below(images, index) is not None:
        raise DeconvError(
            f"the folder of images {images} lies in the folder of the index, {index}; choose a "
            f"folder beside it, for example {_beside(images)}"
        )


def _beside(images: Location) -> str:
    name = f"{images.name or 'images'}-index"
    return str(images.with_name(name)) if isinstance(images, Path) and images.name else name


def _other_things(folder: IndexFolder) -> Iterator[str]:
    """Names in the folder, without those that a scan leaves if it is killed at its start."""
    for name, size in folder.entries():
        empty_lock = name == LOCK and size == 0
        blocks = name == "blocks" and not list(_other_blocks(folder))
        if not (empty_lock or blocks or _unfinished(name) or made_by_a_system(name)):
            yield name


def _other_blocks(folder: IndexFolder) -> Iterator[str]:
    if not folder.blocks.is_dir():
        yield folder.blocks.name
        return
    for name, _ in folder.entries("blocks"):
        if not (_unfinished(name) or made_by_a_system(name)):
            yield name


def _unfinished(name: str) -> bool:
    return is_index_file_name(written_name(name) or "")
