"""Inspects an index: finds files that are damaged, lost, or belong to another index.

A block is correct if no byte was changed, if it belongs to this index and to its place in it, and
if its images are those that the list of images names for it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
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
from deconv_core.threads import in_threads

Blocks = Mapping[BlockFile, Sequence[ImageRow]]
"""Block files with the rows of their images."""
Part = Literal["manifest", "images", "block", "summary"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One file of an index that is damaged, lost or foreign.

    Attributes:
        part: the part of the index that the file is.
        path: path of the file.
        trouble: "damaged"; "lost"; or "foreign": not damaged, but from another index or from
            another place in this one.
        reason: what is wrong and what to do, as a sentence.
    """

    part: Part
    path: Location
    trouble: Literal["damaged", "foreign", "lost"]
    reason: str

    @classmethod
    def of(cls, part: Part, path: Location, error: IndexDamagedError) -> Finding:
        """A finding for a file that could not be used because of an error."""
        foreign = isinstance(error, IndexForeignError)
        return cls(part, path, "foreign" if foreign else "damaged", str(error))


@dataclass(frozen=True, eq=False)
class Inspection:
    """The result of an inspection of all files of an index.

    Attributes:
        manifest: the manifest.
        plan: the list of images; None if it cannot be read, or belongs to another index.
        blocks: the blocks without damage, also those whose images are not the listed ones.
        findings: the files with a problem; empty for an intact index.
    """

    manifest: Manifest
    plan: pd.DataFrame | None
    blocks: Blocks
    findings: tuple[Finding, ...]


class PlannedImages:
    """The list of images, arranged for a quick comparison with many blocks."""

    def __init__(self, plan: pd.DataFrame, manifest: Manifest) -> None:
        """Arrange a list of images and the manifest it belongs to."""
        self._complete = manifest.complete
        self._blocks = plan["block"].to_numpy(np.int64)
        live = np.flatnonzero(~plan["removed"].to_numpy(bool))
        self._by_block = live[np.argsort(self._blocks[live], kind="stable")]
        self._sorted_blocks = self._blocks[self._by_block]
        self._ids = plan["image_id"].to_numpy(object)
        self._hashes = plan["content_hash"].to_numpy(object)

    def check(self, file: BlockFile, rows: Sequence[ImageRow]) -> None:
        """Check that a block holds the images that the list names for it.

        Raises:
            IndexForeignError: it holds other images.
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
    """Read every file of an index and find what is wrong; nothing is changed.

    Raises:
        IndexMismatchError: there is no index, or its format version is another one.
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
    """Read every file of an index and compare it with the manifest; nothing is changed."""
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
    """Check every byte of every block, in threads.

    Returns:
        The image rows of the blocks without damage, and findings about the other blocks.
    """

    def read(file: BlockFile) -> list[ImageRow] | Finding:
        try:
            return check_block(file, manifest, whole=True)
        except IndexDamagedError as error:
            return Finding.of("block", file.path, error)

    files = sorted(
        folder.all_block_files(), key=lambda file: (file.numbers.start, file.numbers.stop)
    )
    results = dict(zip(files, in_threads(read, files), strict=True))
    sound = {file: found for file, found in results.items() if not isinstance(found, Finding)}
    return sound, [found for found in results.values() if isinstance(found, Finding)]


def misplaced_blocks(blocks: Blocks, plan: pd.DataFrame, manifest: Manifest) -> list[Finding]:
    """Findings about blocks whose images are not those that the list of images names."""
    planned, findings = PlannedImages(plan, manifest), []
    for file, rows in blocks.items():
        try:
            planned.check(file, rows)
        except IndexForeignError as error:
            findings.append(Finding.of("block", file.path, error))
    return findings


def missing_blocks(folder: IndexFolder, plan: pd.DataFrame) -> list[int]:
    """Numbers of the blocks that the dataset needs and that do not exist, in order."""
    needed = {int(block) for block in plan.loc[~plan["removed"], "block"].unique()}
    return sorted(needed - set(folder.done_blocks()))


def _lost_blocks(folder: IndexFolder, plan: pd.DataFrame) -> list[Finding]:
    paths = [folder.block_file(number).path for number in missing_blocks(folder, plan)]
    return [
        Finding("block", path, "lost", str(IndexDamagedError(f"block {path} is missing", REPAIR)))
        for path in paths
    ]
