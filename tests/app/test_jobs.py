import os
import time
from pathlib import Path

import pytest

from dashboard.child_process import ChildProcess
from dashboard.jobs import (
    ScanState,
    cancel_scan,
    changes_since,
    running_scans,
    scan_state,
    start_scan,
)
from dashboard.registry import Dataset, NetworkChoice, Registry
from deconv_core import ActivationIndex, ImageFolder
from deconv_core.errors import DeconvError
from tests.core import drawings


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "home")


@pytest.fixture
def pair(
    registry: Registry, images: ImageFolder, weight_file: Path
) -> tuple[Dataset, NetworkChoice]:
    return registry.add_folder(images.root), registry.add_weights(weight_file)


def ended(path: Path, seconds: float = 90) -> ScanState:
    until = time.monotonic() + seconds
    while (state := scan_state(path)).status == "running":
        assert time.monotonic() < until, "the scan does not end"
        time.sleep(0.05)
    return state


def test_a_scan_from_start_to_end(
    registry: Registry, pair: tuple[Dataset, NetworkChoice], images: ImageFolder
) -> None:
    path = registry.index_path(*pair)
    assert scan_state(path).status == "none"
    start_scan(registry, *pair)
    assert scan_state(path).status == "running"
    assert [scan.index_path for scan in running_scans(registry)] == [path]
    state = ended(path)
    assert (state.status, state.done, state.total) == ("done", len(images), len(images))
    assert running_scans(registry) == []
    assert ActivationIndex.open(path).complete


def test_starting_twice_is_starting_once(
    registry: Registry, pair: tuple[Dataset, NetworkChoice]
) -> None:
    start_scan(registry, *pair)
    child = ChildProcess(registry.index_path(*pair))
    began = child.started
    start_scan(registry, *pair)
    assert child.started == began
    assert ended(registry.index_path(*pair)).status == "done"


def test_cancelled_then_resumed(registry: Registry, tmp_path: Path, weight_file: Path) -> None:
    folder = drawings.save(
        tmp_path / "many", {f"{n}.png": drawings.noise(n, 16) for n in range(90)}
    )
    dataset, network = registry.add_folder(folder), registry.add_weights(weight_file)
    path = registry.index_path(dataset, network)
    start_scan(registry, dataset, network)
    while scan_state(path).done < 33:  # one block of 32 is finished
        time.sleep(0.02)
    cancel_scan(path)
    state = ended(path)
    assert state.status == "cancelled"
    assert 32 <= state.done < 90
    start_scan(registry, dataset, network)
    assert ended(path).status == "done"


def test_a_scan_that_was_killed_says_so_and_can_be_resumed(
    registry: Registry, pair: tuple[Dataset, NetworkChoice]
) -> None:
    path = registry.index_path(*pair)
    start_scan(registry, *pair)
    child = ChildProcess(path)
    os.kill(int(child._job()["pid"]), 9)
    state = ended(path)
    assert state.status == "failed"
    assert "stopped before its end" in state.message
    start_scan(registry, *pair)
    assert ended(path).status == "done"


def test_an_error_of_the_scan_is_told(
    registry: Registry, pair: tuple[Dataset, NetworkChoice], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"no weights")
    network = registry.add_weights(broken)
    start_scan(registry, pair[0], network)
    state = ended(registry.index_path(pair[0], network))
    assert state.status == "failed"
    assert "broken.safetensors" in state.message


def test_labels_extensions_and_resizing_reach_the_scan(
    registry: Registry, images: ImageFolder, weight_file: Path
) -> None:
    dataset = registry.add_folder(
        images.root, extensions=["png"], labels=["", "people"], resize="crop"
    )
    network = registry.add_weights(weight_file, "caffe")
    start_scan(registry, dataset, network)
    path = registry.index_path(dataset, network)
    assert ended(path).status == "done"
    index = ActivationIndex.open(path)
    assert set(index.labels) == {"", "people"}
    assert (index.manifest.resize, index.manifest.preprocessing) == ("crop", "caffe")


def test_labels_with_commas_and_dashes(
    registry: Registry, weight_file: Path, tmp_path: Path
) -> None:
    names = [f"{label}/{n}.png" for label in ("cats, dogs", "-x", "other") for n in (1, 2)]
    folder = drawings.save(tmp_path / "zoo", {name: drawings.noise(1, 16) for name in names})
    dataset = registry.add_folder(folder, labels=["cats, dogs", "-x"])
    network = registry.add_weights(weight_file)
    start_scan(registry, dataset, network)
    path = registry.index_path(dataset, network)
    assert ended(path).status == "done"
    assert ActivationIndex.open(path).labels == {"-x": 2, "cats, dogs": 2}


def test_changes_are_counted_by_name(index: ActivationIndex, images: ImageFolder) -> None:
    ids = [entry.image_id for entry in images]
    path = index._folder.path
    assert not changes_since(path, ids)
    changes = changes_since(path, [*ids[2:], "new.png"])
    assert (changes.added, changes.removed) == (1, 2)


def test_a_process_id_that_now_belongs_to_another_program(tmp_path: Path) -> None:
    child = ChildProcess(tmp_path / "job")
    child._write_job({"pid": os.getpid(), "started": 1.0, "cancelled": False})
    (tmp_path / "job.alive").touch()
    assert child.began
    assert not child.running
    child.cancel(kill=True)  # must not end this very process


def test_half_a_line_of_progress_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "job.progress").write_text('{"event": "scan", "done": 3}\n{"event": "sc')
    assert ChildProcess(tmp_path / "job").last_event() == {"event": "scan", "done": 3}


@pytest.mark.parametrize("place", ["indexes", "job.json"])
def test_where_nothing_can_be_written_no_process_is_left_running(
    registry: Registry, pair: tuple[Dataset, NetworkChoice], place: str
) -> None:
    path = registry.index_path(*pair)
    if place == "indexes":
        path.parent.write_text("a file, not a folder")
    else:
        path.with_name(f"{path.name}.job.json").mkdir(parents=True)
    with pytest.raises(DeconvError, match="could not start a process in"):
        start_scan(registry, *pair)
    assert not ChildProcess(path).running
    assert not list(registry.home.rglob("*.part"))


def test_a_scan_is_cancelled_though_the_disk_is_full(
    registry: Registry, tmp_path: Path, weight_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = drawings.save(tmp_path / "many", {f"{n}.png": drawings.noise(n) for n in range(90)})
    dataset, network = registry.add_folder(folder), registry.add_weights(weight_file)
    path = registry.index_path(dataset, network)
    start_scan(registry, dataset, network)

    def full(child: ChildProcess, job: dict[str, object]) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(ChildProcess, "_write_job", full)
        cancel_scan(path)
    assert ended(path).status in ("cancelled", "failed")
    assert not ActivationIndex.open(path).complete if path.exists() else True
