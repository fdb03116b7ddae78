"""Is an index as it was written? What is damaged, exchanged or missing, and whose it is.

A block is sound if every byte is as it was written, if it belongs to this index and this place in
it, and if its images are those that the list of images has for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from deconv_core.errors import IndexDamagedError, IndexForeignError, IndexMismatchError
from deconv_core.index.blocks import BlockFile, ImageRow, check_block
from deconv_core.index.folder import IndexFolder
from deconv_core.index.manifest import Manifest
from deconv_core.index.parts import REPAIR
from deconv_core.index.place import holds_index
from deconv_core.index.summary import summary_damage
from deconv_core.storage import Location, RemotePath


@dataclass(frozen=True, slots=True)
class Damage:
    """One file of an index that is not as it should be.

    Attributes:
        path: which.
        reason: why, and what to do, as a sentence.
        foreign: True if it is whole, but of another index or another place in it.
    """

    path: Location
    reason: str
    foreign: bool = False


class PlannedImages:
    """What the list of images says about every block, ready to be compared with many."""

    def __init__(self, plan: pd.DataFrame, manifest: Manifest) -> None:
        """Take a list of images and the manifest it belongs to."""
        self._complete = manifest.complete
        self._blocks = plan["block"].to_numpy(np.int64)
        live = np.flatnonzero(~plan["removed"].to_numpy(bool))
        self._by_block = live[np.argsort(self._blocks[live], kind="stable")]
        self._sorted_blocks = self._blocks[self._by_block]
        self._ids = plan["image_id"].to_numpy(object)
        self._hashes = plan["content_hash"].to_numpy(object)

    def check(self, file: BlockFile, rows: Sequence[ImageRow]) -> None:
        """Compare the images of a block with the list.

        Raises:
            IndexForeignError: they are others.
        """
        ordinals = np.array([row.ordinal for row in rows], np.int64)
        first, last = file.numbers.start, file.numbers.stop - 1
        same = bool(
            (ordinals < len(self._ids)).all()
            and ((self._blocks[ordinals] >= first) & (self._blocks[ordinals] <= last)).all()
            and (self._ids[ordinals] == np.array([r.image_id for r in rows], object)).all()
        )
        if same and self._complete:
            hashes = np.array([row.content_hash for row in rows], object)
            same = bool((self._hashes[ordinals] == hashes).all())
        if same:
            begin, end = np.searchsorted(self._sorted_blocks, [first, last + 1])
            same = bool(np.isin(self._by_block[begin:end], ordinals).all())
        if not same:
            raise IndexForeignError(
                f"block {file.path} does not hold the images that images.parquet lists for it; "
                f"{REPAIR}"
            )


def sound_blocks(
    folder: IndexFolder, manifest: Manifest, files: Iterable[BlockFile]
) -> tuple[dict[BlockFile, list[ImageRow]], list[Damage]]:
    """Read blocks whole, several at a time, and compare each with its seal.

    Returns:
        The images of those that are as they were written, and what is wrong with the others.
    """

    def read(file: BlockFile) -> list[ImageRow] | Damage:
        try:
            return check_block(file, manifest, whole=True)
        except IndexDamagedError as error:
            return Damage(file.path, str(error), isinstance(error, IndexForeignError))

    sound: dict[BlockFile, list[ImageRow]] = {}
    damages: list[Damage] = []
    files = sorted(files, key=lambda file: (file.numbers.start, file.numbers.stop))
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        for file, found in zip(files, pool.map(read, files), strict=True):
            if isinstance(found, Damage):
                damages.append(found)
            else:
                sound[file] = found
    return sound, damages


def misplaced_blocks(
    blocks: dict[BlockFile, list[ImageRow]], plan: pd.DataFrame, manifest: Manifest
) -> list[Damage]:
    """Blocks whose images are not those that the list of images has for them."""
    planned, damages = PlannedImages(plan, manifest), []
    for file, rows in blocks.items():
        try:
            planned.check(file, rows)
        except IndexForeignError as error:
            damages.append(Damage(file.path, str(error), foreign=True))
    return damages


def missing_blocks(folder: IndexFolder, plan: pd.DataFrame) -> list[int]:
    """Numbers of the blocks that hold images of the dataset and are not there, in order."""
    needed = {int(block) for block in plan.loc[~plan["removed"], "block"].unique()}
    return sorted(needed - set(folder.done_blocks()))


def check_index(path: str | os.PathLike[str] | RemotePath) -> list[Damage]:
    """Read every file of an index and say what is wrong; nothing is changed.

    Raises:
        IndexMismatchError: there is no index, or one of a format that is not read.
    """
    folder = IndexFolder(path)
    if not folder.exists() and holds_index(folder):
        lost = folder.path / "manifest.json"
        return [
            Damage(
                lost,
                f"{lost} is missing; put a copy of it back, or scan the same images with the same "
                "network into this index again: the blocks that belong are kept",
            )
        ]
    try:
        manifest = folder.read_manifest()
    except IndexMismatchError:
        raise
    except IndexDamagedError as error:
        return [Damage(folder.path / "manifest.json", str(error))]
    blocks, damages = sound_blocks(folder, manifest, folder.all_block_files())
    try:
        plan = folder.read_plan(manifest)
    except IndexDamagedError as error:
        foreign = isinstance(error, IndexForeignError)
        return [Damage(folder.path / "images.parquet", str(error), foreign), *damages]
    damages += misplaced_blocks(blocks, plan, manifest)
    if manifest.complete:
        there = {folder.block_file(number).path for number in missing_blocks(folder, plan)}
        damages += [
            Damage(path, f"block {path} is missing; {REPAIR}: only its images are read again")
            for path in sorted(there)
        ]
        damages += [Damage(file, reason) for file, reason in summary_damage(folder, manifest)]
    return damages
