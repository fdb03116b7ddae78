"""Scan anew: a new index is made beside the one that is there, and then takes its place.

``X.anew`` is scanned while ``X`` is still there. When it is whole, ``X`` gets the name
``.X.0123456789abcdef.deleted``, ``X.anew`` becomes ``X``, and what was moved away is deleted.
Between any two of these steps a program may be killed: both are whole then, and the next scan or
the next look finishes what was begun.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import filelock

from deconv_core.errors import DeconvError, ScanRunningError
from deconv_core.images.passed_over import made_by_a_system
from deconv_core.index.folder import IndexFolder, is_of_an_index
from deconv_core.index.place import LOCK, check_place
from deconv_core.storage import Location, scan_lock, written_name

_NAMED = 3


def new_index(path: Path) -> Path:
    """Where a new index is made while the one at ``path`` is still there."""
    return Path(str(IndexFolder(path).anew.path))


def begin_new_index(path: Location, image_root: Location) -> tuple[Path, IndexFolder]:
    """Check that a new index may take the place of what is there.

    Args:
        path: the index folder.
        image_root: the folder of images.

    Returns:
        The folder that will be replaced, no link, and where to scan meanwhile.

    Raises:
        DeconvError: it may not: an address, something else than an index, or an index with files
            of others in it, which would be deleted.
    """
    if not isinstance(path, Path):
        raise DeconvError(
            f"{path} is an address, where no folder can take the place of another; scan into "
            "another one (--index)"
        )
    place = Path(os.path.realpath(path))
    check_place(IndexFolder(place), image_root)
    _check_only_an_index(place)
    return place, IndexFolder(place).anew


def take_place(place: Path) -> None:
    """Put the new index that is beside an index in its place, and delete what was there.

    Raises:
        DeconvError: something else lies in the folder now, or one of both is being scanned; both
            stay as they are.
        OSError: the folders cannot be renamed; both stay as they are.
    """
    _check_only_an_index(place)
    exchange(place, new_index(place))
    delete_left(place)


def finish(place: Path) -> bool:
    """Put a whole new index in its place; True if there was one, as a killed program leaves it.

    Raises:
        DeconvError, OSError: as ``take_place``.
    """
    new = IndexFolder(place).anew
    whole = new.exists() and new.read_manifest().complete
    if whole:
        take_place(place)
    return whole


def finish_killed(folder: IndexFolder) -> None:
    """Finish what a program that was killed while it put a new index in a place left undone.

    Raises:
        DeconvError, OSError: as ``take_place``.
    """
    if isinstance(folder.path, Path):
        if not folder.exists() and folder.has_anew():
            finish(folder.path)
        delete_left(folder.path)


def exchange(path: Path, new: Path) -> None:
    """Put a folder in the place of another, which ``delete_left`` deletes.

    Raises:
        ScanRunningError: one of them is being scanned.
        OSError: they cannot be renamed; both stay as they are.
    """
    before = path.with_name(f".{path.name}.{secrets.token_hex(8)}.deleted")
    with ExitStack() as locks:
        for folder in (path, new):
            try:
                if folder.is_dir():
                    locks.enter_context(scan_lock(folder))
            except filelock.Timeout:
                raise ScanRunningError(
                    f"another process is scanning into {folder}; wait for it or cancel it"
                ) from None
        if os.name == "nt":  # an open file keeps its folder from being renamed there
            locks.close()
        if os.path.lexists(path):
            os.replace(path, before)
        try:
            os.replace(new, path)
        except OSError:
            if os.path.lexists(before):
                os.replace(before, path)
            raise


def delete_left(place: Path) -> None:
    """Delete what was moved away from a place, once something is there again."""
    if place.is_dir():
        name = re.compile(rf"\.{re.escape(place.name)}\.[0-9a-f]{{16}}\.deleted")
        for entry in list(os.scandir(place.parent)):
            if name.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)


def _check_only_an_index(place: Path) -> None:
    if others := sorted(_other_things(IndexFolder(place))):
        named = ", ".join(map(ascii, others[:_NAMED]))
        more = f" and {len(others) - _NAMED:,} more" if len(others) > _NAMED else ""
        raise DeconvError(
            f"{place} holds {named}{more} beside the index, which would be deleted with it; move "
            "it out of there, and scan anew again"
        )


def _other_things(folder: IndexFolder) -> Iterator[str]:
    for below in ("", "blocks/"):
        for name, _ in folder.entries(below.rstrip("/")):
            own = is_of_an_index(name) or is_of_an_index(written_name(name) or "")
            own = own or name in ((LOCK, "blocks") if not below else ())
            if not (own or made_by_a_system(name)):
                yield below + name
