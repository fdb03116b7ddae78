"""Caltech-256 through torchvision's dataset, downloaded by a child process.

torchvision unpacks into the folder whose presence it takes for success, so everything happens in
a folder of its own that gets its final name when it is whole. Run as a program, this module is
the child.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from dashboard.child_process import ChildProcess
from dashboard.child_side import say
from dashboard.registry import Registry

ARCHIVE_BYTES = 1_183_006_720
IMAGES = 30_607
_ARCHIVE = "caltech256/256_ObjectCategories.tar"
_CLASSES = "caltech256/256_ObjectCategories"
_NUMBER = re.compile(r"\d{3}\.(.+)")


@dataclass(frozen=True)
class DownloadState:
    """How far the download is.

    Attributes:
        status: "none", "running", "done", "cancelled" or "failed".
        done: bytes that arrived, while ``phase`` is "downloading"; else classes unpacked.
        total: of how many.
        phase: "downloading" or "unpacking".
        message: why it failed, or "".
    """

    status: str
    done: int = 0
    total: int = ARCHIVE_BYTES
    phase: str = "downloading"
    message: str = ""


def caltech_folder(registry: Registry) -> Path:
    """Where the pictures are once they are there: one folder a class, named without its number."""
    return registry.home / "downloads" / "caltech256"


def start_download(registry: Registry) -> None:
    """Start the download; nothing happens if it runs or is done."""
    if not caltech_folder(registry).is_dir():
        arguments = ["-m", "dashboard.caltech", str(caltech_folder(registry))]
        _child(registry).start(arguments, {})


def cancel_download(registry: Registry) -> None:
    """Kill the download and delete what arrived: torchvision cannot go on with half a file."""
    _child(registry).cancel(kill=True)
    archive = _part(caltech_folder(registry)) / _ARCHIVE
    archive.unlink(missing_ok=True)


def download_state(registry: Registry) -> DownloadState:
    """How far it is, from the growing file; the same answer in every session."""
    folder, child = caltech_folder(registry), _child(registry)
    if folder.is_dir():
        return DownloadState("done", ARCHIVE_BYTES)
    if child.running:
        return _progress(_part(folder))
    if not child.began:
        return DownloadState("none")
    if child.cancelled:
        return DownloadState("cancelled")
    event = child.last_event()
    message = str(event.get("message", "")) or child.last_words() or "it was ended from outside"
    return DownloadState("failed", message=message)


def _progress(part: Path) -> DownloadState:
    classes = part / _CLASSES
    if classes.is_dir():
        return DownloadState("running", len(os.listdir(classes)), 257, "unpacking")
    archive = part / _ARCHIVE
    size = archive.stat().st_size if archive.exists() else 0
    return DownloadState("running", min(size, ARCHIVE_BYTES))


def _child(registry: Registry) -> ChildProcess:
    return ChildProcess(registry.home / "downloads" / "caltech256_download")


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


def main(folder: str) -> int:
    """The child process."""
    try:
        fetch(Path(folder))
    except (OSError, RuntimeError, ValueError, EOFError) as error:
        words = str(getattr(error, "reason", "") or error)
        message = f"the download of Caltech-256 did not work: {words}"
        say("error", message=message)
        return 1
    say("end")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
