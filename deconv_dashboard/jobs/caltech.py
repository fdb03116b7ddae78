"""The background job that downloads Caltech-256 with torchvision.

torchvision takes an existing folder for a complete download. So this job unpacks into a temporary
folder, and renames it when the download is complete.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deconv_core.errors import CancelledError, DeconvError
from deconv_core.network.download import why_not
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.queue.queue import NewJob
from deconv_dashboard.queue.state import JobState, Progress
from deconv_dashboard.queue.worker import Cancel, Tell

ARCHIVE_BYTES = 1_183_006_720
IMAGES = 30_607
CLASSES = 257
_UNPACKING_BYTES = 2_500_000_000
_KEY = "caltech256"
_ARCHIVE = "caltech256/256_ObjectCategories.tar"
_CLASSES = "caltech256/256_ObjectCategories"
_NUMBER = re.compile(r"\d{3}\.(.+)")
_LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Order:
    """What the job does: it fills this folder."""

    folder: Path


def caltech_folder(registry: Registry) -> Path:
    """The folder of the pictures: one subfolder for each class, named without its number."""
    return registry.home / "downloads" / "caltech256"


def start_download(registry: Registry) -> None:
    """Start the download; nothing happens if it is active or done.

    Raises:
        DeconvError: the queue or the data folder is full, or no process can be started.
    """
    folder = caltech_folder(registry)
    if not folder.is_dir():
        registry.jobs.start(NewJob(_KEY, _KEY, __name__, Order(folder), disk=_UNPACKING_BYTES))


def download_state(registry: Registry) -> JobState:
    """The state of the download; the same in every session."""
    if caltech_folder(registry).is_dir():
        return JobState("done", _KEY)
    return registry.jobs.find(_KEY)


def work(order: Order, tell: Tell, cancel: Cancel) -> None:
    """Download in a thread, and report progress from the size of the files.

    torchvision reports no progress and cannot be cancelled.
    """
    part, troubles = _part(order.folder), []

    def fetch_or_note() -> None:
        try:
            fetch(order.folder)
        except Exception as error:  # the job reports every error
            troubles.append(why_not(error))

    thread = threading.Thread(target=fetch_or_note, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_LOOK_SECONDS)
        if progress := _progress(part):
            tell(progress)
        if cancel.is_set():
            if not (part / _CLASSES).is_dir():  # torchvision cannot resume a partial file
                (part / _ARCHIVE).unlink(missing_ok=True)
            raise CancelledError("stopped")
    if troubles:
        raise DeconvError(f"the download of Caltech-256 failed: {troubles[0]}")


def _progress(part: Path) -> Progress | None:
    """The progress that the files show; None while folders are renamed."""
    with suppress(OSError):
        return Progress("Unpacking", len(os.listdir(part / _CLASSES)), CLASSES, "folder")
    with suppress(OSError):
        size = min((part / _ARCHIVE).stat().st_size, ARCHIVE_BYTES)
        return Progress("Downloading", size, ARCHIVE_BYTES, "byte")
    return None


def _part(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.part")


def fetch(folder: Path) -> None:
    """Download, check, unpack and rename; ``folder`` appears when everything is done."""
    from torchvision.datasets import Caltech256  # loads torch: not for pages

    part = _part(folder)
    part.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(part / _CLASSES, ignore_errors=True)  # torchvision takes any folder for complete
    Caltech256(str(part), download=True)
    drop_numbers(part / _CLASSES)
    os.replace(part / _CLASSES, folder)
    shutil.rmtree(part, ignore_errors=True)


def drop_numbers(classes: Path) -> None:
    """Rename class folders: ``056.dog`` becomes ``dog``, if that name is free."""
    for folder in sorted(classes.iterdir()):
        match = _NUMBER.fullmatch(folder.name)
        if match and folder.is_dir() and not (classes / match[1]).exists():
            folder.rename(classes / match[1])
