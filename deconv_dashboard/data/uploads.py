"""Stores uploads: each one fills a new folder, which becomes a dataset or is deleted again.

Only one upload is stored at a time. It holds a lock, which the system releases even if the process
is killed. So the holder of the lock may delete a folder that belongs to no dataset: its upload was
interrupted.
"""

from __future__ import annotations

import errno
import re
import shutil
import struct
import uuid
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import filelock

from deconv_core.errors import DeconvError, NoRoomError
from deconv_core.images.folder import LARGEST_FILE
from deconv_core.images.passed_over import Skipped
from deconv_dashboard.data.datasets import Dataset
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.data.upload_limits import LARGEST_UNPACKED, UploadLimits, megabytes
from deconv_dashboard.folder_rules import folder_size
from deconv_dashboard.writing import not_written

_PIECE = 2**20
_PATIENCE = 60.0  # seconds
_FOLDER = re.compile(r"[0-9a-f]{8}")
DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError),
    *(RuntimeError, ValueError, IndexError),
)
"""Errors that Python's zipfile raises for damaged entries."""
_BAD_NAME = (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL)
"""Error numbers for a file name that the disk cannot store."""


_NO_ROOM = NoRoomError(
    "the uploads on this server would exceed their limit",
    "delete one under Datasets and scans",
    "ask whoever runs the server",
)


@dataclass(frozen=True)
class Upload:
    """A stored upload: its dataset, its number of images, and the skipped files."""

    dataset: Dataset
    images: int
    passed_over: tuple[Skipped, ...]


@dataclass
class Intake:
    """Writes the pictures of one upload into a folder, within the limits.

    Attributes:
        folder: the new folder of the upload.
        room: bytes that the upload may take.
        images: number of pictures written so far.
        bytes: bytes written so far.
        passed_over: the skipped files, with reasons.
    """

    folder: Path
    room: int
    images: int = 0
    bytes: int = 0
    passed_over: list[Skipped] = field(default_factory=list)

    def skip(self, name: str, reason: str) -> None:
        """Record a file that is not stored."""
        self.passed_over.append(Skipped(name, reason))

    def write(self, parts: Sequence[str], source: BinaryIO) -> None:
        """Store one picture, or record why it is skipped.

        Raises:
            OSError: the disk fails.
            DeconvError: the whole upload is too large.
        """
        name, target = "/".join(parts), self.folder.joinpath(*parts)
        try:
            if target.exists() or not self._can_hold(target.parent):
                self.skip(name, "another file has the same name; only the first one is stored")
                return
            target.parent.mkdir(parents=True, exist_ok=True)
            self._copy(source, target)
        except (_TooLargeError, *DAMAGED) as error:
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
        """False if a picture already has the name of this folder or of one above it."""
        above = [folder, *folder.parents]
        return not any(path.is_file() for path in above[: above.index(self.folder)])

    def _copy(self, source: BinaryIO, target: Path) -> None:
        size = 0
        with target.open("xb") as file:
            while piece := source.read(_PIECE):
                size += len(piece)
                self.bytes += len(piece)
                if self.bytes > LARGEST_UNPACKED:
                    raise DeconvError(
                        "unpacked, the upload is larger than "
                        f"{megabytes(LARGEST_UNPACKED)}; upload fewer pictures at "
                        "once, or scan them as a folder"
                    )
                if self.bytes > self.room:
                    raise _NO_ROOM
                if size > LARGEST_FILE:
                    raise _TooLargeError(f"larger than {megabytes(LARGEST_FILE)}")
                file.write(piece)


class _TooLargeError(Exception):
    """One file is too large; the others may be stored."""


def stored(
    registry: Registry, limits: UploadLimits, name: str, fill: Callable[[Intake], None]
) -> Upload:
    """Fill a new folder and register it as a dataset; after an error, delete the folder.

    Only one upload is stored at a time, so that two cannot use the same free space.

    Args:
        registry: the registry of the new dataset.
        limits: the limits of this server.
        name: name of the dataset for people.
        fill: writes the pictures.

    Raises:
        DeconvError: the upload cannot be stored, or has no pictures.
    """
    uploads = _folder(registry)
    try:
        uploads.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(uploads / ".lock", timeout=_PATIENCE):
            _delete_interrupted(registry)
            folder = uploads / uuid.uuid4().hex[:8]
            try:
                room = limits.total - folder_size(uploads), registry.jobs.room()
                intake = Intake(folder, min(left for left in room if left is not None))
                return _filled(registry, intake, name, fill)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
    except filelock.Timeout:
        raise DeconvError("another upload is being stored; try again in a minute") from None
    except OSError as error:
        raise not_written(error, "the upload could not be stored: ") from error


def delete_interrupted_uploads(registry: Registry) -> None:
    """Delete the folders of interrupted uploads, unless an upload is being stored now."""
    uploads = _folder(registry)
    with suppress(OSError):  # another upload holds the lock, or the folder is read-only
        if any(_FOLDER.fullmatch(path.name) for path in uploads.iterdir()):
            with filelock.FileLock(uploads / ".lock", blocking=False):
                _delete_interrupted(registry)


def _delete_interrupted(registry: Registry) -> None:
    """Delete folders that belong to no dataset; the caller must hold the lock.

    Only the name of a folder is compared with the datasets' paths, because the data folder may have
    moved. If one dataset cannot be read, nothing is deleted.
    """
    try:
        named = {part for root in registry.roots() for part in root.parts}
    except (OSError, ValueError, TypeError, KeyError):
        return
    for path in _folder(registry).iterdir():
        if _FOLDER.fullmatch(path.name) and path.name not in named:
            shutil.rmtree(path, ignore_errors=True)


def _folder(registry: Registry) -> Path:
    return registry.home / "uploads"


def _filled(
    registry: Registry, intake: Intake, name: str, fill: Callable[[Intake], None]
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
