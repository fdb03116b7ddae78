"""Copies: finds files of equal content, and describes them for people."""

from __future__ import annotations

import hashlib
import stat
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from deconv_core.file_state import FileState

if TYPE_CHECKING:  # an index answers without Pillow, which this module loads
    from deconv_core.images.folder import ImageEntry

Groups = tuple[tuple[str, ...], ...]
"""Groups of ids of images with equal content; ids are sorted, and groups by their first id."""

MOST_BYTES = 2 * 2**30
"""The most bytes that a search for copies reads."""
MOST_SECONDS = 10.0
"""The most seconds that a search takes."""
_ENDING = 2**16
"""Bytes at the end of larger files, which are compared first."""


@dataclass(frozen=True, slots=True)
class EqualFiles:
    """The result of a search for copies; ``complete`` is False if a limit stopped the search."""

    groups: Groups = ()
    complete: bool = True


def equal_groups(image_ids: Iterable[str], hashes: Iterable[str]) -> Groups:
    """Group ids by the hash of their content, without single images and images without a hash."""
    found: dict[str, list[str]] = defaultdict(list)
    for image_id, content_hash in zip(image_ids, hashes, strict=True):
        if content_hash:
            found[content_hash].append(image_id)
    return tuple(sorted(tuple(sorted(group)) for group in found.values() if len(group) > 1))


def is_repeated(hashes: pd.Series) -> np.ndarray:
    """True for each hash that occurs earlier in the series; "" (unknown) is never repeated."""
    return (hashes.duplicated() & (hashes != "")).to_numpy(bool)


class KnownCopies:
    """The images of equal content in an index.

    Attributes:
        groups: groups of ids.
    """

    def __init__(self, images: pd.DataFrame) -> None:
        """Compare the images of a table with image_id, label and content_hash, sorted by id."""
        hashes = images["content_hash"]
        self._rows = images[hashes.duplicated(keep=False) & (hashes != "")]
        ids = self._rows["image_id"]
        self.groups = equal_groups(ids, self._rows["content_hash"])
        labels = dict(zip(ids, self._rows["label"], strict=True))
        self._labels: dict[str, dict[str, str]] = {}  # id -> id and label of each in its group
        for group in self.groups:
            members = {image_id: labels[image_id] for image_id in group}
            self._labels.update((image_id, members) for image_id in group)

    def others(self, image_id: str, label: str | None) -> tuple[str, ...]:
        """The ids of the other images of equal content, with a label or all, in order."""
        group = self._labels.get(image_id, {})
        return tuple(o for o, its in group.items() if o != image_id and label in (None, its))

    def repeated(self, label: str | None) -> int:
        """The number of images, with a label or in all, that repeat an earlier image."""
        rows = self._rows if label is None else self._rows[self._rows["label"] == label]
        return int(is_repeated(rows["content_hash"]).sum())


def copies_text(groups: Groups, *, complete: bool = True) -> str:
    """For example "12 copies of 3 pictures", "at least 1 copy of 1 picture"; "" for none."""
    if not groups:
        return ""
    copies = sum(len(group) - 1 for group in groups)
    least = "" if complete else "at least "
    return (
        f"{least}{copies:,} {'copy' if copies == 1 else 'copies'} of "
        f"{len(groups):,} picture{'' if len(groups) == 1 else 's'}"
    )


def groups_text(groups: Groups, most: int = 3, name: Callable[[str], str] = str) -> str:
    """The first groups by name: "a.jpg = b/a.jpg, c.jpg = d.jpg = e.jpg = …, …".

    Args:
        groups: the groups.
        most: the most groups, and the most ids of each.
        name: id -> its text.
    """
    named = [
        " = ".join([*map(name, group[:most]), *["…"][: len(group) > most]])
        for group in groups[:most]
    ]
    return ", ".join([*named, *["…"][: len(groups) > most]])


def and_copies(number: int) -> str:
    """A caption for a picture with copies: "and 10 copies"; "" without copies."""
    return f"and {number:,} {'copy' if number == 1 else 'copies'}" if number else ""


def names_text(image_ids: Sequence[str], most: int = 20) -> str:
    """The first ``most`` ids, one a line."""
    rest = len(image_ids) - most
    return "\n".join([*image_ids[:most], *([f"and {rest:,} more"] if rest > 0 else [])])


def equal_files(
    images: Iterable[ImageEntry],
    *,
    most_bytes: int = MOST_BYTES,
    seconds: float = MOST_SECONDS,
    progress: Callable[[int, int], None] | None = None,
    known: MutableMapping[FileState, str] | None = None,
) -> EqualFiles:
    """Find the files of equal content among images on this computer.

    Only files of equal size are read, the small ones first. Of large files only the end is read, if
    this shows a difference. Files that cannot be read are left out.

    Args:
        images: the images of an ``ImageFolder``; images in a remote store are left out.
        most_bytes: stop after this number of bytes.
        seconds: stop after this time.
        progress: called with (files compared, files to compare).
        known: file state -> hash; known hashes are used, new ones are added.
    """
    search = _Search(most_bytes, time.monotonic() + seconds, {} if known is None else known)
    candidates, stopped = _of_equal_size(images, search)
    total, done = sum(len(files) for files in candidates), 0
    groups: list[tuple[str, ...]] = []
    for files in candidates:
        groups += [tuple(sorted(file.image_id for file in same)) for same in search.split(files)]
        done += len(files)
        if progress is not None:
            progress(done, total)
        if search.stopped:
            break
    return EqualFiles(tuple(sorted(groups)), complete=not (search.stopped or stopped))


@dataclass(frozen=True, slots=True)
class _File:
    image_id: str
    state: FileState


@dataclass(eq=False)
class _Search:
    """Reads and compares files until a limit is reached."""

    bytes_left: int
    ends: float
    known: MutableMapping[FileState, str]
    stopped: bool = False

    def split(self, files: Sequence[_File]) -> list[list[_File]]:
        """The groups of equal content among files of equal size."""
        alike = [list(files)]
        if files[0].state.size > _ENDING:
            alike = self._grouped(files, self._ending)
        return [same for some in alike for same in self._grouped(some, self._content)]

    def _grouped(
        self, files: Sequence[_File], read: Callable[[_File], str | None]
    ) -> list[list[_File]]:
        found: dict[str, list[_File]] = defaultdict(list)
        for file in files:
            if (digest := read(file)) is not None:
                found[digest].append(file)
        return [same for same in found.values() if len(same) > 1]

    def _content(self, file: _File) -> str | None:
        if (kept := self.known.get(file.state)) is not None:
            return kept
        digest = self._read(file, file.state.size)
        if digest is not None:
            self.known[file.state] = digest
        return digest

    def _ending(self, file: _File) -> str | None:
        return self._read(file, _ENDING)

    def _read(self, file: _File, size: int) -> str | None:
        """Hash of the last ``size`` bytes; None if the file is unreadable or a limit is reached."""
        self.stopped = self.stopped or size > self.bytes_left or time.monotonic() >= self.ends
        if self.stopped:
            return None
        self.bytes_left -= size
        try:
            with Path(file.state.path).open("rb") as opened:
                opened.seek(file.state.size - size)
                return hashlib.file_digest(opened, "sha256").hexdigest()
        except OSError:
            return None


def _of_equal_size(images: Iterable[ImageEntry], search: _Search) -> tuple[list[list[_File]], bool]:
    """Groups of files of equal size, the smallest first; and True if some files were left out."""
    by_size: dict[int, list[_File]] = defaultdict(list)
    left_out = False
    for entry in images:
        if not isinstance(entry.path, Path) or time.monotonic() >= search.ends:
            left_out = True
            continue
        try:
            known = entry.path.stat()
        except OSError:
            continue
        if stat.S_ISREG(known.st_mode) and known.st_size:
            state = FileState.of(entry.path, known)
            by_size[known.st_size].append(_File(entry.image_id, state))
    return [files for _, files in sorted(by_size.items()) if len(files) > 1], left_out
