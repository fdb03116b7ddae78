"""The download of Caltech-256, with a substitute for torchvision."""

import threading
from pathlib import Path

import pytest

from deconv_core.errors import CancelledError, DeconvError
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.jobs import caltech
from deconv_dashboard.jobs.caltech import (
    Order,
    caltech_folder,
    download_state,
    drop_numbers,
    fetch,
    work,
)
from deconv_dashboard.queue.state import Progress
from deconv_dashboard.queue.worker import Cancel
from tests.core import drawings


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "home")


class FakeCaltech:
    """Unpacks two classes and, as torchvision does, takes a folder that is there for success."""

    def __init__(self, root: str, download: bool) -> None:
        classes = Path(root) / "caltech256" / "256_ObjectCategories"
        if classes.exists():
            return
        for name in ("056.dog", "257.clutter"):
            drawings.save(classes / name, {"a.png": drawings.flat(1, 2, 3)})


def test_classes_lose_their_numbers(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torchvision.datasets.Caltech256", FakeCaltech)
    fetch(caltech_folder(registry))
    assert sorted(path.name for path in caltech_folder(registry).iterdir()) == ["clutter", "dog"]
    assert download_state(registry).status == "done"
    assert not caltech_folder(registry).with_name("caltech256.part").exists()


def test_a_name_that_is_taken_keeps_its_number(tmp_path: Path) -> None:
    for name in ("001.cat", "002.cat", "plain"):
        (tmp_path / name).mkdir()
    drop_numbers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["002.cat", "cat", "plain"]


def test_what_was_half_unpacked_is_unpacked_again(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torchvision.datasets.Caltech256", FakeCaltech)
    half = caltech_folder(registry).with_name("caltech256.part") / caltech._CLASSES / "001.ak47"
    half.mkdir(parents=True)
    fetch(caltech_folder(registry))
    assert not (caltech_folder(registry) / "ak47").exists()


def refuse(root: str, download: bool) -> None:
    raise OSError("no route to host")


def test_no_connection_is_said_in_words(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torchvision.datasets.Caltech256", refuse)
    with pytest.raises(DeconvError, match="of Caltech-256 failed: no route to host"):
        work(Order(caltech_folder(registry)), lambda progress: None, Cancel())
    assert not caltech_folder(registry).exists()


class SlowCaltech:
    """Writes a part of the archive, then some classes, each when it is asked to."""

    unpack = threading.Event()
    end = threading.Event()

    def __init__(self, root: str, download: bool) -> None:
        archive = Path(root) / caltech._ARCHIVE
        archive.parent.mkdir(parents=True)
        archive.write_bytes(bytes(1000))
        self.unpack.wait()
        (Path(root) / caltech._CLASSES / "001.ak47").mkdir(parents=True)
        self.end.wait()


@pytest.mark.parametrize("unpacking", [False, True])
def test_progress_from_the_growing_files_and_a_cancel(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, unpacking: bool
) -> None:
    monkeypatch.setattr("torchvision.datasets.Caltech256", SlowCaltech)
    monkeypatch.setattr(SlowCaltech, "unpack", threading.Event())
    monkeypatch.setattr(SlowCaltech, "end", threading.Event())
    monkeypatch.setattr(caltech, "_LOOK_SECONDS", 0.01)
    cancel, seen = Cancel(), []

    def tell(progress: Progress) -> None:
        seen.append(progress)
        if progress.step == "Downloading" and progress.done and unpacking:
            SlowCaltech.unpack.set()
        elif progress.done:
            cancel.set()

    with pytest.raises(CancelledError):
        work(Order(caltech_folder(registry)), tell, cancel)
    assert Progress("Downloading", 1000, caltech.ARCHIVE_BYTES, "byte") in seen
    assert (Progress("Unpacking", 1, 257, "folder") in seen) == unpacking
    archive = caltech_folder(registry).with_name("caltech256.part") / caltech._ARCHIVE
    assert archive.exists() == unpacking  # half a file is of no use, a whole one is
    SlowCaltech.unpack.set()  # only now: the thread then clears its folder away
    SlowCaltech.end.set()
