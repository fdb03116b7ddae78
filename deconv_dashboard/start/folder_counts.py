"""Counts the pictures below folders, for a limited time."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deconv_core.images.decoding import readable_extensions
from deconv_core.images.listing import entries_in
from deconv_dashboard.wording import counted

_SECONDS = 0.5


@dataclass(frozen=True)
class Below:
    """The number of pictures found below a folder; ``whole`` is False if the time was over."""

    pictures: int
    whole: bool

    @property
    def text(self) -> str:
        """For example "12 pictures", or "more than 900 pictures"."""
        if self.whole:
            return counted(self.pictures, "picture")
        return f"more than {counted(self.pictures, 'picture')}" if self.pictures else ""


def pictures_below(folders: Sequence[Path], seconds: float = _SECONDS) -> dict[Path, Below]:
    """Folder -> pictures below it, at any depth; folders for which there is no time are left out.

    Links to folders are not followed, hidden files and folders not counted.
    """
    readable, until = set(readable_extensions()), time.monotonic() + seconds
    found: dict[Path, Below] = {}
    for folder in folders:
        pictures = 0
        for name in _names_below(folder):
            if time.monotonic() >= until:
                return {**found, folder: Below(pictures, whole=False)}
            pictures += os.path.splitext(name)[1].lower() in readable
        found[folder] = Below(pictures, whole=True)
    return found


def _names_below(folder: Path) -> Iterator[str]:
    """The names of the files below a folder, and "" for each folder; unlistable ones are empty."""
    waiting = [str(folder)]
    while waiting:
        yield ""
        with suppress(OSError):
            for kind, entry in entries_in(waiting.pop()):
                if kind == "folder":
                    waiting.append(entry.path)
                elif kind == "file":
                    yield entry.name
