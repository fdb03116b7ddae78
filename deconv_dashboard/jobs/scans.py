"""The background job that scans: start, state, and the new index of a scan anew."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import deconv_core
from deconv_core.errors import CancelledError, DeconvError
from deconv_core.file_state import FileState
from deconv_core.index.folder import IndexFolder
from deconv_core.index.new_index import finish_replacement, new_index, replace_index
from deconv_core.progress import ScanProgress
from deconv_core.storage import Location
from deconv_dashboard.data.datasets import Dataset, NetworkChoice
from deconv_dashboard.data.deletion import delete_left_over, delete_moved, move_away
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.queue.page_work import PageWork
from deconv_dashboard.queue.queue import JobQueue, NewJob
from deconv_dashboard.queue.state import JobState, Progress
from deconv_dashboard.queue.worker import Cancel, Tell

BYTES_PER_IMAGE = 34_000
"""Size of an index per image for full-width VGG19, the largest case; see docs/serving.md."""


NOTHING_CHANGED = "Nothing changed"
"""The last step of an update that finds no image added, removed or changed."""


@dataclass(frozen=True)
class Order:
    """What the job does: it scans a dataset with a network into an index."""

    dataset: Dataset
    network: NetworkChoice
    index: Path
    home: Path
    within: tuple[Path, ...] | None
    update: bool
    anew: bool = False


def start_scan(
    registry: Registry,
    dataset: Dataset,
    network: NetworkChoice,
    *,
    update: bool = False,
    images: int = 0,
    anew: bool = False,
) -> str:
    """Start or resume the scan of a dataset by a network; nothing happens if it already runs.

    Args:
        registry: the data folder.
        dataset: the images.
        network: the network; missing weights of VGG19 are downloaded first.
        update: True scans images that were added or changed since the last scan.
        anew: True scans into a new index, which replaces the old one when it is complete. An
            unfinished new index is always resumed.
        images: number of images, to estimate the size of the index; 0 if unknown.

    Returns:
        The id of the job.

    Raises:
        DeconvError: the dataset or the network was deleted, the queue or the data folder is full,
            or no process can be started.
    """
    path = registry.index_path(dataset, network)

    def still_there() -> None:
        registry.dataset(dataset.dataset_id)
        registry.network(network.network_id)

    anew = anew or new_index(path).exists()
    order = Order(dataset, network, path, registry.home, registry.within, update, anew)
    return registry.jobs.start(
        NewJob(
            *("scan", scan_key(path), __name__, order),
            dataset=dataset.dataset_id,
            network=network.network_id,
            disk=images * BYTES_PER_IMAGE,
        ),
        still_there,
    )


def work(order: Order, tell: Tell, cancel: Cancel) -> None:
    """Scan."""
    dataset, network = order.dataset, order.network
    tell(Progress("Listing the images"))
    images = dataset.images(order.within)

    pages = PageWork(order.home)

    def downloaded(done: int, total: int) -> None:
        tell(Progress("Downloading weights", done, total, "byte"))

    def scanned(now: ScanProgress) -> None:
        counts = now.done, now.total, "image", now.found, now.failed
        tell(Progress("", *counts, now.images_per_second, now.seconds_left))
        pages.rest(cancel)

    tell(Progress("Loading the network"))
    loaded = deconv_core.load_network(
        *(network.source, network.preprocessing),
        home=order.home,
        progress=downloaded,
        cancel=cancel,
    )
    before = _summary(order.index)
    index = deconv_core.scan(
        loaded,
        images,
        new_index(order.index) if order.anew else order.index,
        progress=scanned,
        cancel=cancel,
        update=order.update or order.anew,
    )
    if not index.complete:
        raise CancelledError("paused; finished images are kept")
    if order.update and not order.anew and index.manifest.summary == before:
        tell(Progress(NOTHING_CHANGED))
    if order.anew:
        with JobQueue(order.home).locked():
            replace_index(order.index)


def _summary(index_path: Path) -> str:
    """The version of an index's summary, which names its images and their content; or ""."""
    with suppress(DeconvError):
        return IndexFolder(index_path).read_manifest().summary
    return ""


def finish_new_index(registry: Registry, index_path: Path) -> None:
    """Replace the old index by a complete new one, if its scan was killed before it did so."""

    def at_work() -> bool:
        return registry.jobs.find(scan_key(index_path)).active

    if new_index(index_path).is_dir() and not at_work():
        with suppress(DeconvError, OSError), registry.jobs.locked():
            if not at_work():
                finish_replacement(index_path)


def finish_what_was_killed(registry: Registry) -> None:
    """Finish the work of killed servers: replace indexes by complete new ones; finish deletions."""
    folder = registry.home / "indexes"
    for path in folder.glob("*.anew"):
        finish_new_index(registry, path.with_suffix(""))
    with suppress(DeconvError, OSError):
        shelves = [folder, *(registry.home / name for name in ("datasets", "uploads", "downloads"))]
        if any(path for shelf in shelves for path in shelf.glob(".*.deleted")):
            with registry.jobs.locked():
                delete_left_over(shelves)


def drop_new_scan(registry: Registry, index_path: Path) -> None:
    """Delete the unfinished new index; the old one stays.

    Raises:
        DeconvError: a scan is writing to it.
    """
    dataset_id, _, network_id = index_path.name.partition("-")
    with registry.jobs.unused(dataset=dataset_id, network=network_id):
        moved = move_away([new_index(index_path)])
        registry.jobs.forget(key=scan_key(index_path))
    delete_moved(moved)


def scan_state(registry: Registry, index_path: Path) -> JobState:
    """The state of the scan into an index, read from files; the same in every session."""
    job = registry.jobs.find(scan_key(index_path))
    if job.active:
        return job
    begun_anew = new_index(index_path).exists()
    left = _left_behind(new_index(index_path) if begun_anew else index_path)
    if begun_anew:  # it may be complete and still not in its place
        status = "cancelled" if left.status == "done" else left.status
        left, job = replace(left, status=status, anew=True), replace(job, anew=True)
    if job.status == "failed":
        return replace(job, progress=left.progress)
    begun = job.status == "cancelled" and left.status == "none"
    return replace(left, status="cancelled") if begun else left


def scan_key(index_path: Path) -> str:
    """The key of the job that scans into an index."""
    return f"scan {index_path.name}"


@dataclass(frozen=True)
class Changes:
    """How a folder differs from its index; only the names of images are compared."""

    added: int
    removed: int

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)


def changes_since(index_path: Path, image_ids: Iterable[str]) -> Changes:
    """The images that an update would add or remove. Only an update finds changed files.

    Raises:
        DeconvError: the index cannot be read.
    """
    plan = IndexFolder(index_path).read_plan()
    known, now = set(plan.loc[~plan["removed"], "image_id"]), set(image_ids)
    return Changes(len(now - known), len(known - now))


def _left_behind(index_path: Path) -> JobState:
    """The state that the index itself shows, without any job."""
    folder = IndexFolder(index_path)
    if not folder.exists():
        return JobState()
    names = ("manifest.json", "images.parquet", "blocks")
    return _said_by(index_path, *(_state(index_path / name) for name in names))


def _state(path: Location) -> FileState | None:
    try:
        return FileState.of(path)
    except OSError:
        return None


@lru_cache(maxsize=64)
def _said_by(index_path: Path, *states: FileState | None) -> JobState:
    """``_left_behind``, cached by the states of the files: every open page asks every second."""
    del states
    folder = IndexFolder(index_path)
    try:
        manifest, plan = folder.read_manifest(), folder.read_plan()
    except DeconvError as error:
        name = type(error).__name__
        return JobState("failed", message=error.what, error=name, remedies=error.remedies)
    live = plan[~plan["removed"]]
    if manifest.complete:
        failed, done = int((live["error"] != "").sum()), len(live)
        state = JobState("done", progress=Progress("", done, done, "image", failed=failed))
    else:
        done = int(live["block"].isin(folder.done_blocks()).sum())
        state = JobState("cancelled", progress=Progress("", done, len(live), "image", found=done))
    return replace(state, passed_over=manifest.passed_over)
