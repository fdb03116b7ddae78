"""The plan of a scan: which images it covers, in which block each image is, and in which order.

Images are scanned in shuffled order, so that the finished part of a scan is a fair sample of all
labels. The order is that of the hashes of the ids: the same whenever, wherever and by whatever a
scan is resumed, and it does not depend on the other images. Rows of the plan stay in the order of
the folder. Only images that are near each other in the folder share a block (``REGION``), so that
the images of a label are in few merged blocks of a large index.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

from deconv_core.errors import UPDATE, ImageError, IndexOutdatedError
from deconv_core.images.decoding import content_hash
from deconv_core.images.folder import ImageEntry, ImageFolder, read_content
from deconv_core.index.blocks import ImageRow, read_block_images
from deconv_core.index.folder import IndexFolder
from deconv_core.index.manifest import Manifest
from deconv_core.index.summary import MERGED_IMAGES
from deconv_core.storage import Location

REGION = MERGED_IMAGES
"""Images that are shuffled with each other into blocks."""


def scanned_folder(root: Location, manifest: Manifest) -> ImageFolder:
    """Open a folder of images with the settings that an index was scanned with.

    Raises:
        DeconvError: there is no such folder.
    """
    return ImageFolder(
        root,
        manifest.extensions,
        manifest.labels,
        resize="crop" if manifest.resize == "crop" else "stretch",
        value_range="file" if manifest.value_range == "file" else "type",
        follow_links=manifest.follow_links,
    )


def plan_rows(entries: Sequence[ImageEntry], first_block: int, block_size: int) -> pd.DataFrame:
    """Rows of a plan for images that are not scanned yet, ``block_size`` images per block."""
    region = max(1, REGION // block_size) * block_size
    order = np.lexsort(
        (_order_keys(e.image_id for e in entries), np.arange(len(entries)) // region)
    )
    block = np.empty(len(entries), np.int64)
    block[order] = first_block + np.arange(len(entries)) // block_size
    return pd.DataFrame(
        {
            "image_id": pd.Series([e.image_id for e in entries], dtype="str"),
            "label": pd.Series([e.label for e in entries], dtype="str"),
            "block": block,
            "removed": np.zeros(len(entries), bool),
            "width": np.zeros(len(entries), np.int64),
            "height": np.zeros(len(entries), np.int64),
            "error": pd.Series([""] * len(entries), dtype="str"),
            "note": pd.Series([""] * len(entries), dtype="str"),
            "content_hash": pd.Series([""] * len(entries), dtype="str"),
        }
    )


def _order_keys(image_ids: Iterable[str]) -> np.ndarray:
    """For each image, its place in the order of a scan, as a number that hardly repeats."""
    hashes = (hashlib.sha256(image_id.encode()).digest()[:8] for image_id in image_ids)
    return np.fromiter((int.from_bytes(found) for found in hashes), np.uint64)


def in_scan_order(plan: pd.DataFrame) -> Iterator[tuple[int, list[ImageRow]]]:
    """Number and images of each block of a plan, in the order in which they are scanned.

    The block whose first image comes first in the shuffled order is the first.
    """
    order = np.argsort(_order_keys(plan["image_id"].astype(str)), kind="stable")
    for number, rows in plan.iloc[order].groupby("block", sort=False):
        yield (
            int(str(number)),
            [
                ImageRow.planned(int(ordinal), str(image_id), str(label))
                for ordinal, image_id, label in zip(
                    rows.index, rows["image_id"], rows["label"], strict=True
                )
            ],
        )


def with_scan_results(folder: IndexFolder, plan: pd.DataFrame) -> pd.DataFrame:
    """The plan with sizes, errors, notes and hashes of the images in finished blocks."""
    plan = plan.copy()
    rows = [row for file in folder.block_files() for row in read_block_images(file)]
    where = plan.index[[row.ordinal for row in rows]]
    for name in ("width", "height", "error", "note", "content_hash"):
        plan.loc[where, name] = [getattr(row, name) for row in rows]
    return plan


def updated_plan(
    folder: IndexFolder,
    manifest: Manifest,
    plan: pd.DataFrame,
    images: ImageFolder,
    update: bool,
) -> pd.DataFrame | None:
    """The plan for the images that are in the folder now; None if nothing changed.

    An image that was removed, or whose content changed, keeps its row and its peaks; the row is
    marked as removed. Added and changed images get new rows and new blocks at the end.

    Raises:
        IndexOutdatedError: the images changed and ``update`` is False; or images would be left out
            only because links are no longer followed, which ``follow_links`` does not say.
    """
    known = with_scan_results(folder, plan)
    done = set(folder.done_blocks())
    live = known[~known["removed"]]
    now = {entry.image_id: entry for entry in images}
    removed = live[~live["image_id"].isin(list(now))]
    scanned = live[live["block"].isin(done) & live["image_id"].isin(list(now))]
    with ThreadPoolExecutor() as pool:
        hashes = list(pool.map(_current_hash, [now[str(name)] for name in scanned["image_id"]]))
    changed = scanned[scanned["content_hash"].to_numpy() != np.array(hashes, dtype=object)]
    kept = set(live["image_id"]) - set(changed["image_id"])
    added = [entry for entry in images if entry.image_id not in kept]
    if not len(removed) and not added:
        return None
    if len(removed) and manifest.follow_links and images.links_unsaid:
        raise IndexOutdatedError(
            f"this index was made with links to folders followed; without them, {len(removed)} of "
            "its images are left out. Give follow_links=True (--follow-links) to keep them, or "
            "follow_links=False (--no-follow-links) and update=True (--update) to leave them out"
        )
    if not update:
        new = len(added) - len(changed)
        raise IndexOutdatedError(
            f"the images in {images.root} are not those of this index: {new} added, "
            f"{len(removed)} removed, {len(changed)} changed"
            f"{_changed_listing(manifest, images)}",
            UPDATE,
            "give another index folder to keep both",
        )
    known.loc[[*removed.index, *changed.index], "removed"] = True
    rows = plan_rows(added, int(known["block"].max()) + 1, manifest.block_size)
    return pd.concat([known, rows], ignore_index=True)


def _changed_listing(manifest: Manifest, images: ImageFolder) -> str:
    """Which settings of the list of images differ from those of the scan, in words."""
    followed = {True: "followed", False: "not followed"}
    compared = (
        ("file types", _or_all(manifest.extensions), _or_all(images.extensions)),
        ("labels", _or_all(manifest.labels), _or_all(images.wanted_labels)),
        ("links to folders", followed[manifest.follow_links], followed[images.follow_links]),
    )
    return "".join(
        f"; {what}: {made} in the scan, {now} now" for what, made, now in compared if made != now
    )


def _or_all(names: Sequence[str] | None) -> str:
    return "all" if names is None else ", ".join(name or '""' for name in names) or "none"


def _current_hash(entry: ImageEntry) -> str:
    try:
        return content_hash(read_content(entry.path))
    except ImageError:
        return ""
