"""``scan``: one pass over a folder of images stores the peak of every feature map of every layer.

The images are shuffled and cut into blocks (``plan``). ``scan_block`` computes the peaks of one
block and depends on nothing else, so blocks may be scanned in any order, by any process. A block
file is complete or absent. A scan that was stopped continues with the missing blocks. Existing
blocks are checked first; a damaged one is scanned again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Literal

import filelock
import pandas as pd

from deconv_core.arguments import flag, whole_number
from deconv_core.errors import (
    ANEW,
    FULL_DISK,
    DeconvError,
    IndexMismatchError,
    IndexOutdatedError,
    NoRoomError,
    ScanRunningError,
)
from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.index.blocks import read_block_images
from deconv_core.index.folder import IndexFolder
from deconv_core.index.inspection import inspect, missing_blocks
from deconv_core.index.limits import LARGEST_BLOCK
from deconv_core.index.manifest import Manifest
from deconv_core.index.new_index import begin_new_index, finish_interrupted, replace_index
from deconv_core.index.place import check_place, created_folder
from deconv_core.index.summary import drop_summaries, merge_blocks, write_summary
from deconv_core.network.network import Network
from deconv_core.progress import CancelFlag, ScanProgress, scan_progress_or_bar
from deconv_core.scanning.engine import (
    BlockWork,
    Engine,
    LocalEngine,
    ScanTask,
    ScanWork,
    readable_manifest,
)
from deconv_core.scanning.manifests import check_same_settings, new_manifest, with_current_listing
from deconv_core.scanning.plan import (
    in_scan_order,
    plan_rows,
    updated_plan,
    with_scan_results,
)
from deconv_core.scanning.repair import inspect_without_manifest, repair
from deconv_core.scanning.run import ProgressMeter, ScanRun, check_run
from deconv_core.storage import RemotePath, scan_lock


def scan(
    network: Network,
    images: ImageFolder,
    path: str | os.PathLike[str] | RemotePath,
    *,
    precision: str = "auto",
    block_size: int | None = None,
    progress: Callable[[ScanProgress], None] | Literal[False] | None = None,
    cancel: CancelFlag | None = None,
    update: bool = False,
    anew: bool = False,
    device: str = "auto",
    compiled: bool = False,
    engine: Engine | None = None,
) -> ActivationIndex:
    """Scan a folder of images into a new index, or resume or update an existing one.

    Args:
        network: the network whose peaks are stored.
        images: the folder of images.
        path: the index folder, or its address ("s3://bucket/index"): a new or empty folder
            outside the folder of images, or an index. An unfinished index is resumed.
        precision: "float32"; "bfloat16", faster on many machines but approximate (``exact_top``
            gives float32 answers from it); or "auto", which takes bfloat16 only for more than a
            thousand images and where a measurement finds it faster.
        block_size: images in a block, up to about a million; None takes that of the index, or 32.
        progress: called after every batch; None draws a bar in a notebook or an interactive
            Python; False does not.
        cancel: set it to stop; finished images are kept, and the unfinished index is returned.
        update: if images were added, removed or changed since the scan began, scan the changes;
            without ``update``, such changes are an error.
        anew: make a new index that replaces the existing one, whatever its settings. The old index
            is kept until the new one is complete. Until then the new one is in a folder that ends
            in ``.anew``, and a scan that was stopped is resumed with ``anew``.
        device: "cpu", "cuda", "mps", or "auto": an accelerator if there is one whose peaks agree
            with the CPU's. An existing index keeps its device.
        compiled: use ``torch.compile``, for large folders. It needs a compiler, and takes up to
            minutes before the first image.
        engine: scans the blocks: None for this process, or a ``RayEngine``, which chooses its
            device itself.

    Returns:
        The index, opened.

    Raises:
        DeconvError: there are no images, an argument is invalid, or the index folder holds other
            files; nothing is changed.
        IndexMismatchError: the index was made from another network, preprocessing, precision or
            version, or from other images and ``update`` is False.
        ScanRunningError: another process is scanning into this index.
    """
    update, anew, compiled = flag("update", update), flag("anew", anew), flag("compiled", compiled)
    if block_size is not None:
        block_size = whole_number("block_size", block_size, 1, LARGEST_BLOCK)
    engine = LocalEngine(device, compiled) if engine is None else engine
    folder = IndexFolder(path)
    run = ScanRun(
        network=network,
        images=images,
        folder=folder,
        engine=engine,
        precision=precision,
        device=device,
        block_size=block_size,
        update=update or anew,
        progress=scan_progress_or_bar(progress),
        cancel=cancel,
    )
    check_run(run)
    with _clear_errors(folder, anew):
        if anew:
            place, beside = begin_new_index(folder.path, images.root)
            run = replace(run, folder=beside)
        else:
            finish_interrupted(folder)
        check_place(run.folder, images.root)
        with created_folder(run.folder.path), scan_lock(run.folder.path):
            check_place(run.folder, images.root)  # again: it may have changed before the lock
            manifest, plan = _begin(run)
            manifest, plan = _update(run, manifest, plan)
            if _make_missing_blocks(run, manifest, plan):
                manifest = _finish(run, manifest, plan)
        if anew and manifest.complete:
            replace_index(place)
            return ActivationIndex.open(place)
    return ActivationIndex.open(run.folder.path)


@contextmanager
def _clear_errors(folder: IndexFolder, anew: bool) -> Iterator[None]:
    """Turn errors of the lock, the disk and a stopped ``anew`` scan into clear messages."""
    try:
        yield
    except IndexMismatchError as error:
        if not anew or isinstance(error, IndexOutdatedError):
            raise
        raise IndexMismatchError(
            f"the new index that was begun at {folder.anew.path} cannot be resumed: {error.what}",
            *(remedy for remedy in error.remedies if remedy != ANEW),
            "delete that folder to begin it again",
        ) from error
    except filelock.Timeout:
        raise ScanRunningError(
            f"another process is scanning into {folder.path}; wait for it or cancel it"
        ) from None
    except OSError as error:
        what = (
            f"cannot write the index at {folder.path}: {error.strerror or error}. Finished blocks "
            "are kept"
        )
        if error.errno in FULL_DISK:
            raise NoRoomError(what, "make room, and scan again") from error
        raise DeconvError(what, "choose a folder you may write to, and scan again") from error


def _begin(run: ScanRun) -> tuple[Manifest, pd.DataFrame]:
    """Write manifest and list of images of a new index, or read and repair those of an old one."""
    folder, manifest = run.folder, readable_manifest(run.folder)
    if manifest is None and not folder.all_block_files():
        folder.clean()
        manifest = new_manifest(run)
        plan = plan_rows(list(run.images), first_block=0, block_size=manifest.block_size)
        folder.write_plan(plan, manifest)
        folder.write_manifest(manifest)  # last, because a folder with a manifest is an index
        return manifest, plan
    if manifest is not None:
        check_same_settings(run, manifest)
        return repair(folder, inspect(folder, manifest), run.images)
    manifest, plan = repair(folder, inspect_without_manifest(folder, new_manifest(run)), run.images)
    folder.write_manifest(manifest)
    return manifest, plan


def _update(run: ScanRun, manifest: Manifest, plan: pd.DataFrame) -> tuple[Manifest, pd.DataFrame]:
    """Update manifest and list of images to the images that are in the folder now."""
    run.folder.clean()
    updated = updated_plan(run.folder, manifest, plan, run.images, run.update)
    listed = with_current_listing(run, manifest)
    if updated is not None:
        listed = replace(listed, complete=False, summary="")
    if listed != manifest:
        run.folder.write_manifest(listed)
    if updated is not None:
        run.folder.write_plan(updated, listed)
    return listed, plan if updated is None else updated


def _make_missing_blocks(run: ScanRun, manifest: Manifest, plan: pd.DataFrame) -> bool:
    """Scan the blocks that are missing; False if the scan was cancelled."""
    live, done = plan[~plan["removed"]], run.folder.done_blocks()
    found = live["block"].isin(done)
    failed = sum(
        bool(row.error) and not plan["removed"].iat[row.ordinal]
        for file in run.folder.block_files()
        for row in read_block_images(file)
    )
    meter = ProgressMeter(run.progress, len(live), int(found.sum()), failed)
    meter.report()
    blocks = (BlockWork(number, rows) for number, rows in in_scan_order(live[~found]))
    task = ScanTask(run.images, run.folder, manifest)
    return run.engine.make_blocks(ScanWork(run.network, task, blocks, meter.count, run.cancel))


def _finish(run: ScanRun, manifest: Manifest, plan: pd.DataFrame) -> Manifest:
    """Merge the blocks, write the summary and mark the index as complete."""
    folder = run.folder
    if not manifest.complete:
        if lost := missing_blocks(folder, plan):
            raise DeconvError(
                f"blocks {', '.join(map(str, lost[:5]))} of {folder.path} were deleted while it "
                "was being scanned; scan again: only their images are read again"
            )
        merge_blocks(folder, manifest)
        plan = with_scan_results(folder, plan)
        folder.write_plan(plan, manifest)
        version = write_summary(folder, manifest, plan)
        manifest = replace(manifest, complete=True, summary=version)
        folder.write_manifest(manifest)
    drop_summaries(folder, manifest)
    return manifest
