"""Uploads into folders: pictures as they are, or one zip, checked before and while it is unpacked.

An archive may claim anything, so nothing is believed: names are rebuilt from checked parts, links
and passwords are refused, sizes are counted while bytes arrive, and only files that can be pictures
are written at all. An upload appears under its name when it is whole, or not.
"""

from __future__ import annotations

import re
import shutil
import stat
import struct
import uuid
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from dashboard.registry import Dataset, Registry
from deconv_core.errors import DeconvError
from deconv_core.images import LARGEST_FILE, Skipped, readable_extensions

LARGEST_UPLOAD = 500 * 2**20
"""Bytes of one upload, as it is sent."""
LARGEST_UNPACKED = 2 * 2**30
"""Bytes of all its pictures, unpacked."""
MOST_FILES = 20_000
_LARGEST_DIRECTORY = 8 * 2**20  # of an archive: 400 bytes a file
_DEEPEST = 16
_PIECE = 2**20

_ARCHIVES = {".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"}
_END, _END_64 = b"PK\x05\x06", b"PK\x06\x07"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Upload:
    """What became of an upload: its dataset, and the files that were passed over."""

    dataset: Dataset
    images: int
    passed_over: tuple[Skipped, ...]


@dataclass
class _Intake:
    """Writes pictures below one folder and counts what it wrote."""

    folder: Path
    progress: Callable[[int, int], None] | None = None
    images: int = 0
    bytes: int = 0
    passed_over: list[Skipped] = field(default_factory=list)

    def skip(self, name: str, reason: str) -> None:
        self.passed_over.append(Skipped(name, reason))

    def write(self, parts: Sequence[str], source: BinaryIO) -> None:
        target = self.folder.joinpath(*parts)
        if target.exists():
            self.skip("/".join(parts), "a file of this name is there already")
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._copy(source, target)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
            target.unlink(missing_ok=True)
            self.skip("/".join(parts), f"damaged: {error}")
        else:
            self.images += 1

    def _copy(self, source: BinaryIO, target: Path) -> None:
        size = 0
        with target.open("xb") as file:
            while piece := source.read(_PIECE):
                size += len(piece)
                self.bytes += len(piece)
                if size > LARGEST_FILE or self.bytes > LARGEST_UNPACKED:
                    raise DeconvError(
                        f"unpacked, the upload is larger than {_megabytes(LARGEST_UNPACKED)}, or "
                        f"one file in it than {_megabytes(LARGEST_FILE)}; upload fewer pictures at "
                        "once, or scan them as a folder"
                    )
                file.write(piece)


def store_zip(
    registry: Registry,
    archive: BinaryIO,
    name: str,
    progress: Callable[[int, int], None] | None = None,
) -> Upload:
    """Unpack the pictures of a zip and register them; its folders become labels.

    Args:
        registry: where the dataset goes.
        archive: a seekable file.
        name: of the archive, for people.
        progress: called with (files looked at, in all).

    Raises:
        DeconvError: it is no zip, is protected, holds links or names that lead out of it, is too
            large, or has no pictures.
    """
    _check_directory(archive)
    try:
        opened = zipfile.ZipFile(archive)
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise DeconvError(f"{name} is not a whole zip archive ({error}); make it again") from error
    with opened, _intake(registry, progress) as intake:
        wanted = _wanted(opened.infolist(), intake)
        shared = _shared_folder([parts for _, parts in wanted])
        for place, (info, parts) in enumerate(wanted, 1):
            try:
                with opened.open(info) as source:
                    intake.write(parts[shared:], source)  # type: ignore[arg-type]
            except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
                intake.skip("/".join(parts), f"damaged: {error}")
            if progress is not None:
                progress(place, len(wanted))
    return _register(registry, intake, name.removesuffix(".zip"))


def store_files(registry: Registry, files: Sequence[tuple[str, BinaryIO]], name: str) -> Upload:
    """Store pictures that were uploaded one by one or as a folder, and register them.

    Args:
        registry: where the dataset goes.
        files: (name, content); a name may hold folders, which become labels.
        name: of the dataset, for people.

    Raises:
        DeconvError: too many or too large, a name that leads out, or no pictures.
    """
    _check_count(len(files))
    readable = set(readable_extensions())
    with _intake(registry, None) as intake:
        named = [(_safe_parts(given), content) for given, content in files]
        shared = _shared_folder([parts for parts, _ in named])
        for parts, content in named:
            if reason := _reason_to_skip(parts, readable):
                intake.skip("/".join(parts), reason)
            else:
                intake.write(parts[shared:], content)
    return _register(registry, intake, name)


@contextmanager
def _intake(registry: Registry, progress: Callable[[int, int], None] | None) -> Iterator[_Intake]:
    """A fresh folder that is deleted again if anything goes wrong before the end."""
    folder = registry.home / "uploads" / uuid.uuid4().hex[:8]
    try:
        folder.mkdir(parents=True)
        intake = _Intake(folder, progress)
        yield intake
        if not intake.images:
            others = "; ".join(f"{s.name}: {s.reason}" for s in intake.passed_over[:3])
            raise DeconvError(
                "there are no pictures in this upload"
                + (f" ({others})" if others else "")
                + "; give JPEG, PNG or other pictures, or a zip of them"
            )
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise DeconvError(f"the upload could not be stored: {error.strerror or error}") from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _register(registry: Registry, intake: _Intake, name: str) -> Upload:
    dataset = registry.add_folder(intake.folder, name=name or "Upload", kind="upload")
    return Upload(dataset, intake.images, tuple(intake.passed_over))


def _check_directory(archive: BinaryIO) -> None:
    """Refuse an archive whose table of contents alone would fill the memory."""
    size = archive.seek(0, 2)
    if size > LARGEST_UPLOAD:
        raise DeconvError(
            f"the archive has {_megabytes(size)}; at most {_megabytes(LARGEST_UPLOAD)} can be "
            "uploaded: scan the pictures as a folder instead"
        )
    archive.seek(max(0, size - 2**16 - 22))
    tail = archive.read()
    archive.seek(0)
    end = tail.rfind(_END)
    if end < 0 or len(tail) - end < 22:
        raise DeconvError("this is not a whole zip archive; make it again and upload it")
    files, directory = struct.unpack_from("<HI", tail, end + 10)
    _check_count(files)
    if directory > _LARGEST_DIRECTORY or tail[max(0, end - 20) : end].startswith(_END_64):
        raise DeconvError(
            f"the archive's table of contents is too large for {MOST_FILES:,} files; make an "
            "ordinary zip (not zip64) of fewer pictures"
        )


def _check_count(files: int) -> None:
    if files > MOST_FILES:
        raise DeconvError(
            f"the upload has {files:,} files; at most {MOST_FILES:,} can be uploaded at once: scan "
            "the pictures as a folder instead"
        )


def _wanted(
    infos: Sequence[zipfile.ZipInfo], intake: _Intake
) -> list[tuple[zipfile.ZipInfo, tuple[str, ...]]]:
    """The pictures of an archive with their checked paths; one bad entry refuses all."""
    _check_count(len(infos))
    readable = set(readable_extensions())
    if sum(info.file_size for info in infos) > LARGEST_UNPACKED:
        raise DeconvError(
            f"unpacked, the archive has more than {_megabytes(LARGEST_UNPACKED)}; make one of "
            "fewer pictures, or scan them as a folder"
        )
    wanted = []
    for info in infos:
        parts = _safe_parts(info.filename)
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
        if reason := _reason_to_skip(parts, readable):
            intake.skip("/".join(parts), reason)
        else:
            wanted.append((info, parts))
    return wanted


def _safe_parts(name: str) -> tuple[str, ...]:
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
        or _CONTROL.search(slashed) is not None
    )
    if bad:
        raise DeconvError(
            f"the upload holds a name that leads out of it or is not allowed: {name[:80]!a}; "
            "give the pictures plain names and folders"
        )
    return parts


def _reason_to_skip(parts: Sequence[str], readable: set[str]) -> str:
    """Why a file is not taken, or ""."""
    if "__MACOSX" in parts or parts[-1].startswith("."):
        return "hidden"
    ending = PurePosixPath(parts[-1]).suffix.lower()
    if ending in _ARCHIVES:
        return "an archive inside the upload is not opened"
    return "" if ending in readable else "not a type of picture that can be read"


def _shared_folder(paths: Sequence[tuple[str, ...]]) -> int:
    """1 if all files lie in one folder, which then only names the whole; else 0."""
    firsts = {parts[0] if len(parts) > 1 else "" for parts in paths}
    return 1 if len(firsts) == 1 and "" not in firsts else 0


def _megabytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MB"
