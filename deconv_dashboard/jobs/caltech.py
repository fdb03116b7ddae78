"""Caltech-256 through torchvision's dataset, downloaded in the background.

torchvision unpacks into the folder whose presence it takes for success, so everything happens in
a folder of its own that gets its final name when it is whole.
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
    """Where the pictures go."""

    folder: Path


def caltech_folder(registry: Registry) -> Path:
    """Where the pictures are once they are there: one folder a class, named without its number."""
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
    """How far it is; the same answer in every session."""
    if caltech_folder(registry).is_dir():
        return JobState("done", _KEY)
    return registry.jobs.find(_KEY)


def work(order: Order, tell: Tell, cancel: Cancel) -> None:
    """Download, and look at the growing files meanwhile: torchvision says nothing, nor listens."""
    part, troubles = _part(order.folder), []

    def fetch_or_note() -> None:
        try:
            fetch(order.folder)
        except Exception as error:  # whatever it is, it is told where somebody looks
            troubles.append(str(getattr(error, "reason", "") or error or type(error).__name__))

    thread = threading.Thread(target=fetch_or_note, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_LOOK_SECONDS)
        if progress := _progress(part):
            tell(progress)
        if cancel.is_set():
            if not (part / _CLASSES).is_dir():  # torchvision cannot go on with half a file
                (part / _ARCHIVE).unlink(missing_ok=True)
            raise CancelledError("stopped")
    if troubles:
        raise DeconvError(f"the download of Caltech-256 did not work: {troubles[0]}")


def _progress(part: Path) -> Progress | None:
    """How far the files show it to be; None while they get their names."""
    with suppress(OSError):
        return Progress("Unpacking", len(os.listdir(part / _CLASSES)), CLASSES, "folder")
    with suppress(OSError):
        size = min((part / _ARCHIVE).stat().st_size, ARCHIVE_BYTES)
        return Progress("Downloading", size, ARCHIVE_BYTES, "byte")
    return None


def _part(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.part")


def fetch(folder: Path) -> None:
    """Download, check, unpack, name; ``folder`` appears when all of it is done."""
    from torchvision.datasets import Caltech256

    part = _part(folder)
    part.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(part / _CLASSES, ignore_errors=True)  # half unpacked would count as done
    Caltech256(str(part), download=True)
    drop_numbers(part / _CLASSES)
    os.replace(part / _CLASSES, folder)
    shutil.rmtree(part, ignore_errors=True)


def drop_numbers(classes: Path) -> None:
    """Rename class folders: ``056.dog`` becomes ``dog``, where that name is free."""
    for folder in sorted(classes.iterdir()):
        match = _NUMBER.fullmatch(folder.name)
        if match and folder.is_dir() and not (classes / match[1]).exists():
            folder.rename(classes / match[1])
