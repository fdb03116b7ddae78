"""Scans as child processes: started once, seen and cancelled from every session."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dashboard.child_process import ChildProcess
from dashboard.registry import Dataset, NetworkChoice, Registry
from deconv_core.errors import DeconvError
from deconv_core.index_files import IndexFolder


@dataclass(frozen=True)
class ScanState:
    """How far the scan into one index is.

    Attributes:
        status: "none", "running", "done", "cancelled" (can be resumed) or "failed".
        done: images finished; while weights are downloaded, bytes.
        total: of how many.
        found: images that were finished before this scan began.
        failed: images that could not be read.
        images_per_second: of this run.
        seconds_left: estimate, or None.
        message: why it failed, or "".
        phase: "starting", "downloading weights", "scanning" or "cancelling".
    """

    status: str
    done: int = 0
    total: int = 0
    found: int = 0
    failed: int = 0
    images_per_second: float = 0.0
    seconds_left: float | None = None
    message: str = ""
    phase: str = "scanning"

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0


@dataclass(frozen=True)
class RunningScan:
    """A scan that runs now, whoever started it."""

    dataset: Dataset
    network: NetworkChoice
    index_path: Path
    state: ScanState


def start_scan(
    registry: Registry, dataset: Dataset, network: NetworkChoice, *, update: bool = False
) -> None:
    """Start or resume the scan of a dataset by a network; nothing happens if it already runs.

    Args:
        registry: names the index.
        dataset: the images.
        network: the weights; VGG19's are downloaded first if they are not there.
        update: scan what was added or changed since the last scan.

    Raises:
        DeconvError: no process can be started.
    """
    index_path = registry.index_path(dataset, network)
    arguments = ["-m", "deconv_core", "scan", str(dataset.root), "--index", str(index_path)]
    arguments += ["--network", network.source, "--progress", "json", "--resize", dataset.resize]
    if network.preprocessing is not None:
        arguments += ["--preprocessing", network.preprocessing]
    if dataset.extensions is not None:
        arguments += ["--extensions", ",".join(dataset.extensions)]
    arguments += [f"--label={label}" for label in dataset.labels or ()]
    arguments += [f"--within={folder}" for folder in registry.within or ()]
    if update:
        arguments.append("--update")
    ChildProcess(index_path).start(arguments, {"DECONV_HOME": str(registry.home)})


def cancel_scan(index_path: Path) -> None:
    """Ask a running scan to stop after the batch it is at; finished blocks are kept."""
    ChildProcess(index_path).cancel()


def scan_state(index_path: Path) -> ScanState:
    """How far a scan is, from its files alone: the same answer in every session."""
    child = ChildProcess(index_path)
    event = child.last_event()
    kind = event.get("event")
    if child.running:
        state = _running(event)
        return replace(state, phase="cancelling") if child.cancelled else state
    left = _left_behind(index_path, child.began)
    if kind == "error":
        return replace(left, status="failed", message=str(event.get("message", "")))
    if not child.began or kind == "end" or child.cancelled or left.status != "cancelled":
        return left
    words = child.last_words() or "it was ended from outside"
    return replace(left, status="failed", message=f"the scan stopped before its end: {words}")


def running_scans(registry: Registry) -> list[RunningScan]:
    """Every scan that runs now, oldest first."""
    jobs = sorted((registry.home / "indexes").glob("*.job.json"))
    networks = {network.network_id: network for network in registry.networks()}
    datasets = {dataset.dataset_id: dataset for dataset in registry.datasets()}
    found = []
    for job in jobs:
        index_path = job.with_name(job.name.removesuffix(".job.json"))
        dataset_id, _, network_id = index_path.name.partition("-")
        child = ChildProcess(index_path)
        if dataset_id in datasets and network_id in networks and child.running:
            scan = RunningScan(
                datasets[dataset_id], networks[network_id], index_path, scan_state(index_path)
            )
            found.append((child.started, scan))
    return [scan for _, scan in sorted(found, key=lambda pair: pair[0])]


@dataclass(frozen=True)
class Changes:
    """How the images differ from those of an index, by their names alone."""

    added: int
    removed: int

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)


def changes_since(index_path: Path, image_ids: Iterable[str]) -> Changes:
    """What an update would add or remove; files whose content changed are found by the update.

    Raises:
        DeconvError: the index cannot be read.
    """
    plan = IndexFolder(index_path).read_plan()
    known, now = set(plan.loc[~plan["removed"], "image_id"]), set(image_ids)
    return Changes(len(now - known), len(known - now))


def _running(event: dict[str, Any]) -> ScanState:
    kind = event.get("event")
    if kind == "download":
        return ScanState("running", event["done"], event["total"], phase="downloading weights")
    if kind != "scan":
        return ScanState("running", phase="starting")
    return ScanState("running", **{name: value for name, value in event.items() if name != "event"})


def _left_behind(index_path: Path, began: bool) -> ScanState:
    """What the index itself says."""
    folder = IndexFolder(index_path)
    if not folder.exists():
        return ScanState("cancelled" if began else "none")
    try:
        manifest, plan = folder.read_manifest(), folder.read_plan()
    except DeconvError as error:
        return ScanState("failed", message=str(error))
    live = plan[~plan["removed"]]
    if manifest.complete:
        failed = int((live["error"] != "").sum())
        return ScanState("done", len(live), len(live), failed=failed)
    done = int(live["block"].isin(folder.done_blocks()).sum())
    return ScanState("cancelled", done, len(live), found=done)
