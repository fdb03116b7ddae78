"""What carries a scan out: this process, or something like it that reaches further.

``scan`` decides what has to be done, an engine does it. Whatever the engine, a block is made by
``make_block``, in one process, from its images to the written file.
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
from deconv_core.layers import INPUT_SIDE
from deconv_core.network.network import Network
from deconv_core.progress import CancelFlag
from deconv_core.scanning.block import Block, scan_block
from deconv_core.scanning.compute import ScanNetwork, choose_compute, device_there
from deconv_core.storage import RemotePath


class BlockWork(NamedTuple):
    """A block to make: its number and its images."""

    number: int
    images: Sequence[ImageRow]


class BlockDone(NamedTuple):
    """A block that was written: images read and not read, and how long it took."""

    number: int
    read: int
    failed: int
    seconds: float


class ScanTask(NamedTuple):
    """What all blocks of a scan have in common.

    Attributes:
        images: where they are and how they are resized; its list is not used.
        folder: the index; its manifest and plan are written.
        manifest: how to compute.
    """

    images: ImageFolder
    folder: IndexFolder
    manifest: Manifest


@dataclass(frozen=True, eq=False)
class ScanWork:
    """What is left of a scan.

    Attributes:
        network: what looks at the images.
        task: what the blocks have in common.
        blocks: the blocks to make, in order.
        count: to be called with (images read, images not read) as the work goes on.
        cancel: set when the work is to stop.
    """

    network: Network
    task: ScanTask
    blocks: Iterable[BlockWork]
    count: Callable[[int, int], None]
    cancel: CancelFlag | None


class Engine(Protocol):
    """Who makes the blocks of a scan."""

    def compute_path(self, network: Network, images: ImageFolder, precision: str) -> ComputePath:
        """How the blocks of a new index will be computed."""
        ...

    def make_blocks(self, work: ScanWork) -> bool:
        """Make and write all blocks; False if that was cancelled."""
        ...


class LocalEngine:
    """Makes the blocks here, one after the other."""

    def __init__(self, device: str = "auto", compiled: bool = False) -> None:
        """Say on what a new index is computed."""
        self._device, self._compiled = device, compiled

    def compute_path(self, network: Network, images: ImageFolder, precision: str) -> ComputePath:
        """How the blocks of a new index will be computed."""
        return choose_compute(network, images, precision, self._device, compiled=self._compiled)

    def make_blocks(self, work: ScanWork) -> bool:
        """Make and write all blocks; False if that was cancelled.

        Raises:
            IndexMismatchError: this computer has not the device the index was begun on, or
                computes other bits.
        """
        blocks = iter(work.blocks)
        first = next(blocks, None)
        if first is None:  # a finished index asks nothing of the computer
            return True
        device = work.task.manifest.compute.device
        if not device_there(device):
            raise IndexMismatchError(
                f"this index was begun on device {device!r}, which is not here",
                "go on where it is",
                ANEW,
            )
        prepared = ScanNetwork.prepare(work.network, work.task.manifest.compute)
        check_bits(prepared)
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
    """Scan the images of a block and write it under its final name.

    Args:
        prepared: the network, laid out as the manifest says.
        task: where images and index are.
        block: what to make.
        count: called after every batch with (images read, images not read) of it.
        cancel: set it to stop.

    Returns:
        What was done, or None if it was cancelled.
    """
    began = time.monotonic()
    made = scan_block(prepared, task.images, block.images, count, cancel)
    if made is None:
        return None
    _check_still_there(task, made)
    file = task.folder.block_file(block.number)
    task.folder.write_block(file, made.images, task.manifest, made.peaks.__getitem__)
    failed = sum(bool(row.error) for row in made.images)
    seconds = time.monotonic() - began
    return BlockDone(block.number, len(made.images) - failed, failed, seconds)


def manifest_there(folder: IndexFolder) -> Manifest | None:
    """The manifest, or None if there is none or it is damaged."""
    try:
        return folder.read_manifest() if folder.exists() else None
    except IndexDamagedError:
        return None


def _check_still_there(task: ScanTask, made: Block) -> None:
    """Check that neither the index nor the images were taken away since the scan began.

    Raises:
        DeconvError: they were.
    """
    images, folder, manifest = task
    there = manifest_there(folder)
    if there is None or there.key != manifest.key:
        raise DeconvError(
            f"the index at {folder.path} was removed or replaced while it was being scanned; scan "
            "again"
        )
    if any(row.error for row in made.images) and not _holds_anything(images):
        raise DeconvError(
            f"the folder of images {images.root} was removed while it was being scanned. Finished "
            "blocks are kept; bring it back and scan again"
        )


def _holds_anything(images: ImageFolder) -> bool:
    if isinstance(images.root, RemotePath):
        return images.root.is_dir()
    try:
        return any(True for _ in images.root.iterdir())
    except OSError:
        return False


def bits_of(prepared: ScanNetwork) -> str:
    """16 hexadecimal digits of what a network makes of one batch of noise, here.

    Two computers with the same digits compute the same bits, as far as a batch can show. Measured
    with torch 2.14: float32 gives the same with 1 to 8 threads and with AVX2 and AVX-512; bfloat16
    gives the same with 1 to 8 threads, but differs between AVX2, AVX-512 and AVX-512 with BF16.
    """
    shape = (prepared.compute.batch_size, 3, INPUT_SIDE, INPUT_SIDE)
    noise = torch.randint(
        0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    digest = hashlib.sha256()
    for name, peaks in prepared.peaks(noise).items():
        digest.update(name.encode())
        for array in (peaks.values, peaks.rows, peaks.columns):
            digest.update(array.tobytes())
    return digest.hexdigest()[:16]


def check_bits(prepared: ScanNetwork) -> None:
    """Check that this computer computes what the index was begun with, if that is known.

    Raises:
        IndexMismatchError: it does not.
    """
    made = prepared.compute.bits
    if made and (here := bits_of(prepared)) != made:
        raise IndexMismatchError(
            f"this index was begun on another kind of computer: in {prepared.compute.precision} on "
            f"{prepared.compute.device} it computed {made} for a test batch, {platform.node()} "
            f"({torch.backends.cpu.get_cpu_capability()}, torch {torch.__version__}) computes "
            f"{here}. In float32 more kinds of computers agree",
            "use computers of one kind",
            ANEW,
        )
