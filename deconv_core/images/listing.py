"""Lists the files below a folder, and tells later whether the list is still current.

A list is current as long as no folder in it changed. File systems store the time of a change,
sometimes with a resolution of only two seconds. A folder that changed just before it was listed
could change again with the same time. Such a list is not trusted.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deconv_core.images import passed_over
from deconv_core.images.passed_over import Skipped, hidden_entry_reason, hidden_place, hidden_reason
from deconv_core.storage import Location, RemotePath

MOST_LINKS = 100_000
"""The most links to folders that one list follows: folders may link to each other without end."""
_COARSEST_CLOCK = 2_000_000_000  # ns
_MOST_COUNTED = 10_000  # the most entries of hidden folders that are counted

Stamp = tuple[int, ...]


@dataclass
class Listing:
    """The files below a folder.

    Attributes:
        files: pairs (posix path below the folder, location).
        skipped: the skipped files and folders, sorted by name.
        dead_links: posix paths in ``files`` of links that lead to nothing.
        links: number of links to folders that were followed.
        stamps: path of each listed folder, and of each dead link -> its stamp at that time.
        settled: False if a folder changed just before, so that another change may look the same.
        state: 32 hexadecimal digits; they change when a folder or its files change.
    """

    files: list[tuple[str, Location]] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    dead_links: set[str] = field(default_factory=set)
    links: int = 0
    stamps: dict[str, Stamp | None] = field(default_factory=dict)
    settled: bool = True
    state: str = ""

    def is_current(self) -> bool:
        """True if no folder changed since the listing; checks each folder without listing it."""
        return self.settled and all(_stamp(path) == stamp for path, stamp in self.stamps.items())


def entries_in(folder: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """The entries of a folder as (kind, entry); kind is "hidden", "link", "folder" or "file".

    "link" is a link to a folder.

    Raises:
        OSError: the folder cannot be listed.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            if hidden_reason(entry.name):
                yield "hidden", entry
            elif _is_folder(entry):
                yield "link" if _is_link(entry) else "folder", entry
            else:
                yield "file", entry


def list_files(
    root: Location, *, within: Sequence[Path] | None = None, follow_links: bool = False
) -> Listing:
    """List the files below a folder, without hidden files and hidden folders.

    Args:
        root: the folder; it may be hidden itself.
        within: resolved folders; if given, links are followed only into these.
        follow_links: True follows links to folders, except a link to a folder that contains the
            link itself, directly or through other links.
    """
    if isinstance(root, RemotePath):
        found = _list_remote(root)
    else:
        walk = _Walk(within, follow_links)
        walk.run(str(root))
        found = walk.found
    found.files.sort(key=lambda file: file[0])
    found.skipped.sort(key=lambda entry: entry.name)
    found.state = _digest([sorted(found.stamps.items()), [name for name, _ in found.files]])
    return found


def _digest(content: object) -> str:
    text = repr(content).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder to list.

    Attributes:
        path: its path, perhaps with links.
        place: its posix path below the root, "" or with a slash at the end.
        real: its path without links.
        left: the real folders that contain the links on its path.
    """

    path: str
    place: str
    real: str
    left: tuple[str, ...] = ()


class _Walk:
    """Lists one folder of this computer."""

    def __init__(self, within: Sequence[Path] | None, follow_links: bool) -> None:
        self._within, self._follow_links = within, follow_links
        self._counted = 0
        self.found = Listing()

    def run(self, root: str) -> None:
        waiting = [_Folder(root, "", os.path.realpath(root))]
        while waiting:
            waiting.extend(self._list_one(waiting.pop()))

    def _list_one(self, folder: _Folder) -> list[_Folder]:
        """Add the files of a folder to the list; returns its subfolders, which come next."""
        inside = []
        self._note_stamp(folder.path)
        try:
            for kind, entry in entries_in(folder.path):
                if kind == "hidden":
                    self._skip_hidden(folder, entry)
                elif kind == "file":
                    self._file(folder, entry)
                else:
                    inside += self._subfolder(folder, entry, is_link=kind == "link")
        except OSError as error:
            name = folder.place.rstrip("/") or "."
            self._skip(name, error.strerror or "cannot be listed", passed_over.NOT_LISTED)
        return inside

    def _subfolder(
        self, folder: _Folder, entry: os.DirEntry[str], *, is_link: bool
    ) -> list[_Folder]:
        place = folder.place + entry.name
        if not is_link:
            real = os.path.join(folder.real, entry.name)
            return [_Folder(entry.path, f"{place}/", real, folder.left)]
        real, left = os.path.realpath(entry.path), (*folder.left, folder.real)
        if not self._follow_links:
            self._skip(place, "a link to a folder: not followed", passed_over.LINK)
        elif self._leads_out(real):
            self._skip(place, "a link out of the allowed folders", passed_over.LINK_OUT)
        elif any(_holds(real, other) for other in left):
            self._skip(place, "a link to a folder that contains it", passed_over.LINK_ROUND)
        elif self.found.links >= MOST_LINKS:
            self._skip(place, f"more than {MOST_LINKS:,} links to folders", passed_over.LINK)
        else:
            self.found.links += 1
            return [_Folder(entry.path, f"{place}/", real, left)]
        return []

    def _file(self, folder: _Folder, entry: os.DirEntry[str]) -> None:
        place = folder.place + entry.name
        if entry.is_symlink():
            if self._within is not None and self._leads_out(os.path.realpath(entry.path)):
                reason = "a link out of the allowed folders"
                self._skip(place, reason, passed_over.LINK_OUT)
                return
            if _stamp(entry.path) is None:
                self.found.stamps[entry.path] = None
                self.found.dead_links.add(place)
        self.found.files.append((place, Path(entry.path)))

    def _skip_hidden(self, folder: _Folder, entry: os.DirEntry[str]) -> None:
        plain_folder = _is_folder(entry) and not _is_link(entry)
        files = self._count(entry.path) if plain_folder else 0
        place = folder.place + entry.name
        self._skip(place, hidden_entry_reason(place, files), passed_over.HIDDEN)

    def _count(self, folder: str) -> int:
        """The number of files below a folder; 0 after ``_MOST_COUNTED`` entries."""
        files = 0
        if self._counted > _MOST_COUNTED:
            return 0
        for _, folders, names in os.walk(folder):
            self._counted += len(folders) + len(names)
            files += len(names)
            if self._counted > _MOST_COUNTED:
                return 0
        return files

    def _skip(self, name: str, reason: str, kind: str) -> None:
        self.found.skipped.append(Skipped(as_text(name), reason, kind))

    def _note_stamp(self, path: str) -> None:
        stamp, now = _stamp(path), time.time_ns()
        self.found.stamps[path] = stamp
        if stamp is not None and any(abs(now - t) < _COARSEST_CLOCK for t in stamp[:2]):
            self.found.settled = False

    def _leads_out(self, real: str) -> bool:
        path = Path(real)
        return self._within is not None and not any(path.is_relative_to(f) for f in self._within)


def _stamp(path: str) -> Stamp | None:
    """Times of the last changes (ns) and identity of a path's target; None without a target."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a cycle of links
        return False


def _is_link(entry: os.DirEntry[str]) -> bool:
    return entry.is_symlink() or getattr(entry, "is_junction", bool)()


def _holds(folder: str, path: str) -> bool:
    """True if a path is the folder or lies below it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def as_text(name: str) -> str:
    """A name as text that can be written; a name with undecodable bytes becomes quoted ASCII."""
    return name if is_text(name) else ascii(name)


def is_text(name: str) -> bool:
    """False for a name with undecodable bytes, which arrive as lone surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _list_remote(root: RemotePath) -> Listing:
    """List every object below an address. A store cannot tell whether a list is still current."""
    found, hidden = Listing(settled=False), Counter[str]()
    for name in root.names(recursive=True):
        parts = name.split("/")
        if any(part in ("", ".", "..") for part in parts):
            reason = "not a possible name of a file"
            found.skipped.append(Skipped(name, reason, passed_over.NO_NAME))
        elif place := hidden_place(parts):
            hidden[place] += place != name
        else:
            found.files.append((name, root / name))
    found.skipped += [
        Skipped(place, hidden_entry_reason(place, files), passed_over.HIDDEN)
        for place, files in sorted(hidden.items())
    ]
    return found
