"""Checks the names of uploaded files: some are refused, some skipped, the others made safe."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import TypeVar

from deconv_core.errors import DeconvError
from deconv_core.images.decoding import readable_extensions
from deconv_core.images.passed_over import hidden_entry_reason, hidden_place

_File = TypeVar("_File")
Skip = Callable[[str, str], None]
"""A function that is called with (name, reason) for each skipped file."""

LONGEST_NAME = 255
"""Longest part of a path, in bytes of UTF-8; on Windows, in units of UTF-16."""
_DEEPEST = 16
_ON_WINDOWS = os.name == "nt"
_ARCHIVES = {".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"}
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # controls, halves of characters
_DRIVE = re.compile(r"[A-Za-z]:")
_NOT_ON_WINDOWS = re.compile(r'[<>:"|?*]|[. ]$|^(con|prn|aux|nul|(com|lpt)[0-9¹²³]) *(\.|$)', re.I)


def choose_pictures(
    files: Sequence[tuple[str, _File]], skip: Skip
) -> list[tuple[_File, tuple[str, ...]]]:
    """The pictures among files, each with the folders and the name it gets.

    A folder that contains everything is removed: it is not a label, and may have a hidden name.

    Args:
        files: pairs (name as given, the file).
        skip: called with (name, reason) for every other file.

    Raises:
        DeconvError: a name leads out of the upload.
    """
    named = [(safe_parts(name), file) for name, file in files]
    outer = shared_folder([parts for parts, _ in named])
    hidden: Counter[str] = Counter()
    readable, chosen = set(readable_extensions()), []
    for parts, file in named:
        if place := hidden_place(parts[outer:]):
            place = "/".join((*parts[:outer], place))
            hidden[place] += place != "/".join(parts)
        elif reason := _type_fault(parts, readable) or name_fault(parts):
            skip("/".join(parts) or "a file without a name", reason)
        else:
            chosen.append((file, parts))
    for place, count in hidden.items():
        skip(place, hidden_entry_reason(place, count))
    shared = shared_folder([parts for _, parts in chosen])
    return [(file, parts[shared:]) for file, parts in chosen]


def safe_parts(name: str, *, windows: bool = _ON_WINDOWS) -> tuple[str, ...]:
    """The folders and the file of a name; an empty name has no parts.

    Raises:
        DeconvError: the name is an absolute path or contains "..".
    """
    slashed = name.replace("\\", "/")
    parts = PurePosixPath(slashed).parts
    drive = windows and bool(parts) and _DRIVE.match(parts[0]) is not None
    if slashed.startswith("/") or ".." in parts or drive:
        raise DeconvError(
            f"the upload holds a name that leads out of it or is not allowed: {name[:80]!a}; "
            "give the pictures plain names and folders"
        )
    return parts


def name_fault(parts: Sequence[str], *, windows: bool = _ON_WINDOWS) -> str:
    """Why a file of this name cannot be stored on this system, or ""."""
    if not parts:
        return "it has no name"
    if len(parts) > _DEEPEST:
        return f"it is in {len(parts) - 1} nested folders; at most {_DEEPEST - 1} are allowed"
    for part in parts:
        if _UNPRINTABLE.search(part):
            return "its name holds characters that cannot be shown; give it a plain name"
        size = len(part.encode("utf-16-le")) // 2 if windows else len(part.encode())
        if size > LONGEST_NAME:
            which = "its name" if part is parts[-1] else "the name of its folder"
            unit = "characters" if windows else "bytes"
            return f"{which} has {size} {unit}; at most {LONGEST_NAME} can be stored: shorten it"
        if windows and _NOT_ON_WINDOWS.search(part):
            return "Windows does not allow its name; give it another one"
    return ""


def _type_fault(parts: Sequence[str], readable: set[str]) -> str:
    ending = PurePosixPath(parts[-1]).suffix.lower() if parts else ""
    if ending in _ARCHIVES:
        return "an archive inside the upload is not opened"
    return "" if ending in readable or not parts else "not a type of picture that can be read"


def shared_folder(paths: Sequence[tuple[str, ...]]) -> int:
    """1 if all files lie in one folder, else 0."""
    firsts = {parts[0] if len(parts) > 1 else "" for parts in paths}
    return 1 if len(firsts) == 1 and "" not in firsts else 0
