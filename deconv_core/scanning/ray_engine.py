"""A scan on a Ray cluster: ``scan(network, images, path, engine=RayEngine(address="auto"))``.

Each worker, a Ray actor, receives the network once, then scans blocks and writes their files. This
process plans the scan before, and writes list of images, summary and manifest after. Ray places
workers, restarts them on other machines and repeats their calls. If no machine has room for a
restart, Ray waits; then an idle worker scans the overdue block too. Both make the same block.

Ray is optional (requirements-ray.txt) and is only imported when a ``RayEngine`` is used.
"""

from __future__ import annotations

import itertools
import platform
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from deconv_core.arguments import whole_number
from deconv_core.errors import ANEW, DeconvError, IndexMismatchError, StorageError
from deconv_core.images.folder import ImageFolder
from deconv_core.index.manifest import ComputePath
from deconv_core.network.network import Network, fingerprint_of
from deconv_core.scanning.compute import ScanNetwork, choose_compute, torch_version
from deconv_core.scanning.engine import (
    BlockDone,
    BlockWork,
    ScanTask,
    ScanWork,
    check_same_bits,
    hash_of_results,
    make_block,
)

MAX_RESTARTS = 5
"""How often a worker that died is started again."""
MAX_FAILURES = 5
"""A scan ends after this many failures of the store in a row, times the number of workers."""
_SAMPLE_SIZE = 16  # images sent to the worker that chooses the compute path
_CANCEL_INTERVAL = 0.5  # seconds between two looks at ``cancel``
_OVERDUE_FACTOR = 2.0  # a block is overdue after this many times the seconds of the slowest block
_MIN_OVERDUE = 10.0  # seconds; no block is overdue before


@dataclass(frozen=True, slots=True)
class RayEngine:
    """Scans blocks on a Ray cluster.

    Every node needs the same version of this package and of torch, and the same names for images
    and index: in a shared folder, or in an object store that every node has the keys for.

    Attributes:
        address: "auto" for the cluster that this computer belongs to, or HOST:PORT. None takes
            ``$RAY_ADDRESS``, a cluster on this computer, or starts one on this computer.
        workers: number of workers; None takes as many as the cluster has room for.
        cpus: CPUs of one worker; it computes with as many threads.
        gpus: GPUs of one worker, 0 or 1; with 1 it computes on "cuda".
    """

    address: str | None = None
    workers: int | None = None
    cpus: int = 1
    gpus: int = 0

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            DeconvError: a number is not allowed.
        """
        if self.workers is not None:
            whole_number("workers", self.workers, 1)
        whole_number("cpus", self.cpus, 1)
        whole_number("gpus", self.gpus, 0, 1)

    @property
    def device(self) -> str:
        """The device of the workers: "cpu" or "cuda"."""
        return "cuda" if self.gpus else "cpu"

    def compute_path(self, network: Network, images: ImageFolder, precision: str) -> ComputePath:
        """Choose the compute path of a new index, with a worker's hash of its results.

        Precision "auto" is float32: in bfloat16 the results differ between kinds of computers.

        Raises:
            DeconvError: there is no cluster, or the device cannot be used.
        """
        ray = self._connect()
        self._worker_count(ray)  # raises if there is no room for a worker
        few = images.only(range(0, len(images), max(1, len(images) // _SAMPLE_SIZE)))
        ask = ray.remote(_choose).options(num_cpus=self.cpus, num_gpus=self.gpus)
        exact = "float32" if precision == "auto" else precision
        try:
            chosen: ComputePath = ray.get(ask.remote(network, few, exact, self.device))
        except ray.exceptions.RayTaskError as error:
            raise _cause(error) from error
        return chosen

    def make_blocks(self, work: ScanWork) -> bool:
        """Scan and write all blocks; False if the scan was cancelled.

        Raises:
            IndexMismatchError: the index was begun on another device.
            DeconvError: a worker differs from the computer that began the index, died more than
                ``MAX_RESTARTS`` times, or the store failed ``MAX_FAILURES`` times per worker.
        """
        blocks = iter(work.blocks)
        first = next(blocks, None)
        if first is None:
            return True
        if (begun := work.task.manifest.compute.device) != self.device:
            raise IndexMismatchError(
                f"this index was begun on device {begun!r}, these workers compute on "
                f"{self.device!r}",
                f"give them {'a' if begun == 'cuda' else 'no'} GPU",
                ANEW,
            )
        ray = self._connect()
        network = ray.put(work.network)
        task = work.task._replace(images=work.task.images.only(()))
        worker, compute = self._worker(ray), _compute_with_hash(work)
        actors = [worker.remote(compute, task) for _ in range(self._worker_count(ray))]
        try:
            return _distribute(actors, network, itertools.chain([first], blocks), work)
        except ray.exceptions.RayTaskError as error:
            raise _cause(error) from error
        except ray.exceptions.RayError as error:
            raise DeconvError(
                f"a worker died {MAX_RESTARTS + 1} times: {error}. Finished blocks are kept; scan "
                "again"
            ) from error
        finally:
            for actor in actors:
                ray.kill(actor)
            work.task.folder.clean()

    def _worker(self, ray: Any) -> Any:
        return ray.remote(ScanWorker).options(
            num_cpus=self.cpus,
            num_gpus=self.gpus,
            max_restarts=MAX_RESTARTS,
            max_task_retries=-1,  # repeat a call whenever its actor was restarted
            scheduling_strategy="SPREAD",
        )

    def _worker_count(self, ray: Any) -> int:
        """How many workers to start.

        Raises:
            DeconvError: the cluster has no room for one.
        """
        if self.workers is not None:
            return self.workers
        resources = ray.cluster_resources()
        cpus, gpus = resources.get("CPU", 0), resources.get("GPU", 0)
        count = int(cpus // self.cpus)
        if self.gpus:
            count = min(count, int(gpus))
        if count < 1:
            raise DeconvError(
                f"the Ray cluster has {cpus:g} CPUs and {gpus:g} GPUs: no room for a worker with "
                f"{self.cpus} and {self.gpus}"
            )
        return count

    def _connect(self) -> Any:
        """Connect to the cluster; the connection stays open for the next scan.

        Raises:
            DeconvError: Ray is not installed, or there is no cluster at the address.
        """
        try:
            import ray
            import ray.exceptions
        except ImportError as error:
            raise DeconvError(
                "Ray is not installed; pip install -r requirements-ray.txt, here and on every node"
            ) from error
        if not ray.is_initialized():
            with _keep_signal_handlers():
                try:
                    ray.init(address=self.address, log_to_driver=False, logging_level="error")
                except (ConnectionError, ValueError, RuntimeError) as error:
                    raise DeconvError(f"no Ray cluster at {self.address!r}: {error}") from error
        return ray


class ScanWorker:
    """A process of the cluster that scans blocks. Ray makes it an actor."""

    def __init__(self, compute: ComputePath, task: ScanTask) -> None:
        """Store the task; ``compute.bits`` is the hash that this process has to reproduce."""
        self._compute, self._task = compute, task
        self._prepared: ScanNetwork | None = None

    def make_block(
        self, network: list[Any], block: BlockWork
    ) -> BlockDone | OSError | StorageError | None:
        """Scan a block and write its file; if this process dies, Ray repeats the call elsewhere.

        Args:
            network: a reference to it in the object store, in a list so that Ray does not fetch it
                for every call.
            block: the block to scan.

        Returns:
            How many images were read and failed, or the error if images or index are out of reach.

        Raises:
            DeconvError: this computer differs from the one that began the index.
        """
        try:
            if self._prepared is None:
                import ray

                (received,) = ray.get(network)
                self._prepared = _prepare_checked(received, self._compute, self._task)
            return make_block(self._prepared, self._task, block)
        except (OSError, StorageError) as error:
            return error


def _choose(network: Network, images: ImageFolder, precision: str, device: str) -> ComputePath:
    """Choose the compute path in a process of the cluster, with the hash of its results."""
    chosen = choose_compute(network, images, precision, device)
    return replace(chosen, bits=hash_of_results(ScanNetwork.prepare(network, chosen)))


def _prepare_checked(network: Network, compute: ComputePath, task: ScanTask) -> ScanNetwork:
    """Prepare the network for scanning, and check that this process may scan for this index.

    Raises:
        IndexMismatchError: the version of torch, the network or the results differ.
        DeconvError: images or index are not found here: every image would count as removed.
    """
    if compute.torch_version != torch_version():
        raise IndexMismatchError(
            f"a worker has torch {torch_version()}, the index torch {compute.torch_version}; "
            "install the same version on every node"
        )
    fingerprint = fingerprint_of(network.graph, network.preprocessing)
    if fingerprint != task.manifest.fingerprint:
        raise IndexMismatchError(
            f"the network arrived at a worker as {fingerprint}, not as {task.manifest.fingerprint}"
        )
    for place, found in (
        (task.images.root, task.images.root.is_dir()),
        (task.folder.path, task.folder.exists()),
    ):
        if not found:
            raise DeconvError(
                f"a worker on {platform.node()} does not see {place}; use a folder that every node "
                "sees under this name, or an object store"
            )
    prepared = ScanNetwork.prepare(network, compute)
    check_same_bits(prepared)
    return prepared


def _compute_with_hash(work: ScanWork) -> ComputePath:
    """The compute path with the hash that every worker has to reproduce.

    An index that was begun without Ray stores no hash. It was begun on this computer, so the hash
    is computed here.
    """
    compute = work.task.manifest.compute
    if compute.bits:
        return compute
    return replace(compute, bits=hash_of_results(ScanNetwork.prepare(work.network, compute)))


def _distribute(
    actors: list[Any], network: Any, blocks: Iterator[BlockWork], work: ScanWork
) -> bool:
    """Give blocks to idle workers until all are done; False if the scan was cancelled."""
    from ray.util import ActorPool

    pool: ActorPool[Any] = ActorPool(actors)
    unfinished: dict[int, tuple[BlockWork, float]] = {}  # blocks at workers, with their start
    overdue_after, failures = _MIN_OVERDUE, 0
    while True:
        now = time.monotonic()
        while pool.has_free():
            block = next(blocks, None) or _first_before(now - overdue_after, unfinished)
            if block is None:
                break
            unfinished[block.number] = block, now
            pool.submit(partial(_call, network), block)
        if not unfinished:
            return True
        if work.cancel is not None and work.cancel.is_set():
            return False
        if not pool.has_next():  # all unfinished blocks failed and are not overdue yet
            time.sleep(min(_CANCEL_INTERVAL, overdue_after))
            continue
        try:
            done: BlockDone | Exception = pool.get_next_unordered(timeout=_CANCEL_INTERVAL)
        except TimeoutError:
            continue
        if isinstance(done, Exception):  # the block stays unfinished until it is overdue
            failures += 1
            if failures >= MAX_FAILURES * len(actors):
                raise done
            continue
        failures = 0
        overdue_after = max(overdue_after, _OVERDUE_FACTOR * done.seconds)
        if unfinished.pop(done.number, None) is not None:
            work.count(done.read, done.failed)


def _first_before(time: float, unfinished: dict[int, tuple[BlockWork, float]]) -> BlockWork | None:
    """The first unfinished block that was started before a time, or None."""
    return next((block for block, started in unfinished.values() if started < time), None)


def _call(network: Any, actor: Any, block: BlockWork) -> Any:
    return actor.make_block.remote([network], block)


def _cause(error: Any) -> Exception:
    """The error of a worker, as if it had been raised in this process."""
    cause = error.cause
    if isinstance(cause, (DeconvError, OSError)):
        return cause
    return DeconvError(f"a worker failed: {cause!r}. Finished blocks are kept; scan again")


@contextmanager
def _keep_signal_handlers() -> Iterator[None]:
    """Keep this program's signal handlers; Ray replaces that of SIGTERM."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
