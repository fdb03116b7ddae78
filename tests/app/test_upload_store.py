"""Interrupted and failed uploads leave nothing, and do not harm other uploads."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from errno import ENOSPC, EROFS
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from deconv_core.errors import DeconvError
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.data.upload_limits import MEGABYTE, UploadLimits
from deconv_dashboard.data.uploads import delete_interrupted_uploads
from deconv_dashboard.folder_rules import folder_size
from deconv_dashboard.upload.unpacking import store_files, store_zip
from tests.app.conftest import APP
from tests.app.raw_zips import png, raw_zip

ROOT = Path(__file__).parents[2]
KILLED = """
import os, signal, sys
from pathlib import Path
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.upload.unpacking import store_zip
def die(done, total):
    if done == 2:
        os.kill(os.getpid(), signal.SIGKILL)
store_zip(Registry(Path(sys.argv[1])), open(sys.argv[2], "rb"), "a.zip", die)
"""


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "home")


def folders(registry: Registry) -> set[str]:
    uploads = registry.home / "uploads"
    return {path.name for path in uploads.iterdir() if path.is_dir()} if uploads.is_dir() else set()


def killed_while_unpacking(registry: Registry) -> None:
    """Another process that is killed after two of three pictures."""
    archive = registry.home.parent / "a.zip"
    contents = [png(), bytes(3 * MEGABYTE), png()]
    names = [b"dog/a.png", b"dog/b.png", b"dog/c.png"]
    archive.write_bytes(raw_zip(names, contents=contents).getvalue())
    command = [sys.executable, "-c", KILLED, str(registry.home), str(archive)]
    done = subprocess.run(command, cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(folders(registry)) == 1
    assert folder_size(registry.home / "uploads") > 3 * MEGABYTE
    assert not list((registry.home / "datasets").glob("*.json"))


def upload(registry: Registry, size: int = 10, **limits: int) -> Path:
    files = [("dog/a.png", io.BytesIO(bytes(size))), ("cat/b.png", io.BytesIO(b"x"))]
    return store_files(registry, files, "zoo", UploadLimits(**limits)).dataset.root


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_killed_upload_makes_room_for_the_next(registry: Registry) -> None:
    killed_while_unpacking(registry)
    root = upload(registry, 4 * MEGABYTE, total=5 * MEGABYTE)
    assert folders(registry) == {root.name}
    assert (root / "dog/a.png").stat().st_size == 4 * MEGABYTE


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_killed_upload_is_deleted_when_the_server_starts(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = upload(registry)
    killed_while_unpacking_beside(registry)
    monkeypatch.setenv("DECONV_HOME", str(registry.home))
    app = AppTest.from_file(str(APP), default_timeout=240).run()
    assert not app.exception
    assert folders(registry) == {kept.name}
    assert (kept / "cat/b.png").read_bytes() == b"x"


def killed_while_unpacking_beside(registry: Registry) -> None:
    left = registry.home / "uploads" / "0badc0de" / "dog"
    left.mkdir(parents=True)
    (left / "a.png").write_bytes(png())


def test_registered_uploads_and_strange_folders_stay(registry: Registry) -> None:
    first, second = upload(registry), upload(registry)
    registry.add_folder(second, name="dogs", kind="upload", labels=["dog"])
    (registry.home / "uploads" / "my own").mkdir()
    killed_while_unpacking_beside(registry)
    delete_interrupted_uploads(registry)
    assert folders(registry) == {first.name, second.name, "my own"}


def test_uploads_of_a_data_folder_that_was_moved_stay(registry: Registry) -> None:
    root = upload(registry)
    moved = Registry(registry.home.rename(registry.home.with_name("moved")))
    delete_interrupted_uploads(moved)
    assert folders(moved) == {root.name}


@pytest.mark.parametrize("damage", [b"", b"{", b'{"dataset_id": 1}', b"\xff"])
def test_while_a_dataset_cannot_be_read_nothing_is_deleted(
    registry: Registry, damage: bytes
) -> None:
    root = upload(registry)
    (entry,) = (registry.home / "datasets").glob("*.json")
    entry.write_bytes(damage)
    delete_interrupted_uploads(registry)
    second = upload(registry)
    assert folders(registry) == {root.name, second.name}


def test_an_upload_that_is_being_stored_is_left_alone(registry: Registry) -> None:
    midway, go_on = threading.Event(), threading.Event()
    done: list[Any] = []

    def wait(_done: int, _total: int) -> None:
        midway.set()
        assert go_on.wait(240)

    def store() -> None:
        archive = raw_zip([b"dog/a.png", b"cat/b.png"])
        done.append(store_zip(Registry(registry.home), archive, "a.zip", wait))

    storing = threading.Thread(target=store)
    storing.start()
    assert midway.wait(240)
    (before,) = folders(registry)
    delete_interrupted_uploads(registry)
    assert folders(registry) == {before}
    go_on.set()
    storing.join(240)
    assert done[0].images == 2
    assert done[0].dataset.root.name == before
    delete_interrupted_uploads(registry)
    assert folders(registry) == {before}


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_an_upload_of_another_process_is_left_alone(registry: Registry, tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    archive.write_bytes(raw_zip([b"dog/a.png", b"cat/b.png"]).getvalue())
    program = KILLED.replace("os.kill(os.getpid(), signal.SIGKILL)", "input()")
    command = [sys.executable, "-c", program, str(registry.home), str(archive)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE) as process:
        until = time.monotonic() + 240
        while not list((registry.home / "uploads").glob("*/cat/b.png")):
            assert time.monotonic() < until
            assert process.poll() is None
            time.sleep(0.05)
        (before,) = folders(registry)
        delete_interrupted_uploads(registry)
        assert folders(registry) == {before}
        process.communicate(b"\n", timeout=240)
    assert process.returncode == 0
    delete_interrupted_uploads(registry)
    assert folders(registry) == {before}
    assert registry.datasets()[1].root.name == before


class Failing:
    """A file that fails after its first byte."""

    def __init__(self, file: Any, code: int) -> None:
        self._file, self._code = file, code

    def __enter__(self) -> "Failing":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, content: bytes) -> int:
        self._file.write(content[:1])
        raise OSError(self._code, os.strerror(self._code))


def fails(monkeypatch: pytest.MonkeyPatch, code: int, name: str) -> None:
    """New files with this in their name fail."""
    really = Path.open

    def opened(self: Path, mode: str = "r", *rest: Any, **how: Any) -> Any:
        file = really(self, mode, *rest, **how)
        return Failing(file, code) if "x" in mode and name in self.name else file

    monkeypatch.setattr(Path, "open", opened)


@pytest.mark.parametrize("where", ["b.png", ".json"], ids=["a picture", "the dataset"])
def test_a_disk_that_is_full_in_the_middle(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    before = upload(registry)
    used = folder_size(registry.home / "uploads")
    with monkeypatch.context() as broken:
        fails(broken, ENOSPC, where)
        with pytest.raises(DeconvError, match="the disk is full; make room"):
            upload(registry)
    assert folders(registry) == {before.name}
    assert folder_size(registry.home / "uploads") == used
    assert len(registry.datasets()) == 2
    upload(registry)


def test_a_data_folder_that_cannot_be_written_to(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(EROFS, os.strerror(EROFS))

    monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(DeconvError, match="the data folder cannot be written to"):
        upload(registry)
    delete_interrupted_uploads(registry)


def test_the_limit_of_the_whole_data_folder_holds_for_uploads_too(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of it is taken by an export."""
    monkeypatch.setenv("DECONV_DATA_MB", "2")
    exports = registry.home / "exports"
    exports.mkdir(parents=True)
    (exports / "old.zip").write_bytes(bytes(MEGABYTE))
    upload(registry, MEGABYTE // 2)
    with pytest.raises(DeconvError, match="would exceed their limit"):
        upload(registry, MEGABYTE * 3 // 4)
    (exports / "old.zip").unlink()
    upload(registry, MEGABYTE * 3 // 4)
