"""Uploads into folders: pictures as they are, or one zip, checked before and while it is unpacked.

An archive may claim anything, so nothing is believed: names are rebuilt from checked parts, links
and what is locked are passed over, sizes are counted while bytes arrive, and only files that can be
pictures are written at all. A file that cannot be kept is told and the others are kept. An upload
appears under its name when it is whole, or not.
"""

from __future__ import annotations

import errno
import shutil
import struct
import uuid
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import filelock

from dashboard import archive_checks as checks
from dashboard.folders import folder_size
from dashboard.registry import Dataset, Registry
from dashboard.upload_limits import UploadLimits
from dashboard.upload_names import choose_pictures
from dashboard.zip_names import ZipNames, read_names
from deconv_core.errors import DeconvError
from deconv_core.images import LARGEST_FILE, Skipped

_PIECE = 2**20
_PATIENCE = 60.0  # seconds
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError),
    *(RuntimeError, ValueError, IndexError),
)
"""What Python's zipfile raises on entries that are not what they claim."""
_BAD_NAME = (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL)
"""What a disk says of a name that it cannot store."""


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
    room: int
    images: int = 0
    bytes: int = 0
    passed_over: list[Skipped] = field(default_factory=list)

    def skip(self, name: str, reason: str) -> None:
        self.passed_over.append(Skipped(name, reason))

    def write(self, parts: Sequence[str], source: BinaryIO) -> None:
        """Keep one picture, or note why not.

        Raises:
            OSError: the disk fails, whatever the file.
            DeconvError: the upload as a whole is too large.
        """
        name, target = "/".join(parts), self.folder.joinpath(*parts)
        try:
            if target.exists() or not self._can_hold(target.parent):
                self.skip(name, "a file of this name is there already; only the first is kept")
                return
            target.parent.mkdir(parents=True, exist_ok=True)
            self._copy(source, target)
        except (_TooLargeError, *_DAMAGED) as error:
            target.unlink(missing_ok=True)
            self.skip(
                name, str(error) if isinstance(error, _TooLargeError) else f"damaged: {error}"
            )
        except OSError as error:
            if error.errno not in _BAD_NAME:
                raise
            self.skip(name, f"its name cannot be stored on this disk ({error.strerror})")
        else:
            self.images += 1

    def _can_hold(self, folder: Path) -> bool:
        """False where a picture has the name that a folder would need."""
        above = [folder, *folder.parents]
        return not any(path.is_file() for path in above[: above.index(self.folder)])

    def _copy(self, source: BinaryIO, target: Path) -> None:
        size = 0
        with target.open("xb") as file:
            while piece := source.read(_PIECE):
                size += len(piece)
                self.bytes += len(piece)
                if self.bytes > checks.LARGEST_UNPACKED:
                    raise DeconvError(
                        "unpacked, the upload is larger than "
                        f"{checks.megabytes(checks.LARGEST_UNPACKED)}; upload fewer pictures at "
                        "once, or scan them as a folder"
                    )
                if self.bytes > self.room:
                    raise DeconvError(_NO_ROOM)
                if size > LARGEST_FILE:
                    raise _TooLargeError(f"larger than {checks.megabytes(LARGEST_FILE)}")
                file.write(piece)


class _TooLargeError(Exception):
    """One file is; the others may be kept."""


_NO_ROOM = (
    "the uploads on this server would take more room than they may; delete one under Datasets and "
    "scans, or ask whoever runs the server"
)


def look_into_zip(
    archive: BinaryIO,
    name: str,
    limits: UploadLimits | None = None,
    encoding: str | None = None,
) -> ZipNames:
    """The names in a zip, before it is stored; see ``store_zip``."""
    with _opened(archive, name, limits or UploadLimits()) as opened:
        return read_names(opened.infolist(), encoding)


def store_zip(
    registry: Registry,
    archive: BinaryIO,
    name: str,
    progress: Callable[[int, int], None] | None = None,
    limits: UploadLimits | None = None,
    encoding: str | None = None,
) -> Upload:
    """Unpack the pictures of a zip and register them; its folders become labels.

    Args:
        registry: where the dataset goes.
        archive: a seekable file.
        name: of the archive, for people.
        progress: called with (files looked at, in all).
        limits: of this server.
        encoding: of names that do not tell theirs, a key of ``CODE_PAGES``; None guesses.

    Raises:
        DeconvError: it is no zip, has names that lead out of it, is too large, or has no pictures.
    """
    limits = limits or UploadLimits()

    def unpack(intake: _Intake) -> None:
        infos = opened.infolist()
        names = read_names(infos, encoding).names
        wanted = checks.wanted_entries(infos, names, intake.skip)
        for place, (info, parts) in enumerate(wanted, 1):
            try:
                with opened.open(info) as source:
                    intake.write(parts, source)  # type: ignore[arg-type]
            except _DAMAGED as error:
                intake.skip("/".join(parts), f"damaged: {error}")
            if progress is not None:
                progress(place, len(wanted))

    with _opened(archive, name, limits) as opened:
        stem = name[:-4] if name.lower().endswith(".zip") else name
        return _stored(registry, limits, stem, unpack)


@contextmanager
def _opened(archive: BinaryIO, name: str, limits: UploadLimits) -> Iterator[zipfile.ZipFile]:
    checks.check_size(archive.seek(0, 2), limits.upload)
    checks.check_directory(archive)
    try:
        opened = zipfile.ZipFile(archive)
    except (*_DAMAGED, OSError) as error:
        raise DeconvError(f"{name} is not a whole zip archive ({error}); make it again") from error
    with opened:
        yield opened


def store_files(
    registry: Registry,
    files: Sequence[tuple[str, BinaryIO]],
    name: str,
    limits: UploadLimits | None = None,
) -> Upload:
    """Store pictures that were uploaded one by one or as a folder, and register them.

    Args:
        registry: where the dataset goes.
        files: (name, content); a name may hold folders, which become labels.
        name: of the dataset, for people.
        limits: of this server.

    Raises:
        DeconvError: too many or too large, a name that leads out, or no pictures.
    """
    limits = limits or UploadLimits()
    checks.check_count(len(files))
    checks.check_size(sum(content.seek(0, 2) for _, content in files), limits.upload)

    def copy(intake: _Intake) -> None:
        for content, parts in choose_pictures(files, intake.skip):
            content.seek(0)
            intake.write(parts, content)

    return _stored(registry, limits, name, copy)


def _stored(
    registry: Registry, limits: UploadLimits, name: str, fill: Callable[[_Intake], None]
) -> Upload:
    """A fresh folder, filled and registered; deleted again if anything goes wrong before the end.

    One upload at a time, so that two cannot both take the room that is left.
    """
    uploads = registry.home / "uploads"
    try:
        uploads.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(uploads / ".lock", timeout=_PATIENCE):
            intake = _Intake(uploads / uuid.uuid4().hex[:8], limits.total - folder_size(uploads))
            try:
                return _filled(registry, intake, name, fill)
            except BaseException:
                shutil.rmtree(intake.folder, ignore_errors=True)
                raise
    except filelock.Timeout:
        raise DeconvError("another upload is being stored; try again in a minute") from None
    except OSError as error:
        raise DeconvError(f"the upload could not be stored: {error.strerror or error}") from error


def _filled(
    registry: Registry, intake: _Intake, name: str, fill: Callable[[_Intake], None]
) -> Upload:
    intake.folder.mkdir()
    fill(intake)
    if not intake.images:
        others = "; ".join(f"{s.name[:80]}: {s.reason}" for s in intake.passed_over[:3])
        raise DeconvError(
            "there are no pictures in this upload"
            + (f" ({others})" if others else "")
            + "; give JPEG, PNG or other pictures, or a zip of them"
        )
    dataset = registry.add_folder(intake.folder, name=name or "Upload", kind="upload")
    return Upload(dataset, intake.images, tuple(intake.passed_over))
