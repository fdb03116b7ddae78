"""A scan on a Ray cluster: ``scan(network, images, path, engine=RayEngine(address="auto"))``.

Actors load the network once each and turn blocks of images into files of the index; the worker that
made a block writes it. This process plans before, and writes plan, summary and manifest after.
Placing actors, starting them again elsewhere and repeating their calls is Ray's work. Where there
is no room to start one again, Ray waits for a machine to come back: since a block made twice is the
same block, an idle worker is then given what is late.

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
    bits_of,
    check_bits,
    make_block,
)

RESTARTS = 5
"""How often a worker that died is started again."""
FAILURES = 5
"""Times the number of workers: failures in a row to read or write a store that end a scan."""
_SAMPLE = 16  # images sent to the worker that chooses how to compute
_PATIENCE = 0.5  # seconds between two looks at ``cancel``
_LATE = 2.0  # times the slowest block so far: what is out for longer is given to a second worker
_LATE_AT_LEAST = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class RayEngine:
    """Makes the blocks of a scan on a Ray cluster.

    Every node needs this package at the same version, the same torch, and to see images and index
    under the same name: a shared folder or an object store, with the keys for it.

    Attributes:
        address: "auto" for the cluster this computer is a node of, or HOST:PORT; None for that of
            ``$RAY_ADDRESS``, one running here, or else one started here for the purpose.
        workers: how many actors; None takes as many as the cluster has room for.
        cpus: of one worker; it computes with as many threads.
        gpus: of one worker, 0 or 1; with 1 it computes on "cuda".
    """

    address: str | None = None
    workers: int | None = None
    cpus: int = 1
    gpus: int = 0

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            DeconvError: one of them cannot be.
        """
        if self.workers is not None:
            whole_number("workers", self.workers, 1)
        whole_number("cpus", self.cpus, 1)
        whole_number("gpus", self.gpus, 0, 1)

    @property
    def device(self) -> str:
        """Where the workers compute: "cpu" or "cuda"."""
        return "cuda" if self.gpus else "cpu"

    def compute_path(self, network: Network, images: ImageFolder, precision: str) -> ComputePath:
        """How a new index will be computed, with what a worker makes of a test batch.

        "auto" is float32 here: in bfloat16 computers of different kinds compute different bits.

        Raises:
            DeconvError: no cluster, or the device cannot be used.
        """
        ray = self._connect()
        self._room(ray)
        few = images.only(range(0, len(images), max(1, len(images) // _SAMPLE)))
        ask = ray.remote(_choose).options(num_cpus=self.cpus, num_gpus=self.gpus)
        exact = "float32" if precision == "auto" else precision
        try:
            chosen: ComputePath = ray.get(ask.remote(network, few, exact, self.device))
        except ray.exceptions.RayTaskError as error:
            raise _cause(error) from error
        return chosen

    def make_blocks(self, work: ScanWork) -> bool:
        """Make and write all blocks; False if that was cancelled.

        Raises:
            IndexMismatchError: the index was begun on another device.
            DeconvError: a worker does not fit the index, died more than ``RESTARTS`` times, or the
                store failed ``FAILURES`` times for every worker.
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
        worker, compute = self._worker(ray), _expected(work)
        actors = [worker.remote(compute, task) for _ in range(self._room(ray))]
        try:
            return _share_out(actors, network, itertools.chain([first], blocks), work)
        except ray.exceptions.RayTaskError as error:
            raise _cause(error) from error
        except ray.exceptions.RayError as error:
            raise DeconvError(
                f"a worker died {RESTARTS + 1} times: {error}. Finished blocks are kept; scan again"
            ) from error
        finally:
            for actor in actors:
                ray.kill(actor)
            work.task.folder.clean()

    def _worker(self, ray: Any) -> Any:
        return ray.remote(ScanWorker).options(
            num_cpus=self.cpus,
            num_gpus=self.gpus,
            max_restarts=RESTARTS,
            max_task_retries=-1,  # a call is made again whenever its actor is
            scheduling_strategy="SPREAD",
        )

    def _room(self, ray: Any) -> int:
        """How many workers to start."""
        if self.workers is not None:
            return self.workers
        there = ray.cluster_resources()
        room = int(there.get("CPU", 0) // self.cpus)
        if self.gpus:
            room = min(room, int(there.get("GPU", 0)))
        if room < 1:
            raise DeconvError(
                f"the Ray cluster has {there.get('CPU', 0):g} CPUs and {there.get('GPU', 0):g} "
                f"GPUs: no room for a worker with {self.cpus} and {self.gpus}"
            )
        return room

    def _connect(self) -> Any:
        """Ray, connected; it stays connected, as after ``ray.init``, for the next scan.

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
            with _own_signals():
                try:
                    ray.init(address=self.address, log_to_driver=False, logging_level="error")
                except (ConnectionError, ValueError, RuntimeError) as error:
                    raise DeconvError(f"no Ray cluster at {self.address!r}: {error}") from error
        return ray


class ScanWorker:
    """One process of the cluster, with the network in memory. Ray makes it an actor."""

    def __init__(self, compute: ComputePath, task: ScanTask) -> None:
        """Keep what has arrived; ``compute.bits`` says what to expect of a test batch."""
        self._compute, self._task = compute, task
        self._prepared: ScanNetwork | None = None

    def make_block(
        self, network: list[Any], block: BlockWork
    ) -> BlockDone | OSError | StorageError | None:
        """Make and write a block; Ray calls it again, maybe elsewhere, if this process dies.

        Args:
            network: a reference to it in the object store, in a list so that Ray does not fetch it
                for every call.
            block: what to make.

        Returns:
            What was done, or the error if the images or the index cannot be reached.

        Raises:
            DeconvError: this process does not fit the index.
        """
        try:
            if self._prepared is None:
                import ray

                (arrived,) = ray.get(network)
                self._prepared = _fitting(arrived, self._compute, self._task)
            return make_block(self._prepared, self._task, block)
        except (OSError, StorageError) as error:
            return error


def _choose(network: Network, images: ImageFolder, precision: str, device: str) -> ComputePath:
    """How a process of the cluster computes, and what it makes of a test batch."""
    chosen = choose_compute(network, images, precision, device)
    return replace(chosen, bits=bits_of(ScanNetwork.prepare(network, chosen)))


def _fitting(network: Network, compute: ComputePath, task: ScanTask) -> ScanNetwork:
    """The network, laid out, once it is known that this process fits the index.

    Raises:
        IndexMismatchError: the torch, the network or the bits are others.
        DeconvError: images or index are not to be seen: every image would count as gone.
    """
    if compute.torch_version != torch_version():
        raise IndexMismatchError(
            f"a worker has torch {torch_version()}, the index torch {compute.torch_version}; "
            "install the same version on every node"
        )
    made = fingerprint_of(network.stages, network.preprocessing)
    if made != task.manifest.fingerprint:
        raise IndexMismatchError(
            f"the network arrived at a worker as {made}, not as {task.manifest.fingerprint}"
        )
    for place, seen in (
        (task.images.root, task.images.root.is_dir()),
        (task.folder.path, task.folder.exists()),
    ):
        if not seen:
            raise DeconvError(
                f"a worker on {platform.node()} does not see {place}; use a folder that every node "
                "sees under this name, or an object store"
            )
    prepared = ScanNetwork.prepare(network, compute)
    check_bits(prepared)
    return prepared


def _expected(work: ScanWork) -> ComputePath:
    """The compute path with what is expected of a test batch.

    An index that was begun without Ray does not say; it was begun here, so what this computer makes
    of the batch is expected.
    """
    compute = work.task.manifest.compute
    if compute.bits:
        return compute
    return replace(compute, bits=bits_of(ScanNetwork.prepare(work.network, compute)))


def _share_out(
    actors: list[Any], network: Any, blocks: Iterator[BlockWork], work: ScanWork
) -> bool:
    """Give blocks to idle workers until all are done; False if that was cancelled."""
    from ray.util import ActorPool

    pool: ActorPool[Any] = ActorPool(actors)
    given: dict[int, tuple[BlockWork, float]] = {}  # what nobody has finished yet, and since when
    patience, failures = _LATE_AT_LEAST, 0
    while True:
        now = time.monotonic()
        while pool.has_free():
            block = next(blocks, None) or _late(given, now - patience)
            if block is None:
                break
            given[block.number] = block, now
            pool.submit(partial(_call, network), block)
        if not given:
            return True
        if work.cancel is not None and work.cancel.is_set():
            return False
        if not pool.has_next():  # what is left has failed, and is not late yet
            time.sleep(min(_PATIENCE, patience))
            continue
        try:
            done: BlockDone | Exception = pool.get_next_unordered(timeout=_PATIENCE)
        except TimeoutError:
            continue
        if isinstance(done, Exception):  # its block becomes late, and is then given out again
            failures += 1
            if failures >= FAILURES * len(actors):
                raise done
            continue
        failures = 0
        patience = max(patience, _LATE * done.seconds)
        if given.pop(done.number, None) is not None:
            work.count(done.read, done.failed)


def _late(given: dict[int, tuple[BlockWork, float]], before: float) -> BlockWork | None:
    """The block that was given out first, if that was before a time."""
    return next((block for block, since in given.values() if since < before), None)


def _call(network: Any, actor: Any, block: BlockWork) -> Any:
    return actor.make_block.remote([network], block)


def _cause(error: Any) -> Exception:
    """What went wrong in the worker, as if it had been here."""
    cause = error.cause
    if isinstance(cause, (DeconvError, OSError)):
        return cause
    return DeconvError(f"a worker failed: {cause!r}. Finished blocks are kept; scan again")


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep the program's own answer to SIGTERM, which Ray replaces."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
