"""Deleting data that a job uses or will use: a clear refusal, or a complete deletion."""

import errno
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import filelock
import pytest

from deconv_core.errors import DeconvError
from deconv_core.output.selection import Selection
from deconv_core.units import Unit
from deconv_dashboard.data import deletion
from deconv_dashboard.data.datasets import Dataset, NetworkChoice
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.jobs.exports import delete_export, start_export
from deconv_dashboard.jobs.scans import scan_state, start_scan
from tests.app.tiny_queue import Jobs, until
from tests.core import drawings

ROUNDS = int(os.environ.get("DECONV_RACES", "6"))
pytestmark = pytest.mark.skipif(os.name == "nt", reason="sends signals")


@pytest.fixture
def first(tmp_path: Path) -> Iterator[Jobs]:
    """A cheap running job, which makes all other jobs wait."""
    made = Jobs(tmp_path)
    made.start("first")
    made.begun("first")
    yield made
    for state in made.queue.active():
        made.queue.end(state.job_id)


@pytest.fixture
def registry(first: Jobs) -> Registry:
    return Registry(first.home)


@pytest.fixture
def pair(registry: Registry, tmp_path: Path, weight_file: Path) -> tuple[Dataset, NetworkChoice]:
    folder = drawings.save(tmp_path / "photos", {"a.png": drawings.noise(1, 8)})
    return registry.add_folder(folder), registry.add_weights(weight_file)


def indexes(registry: Registry, dataset: Dataset, *networks: str) -> list[Path]:
    """Folders that look like finished indexes."""
    made = []
    for network in networks:
        path = registry.home / "indexes" / f"{dataset.dataset_id}-{network}"
        path.mkdir(parents=True)
        for name in ("manifest.json", "scan.lock"):
            (path / name).write_text("{}")
        made.append(path)
    return made


def everything(home: Path) -> set[str]:
    """All files of the user in the data folder, without the files of the queue."""
    paths = (path.relative_to(home).as_posix() for path in home.rglob("*"))
    return {path for path in paths if not path.startswith("jobs")}


@pytest.mark.parametrize("kind", ["scan", "export"])
def test_what_a_waiting_job_needs_is_not_deleted(
    registry: Registry, pair: tuple[Dataset, NetworkChoice], kind: str
) -> None:
    dataset, network = pair
    (index,) = indexes(registry, dataset, network.network_id)
    if kind == "scan":
        start_scan(registry, *pair)
    else:
        start_export(registry, *pair, Selection((Unit("conv1_1", 0),)))
    before = everything(registry.home)
    acts: list[Callable[[], object]] = [
        lambda: registry.delete_dataset(dataset),
        lambda: registry.delete_index(index),
        lambda: registry.delete_network(network),
    ]
    for act in acts:
        with pytest.raises(DeconvError, match=f"{kind} that needs it waits for its turn; pause or"):
            act()
    assert everything(registry.home) == before
    (job,) = registry.jobs.using(dataset=dataset.dataset_id)
    registry.jobs.cancel(job.job_id)
    until(lambda: not registry.jobs.using(dataset=dataset.dataset_id))
    registry.delete_network(network)
    registry.delete_dataset(dataset)
    assert everything(registry.home) == {"datasets", "networks", "indexes"}
    assert [state.key for state in registry.jobs.states() if state.kind != "export"] == ["first"]


def test_a_dataset_whose_scan_has_written_nothing_yet_is_shown_with_it(
    registry: Registry, pair: tuple[Dataset, NetworkChoice]
) -> None:
    start_scan(registry, *pair)
    assert list(registry.index_paths(pair[0])) == [pair[1].network_id]
    assert scan_state(registry, registry.index_path(*pair)).status == "waiting"


def test_nothing_is_deleted_if_one_index_is_being_scanned(
    registry: Registry, pair: tuple[Dataset, NetworkChoice]
) -> None:
    """A scan from the command line, which is not a job."""
    paths = indexes(registry, pair[0], "demo", "random", "vgg19")
    before = everything(registry.home)
    for path in paths:
        with filelock.FileLock(path / "scan.lock"):
            with pytest.raises(DeconvError, match="a scan is writing to this index"):
                registry.delete_dataset(pair[0])
            assert everything(registry.home) == before
    registry.delete_dataset(pair[0])
    assert not registry.index_paths(pair[0])


@pytest.mark.parametrize("stops_at", [1, 2, 3])
def test_nothing_is_deleted_if_one_thing_cannot_be(
    registry: Registry,
    pair: tuple[Dataset, NetworkChoice],
    monkeypatch: pytest.MonkeyPatch,
    stops_at: int,
) -> None:
    indexes(registry, pair[0], "demo", "random")
    before, replace, moved = everything(registry.home), os.replace, []

    def refuse(old: Path, new: Path) -> None:
        moved.append(old)
        if len(moved) == stops_at:
            raise OSError(errno.EROFS, "Read-only file system")
        replace(old, new)

    monkeypatch.setattr(deletion.os, "replace", refuse)
    with pytest.raises(DeconvError, match=r"nothing was deleted: .*\(Read-only file system\)"):
        registry.delete_dataset(pair[0])
    assert everything(registry.home) == before


def test_what_a_killed_server_left_half_deleted_goes_with_the_next(
    registry: Registry, pair: tuple[Dataset, NetworkChoice]
) -> None:
    (index,) = indexes(registry, pair[0], "demo")
    deletion.move_away([index])  # and then the server was killed
    assert not registry.index_paths(pair[0])
    indexes(registry, pair[0], "demo")
    registry.delete_index(index)
    assert not list((registry.home / "indexes").iterdir())


def test_pictures_that_another_dataset_has_a_part_of_stay(registry: Registry) -> None:
    """Also one below: a folder of an upload that was opened by itself."""
    uploaded = registry.home / "uploads" / "0a1b2c3d"
    drawings.save(uploaded / "dog", {"a.png": drawings.noise(1, 8)})
    whole = registry.add_folder(uploaded, kind="upload")
    dogs = registry.add_folder(uploaded / "dog")
    registry.delete_dataset(whole)
    assert (uploaded / "dog" / "a.png").is_file()
    assert dogs in registry.datasets()


def test_a_scan_of_what_was_deleted_does_not_start(
    registry: Registry, pair: tuple[Dataset, NetworkChoice]
) -> None:
    registry.delete_dataset(pair[0])
    with pytest.raises(DeconvError, match="no dataset has the id"):
        start_scan(registry, *pair)
    other = registry.add_folder(pair[0].root)
    registry.delete_network(pair[1])
    with pytest.raises(DeconvError, match="no network has the id"):
        start_export(registry, other, pair[1], Selection((Unit("conv1_1", 0),)))


@pytest.mark.parametrize("what", ["dataset", "network", "index"])
def test_deleting_while_a_scan_starts(
    first: Jobs, registry: Registry, pair: tuple[Dataset, NetworkChoice], what: str
) -> None:
    """Either the job starts and the deletion is refused, or it does not start."""
    outcomes = set()
    for _ in range(ROUNDS):
        dataset, network = registry.add_folder(pair[0].root), registry.add_weights(pair[1].source)
        index = registry.index_path(dataset, network)
        if what == "index":
            indexes(registry, dataset, network.network_id)
        deletes = {
            "dataset": lambda d=dataset: registry.delete_dataset(d),
            "network": lambda n=network: registry.delete_network(n),
            "index": lambda path=index: registry.delete_index(path),
        }[what]
        together = threading.Barrier(2)
        with ThreadPoolExecutor(2) as pool:
            acts = (lambda d=dataset, n=network: start_scan(registry, d, n), deletes)
            done = [pool.submit(_refused, together, act) for act in acts]
            refused = tuple(future.result() for future in done)
        outcomes.add(refused)
        jobs = registry.jobs.using(dataset=dataset.dataset_id)
        assert len(jobs) == (not refused[0])
        there = dataset in registry.datasets() and network in registry.networks()
        assert there or not jobs
        if what == "index":
            assert index.exists() == refused[1]
        for job in jobs:
            registry.jobs.end(job.job_id)
        registry.delete_dataset(dataset)
    allowed = {(False, True), (True, False)} | ({(False, False)} if what == "index" else set())
    assert outcomes <= allowed


def _refused(together: threading.Barrier, act: Callable[[], object]) -> bool:
    together.wait()
    try:
        act()
    except DeconvError:
        return True
    return False


def test_an_export_that_is_being_built_is_not_deleted(
    registry: Registry, pair: tuple[Dataset, NetworkChoice]
) -> None:
    export_id = start_export(registry, *pair, Selection((Unit("conv1_1", 0),)))
    delete_export(registry, export_id)
    assert [state.kind for state in registry.jobs.active()] == ["scan", "export"]
