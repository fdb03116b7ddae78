"""Is an index as it was written? One walk over its files finds what is damaged, exchanged or lost.

A block is sound if every byte is as it was written, if it belongs to this index and this place in
it, and if its images are those that the list of images has for it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from deconv_core.errors import REPAIR, IndexDamagedError, IndexForeignError
from deconv_core.index.blocks import BlockFile, ImageRow, check_block
from deconv_core.index.folder import MANIFEST_REMEDIES, IndexFolder
from deconv_core.index.manifest import Manifest
from deconv_core.index.place import holds_index
from deconv_core.index.summary import summary_damage
from deconv_core.storage import Location, RemotePath

Blocks = Mapping[BlockFile, Sequence[ImageRow]]
"""Block files and what each learned about its images."""
Part = Literal["manifest", "images", "block", "summary"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One file of an index that is not as it should be.

    Attributes:
        part: what the file is in the index.
        path: where it lies, or should.
        trouble: "damaged"; "foreign", if it is whole but of another index or another place in it;
            or "lost".
        reason: why, and what to do, as a sentence.
    """

    part: Part
    path: Location
    trouble: Literal["damaged", "foreign", "lost"]
    reason: str

    @classmethod
    def of(cls, part: Part, path: Location, error: IndexDamagedError) -> Finding:
        """What is wrong with a file that could not be read."""
        foreign = isinstance(error, IndexForeignError)
        return cls(part, path, "foreign" if foreign else "damaged", str(error))


@dataclass(frozen=True, eq=False)
class Inspection:
    """An index, every byte of it read.

    Attributes:
        manifest: what made it.
        plan: the list of images; None if it cannot be read, or is of another index.
        blocks: the blocks that are as they were written, also those that hold other images than
            the list has for them.
        findings: what is wrong; empty for a whole index.
    """

    manifest: Manifest
    plan: pd.DataFrame | None
    blocks: Blocks
    findings: tuple[Finding, ...]


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
                f"block {file.path} does not hold the images that images.parquet lists for it",
                REPAIR,
            )


def check_index(path: str | os.PathLike[str] | RemotePath) -> tuple[Finding, ...]:
    """Read every file of an index and say what is wrong; nothing is changed.

    Raises:
        IndexMismatchError: there is no index, or one of a format that is not read.
    """
    folder = IndexFolder(path)
    file = folder.path / "manifest.json"
    if not folder.exists() and holds_index(folder):
        lost = IndexDamagedError(f"{file} is missing", *MANIFEST_REMEDIES)
        return (Finding("manifest", file, "lost", str(lost)),)
    try:
        manifest = folder.read_manifest()
    except IndexDamagedError as error:
        return (Finding.of("manifest", file, error),)
    return inspect(folder, manifest).findings


def inspect(folder: IndexFolder, manifest: Manifest) -> Inspection:
    """Read every file of the index that a manifest describes; nothing is changed."""
    blocks, findings = _sound_blocks(folder, manifest)
    try:
        plan = folder.read_plan(manifest)
    except IndexDamagedError as error:
        list_damage = Finding.of("images", folder.path / "images.parquet", error)
        return Inspection(manifest, None, blocks, (list_damage, *findings))
    findings += misplaced_blocks(blocks, plan, manifest)
    if manifest.complete:
        findings += _lost_blocks(folder, plan)
        findings += [
            Finding.of("summary", file, error) for file, error in summary_damage(folder, manifest)
        ]
    return Inspection(manifest, plan, blocks, tuple(findings))


def _sound_blocks(
    folder: IndexFolder, manifest: Manifest
) -> tuple[dict[BlockFile, list[ImageRow]], list[Finding]]:
    """Read blocks whole, several at a time, and compare each with its seal.

    Returns:
        The images of those that are as they were written, and what is wrong with the others.
    """

    def read(file: BlockFile) -> list[ImageRow] | Finding:
        try:
            return check_block(file, manifest, whole=True)
        except IndexDamagedError as error:
            return Finding.of("block", file.path, error)

    files = sorted(
        folder.all_block_files(), key=lambda file: (file.numbers.start, file.numbers.stop)
    )
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        results = dict(zip(files, pool.map(read, files), strict=True))
    sound = {file: found for file, found in results.items() if not isinstance(found, Finding)}
    return sound, [found for found in results.values() if isinstance(found, Finding)]


def misplaced_blocks(blocks: Blocks, plan: pd.DataFrame, manifest: Manifest) -> list[Finding]:
    """Blocks whose images are not those that the list of images has for them."""
    planned, findings = PlannedImages(plan, manifest), []
    for file, rows in blocks.items():
        try:
            planned.check(file, rows)
        except IndexForeignError as error:
            findings.append(Finding.of("block", file.path, error))
    return findings


def missing_blocks(folder: IndexFolder, plan: pd.DataFrame) -> list[int]:
    """Numbers of the blocks that hold images of the dataset and are not there, in order."""
    needed = {int(block) for block in plan.loc[~plan["removed"], "block"].unique()}
    return sorted(needed - set(folder.done_blocks()))


def _lost_blocks(folder: IndexFolder, plan: pd.DataFrame) -> list[Finding]:
    paths = [folder.block_file(number).path for number in missing_blocks(folder, plan)]
    return [
        Finding("block", path, "lost", str(IndexDamagedError(f"block {path} is missing", REPAIR)))
        for path in paths
    ]
