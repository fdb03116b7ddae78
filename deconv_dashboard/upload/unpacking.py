"""Stores uploads in folders: single pictures, or one zip, checked before and during unpacking.

The claims of an archive are not trusted. Names are rebuilt from checked parts. Links and encrypted
entries are skipped. Sizes are counted while bytes are written. Only files with the ending of a
picture are written. A file that cannot be stored is reported, and the others are stored. A dataset
appears only when its upload is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from deconv_core.errors import DeconvError
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.data.upload_limits import UploadLimits
from deconv_dashboard.data.uploads import DAMAGED, Intake, Upload, stored
from deconv_dashboard.upload import archive_checks as checks
from deconv_dashboard.upload.names import choose_pictures
from deconv_dashboard.upload.zip_directory import ZipEntries, open_zip
from deconv_dashboard.upload.zip_names import ZipNames, read_names


def look_into_zip(
    archive: BinaryIO,
    name: str,
    limits: UploadLimits | None = None,
    encoding: str | None = None,
) -> ZipNames:
    """The names in a zip, before it is stored; see ``store_zip``."""
    with _opened(archive, name, limits or UploadLimits()) as opened:
        return read_names(opened.infos, encoding)


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
        registry: the registry of the new dataset.
        archive: a seekable file.
        name: name of the archive for people.
        progress: called with (files done, files in all).
        limits: the limits of this server.
        encoding: code page of names that do not say theirs, a key of ``CODE_PAGES``; None guesses.

    Raises:
        DeconvError: it is not a zip, names lead out of it, it is too large, or it has no pictures.
    """
    limits = limits or UploadLimits()

    def unpack(intake: Intake) -> None:
        names = read_names(opened.infos, encoding).names
        for entry in opened.faulty:
            intake.skip(entry.name, entry.reason)
        wanted = checks.wanted_entries(opened.infos, names, intake.skip)
        for place, (info, parts) in enumerate(wanted, 1):
            try:
                with opened.archive.open(info) as source:
                    intake.write(parts, source)  # type: ignore[arg-type]
            except DAMAGED as error:
                intake.skip("/".join(parts), f"damaged: {error}")
            if progress is not None:
                progress(place, len(wanted))

    with _opened(archive, name, limits) as opened:
        stem = name[:-4] if name.lower().endswith(".zip") else name
        return stored(registry, limits, stem, unpack)


@contextmanager
def _opened(archive: BinaryIO, name: str, limits: UploadLimits) -> Iterator[ZipEntries]:
    checks.check_size(archive.seek(0, 2), limits.upload)
    checks.check_directory(archive)
    try:
        opened = open_zip(archive)
    except (*DAMAGED, OSError) as error:
        raise DeconvError(f"{name} is not a whole zip archive ({error}); make it again") from error
    with opened.archive:
        yield opened


def store_files(
    registry: Registry,
    files: Sequence[tuple[str, BinaryIO]],
    name: str,
    limits: UploadLimits | None = None,
) -> Upload:
    """Store pictures that were uploaded as single files or as a folder, and register them.

    Args:
        registry: the registry of the new dataset.
        files: pairs (name, content); folders in a name become labels.
        name: name of the dataset for people.
        limits: the limits of this server.

    Raises:
        DeconvError: the files are too many or too large, a name leads out, or there are no
            pictures.
    """
    limits = limits or UploadLimits()
    checks.check_count(len(files))
    checks.check_size(sum(content.seek(0, 2) for _, content in files), limits.upload)

    def copy(intake: Intake) -> None:
        for content, parts in choose_pictures(files, intake.skip):
            content.seek(0)
            intake.write(parts, content)

    return stored(registry, limits, name, copy)
