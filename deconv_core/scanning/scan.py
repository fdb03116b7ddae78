"""One pass over a folder of images: the peak of every feature map of every layer, stored.

The folder is cut into blocks of a few images. ``scan_block`` turns one block of images into its
peaks and depends on nothing else, so blocks may be made in any order, by any process. A block is
written whole or not at all; a scan that was stopped goes on at the first block that is missing.
Blocks that are there are checked before anything is built on them; a damaged one is scanned again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import filelock
import pandas as pd

from deconv_core.arguments import callbacks, flag, instance, shown, whole_number
from deconv_core.errors import (
    ANEW,
    FULL_DISK,
    DeconvError,
    IndexMismatchError,
    IndexOutdatedError,
    NoRoomError,
    ScanRunningError,
)
from deconv_core.images.decoding import DECODING
from deconv_core.images.folder import ImageFolder
from deconv_core.images.passed_over import FOLLOW, LINK, fewer_kinds, passed_over_line
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.index.blocks import ImageRow, read_block_images
from deconv_core.index.folder import IndexFolder
from deconv_core.index.inspection import inspect, missing_blocks
from deconv_core.index.limits import LARGEST_BLOCK
from deconv_core.index.manifest import Manifest
from deconv_core.index.new_index import begin_new_index, delete_left, finish, take_place
from deconv_core.index.place import begun_folder, check_place
from deconv_core.index.summary import drop_summaries, merge_blocks, write_summary
from deconv_core.network.network import Network
from deconv_core.progress import CancelFlag
from deconv_core.scanning.compute import DEVICES, PRECISIONS, torch_version
from deconv_core.scanning.engine import (
    BlockWork,
    Engine,
    LocalEngine,
    ScanWork,
    manifest_there,
)
from deconv_core.scanning.plan import learned, plan_rows, updated_plan
from deconv_core.scanning.repair import inspect_without_manifest, repair
from deconv_core.storage import RemotePath, scan_lock

BLOCK_SIZE = 32


@dataclass(frozen=True, slots=True)
class ScanProgress:
    """How far a scan is.

    Attributes:
        done: images finished, with those found done.
        total: images in all.
        found: images that were done before this scan began.
        failed: images that could not be read, of those done.
        images_per_second: of this run, 0 before the first batch.
        seconds_left: estimate, None before the first batch.
    """

    done: int
    total: int
    found: int
    failed: int
    images_per_second: float
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class _Making:
    """How a caller wants an index made; what is already there is not changed by it."""

    precision: str
    block_size: int | None
    device: str
    engine: Engine


def scan(
    network: Network,
    images: ImageFolder,
    path: str | os.PathLike[str] | RemotePath,
    *,
    precision: str = "auto",
    block_size: int | None = None,
    progress: Callable[[ScanProgress], None] | None = None,
    cancel: CancelFlag | None = None,
    update: bool = False,
    anew: bool = False,
    device: str = "auto",
    compiled: bool = False,
    engine: Engine | None = None,
) -> ActivationIndex:
    """Scan a folder into an index, or go on with one.

    Args:
        network: what looks at the images.
        images: the folder.
        path: the index folder, or its address ("s3://bucket/index"): a new or empty folder
            outside the folder of images, or an index. An unfinished index is resumed.
        precision: "float32"; "bfloat16", faster on many machines but approximate (``exact_top``
            gives float32 answers from it); or "auto", which takes bfloat16 only for more than a
            thousand images and where it is measured to be faster.
        block_size: images in a block, up to about a million; None takes what the index has, or 32.
        progress: called after every batch.
        cancel: set it to stop; finished blocks are kept, and the unfinished index is returned.
        update: when images were added, removed or changed since the scan began, scan those;
            otherwise that is an error.
        anew: make a new index, whatever made the one that is there. That one is kept until the
            new one is whole, which then takes its place; a scan that was stopped goes on with
            ``anew`` again, and until then the new one lies in a folder that ends in ``.anew``.
        device: "cpu", "cuda", "mps", or "auto": an accelerator if there is one that, tried, gives
            the CPU's peaks. An index that was begun goes on with what it was begun on.
        compiled: use ``torch.compile``, which takes a compiler and up to minutes before the first
            image; for large folders.
        engine: who makes the blocks: this process (None), or a ``RayEngine``, which has its
            own say about devices.

    Returns:
        The index, opened.

    Raises:
        DeconvError: no images, a bad argument, or a folder that holds something else; nothing
            was changed.
        IndexMismatchError: the index was made from another network, preprocessing, precision or
            version, or from other images and ``update`` is False.
        ScanRunningError: another process is scanning into this index.
    """
    _check_run(network, images, engine, progress, cancel)
    flag("update", update)
    flag("compiled", compiled)
    flag("anew", anew)
    if block_size is not None:
        block_size = whole_number("block_size", block_size, 1, LARGEST_BLOCK)
    making = _Making(precision, block_size, device, engine or LocalEngine(device, compiled))
    _check_making(images, making)
    folder = IndexFolder(path)
    try:
        if anew:
            place, folder = begin_new_index(folder.path, images.root)
        elif isinstance(folder.path, Path):
            if not folder.exists() and folder.has_anew():
                finish(folder.path)
            delete_left(folder.path)
        check_place(folder, images.root)
        with begun_folder(folder.path), scan_lock(folder.path):
            check_place(folder, images.root)  # what came there meanwhile
            _scan_locked(network, images, folder, making, progress, cancel, update or anew)
        if anew and folder.read_manifest().complete:
            take_place(place)
            folder = IndexFolder(place)
    except IndexMismatchError as error:
        if not anew or isinstance(error, IndexOutdatedError):
            raise
        raise IndexMismatchError(
            f"the new index that was begun at {folder.path} cannot be gone on with: {error.what}",
            *(remedy for remedy in error.remedies if remedy != ANEW),
            "delete that folder to begin it again",
        ) from error
    except filelock.Timeout:
        raise ScanRunningError(
            f"another process is scanning into {folder.path}; wait for it or cancel it"
        ) from None
    except OSError as error:
        said = f"cannot write the index at {folder.path}: {error.strerror or error}"
        what = f"{said}. Finished blocks are kept"
        if error.errno in FULL_DISK:
            raise NoRoomError(what, "make room, and scan again") from error
        raise DeconvError(what, "choose a folder you may write to, and scan again") from error
    return ActivationIndex.open(folder.path)


def _scan_locked(
    network: Network,
    images: ImageFolder,
    folder: IndexFolder,
    making: _Making,
    progress: Callable[[ScanProgress], None] | None,
    cancel: CancelFlag | None,
    update: bool,
) -> None:
    manifest, plan = _begin(network, images, folder, making, update)
    finished = _scan_blocks(
        network, images, folder, manifest, plan, progress, cancel, making.engine
    )
    if finished and not manifest.complete:
        if lost := missing_blocks(folder, plan):
            raise DeconvError(
                f"blocks {', '.join(map(str, lost[:5]))} of {folder.path} were deleted while it "
                "was being scanned; scan again: only their images are read again"
            )
        merge_blocks(folder, manifest)
        plan = learned(folder, plan)
        folder.write_plan(plan, manifest)
        version = write_summary(folder, manifest, plan)
        manifest = replace(manifest, complete=True, summary=version)
        folder.write_manifest(manifest)
    if manifest.complete:
        drop_summaries(folder, manifest)


def _check_run(
    network: object, images: object, engine: object, progress: object, cancel: object
) -> None:
    instance("network", network, Network, "load_network('demo')")
    instance("images", images, ImageFolder, "ImageFolder('photos')")
    callbacks(progress, cancel)
    if engine is not None and not callable(getattr(engine, "make_blocks", None)):
        raise DeconvError(f"engine is {shown(engine)}; give a RayEngine, or None for this process")


def _check_making(images: ImageFolder, making: _Making) -> None:
    for what, given, known in (
        ("precision", making.precision, PRECISIONS),
        ("device", making.device, DEVICES),
    ):
        if given not in known:
            raise DeconvError(f"{what} {given!r} is not known; choose {', '.join(known)}")
    if len(images) == 0:
        others = passed_over_line(images.passed_over, "")
        raise DeconvError(
            "; ".join(filter(None, [f"there are no images to scan in {images.root}", others])),
            *([FOLLOW] if LINK in images.passed_over else []),
        )


def _begin(
    network: Network,
    images: ImageFolder,
    folder: IndexFolder,
    making: _Making,
    update: bool,
) -> tuple[Manifest, pd.DataFrame]:
    """The manifest and plan to work by: new, or those of the index that is there."""
    there = manifest_there(folder)
    if there is None and not folder.all_block_files():
        folder.clean()
        manifest = _new_manifest(network, images, making)
        plan = plan_rows(list(images), first_block=0, block_size=manifest.block_size)
        folder.write_plan(plan, manifest)
        folder.write_manifest(manifest)  # last: its presence says that the index exists
        return manifest, plan
    if there is None:
        found = inspect_without_manifest(folder, _new_manifest(network, images, making))
    else:
        _check_same_making(there, network, images, making)
        found = inspect(folder, there)
    manifest, plan = repair(folder, found, images)
    if there is None:
        folder.write_manifest(manifest)
    folder.clean()
    updated = updated_plan(folder, manifest, plan, images, update)
    if updated is not None:
        manifest = replace(manifest, complete=False, summary="")
    listed = _listed_as_now(folder, manifest, images)
    if updated is not None or listed != manifest:
        manifest = listed
        folder.write_manifest(manifest)
    if updated is not None:
        plan = updated
        folder.write_plan(plan, manifest)
    return manifest, plan


def _listed_as_now(folder: IndexFolder, manifest: Manifest, images: ImageFolder) -> Manifest:
    """The manifest with the folder of images as it is listed now: moved, or with more labels."""
    if folder.image_root(manifest) != images.root:
        manifest = replace(manifest, image_root=str(images.root))
    return replace(
        manifest,
        extensions=images.extensions,
        labels=images.wanted_labels,
        follow_links=manifest.follow_links if images.links_unsaid else images.follow_links,
        passed_over=fewer_kinds(images.passed_over),
    )


def _new_manifest(network: Network, images: ImageFolder, making: _Making) -> Manifest:
    manifest = Manifest(
        network=network.source,
        fingerprint=network.fingerprint,
        preprocessing=network.preprocessing.name,
        preprocessing_reason=network.preprocessing_reason,
        architecture=network.architecture,
        layers=tuple(network.layers.values()),
        image_root=str(images.root),
        extensions=images.extensions,
        labels=images.wanted_labels,
        follow_links=images.follow_links,
        passed_over=fewer_kinds(images.passed_over),
        resize=images.resize,
        value_range=images.value_range,
        decoding=DECODING,
        compute=making.engine.compute_path(network, images, making.precision),
        block_size=making.block_size or BLOCK_SIZE,
    )
    return manifest.keyed(entry.image_id for entry in images)


def _check_same_making(
    manifest: Manifest, network: Network, images: ImageFolder, making: _Making
) -> None:
    compute = manifest.compute
    precision, device = (
        made if wanted == "auto" else wanted
        for made, wanted in (
            (compute.precision, making.precision),
            (compute.device, making.device),
        )
    )
    if manifest.decoding != DECODING:
        raise IndexMismatchError(
            "this index was made by another version of this program, which read image files in "
            f"another way (decoding {manifest.decoding}; now it is {DECODING})",
            ANEW,
        )
    block_size = str(making.block_size or manifest.block_size)
    compared = [
        ("network", manifest.fingerprint, network.fingerprint),
        ("preprocessing", manifest.preprocessing, network.preprocessing.name),
        ("resizing", manifest.resize, images.resize),
        ("value range", manifest.value_range, images.value_range),
        ("precision", compute.precision, precision),
        ("device", compute.device, device),
        ("block size", str(manifest.block_size), block_size),
        ("torch version", compute.torch_version, torch_version()),
    ]
    for what, made, given in compared:
        if made != given:
            raise IndexMismatchError(
                f"this index was made from network {manifest.network!r} with {what} {made}; now it "
                f"is {given}",
                f"use the same {what}",
                ANEW,
            )


def _scan_blocks(
    network: Network,
    images: ImageFolder,
    folder: IndexFolder,
    manifest: Manifest,
    plan: pd.DataFrame,
    progress: Callable[[ScanProgress], None] | None,
    cancel: CancelFlag | None,
    engine: Engine,
) -> bool:
    """Scan the blocks that are missing; False if that was cancelled."""
    live = plan[~plan["removed"]]
    finished = set(folder.done_blocks())
    found = int(live["block"].isin(finished).sum())
    failed = sum(
        bool(row.error) and not plan["removed"].iat[row.ordinal]
        for file in folder.block_files()
        for row in read_block_images(file)
    )
    meter = _Meter(progress, len(live), found, failed)
    meter.tell()
    missing = live[~live["block"].isin(finished)]
    blocks = (
        BlockWork(
            int(str(number)),
            [
                ImageRow.planned(int(ordinal), str(image_id), str(label))
                for ordinal, image_id, label in zip(
                    rows.index, rows["image_id"], rows["label"], strict=True
                )
            ],
        )
        for number, rows in missing.groupby("block")
    )
    return engine.make_blocks(
        ScanWork(network, images, folder, manifest, blocks, meter.count, cancel)
    )


class _Meter:
    """Counts images and reports rate and time left."""

    def __init__(
        self,
        progress: Callable[[ScanProgress], None] | None,
        total: int,
        found: int,
        failed: int,
    ) -> None:
        self._progress, self._total, self._found = progress, total, found
        self._done, self._failed, self._began = found, failed, time.monotonic()

    def count(self, read: int, failed: int) -> None:
        self._done += read + failed
        self._failed += failed
        self.tell()

    def tell(self) -> None:
        if self._progress is None:
            return
        here = self._done - self._found
        rate = here / max(time.monotonic() - self._began, 1e-9) if here else 0.0
        left = (self._total - self._done) / rate if rate else None
        self._progress(ScanProgress(self._done, self._total, self._found, self._failed, rate, left))
