"""Engines scan the blocks of an index: ``LocalEngine`` in this process, ``RayEngine`` on a cluster.

``scan`` decides which blocks to scan, and an engine scans them. Every engine calls ``make_block``,
which reads the images of one block and writes its file.
"""

from __future__ import annotations

import hashlib
import itertools
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch

from deconv_core.errors import ANEW, DeconvError, IndexDamagedError, IndexMismatchError
from deconv_core.images.folder import ImageFolder
from deconv_core.index.blocks import ImageRow
from deconv_core.index.folder import IndexFolder
from deconv_core.index.manifest import ComputePath, Manifest
from deconv_core.network.network import Network
from deconv_core.progress import CancelFlag
from deconv_core.scanning.block import Block, scan_block
from deconv_core.scanning.compute import ScanNetwork, choose_compute, device_available
from deconv_core.storage import RemotePath


class BlockWork(NamedTuple):
    """A block to scan: its number and its images."""

    number: int
    images: Sequence[ImageRow]


class BlockDone(NamedTuple):
    """A block that was written: how many images were read, how many failed, seconds it took."""

    number: int
    read: int
    failed: int
    seconds: float


class ScanTask(NamedTuple):
    """What all blocks of a scan have in common.

    Attributes:
        images: the root folder and how images are decoded; its list is not used.
        folder: the index; its manifest and list of images are already written.
        manifest: the settings of the index.
    """

    images: ImageFolder
    folder: IndexFolder
    manifest: Manifest


@dataclass(frozen=True, eq=False)
class ScanWork:
    """The blocks that an engine has to scan.

    Attributes:
        network: the network.
        task: what the blocks have in common.
        blocks: the blocks to scan, in order.
        count: the engine calls it with (images read, images failed) as the work goes on.
        cancel: the engine stops when it is set.
    """

    network: Network
    task: ScanTask
    blocks: Iterable[BlockWork]
    count: Callable[[int, int], None]
    cancel: CancelFlag | None


class Engine(Protocol):
    """Scans the blocks of an index."""

    def compute_path(self, network: Network, images: ImageFolder, precision: str) -> ComputePath:
        """Choose the compute path of a new index."""
        ...

    def make_blocks(self, work: ScanWork) -> bool:
        """Scan and write all blocks; False if the scan was cancelled."""
        ...


class LocalEngine:
    """Scans blocks in this process, one after the other."""

    def __init__(self, device: str = "auto", compiled: bool = False) -> None:
        """Set the device of a new index, and whether to use ``torch.compile``."""
        self._device, self._compiled = device, compiled

    def compute_path(self, network: Network, images: ImageFolder, precision: str) -> ComputePath:
        """Choose the compute path of a new index."""
        return choose_compute(network, images, precision, self._device, compiled=self._compiled)

    def make_blocks(self, work: ScanWork) -> bool:
        """Scan and write all blocks; False if the scan was cancelled.

        Raises:
            IndexMismatchError: this computer does not have the device that the index was begun
                on, or its results differ in some bits.
        """
        blocks = iter(work.blocks)
        first = next(blocks, None)
        if first is None:  # a finished index needs no device
            return True
        device = work.task.manifest.compute.device
        if not device_available(device):
            raise IndexMismatchError(
                f"this index was begun on device {device!r}, which this computer does not have",
                "go on with the scan on a computer that has it",
                ANEW,
            )
        prepared = ScanNetwork.prepare(work.network, work.task.manifest.compute)
        check_same_bits(prepared)
        for block in itertools.chain([first], blocks):
            if make_block(prepared, work.task, block, work.count, work.cancel) is None:
                return False
        return True


def make_block(
    prepared: ScanNetwork,
    task: ScanTask,
    block: BlockWork,
    count: Callable[[int, int], None] | None = None,
    cancel: CancelFlag | None = None,
) -> BlockDone | None:
    """Scan the images of a block and write its file.

    If the scan is cancelled, the block becomes smaller: the finished images stay in it, and the
    others are moved to a new block.

    Args:
        prepared: the network on its device.
        task: where images and index are.
        block: the block to scan.
        count: called after every batch with (images read, images failed).
        cancel: set it to stop.

    Returns:
        How many images were read and failed, or None if the scan was cancelled.
    """
    began = time.monotonic()
    size = min(prepared.compute.batch_size, task.manifest.block_size)
    scanned = scan_block(prepared, task.images, block.images, count, cancel, size)
    stopped = len(scanned.images) < len(block.images)
    if scanned.images:
        _check_not_removed(task, scanned)
        if stopped:
            _move_to_new_block(task, block, scanned)
        file = task.folder.block_file(block.number)
        task.folder.write_block(file, scanned.images, task.manifest, scanned.peaks.__getitem__)
    if stopped:
        return None
    failed = sum(bool(row.error) for row in scanned.images)
    seconds = time.monotonic() - began
    return BlockDone(block.number, len(scanned.images) - failed, failed, seconds)


def _move_to_new_block(task: ScanTask, block: BlockWork, scanned: Block) -> None:
    """Move the unfinished images of a block to a new block, in the list of images.

    The list is written before the block. If the program is killed between, a block of fewer images
    is missing.
    """
    plan = task.folder.read_plan(task.manifest)
    finished = {row.ordinal for row in scanned.images}
    left = [row.ordinal for row in block.images if row.ordinal not in finished]
    plan.loc[left, "block"] = int(plan["block"].max()) + 1
    task.folder.write_plan(plan, task.manifest)


def readable_manifest(folder: IndexFolder) -> Manifest | None:
    """Read the manifest; None if it is missing or damaged."""
    try:
        return folder.read_manifest() if folder.exists() else None
    except IndexDamagedError:
        return None


def _check_not_removed(task: ScanTask, scanned: Block) -> None:
    """Check that index and images were not removed since the scan began.

    Raises:
        DeconvError: one of them was removed, or the index was replaced.
    """
    images, folder, manifest = task
    current = readable_manifest(folder)
    if current is None or current.key != manifest.key:
        raise DeconvError(
            f"the index at {folder.path} was removed or replaced while it was being scanned; scan "
            "again"
        )
    if any(row.error for row in scanned.images) and not _has_content(images):
        raise DeconvError(
            f"the folder of images {images.root} was removed while it was being scanned. Finished "
            "blocks are kept; bring it back and scan again"
        )


def _has_content(images: ImageFolder) -> bool:
    """False if the root folder of the images is missing or empty."""
    if isinstance(images.root, RemotePath):
        return images.root.is_dir()
    try:
        return any(True for _ in images.root.iterdir())
    except OSError:
        return False


def hash_of_results(prepared: ScanNetwork) -> str:
    """Hash of the peaks of one batch of noise, computed on this computer: 16 hexadecimal digits.

    Two computers with the same hash compute the same bits, as far as one batch can show. Measured
    with torch 2.14: in float32 the hash is the same with 1 to 8 threads and with AVX2 and AVX-512;
    in bfloat16 it is the same with 1 to 8 threads, but differs between AVX2, AVX-512 and AVX-512
    with BF16.
    """
    shape = (prepared.compute.batch_size, 3, *prepared.network.input_size)
    noise = torch.randint(
        0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    digest = hashlib.sha256()
    for name, peaks in prepared.peaks(noise).items():
        digest.update(name.encode())
        for array in (peaks.values, peaks.rows, peaks.columns):
            digest.update(array.tobytes())
    return digest.hexdigest()[:16]


def check_same_bits(prepared: ScanNetwork) -> None:
    """Check that this computer gets the same results as the one that began the index.

    Nothing is checked if the index does not store the hash of its results.

    Raises:
        IndexMismatchError: the results differ.
    """
    stored = prepared.compute.bits
    if stored and (here := hash_of_results(prepared)) != stored:
        raise IndexMismatchError(
            f"this index was begun on another kind of computer: in {prepared.compute.precision} on "
            f"{prepared.compute.device}, the results of a test batch had the hash {stored}; on "
            f"{platform.node()} ({torch.backends.cpu.get_cpu_capability()}, torch "
            f"{torch.__version__}) they have {here}. In float32 more kinds of computers agree",
            "use computers of one kind",
            ANEW,
        )
