"""Uploads into folders: pictures as they are, or one zip, checked before and while it is unpacked.

An archive may claim anything, so nothing is believed: names are rebuilt from checked parts, links
and passwords are refused, sizes are counted while bytes arrive, and only files that can be pictures
are written at all. An upload appears under its name when it is whole, or not.
"""

from __future__ import annotations

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
from deconv_core.decoding import readable_extensions
from deconv_core.errors import DeconvError
from deconv_core.images import LARGEST_FILE, Skipped

_PIECE = 2**20
_PATIENCE = 60.0  # seconds
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError),
    *(RuntimeError, ValueError, IndexError),
)
"""What Python's zipfile raises on entries that are not what they claim."""


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
        target = self.folder.joinpath(*parts)
        if target.exists() or not self._can_hold(target.parent):
            self.skip("/".join(parts), "a file of this name is there already")
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._copy(source, target)
        except _DAMAGED as error:
            target.unlink(missing_ok=True)
            self.skip("/".join(parts), f"damaged: {error}")
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
                if size > LARGEST_FILE or self.bytes > checks.LARGEST_UNPACKED:
                    whole, one = checks.LARGEST_UNPACKED, LARGEST_FILE
                    raise DeconvError(
                        f"unpacked, the upload is larger than {checks.megabytes(whole)}, or one "
                        f"file in it than {checks.megabytes(one)}; upload fewer pictures at once, "
                        "or scan them as a folder"
                    )
                if self.bytes > self.room:
                    raise DeconvError(_NO_ROOM)
                file.write(piece)


_NO_ROOM = (
    "the uploads on this server would take more room than they may; delete one under Datasets and "
    "scans, or ask whoever runs the server"
)


def store_zip(
    registry: Registry,
    archive: BinaryIO,
    name: str,
    progress: Callable[[int, int], None] | None = None,
    limits: UploadLimits | None = None,
) -> Upload:
    """Unpack the pictures of a zip and register them; its folders become labels.

    Args:
        registry: where the dataset goes.
        archive: a seekable file.
        name: of the archive, for people.
        progress: called with (files looked at, in all).
        limits: of this server.

    Raises:
        DeconvError: it is no zip, is protected, holds links or names that lead out of it, is too
            large, or has no pictures.
    """
    limits = limits or UploadLimits()
    checks.check_size(archive.seek(0, 2), limits.upload)
    checks.check_directory(archive)
    try:
        opened = zipfile.ZipFile(archive)
    except (*_DAMAGED, OSError) as error:
        raise DeconvError(f"{name} is not a whole zip archive ({error}); make it again") from error
    with opened, _intake(registry, limits) as intake:
        wanted = checks.wanted_entries(opened.infolist(), intake.skip)
        shared = checks.shared_folder([parts for _, parts in wanted])
        for place, (info, parts) in enumerate(wanted, 1):
            try:
                with opened.open(info) as source:
                    intake.write(parts[shared:], source)  # type: ignore[arg-type]
            except _DAMAGED as error:
                intake.skip("/".join(parts), f"damaged: {error}")
            if progress is not None:
                progress(place, len(wanted))
    return _register(registry, intake, name.removesuffix(".zip"))


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
    readable = set(readable_extensions())
    with _intake(registry, limits) as intake:
        named = [(checks.safe_parts(given), content) for given, content in files]
        shared = checks.shared_folder([parts for parts, _ in named])
        for parts, content in named:
            if reason := checks.reason_to_skip(parts, readable):
                intake.skip("/".join(parts), reason)
            else:
                content.seek(0)
                intake.write(parts[shared:], content)
    return _register(registry, intake, name)


@contextmanager
def _intake(registry: Registry, limits: UploadLimits) -> Iterator[_Intake]:
    """A fresh folder that is deleted again if anything goes wrong before the end.

    One upload at a time, so that two cannot both take the room that is left.
    """
    uploads = registry.home / "uploads"
    folder = uploads / uuid.uuid4().hex[:8]
    try:
        folder.mkdir(parents=True)
        with filelock.FileLock(uploads / ".lock", timeout=_PATIENCE):
            intake = _Intake(folder, limits.total - folder_size(uploads))
            yield intake
        if not intake.images:
            others = "; ".join(f"{s.name}: {s.reason}" for s in intake.passed_over[:3])
            raise DeconvError(
                "there are no pictures in this upload"
                + (f" ({others})" if others else "")
                + "; give JPEG, PNG or other pictures, or a zip of them"
            )
    except filelock.Timeout:
        shutil.rmtree(folder, ignore_errors=True)
        raise DeconvError("another upload is being stored; try again in a minute") from None
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise DeconvError(f"the upload could not be stored: {error.strerror or error}") from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _register(registry: Registry, intake: _Intake, name: str) -> Upload:
    dataset = registry.add_folder(intake.folder, name=name or "Upload", kind="upload")
    return Upload(dataset, intake.images, tuple(intake.passed_over))
