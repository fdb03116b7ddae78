"""Scan anew: a new index is made beside the old one, and replaces it when it is complete.

The new index is scanned into ``X.anew`` while the old index ``X`` can still be used. When the new
one is complete, ``X`` is renamed to ``.X.0123456789abcdef.deleted``, ``X.anew`` is renamed to
``X``, and the old index is deleted. If the program is killed between two of these steps, both
folders are still whole, and the next scan finishes the remaining steps.
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
from deconv_core.index.folder import IndexFolder, is_index_file_name
from deconv_core.index.place import LOCK, check_place
from deconv_core.storage import Location, scan_lock, written_name

_NAMED = 3  # the most files that a message names


def new_index(path: Path) -> Path:
    """The folder where the new index is made that will replace the index at ``path``."""
    return Path(str(IndexFolder(path).anew.path))


def begin_new_index(path: Location, image_root: Location) -> tuple[Path, IndexFolder]:
    """Check that an index may be replaced by a new one.

    Args:
        path: the index folder.
        image_root: the folder of images.

    Returns:
        The folder to replace, with links resolved, and the folder to scan into.

    Raises:
        DeconvError: it may not be replaced: it is an address, is not an index, or holds other
            files, which would be deleted.
    """
    if not isinstance(path, Path):
        raise DeconvError(
            f"{path} is an address, where a folder cannot replace another; scan into another one "
            "(--index)"
        )
    place = Path(os.path.realpath(path))
    check_place(IndexFolder(place), image_root)
    _check_only_an_index(place)
    return place, IndexFolder(place).anew


def replace_index(place: Path) -> None:
    """Replace an index by the new index beside it, and delete the old one.

    Raises:
        DeconvError: the folder now holds other files, or a scan is writing to one of the two;
            nothing is changed.
        OSError: the folders cannot be renamed; nothing is changed.
    """
    _check_only_an_index(place)
    replace_folder(place, new_index(place))
    delete_replaced(place)


def finish_replacement(place: Path) -> bool:
    """Replace an index if there is a complete new index beside it; True if there was one.

    A killed program may leave a complete new index.

    Raises:
        DeconvError, OSError: as ``replace_index``.
    """
    new = IndexFolder(place).anew
    complete = new.exists() and new.read_manifest().complete
    if complete:
        replace_index(place)
    return complete


def finish_interrupted(folder: IndexFolder) -> None:
    """Finish a replacement that was interrupted because its program was killed.

    Raises:
        DeconvError, OSError: as ``replace_index``.
    """
    if isinstance(folder.path, Path):
        if not folder.exists() and folder.has_anew():
            finish_replacement(folder.path)
        delete_replaced(folder.path)


def replace_folder(path: Path, new: Path) -> None:
    """Replace a folder by another; the old one is renamed, for ``delete_replaced``.

    Raises:
        ScanRunningError: a scan is writing to one of them.
        OSError: they cannot be renamed; nothing is changed.
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
        if os.name == "nt":  # Windows cannot rename a folder with an open file
            locks.close()
        if os.path.lexists(path):
            os.replace(path, before)
        try:
            os.replace(new, path)
        except OSError:
            if os.path.lexists(before):
                os.replace(before, path)
            raise


def delete_replaced(place: Path) -> None:
    """Delete the old folders that ``replace_folder`` renamed, if the new folder is there."""
    if place.is_dir():
        name = re.compile(rf"\.{re.escape(place.name)}\.[0-9a-f]{{16}}\.deleted")
        for entry in list(os.scandir(place.parent)):
            if name.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)


def _check_only_an_index(place: Path) -> None:
    """Check that a folder holds nothing but the files of an index."""
    if others := sorted(_other_things(IndexFolder(place))):
        named = ", ".join(map(ascii, others[:_NAMED]))
        more = f" and {len(others) - _NAMED:,} more" if len(others) > _NAMED else ""
        raise DeconvError(
            f"{place} holds {named}{more} beside the index, which would be deleted with it; move "
            "it out of there, and scan anew again"
        )


def _other_things(folder: IndexFolder) -> Iterator[str]:
    """The names of files and folders that are not part of an index."""
    for below in ("", "blocks/"):
        for name, _ in folder.entries(below.rstrip("/")):
            own = is_index_file_name(name) or is_index_file_name(written_name(name) or "")
            own = own or name in ((LOCK, "blocks") if not below else ())
            if not (own or made_by_a_system(name)):
                yield below + name
