"""Before a scan builds on what is there: set aside what is damaged, and only that.

What is set aside counts as not scanned, so the scan that follows is the repair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from deconv_core.errors import ANEW, IndexDamagedError, IndexForeignError
from deconv_core.images.folder import ImageFolder
from deconv_core.index import limits as index_limits
from deconv_core.index.blocks import BlockFile, ImageRow
from deconv_core.index.folder import IndexFolder
from deconv_core.index.inspection import Damage, misplaced_blocks, missing_blocks, sound_blocks
from deconv_core.index.manifest import Manifest
from deconv_core.index.place import check_written_here
from deconv_core.index.summary import summary_damage
from deconv_core.scanning.plan import plan_rows

Blocks = dict[BlockFile, list[ImageRow]]


def put_right(
    folder: IndexFolder, manifest: Manifest, images: ImageFolder
) -> tuple[Manifest, pd.DataFrame]:
    """Check every file of an index and delete the blocks that are damaged or do not belong.

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
    blocks, damages = sound_blocks(folder, manifest, folder.all_block_files())
    _refuse_strangers(folder, blocks, damages)
    plan = _plan_there(folder, manifest, damages)
    rebuilt = plan is None
    if plan is None:
        plan = _rebuilt_plan(manifest, images, blocks)
    complete = manifest.complete and not rebuilt  # only then the list knows what the blocks know
    damages += misplaced_blocks(blocks, plan, replace(manifest, complete=complete))
    bad = {damage.path for damage in damages}
    _refuse_strangers(folder, {f: rows for f, rows in blocks.items() if f.path not in bad}, damages)
    check_written_here([*bad, *([folder.path / "images.parquet"] if rebuilt else [])])
    whole = not rebuilt and not bad
    if manifest.complete and (
        not whole or missing_blocks(folder, plan) or summary_damage(folder, manifest)
    ):
        manifest = replace(manifest, complete=False, summary="")
        folder.write_manifest(manifest)
    if rebuilt:
        folder.write_plan(plan, manifest)
    for path in bad:
        path.unlink(missing_ok=True)
    return manifest, plan


def found_without_manifest(
    folder: IndexFolder, manifest: Manifest, images: ImageFolder
) -> tuple[Manifest, pd.DataFrame]:
    """Go on with blocks whose manifest was lost, if they were made as ``manifest`` says.

    Raises:
        IndexForeignError: they were not; nothing was changed.
    """
    files = folder.all_block_files()
    stated = [folder.identity(file.path) for file in files]
    keys = Counter(found.key for found in stated if found.making == manifest.making)
    if keys:
        manifest = replace(manifest, key=keys.most_common(1)[0][0])
    blocks, damages = sound_blocks(folder, manifest, files)
    if not blocks:
        raise IndexForeignError(
            f"{folder.path} holds {len(damages)} blocks but no readable manifest.json, and they "
            "were not made from these images with this network. Put the manifest back, or "
            f"{ANEW}"
        )
    sizes = [len(rows) for file, rows in blocks.items() if len(file.numbers) == 1]
    manifest = replace(manifest, block_size=max(sizes, default=manifest.block_size))
    manifest, plan = put_right(folder, manifest, images)
    folder.write_manifest(manifest)
    return manifest, plan


def _refuse_strangers(folder: IndexFolder, blocks: Blocks, damages: Sequence[Damage]) -> None:
    """Blocks of which some are whole, and none belongs, are not thrown away."""
    if not blocks and any(damage.foreign for damage in damages):
        raise IndexForeignError(
            f"none of the {len(damages)} blocks in {folder.blocks} belongs to the manifest.json "
            "beside them: one of both is of another index. Put back the right one; or delete "
            "manifest.json and scan the same images with the same network into this index again: "
            f"blocks that belong are then kept; or {ANEW}"
        )


def _plan_there(
    folder: IndexFolder, manifest: Manifest, damages: Sequence[Damage]
) -> pd.DataFrame | None:
    """The list of images, or None if it is damaged or of another index."""
    try:
        return folder.read_plan(manifest)
    except IndexDamagedError:
        return None


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
