import os
import time
from pathlib import Path

import pytest

from deconv_core import ActivationIndex, ImageFolder
from deconv_dashboard.data.datasets import Dataset, NetworkChoice
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.jobs.scans import changes_since, scan_state, start_scan
from deconv_dashboard.queue.files import JobFiles
from deconv_dashboard.queue.state import JobState
from tests.core import drawings


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "home")


@pytest.fixture
def pair(
    registry: Registry, images: ImageFolder, weight_file: Path
) -> tuple[Dataset, NetworkChoice]:
    return registry.add_folder(images.root), registry.add_weights(weight_file)


def ended(registry: Registry, path: Path, seconds: float = 240) -> JobState:
    until = time.monotonic() + seconds
    while (state := scan_state(registry, path)).active:
        assert time.monotonic() < until, "the scan does not end"
        time.sleep(0.05)
    return state


@pytest.mark.cold
def test_a_scan_from_start_to_end(
    registry: Registry, pair: tuple[Dataset, NetworkChoice], images: ImageFolder
) -> None:
    path = registry.index_path(*pair)
    assert scan_state(registry, path).status == "none"
    start_scan(registry, *pair)
    assert scan_state(registry, path).active
    (job,) = registry.jobs.active()
    assert (job.dataset, job.network) == (pair[0].dataset_id, pair[1].network_id)
    state = ended(registry, path)
    done = state.progress.done, state.progress.total
    assert (state.status, *done) == ("done", len(images), len(images))
    assert registry.jobs.active() == []
    assert ActivationIndex.open(path).complete


def test_starting_twice_is_starting_once(
    registry: Registry, pair: tuple[Dataset, NetworkChoice]
) -> None:
    start_scan(registry, *pair)
    begun = scan_state(registry, registry.index_path(*pair)).job_id
    start_scan(registry, *pair)
    assert scan_state(registry, registry.index_path(*pair)).job_id == begun
    assert ended(registry, registry.index_path(*pair)).status == "done"


def test_cancelled_then_resumed(registry: Registry, tmp_path: Path, weight_file: Path) -> None:
    folder = drawings.save(
        tmp_path / "many", {f"{n}.png": drawings.noise(n, 16) for n in range(90)}
    )
    dataset, network = registry.add_folder(folder), registry.add_weights(weight_file)
    path = registry.index_path(dataset, network)
    start_scan(registry, dataset, network)
    while (state := scan_state(registry, path)).progress.done < 33:  # one block of 32 is finished
        assert state.active
        time.sleep(0.02)
    registry.jobs.cancel(state.job_id)
    state = ended(registry, path)
    assert state.status == "cancelled"
    assert 32 <= state.progress.done < 90
    start_scan(registry, dataset, network)
    assert ended(registry, path).status == "done"


def test_a_scan_that_was_killed_says_so_and_can_be_resumed(
    registry: Registry, pair: tuple[Dataset, NetworkChoice]
) -> None:
    path = registry.index_path(*pair)
    start_scan(registry, *pair)
    os.kill(JobFiles(registry.home).records()[0].pid, 9)
    state = ended(registry, path)
    assert state.status == "failed"
    assert "stopped too early" in state.message
    start_scan(registry, *pair)
    assert ended(registry, path).status == "done"


def test_an_error_of_the_scan_is_told(
    registry: Registry, pair: tuple[Dataset, NetworkChoice], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"no weights")
    network = registry.add_weights(broken)
    start_scan(registry, pair[0], network)
    state = ended(registry, registry.index_path(pair[0], network))
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
    assert ended(registry, path).status == "done"
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
    assert ended(registry, path).status == "done"
    assert ActivationIndex.open(path).labels == {"-x": 2, "cats, dogs": 2}


def test_changes_are_counted_by_name(index: ActivationIndex, images: ImageFolder) -> None:
    ids = [entry.image_id for entry in images]
    path = index._folder.path
    assert not changes_since(path, ids)
    changes = changes_since(path, [*ids[2:], "new.png"])
    assert (changes.added, changes.removed) == (1, 2)
