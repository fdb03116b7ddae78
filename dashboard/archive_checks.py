"""What an upload may be: limits, names that stay inside, entries that are plain files."""

from __future__ import annotations

import re
import stat
import struct
import zipfile
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import BinaryIO

from deconv_core.decoding import readable_extensions
from deconv_core.errors import DeconvError

LARGEST_UNPACKED = 2 * 2**30
"""Bytes of all its pictures, unpacked."""
MOST_FILES = 20_000
_LARGEST_DIRECTORY = 8 * 2**20  # of an archive: 400 bytes a file
_DEEPEST = 16

_ARCHIVES = {".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"}
_END, _END_64 = b"PK\x05\x06", b"PK\x06\x07"
_NO_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # controls, halves of characters


def check_size(size: int, largest: int) -> None:
    """Refuse an upload of more bytes than one may have."""
    if size > largest:
        raise DeconvError(
            f"the upload has {megabytes(size)}; at most {megabytes(largest)} can be uploaded at "
            "once: take fewer pictures, or scan them as a folder"
        )


def check_directory(archive: BinaryIO) -> None:
    """Refuse an archive whose table of contents alone would fill the memory."""
    size = archive.seek(0, 2)
    archive.seek(max(0, size - 2**16 - 22))
    tail = archive.read()
    archive.seek(0)
    end = tail.rfind(_END)
    if end < 0 or len(tail) - end < 22:
        raise DeconvError("this is not a whole zip archive; make it again and upload it")
    files, directory = struct.unpack_from("<HI", tail, end + 10)
    check_count(files)
    if directory > _LARGEST_DIRECTORY or tail[max(0, end - 20) : end].startswith(_END_64):
        raise DeconvError(
            f"the archive's table of contents is too large for {MOST_FILES:,} files; make an "
            "ordinary zip (not zip64) of fewer pictures"
        )


def check_count(files: int) -> None:
    """Refuse more files than one upload may have."""
    if files > MOST_FILES:
        raise DeconvError(
            f"the upload has {files:,} files; at most {MOST_FILES:,} can be uploaded at once: scan "
            "the pictures as a folder instead"
        )


def wanted_entries(
    infos: Sequence[zipfile.ZipInfo], skip: Callable[[str, str], None]
) -> list[tuple[zipfile.ZipInfo, tuple[str, ...]]]:
    """The pictures of an archive with their checked paths.

    Args:
        infos: its table of contents.
        skip: told (name, reason) of a file that is not taken.

    Raises:
        DeconvError: one bad entry refuses the whole archive.
    """
    check_count(len(infos))
    readable = set(readable_extensions())
    if sum(info.file_size for info in infos) > LARGEST_UNPACKED:
        raise DeconvError(
            f"unpacked, the archive has more than {megabytes(LARGEST_UNPACKED)}; make one of "
            "fewer pictures, or scan them as a folder"
        )
    wanted = []
    for info in infos:
        parts = safe_parts(info.filename)
        mode = info.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise DeconvError(
                f"the archive holds a link or a device ({info.filename!a}); pack the pictures "
                "themselves"
            )
        if info.flag_bits & 0x1:
            raise DeconvError("the archive is protected by a password; make one without")
        if info.is_dir():
            continue
        reason = reason_to_skip(parts, readable)
        if not reason and info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            reason = "packed in a way that is not opened; make an ordinary zip"
        if reason:
            skip("/".join(parts), reason)
        else:
            wanted.append((info, parts))
    return wanted


def safe_parts(name: str) -> tuple[str, ...]:
    """The folders and file of a name.

    Raises:
        DeconvError: it is absolute, leads upwards, or cannot be a file's name.
    """
    slashed = name.replace("\\", "/")
    parts = PurePosixPath(slashed).parts
    bad = (
        not parts
        or slashed.startswith("/")
        or ".." in parts
        or ":" in parts[0]
        or len(parts) > _DEEPEST
        or any(len(part.encode("utf-8", "replace")) > 200 for part in parts)
        or _NO_NAME.search(slashed) is not None
    )
    if bad:
        raise DeconvError(
            f"the upload holds a name that leads out of it or is not allowed: {name[:80]!a}; "
            "give the pictures plain names and folders"
        )
    return parts


def reason_to_skip(parts: Sequence[str], readable: set[str]) -> str:
    """Why a file is not taken, or ""."""
    if "__MACOSX" in parts or parts[-1].startswith("."):
        return "hidden"
    ending = PurePosixPath(parts[-1]).suffix.lower()
    if ending in _ARCHIVES:
        return "an archive inside the upload is not opened"
    return "" if ending in readable else "not a type of picture that can be read"


def shared_folder(paths: Sequence[tuple[str, ...]]) -> int:
    """1 if all files lie in one folder, which then only names the whole; else 0."""
    firsts = {parts[0] if len(parts) > 1 else "" for parts in paths}
    return 1 if len(firsts) == 1 and "" not in firsts else 0


def megabytes(size: int) -> str:
    """For messages."""
    return f"{size / 2**20:,.0f} MB"
