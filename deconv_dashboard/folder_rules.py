"""Rules for the server's folders: which ones may be opened, and which paths a browser may see.

There are three kinds of server:

- on loopback, without ``$DECONV_FOLDERS``: every folder may be opened; paths are shown;
- on loopback, with ``$DECONV_FOLDERS``: only the listed folders may be opened; paths are shown;
- reachable by other computers: only the listed folders may be opened, none without a list. Paths
  are never shown: a folder's name begins with the listed folder.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deconv_core.errors import DeconvError
from deconv_core.typed_paths import path_text, typed_path, unwrapped


@dataclass(frozen=True)
class FolderRules:
    """Which folders may be opened.

    Attributes:
        roots: the allowed folders, links resolved; folders below them are allowed too. None allows
            every folder.
        local: True if the browser is on this computer; then paths may be shown.
    """

    roots: tuple[Path, ...] | None = None
    local: bool = True

    @property
    def offered(self) -> bool:
        """True if any folder may be opened."""
        return self.roots is None or bool(self.roots)

    def allows(self, path: Path) -> bool:
        """True if a folder or file may be opened; links and ``..`` are resolved first."""
        if self.roots is None:
            return True
        try:
            real = path.expanduser().resolve()
        except (OSError, ValueError, RuntimeError):  # bad name, a cycle of links, unknown user
            return False
        return any(real.is_relative_to(root) for root in self.roots)

    def check(self, path: Path) -> None:
        """Refuse a path that may not be opened.

        Raises:
            DeconvError: the path is not allowed. The message names the allowed folders. It does not
                reveal whether ``path`` exists.
        """
        if not self.allows(path):
            names = ", ".join(map(str, self._names())) or "none"
            raise DeconvError(
                f"{path.name[:80]} is outside the folders this server offers: {names}"
            )

    def shown(self, path: Path) -> str:
        """The name of a folder that the browser may show."""
        if self.local:
            return str(path)
        for name, root in zip(self._names(), self.roots or (), strict=False):
            with suppress(OSError, ValueError, RuntimeError):
                return str(name / path.resolve().relative_to(root))
        return path.name

    def meant(self, typed: str) -> Path:
        """The path that a person typed or pasted: a path, or a name as ``shown`` gives it.

        For a browser on another computer the disk is not read, so typing reveals nothing.

        Raises:
            DeconvError: the text cannot be a path.
        """
        if self.local:
            return typed_path(typed, _starts())
        given = Path(unwrapped(typed))
        for name, root in zip(self._names(), self.roots or (), strict=False):
            with suppress(ValueError):
                return root / given.relative_to(name)
        return given

    def _names(self) -> list[Path]:
        """The last part of each root; equal names get a number."""
        names: list[Path] = []
        for root in self.roots or ():
            name, count = root.name or "root", 2
            while Path(name) in names:
                name, count = f"{root.name} ({count})", count + 1
            names.append(Path(name))
        return names


def folder_rules(*, local: bool = True) -> FolderRules:
    """The rules of this server, from ``$DECONV_FOLDERS``.

    Args:
        local: True if only this computer reaches the server. Then every folder is allowed unless
            ``$DECONV_FOLDERS`` is set (an empty list allows none). False: only listed folders are
            allowed.
    """
    listed = os.environ.get("DECONV_FOLDERS")
    if listed is None:
        return FolderRules(None if local else (), local)
    given = (part for part in listed.split(os.pathsep) if part.strip())
    return FolderRules(tuple(_real(part) for part in given), local)


def _real(listed: str) -> Path:
    try:
        return Path(listed.strip()).expanduser().resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise DeconvError(f"DECONV_FOLDERS lists {listed!a}, which is not a folder") from error


def absolute_path(path: str | os.PathLike[str]) -> Path:
    """A path from a program, made absolute; ``~`` is the home folder.

    Raises:
        DeconvError: the path is too long, or names a user that does not exist.
    """
    try:
        return Path(path_text(os.fspath(path))).expanduser().absolute()
    except (OSError, RuntimeError) as error:
        raise DeconvError(f"{path!a} is not a folder or file; check the path") from error


def what_is(path: Path) -> str:
    """The kind of thing at a path: "folder", "file", or "" if nothing can be opened."""
    with suppress(OSError):  # a name that is too long
        if path.is_dir():
            return "folder"
        return "file" if path.exists() else ""
    return ""


def _starts() -> tuple[Path, ...]:
    """The folders that a relative path may start from: the working directory and the home folder.

    The program's own folder comes last: people often start the program there.
    """
    starts = []
    for folder in (Path.cwd, Path.home):
        with suppress(OSError, RuntimeError):  # the folder was deleted, or there is no home
            starts.append(folder())
    own = Path(__file__).parents[1]
    return tuple(sorted(starts, key=lambda start: start == own))


def folder_size(folder: Path) -> int:
    """Total size of the files below a folder in bytes; links are not followed."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size
    return total


def without_paths(message: str, known: Sequence[tuple[Path, str]]) -> str:
    """An error message without paths of this computer: folders by name, files by their last part.

    Args:
        message: the error message.
        known: pairs (folder, its name for people).
    """
    longest_first = sorted(known, key=lambda pair: -len(str(pair[0])))
    for folder, name in longest_first:
        if len(folder.parts) > 1:
            message = message.replace(str(folder), name)
    words = [_last_part(word) for word in message.split(" ")]
    return " ".join(words)


def _last_part(word: str) -> str:
    """A word in which only the last part of an absolute path is left; other words unchanged."""
    start = word.find("/")
    before = word[:start]
    absolute = start >= 0 and not before.strip("'\"([{<=`")
    if not absolute or word.count("/") < 2:
        return word
    return before + word.rstrip("/").rpartition("/")[2]
