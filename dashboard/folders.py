"""Folders of the computer the app runs on: which may be offered, and how large they are."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from deconv_core.errors import DeconvError


def folder_size(folder: Path) -> int:
    """Bytes of the files below a folder; links are not followed."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size
    return total


def allowed_folders() -> tuple[Path, ...]:
    """The folders that ``$DECONV_FOLDERS`` allows, or () if it is not set."""
    listed = os.environ.get("DECONV_FOLDERS", "")
    return tuple(Path(p).expanduser().resolve() for p in listed.split(os.pathsep) if p.strip())


def check_allowed(folder: Path) -> None:
    """Refuse a folder outside ``$DECONV_FOLDERS``, if that is set.

    Raises:
        DeconvError: it is outside.
    """
    allowed = allowed_folders()
    real = folder.resolve()
    if allowed and not any(real.is_relative_to(root) for root in allowed):
        names = ", ".join(root.name for root in allowed)
        raise DeconvError(f"{folder.name} is outside the folders this server offers: {names}")
