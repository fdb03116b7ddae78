"""Checks of an upload: its size and number of files, and which entries of a zip are accepted."""

from __future__ import annotations

import stat
import struct
import zipfile
from collections.abc import Sequence
from typing import BinaryIO

from deconv_core.errors import DeconvError
from deconv_core.images.folder import LARGEST_FILE
from deconv_dashboard.data.upload_limits import LARGEST_UNPACKED, megabytes
from deconv_dashboard.upload.names import Skip, choose_pictures

MOST_FILES = 20_000
_LARGEST_DIRECTORY = 8 * 2**20  # bytes: 400 for each file
_ENCRYPTED = 0x1
END, _END_64 = b"PK\x05\x06", b"PK\x06\x07"


def check_size(size: int, largest: int) -> None:
    """Refuse an upload of more than ``largest`` bytes."""
    if size > largest:
        raise DeconvError(
            f"the upload has {megabytes(size)}; at most {megabytes(largest)} can be uploaded at "
            "once: take fewer pictures, or scan them as a folder"
        )


def check_directory(archive: BinaryIO) -> None:
    """Refuse an archive whose table of contents alone would fill the memory."""
    end, directory = end_of_directory(archive)
    archive.seek(max(0, end - 20))
    if directory > _LARGEST_DIRECTORY or archive.read(4) == _END_64:
        raise DeconvError(
            f"the archive's table of contents is too large for {MOST_FILES:,} files; make an "
            "ordinary zip (not zip64) of fewer pictures"
        )


def end_of_directory(archive: BinaryIO) -> tuple[int, int]:
    """The end of an archive's table of contents as an offset, and the size of the table in bytes.

    Raises:
        DeconvError: there is no table of contents, or it lists more than ``MOST_FILES`` files.
    """
    size = archive.seek(0, 2)
    before = max(0, size - 2**16 - 22)
    archive.seek(before)
    tail = archive.read()
    archive.seek(0)
    end = tail.rfind(END)
    if end < 0 or len(tail) - end < 22:
        raise DeconvError("this is not a whole zip archive; make it again and upload it")
    files, directory = struct.unpack_from("<HI", tail, end + 10)
    check_count(files)
    return before + end, directory


def check_count(files: int) -> None:
    """Refuse more than ``MOST_FILES`` files."""
    if files > MOST_FILES:
        raise DeconvError(
            f"the upload has {files:,} files; at most {MOST_FILES:,} can be uploaded at once: scan "
            "the pictures as a folder instead"
        )


def wanted_entries(
    infos: Sequence[zipfile.ZipInfo], names: Sequence[str], skip: Skip
) -> list[tuple[zipfile.ZipInfo, tuple[str, ...]]]:
    """The pictures of an archive, each with the folders and the name it gets.

    Args:
        infos: the table of contents.
        names: the names of these entries, as text.
        skip: called with (name, reason) for each skipped file.

    Raises:
        DeconvError: a name leads out of the upload, or the pictures are too large in total.
    """
    check_count(len(infos))
    files = [
        (name, info)
        for name, info in zip(names, infos, strict=True)
        if not name.endswith(("/", "\\"))  # a folder
    ]
    wanted = []
    for info, parts in choose_pictures(files, skip):
        if reason := _entry_fault(info):
            skip("/".join(parts), reason)
        else:
            wanted.append((info, parts))
    if sum(info.file_size for info, _ in wanted) > LARGEST_UNPACKED:
        raise DeconvError(
            f"unpacked, the pictures have more than {megabytes(LARGEST_UNPACKED)}; make a zip of "
            "fewer pictures, or scan them as a folder"
        )
    return wanted


def _entry_fault(info: zipfile.ZipInfo) -> str:
    """Why an entry is skipped, or ""."""
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a link or a device; pack the picture itself"
    if info.flag_bits & _ENCRYPTED:
        return "protected by a password; make a zip without one"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "packed with an unknown method; make an ordinary zip"
    return f"larger than {megabytes(LARGEST_FILE)}" if info.file_size > LARGEST_FILE else ""
