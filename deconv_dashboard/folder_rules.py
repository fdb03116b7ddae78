"""Folders of the computer the app runs on: which may be opened, and what a browser is told of them.

Three kinds of server. One on loopback, with no list: its user may open every folder, and sees
paths. One on loopback with a list in ``$DECONV_FOLDERS``: only what is listed. One that other
computers reach: only what is listed, nothing if there is no list, and no path of this computer is
ever shown; folders are named from the listed one down.
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
        roots: these and what is below them, links resolved; None allows every folder.
        local: the browser is on this computer, so that paths may be shown.
    """

    roots: tuple[Path, ...] | None = None
    local: bool = True

    @property
    def offered(self) -> bool:
        """True if there is any folder to offer."""
        return self.roots is None or bool(self.roots)

    def allows(self, path: Path) -> bool:
        """True if a folder or file lies where it may be opened; links and ``..`` are resolved."""
        if self.roots is None:
            return True
        try:
            real = path.expanduser().resolve()
        except (OSError, ValueError, RuntimeError):  # no such name, a round of links, no such user
            return False
        return any(real.is_relative_to(root) for root in self.roots)

    def check(self, path: Path) -> None:
        """Refuse what may not be opened.

        Raises:
            DeconvError: it may not; the message says what may, and not whether ``path`` exists.
        """
        if not self.allows(path):
            names = ", ".join(map(str, self._names())) or "none"
            raise DeconvError(
                f"{path.name[:80]} is outside the folders this server offers: {names}"
            )

    def shown(self, path: Path) -> str:
        """How a folder is named to the person at the browser."""
        if self.local:
            return str(path)
        for name, root in zip(self._names(), self.roots or (), strict=False):
            with suppress(OSError, ValueError, RuntimeError):
                return str(name / path.resolve().relative_to(root))
        return path.name

    def meant(self, typed: str) -> Path:
        """The folder or file that a person typed or pasted: a path, or what ``shown`` calls it.

        Beyond this computer nothing is looked up, so nothing can be found out by typing.

        Raises:
            DeconvError: it cannot be a path.
        """
        if self.local:
            return typed_path(typed, _starts())
        given = Path(unwrapped(typed))
        for name, root in zip(self._names(), self.roots or (), strict=False):
            with suppress(ValueError):
                return root / given.relative_to(name)
        return given

    def _names(self) -> list[Path]:
        """The last part of each root; those that are alike are counted."""
        names: list[Path] = []
        for root in self.roots or ():
            name, count = root.name or "root", 2
            while Path(name) in names:
                name, count = f"{root.name} ({count})", count + 1
            names.append(Path(name))
        return names


def folder_rules(*, local: bool = True) -> FolderRules:
    """The rules of a server.

    Args:
        local: only this computer reaches it. Then ``$DECONV_FOLDERS`` restricts if it is set, even
            to nothing; otherwise only what it lists is offered.
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
        raise DeconvError(f"DECONV_FOLDERS lists {listed!a}, which is no folder") from error


def absolute_path(path: str | os.PathLike[str]) -> Path:
    """A path that a program gives, absolute, with ``~`` as the home folder.

    Raises:
        DeconvError: it cannot be one: too long, or of a user that does not exist.
    """
    try:
        return Path(path_text(os.fspath(path))).expanduser().absolute()
    except (OSError, RuntimeError) as error:
        raise DeconvError(f"{path!a} is not a folder or file; check the path") from error


def what_is(path: Path) -> str:
    """What a path leads to: "folder", "file", or "" for nothing that can be opened."""
    with suppress(OSError):  # a name that is too long
        if path.is_dir():
            return "folder"
        return "file" if path.exists() else ""
    return ""


def _starts() -> tuple[Path, ...]:
    """Where a relative path begins: where the program was started, or at home.

    The program's own folder, from which it is often started, comes last.
    """
    starts = []
    for folder in (Path.cwd, Path.home):
        with suppress(OSError, RuntimeError):  # deleted meanwhile; no home
            starts.append(folder())
    own = Path(__file__).parents[1]
    return tuple(sorted(starts, key=lambda start: start == own))


def folder_size(folder: Path) -> int:
    """Bytes of the files below a folder; links are not followed."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size
    return total


def without_paths(message: str, known: Sequence[tuple[Path, str]]) -> str:
    """A message for people who are not at this computer: folders by name, files by their last part.

    Args:
        message: of an error.
        known: (folder, what to call it).
    """
    longest_first = sorted(known, key=lambda pair: -len(str(pair[0])))
    for folder, name in longest_first:
        if len(folder.parts) > 1:
            message = message.replace(str(folder), name)
    words = [_last_part(word) for word in message.split(" ")]
    return " ".join(words)


def _last_part(word: str) -> str:
    """A word that holds an absolute path, with only the path's last part left."""
    start = word.find("/")
    before = word[:start]
    absolute = start >= 0 and not before.strip("'\"([{<=`")
    if not absolute or word.count("/") < 2:
        return word
    return before + word.rstrip("/").rpartition("/")[2]
