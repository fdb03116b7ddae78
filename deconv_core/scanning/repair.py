"""Before a scan builds on what is there: set aside what an inspection found wrong, and only that.

What is set aside counts as not scanned, so the scan that follows is the repair.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd

from deconv_core.errors import ANEW, IndexForeignError
from deconv_core.images.folder import ImageFolder
from deconv_core.index import limits as index_limits
from deconv_core.index.folder import IndexFolder
from deconv_core.index.inspection import Blocks, Inspection, inspect, misplaced_blocks
from deconv_core.index.manifest import Manifest
from deconv_core.index.place import check_written_here
from deconv_core.scanning.plan import plan_rows


def repair(
    folder: IndexFolder, found: Inspection, images: ImageFolder
) -> tuple[Manifest, pd.DataFrame]:
    """Delete the blocks that are damaged or do not belong.

    A list of images that is lost is made again from the folder, or from the blocks if the folder
    is another by now. Only for the holder of the lock.

    Returns:
        The manifest, ``complete`` only if nothing was wrong, and the list of images.

    Raises:
        IndexForeignError: not one block belongs to this manifest, but they may to another; nothing
            was changed.
        DeconvError: a file that would be replaced was written by another program; nothing was
            changed.
    """
    manifest, plan, findings = found.manifest, found.plan, found.findings
    if plan is None:
        plan = _rebuilt_plan(manifest, images, found.blocks)
        unlearned = replace(manifest, complete=False)  # such a list knows no contents
        findings += tuple(misplaced_blocks(found.blocks, plan, unlearned))
    wrong = [finding for finding in findings if finding.part == "block"]
    bad = {finding.path for finding in wrong if finding.trouble != "lost"}
    strangers = any(finding.trouble == "foreign" for finding in wrong)
    if strangers and bad.issuperset(file.path for file in found.blocks):
        raise IndexForeignError(
            f"none of the {len(bad)} blocks in {folder.blocks} belongs to the manifest.json "
            "beside them: one of both is of another index",
            "put back the right one",
            "delete manifest.json and scan the same images with the same network into this index "
            "again: blocks that belong are then kept",
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
    """Look at blocks whose manifest was lost, if they were made as ``manifest`` says.

    Raises:
        IndexForeignError: they were not; nothing was changed.
    """
    stated = [folder.identity(file.path) for file in folder.all_block_files()]
    keys = Counter(identity.key for identity in stated if identity.making == manifest.making)
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
    """The list of images as the scan began with it, or as the blocks know it."""
    fresh = plan_rows(list(images), first_block=0, block_size=manifest.block_size)
    if not misplaced_blocks(blocks, fresh, replace(manifest, complete=False)):
        return fresh
    rows = [(file.numbers.start, row) for file, found in blocks.items() for row in found]
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
