"""Prepares a damaged index for a scan: deletes the files that an inspection found to be wrong.

The images in deleted blocks count as not scanned, so the scan that follows completes the repair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from deconv_core.errors import ANEW, IndexForeignError
from deconv_core.images.folder import ImageFolder
from deconv_core.index import limits as index_limits
from deconv_core.index.blocks import ImageRow
from deconv_core.index.folder import IndexFolder
from deconv_core.index.inspection import Blocks, Inspection, inspect, misplaced_blocks
from deconv_core.index.manifest import Manifest
from deconv_core.index.place import check_written_here
from deconv_core.scanning.plan import plan_rows


def repair(
    folder: IndexFolder, found: Inspection, images: ImageFolder
) -> tuple[Manifest, pd.DataFrame]:
    """Delete the blocks that are damaged or belong to another index.

    A lost list of images is rebuilt from the folder of images, or from the blocks if the folder
    has changed. The caller must hold the lock of the index.

    Returns:
        The manifest, ``complete`` only if nothing was wrong, and the list of images.

    Raises:
        IndexForeignError: no block belongs to this manifest; nothing is changed, because the
            blocks may belong to another one.
        DeconvError: another program wrote a file that would be replaced; nothing is changed.
    """
    manifest, plan, findings = found.manifest, found.plan, found.findings
    if plan is None:
        plan = _rebuilt_plan(manifest, images, found.blocks)
        incomplete = replace(manifest, complete=False)  # a rebuilt list holds no hashes
        findings += tuple(misplaced_blocks(found.blocks, plan, incomplete))
    wrong = [finding for finding in findings if finding.part == "block"]
    bad = {finding.path for finding in wrong if finding.trouble != "lost"}
    has_foreign = any(finding.trouble == "foreign" for finding in wrong)
    if has_foreign and bad.issuperset(file.path for file in found.blocks):
        raise IndexForeignError(
            f"none of the {len(bad)} blocks in {folder.blocks} belongs to the manifest.json "
            "beside them: the blocks or the manifest come from another index",
            "put back the right files",
            "delete manifest.json and scan the same images with the same network into this index "
            "again: the blocks that belong to this scan are then kept",
            ANEW,
        )
    rebuilt = found.plan is None
    check_written_here([*bad, *([folder.path / "images.parquet"] if rebuilt else [])])
    if manifest.complete and findings:
        manifest = replace(manifest, complete=False, summary="")
        folder.write_manifest(manifest)
    if rebuilt:
        folder.write_plan(plan, manifest)
    for path in bad:
        path.unlink(missing_ok=True)
    return manifest, plan


def inspect_without_manifest(folder: IndexFolder, manifest: Manifest) -> Inspection:
    """Inspect the blocks of an index whose manifest was lost.

    Args:
        folder: the index.
        manifest: that of a new scan; only blocks made with its settings are used.

    Raises:
        IndexForeignError: no block was made with these settings; nothing is changed.
    """
    stated = [folder.identity(file.path) for file in folder.all_block_files()]
    keys = Counter(identity.key for identity in stated if identity.making == manifest.settings_hash)
    if keys:
        manifest = replace(manifest, key=keys.most_common(1)[0][0])
    found = inspect(folder, manifest)
    if not found.blocks:
        raise IndexForeignError(
            f"{folder.path} holds {len(stated)} blocks but no readable manifest.json, and they "
            "were not made from these images with this network",
            "put the manifest back",
            ANEW,
        )
    sizes = [len(rows) for file, rows in found.blocks.items() if len(file.numbers) == 1]
    size = max(sizes, default=manifest.block_size)
    return replace(found, manifest=replace(manifest, block_size=size))


def _rebuilt_plan(manifest: Manifest, images: ImageFolder, blocks: Blocks) -> pd.DataFrame:
    """The list of images, rebuilt from the folder, or from the blocks if the folder changed."""
    fresh = plan_rows(list(images), first_block=0, block_size=manifest.block_size)
    if not misplaced_blocks(blocks, fresh, replace(manifest, complete=False)):
        return fresh
    rows = [(file.numbers.start, row) for file, found in blocks.items() for row in found]
    if (other_blocks := _in_their_blocks(fresh, rows, manifest.block_size)) is not None:
        return other_blocks
    count = 1 + max(row.ordinal for _, row in rows)
    plan = plan_rows([], 0, manifest.block_size).reindex(np.arange(count))
    plan = plan.fillna(dict.fromkeys(index_limits.TEXTS, ""))
    plan = plan.fillna({"block": -1, "width": 0, "height": 0, "removed": True})
    places = [row.ordinal for _, row in rows]
    for name in (*index_limits.TEXTS, "width", "height"):
        plan.loc[places, name] = [getattr(row, name) for _, row in rows]
    plan.loc[places, "block"] = [block for block, _ in rows]
    known = plan.loc[sorted(places)]
    plan.loc[known.index, "removed"] = known["image_id"].duplicated(keep="last")
    return plan.astype(dict(fresh.dtypes))


def _in_their_blocks(
    fresh: pd.DataFrame, rows: Sequence[tuple[int, ImageRow]], block_size: int
) -> pd.DataFrame | None:
    """The list of the images in the folder, with each scanned image in the block that holds it.

    A pause makes a block smaller, and older versions did not shuffle the images.

    Args:
        fresh: the list of the images that are in the folder now.
        rows: number of the block and row of each scanned image.
        block_size: images in a block of images that are not scanned.

    Returns:
        None if a scanned image has another place in the list.
    """
    listed = dict(enumerate(fresh["image_id"]))
    if any(listed.get(row.ordinal) != row.image_id for _, row in rows):
        return None
    fresh["block"] = -1
    fresh.loc[[row.ordinal for _, row in rows], "block"] = [block for block, _ in rows]
    left = fresh.index[fresh["block"] < 0]
    fresh.loc[left, "block"] = fresh["block"].max() + 1 + np.arange(len(left)) // block_size
    return fresh
