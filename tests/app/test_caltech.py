"""The download of Caltech-256, with torchvision's part played by the test."""

import json
import sys
import time
from pathlib import Path

import pytest
from torchvision import datasets

from dashboard import caltech
from dashboard.caltech import (
    caltech_folder,
    cancel_download,
    download_state,
    drop_numbers,
    fetch,
    main,
)
from dashboard.child_process import ChildProcess
from dashboard.registry import Registry
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
    monkeypatch.setattr(datasets, "Caltech256", FakeCaltech)
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
    monkeypatch.setattr(datasets, "Caltech256", FakeCaltech)
    half = caltech_folder(registry).with_name("caltech256.part") / caltech._CLASSES / "001.ak47"
    half.mkdir(parents=True)
    fetch(caltech_folder(registry))
    assert not (caltech_folder(registry) / "ak47").exists()


def test_no_connection_is_said_in_words(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(root: str, download: bool) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(datasets, "Caltech256", refuse)
    assert main(str(caltech_folder(registry))) == 1
    event = json.loads(capsys.readouterr().out)
    assert event["event"] == "error"
    assert "no route to host" in event["message"]
    assert not caltech_folder(registry).exists()


def test_progress_from_the_growing_file_and_a_cancel_that_kills(registry: Registry) -> None:
    child = caltech._child(registry)
    child.start(["-c", "import time; time.sleep(60)"], {})
    archive = caltech_folder(registry).with_name("caltech256.part") / caltech._ARCHIVE
    archive.parent.mkdir(parents=True)
    archive.write_bytes(bytes(1000))
    state = download_state(registry)
    assert (state.status, state.done, state.phase) == ("running", 1000, "downloading")
    (archive.parent / "256_ObjectCategories" / "001.ak47").mkdir(parents=True)
    assert download_state(registry).phase == "unpacking"
    cancel_download(registry)
    wait_for(child)
    assert download_state(registry).status == "cancelled"
    assert not archive.exists()


def wait_for(child: ChildProcess) -> None:
    until = time.monotonic() + 20
    while child.running:
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_ended_from_outside(registry: Registry) -> None:
    child = caltech._child(registry)
    child.start(["-c", "import os; os.kill(os.getpid(), 9)"], {})
    wait_for(child)
    state = download_state(registry)
    assert (state.status, state.message) == ("failed", "it was ended from outside")
