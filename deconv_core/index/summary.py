"""The summary of a finished index: the 100 strongest images and the statistics of every map.

With a summary, a query for the top k (k up to 100) of a map or of a layer reads a few small row
groups, whatever the number of images. This also suffices for a whole layer: fewer than k images
have a larger peak in the best map of an image among the top k of the layer. If there are copies,
the summary also holds the 100 strongest images that are not copies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from deconv_core.errors import REPAIR, IndexDamagedError
from deconv_core.index import limits as index_limits
from deconv_core.index.blocks import (
    BlockFile,
    Ordinals,
    open_writer,
    place_column,
    read_block_images,
    read_peaks,
    row_groups,
)
from deconv_core.index.copies import is_repeated
from deconv_core.index.folder import IndexFolder
from deconv_core.index.manifest import Manifest
from deconv_core.index.parts import (
    READ_ERRORS,
    Identity,
    check_identity,
    identity_metadata,
    write_table,
)
from deconv_core.index.seals import check_seal, sealed
from deconv_core.layers import Layer
from deconv_core.peaks import Peaks
from deconv_core.storage import Location, source
from deconv_core.whole_files import write_whole

KEPT = 100
"""Images of every map in the summary; if there are copies, also as many without copies."""
MERGE_FROM = 64
"""A finished scan with more block files merges them."""
MERGED_IMAGES = 4096
"""Images in a merged block file, at least."""


def _top_schema(layers: Sequence[Layer]) -> pa.Schema:
    return pa.schema(
        [
            ("channel", pa.uint16()),
            ("image", pa.uint32()),
            ("value", pa.float32()),
            ("row", place_column(layers)),
            ("column", place_column(layers)),
            ("copy", pa.bool_()),
        ]
    )


def merge_blocks(folder: IndexFolder, manifest: Manifest) -> None:
    """Merge the block files of a large index into files of about 4,096 images, in order.

    A merged file is complete before the single files are deleted. If the scan is killed between,
    the next scan deletes them.
    """
    files = folder.block_files()
    if len(files) <= MERGE_FROM:
        return
    run: list[BlockFile] = []
    images = 0
    for file in files:
        run.append(file)
        images += len(read_block_images(file))
        if images >= MERGED_IMAGES or file is files[-1]:
            _merge(folder, manifest, run)
            run, images = [], 0


def _merge(folder: IndexFolder, manifest: Manifest, run: Sequence[BlockFile]) -> None:
    if len(run) < 2:
        return
    rows = [row for file in run for row in read_block_images(file)]
    order = np.argsort([row.ordinal for row in rows if not row.error]).astype(int)
    rows.sort(key=lambda row: row.ordinal)

    def peaks(layer: str) -> Peaks:
        parts = [read_peaks(file, manifest.layers, layer, None)[1] for file in run]
        return Peaks.join(parts).select(order)

    merged = folder.block_file(run[0].numbers.start, run[-1].numbers.stop - 1)
    folder.write_block(merged, rows, manifest, peaks)
    for file in run:
        file.path.unlink()


@dataclass(eq=False)
class _LayerSummary:
    """Collects the strongest images and the statistics of the maps of one layer, block by block.

    Attributes:
        channels: number of maps.
        images: number of images so far.
        highest: largest activation of each map.
        total: sum of the peaks of each map.
        active: number of images that activate each map.
        keys: sort keys of the strongest images (at most ``KEPT``, channels). The high 32 bits are
            those of the value: they grow with a float that is not negative. The low 32 bits are
            larger for images whose id comes first.
        places: ordinal, row and column of the same peaks, packed as ordinal << 32 | row << 16 |
            column.
    """

    channels: int
    images: int = 0
    highest: np.ndarray = field(init=False)
    total: np.ndarray = field(init=False)
    active: np.ndarray = field(init=False)
    keys: np.ndarray = field(init=False)
    places: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.highest = np.zeros(self.channels, np.float32)
        self.total = np.zeros(self.channels)
        self.active = np.zeros(self.channels, np.int64)
        self.keys = np.zeros((0, self.channels), np.uint64)
        self.places = np.zeros((0, self.channels), np.uint64)

    def add(self, ordinals: Ordinals, found: Peaks, counted: np.ndarray, ranks: np.ndarray) -> None:
        """Add the peaks of a block.

        Args:
            ordinals: the images of the block.
            found: their peaks.
            counted: for every image of the index, whether it counts.
            ranks: for every image of the index, the position of its id in the sorted ids.
        """
        chosen = counted[ordinals]
        ordinals, found = ordinals[chosen], found.select(chosen)
        self.images += len(found.values)
        self.highest = np.maximum(self.highest, found.values.max(axis=0, initial=0.0))
        self.total += found.values.sum(axis=0, dtype=np.float64)
        self.active += (found.values > 0).sum(axis=0)
        bits = np.maximum(found.values, 0).view(np.uint32).astype(np.uint64)
        keys = (bits << 32) | (0xFFFFFFFF - ranks[ordinals].astype(np.uint64))[:, None]
        where = (
            (ordinals.astype(np.uint64) << 32)[:, None]
            | (found.rows.astype(np.uint64) << 16)
            | found.columns
        )
        keys, where = np.concatenate([self.keys, keys]), np.concatenate([self.places, where])
        if len(keys) > KEPT:
            kept = np.argpartition(keys, len(keys) - KEPT, axis=0)[-KEPT:]
            keys, where = (np.take_along_axis(array, kept, 0) for array in (keys, where))
        self.keys, self.places = keys, where


def _top_table(
    schema: pa.Schema, summaries: Sequence[_LayerSummary], channels: range, copies: np.ndarray
) -> pa.Table:
    """The strongest images of some channels, largest activation first, without repeats.

    Args:
        schema: its columns and their types.
        summaries: the collected images; an image may be in several.
        channels: the channels.
        copies: for every ordinal, whether the image is a copy.
    """
    here = slice(channels.start, channels.stop)
    keys, places = (
        np.concatenate([array[:, here] for array in arrays])
        for arrays in ([one.keys for one in summaries], [one.places for one in summaries])
    )
    order = np.argsort(keys, axis=0)[::-1]
    keys, places = (np.take_along_axis(array, order, 0) for array in (keys, places))
    values = (keys >> 32).astype(np.uint32).view(np.float32)
    chosen = values > 0
    chosen[1:] &= keys[1:] != keys[:-1]  # in two summaries
    numbers = np.broadcast_to(np.arange(channels.start, channels.stop), keys.shape)
    where = places.T[chosen.T]
    columns: list[np.ndarray] = [
        *(numbers.T[chosen.T], where >> 32, values.T[chosen.T]),
        *((where >> 16) & 0xFFFF, where & 0xFFFF, copies[where >> 32]),
    ]
    return pa.table(
        [
            pa.array(column.astype(kind.to_pandas_dtype()))
            for column, kind in zip(columns, schema.types, strict=True)
        ],
        schema=schema,
    )


def write_summary(folder: IndexFolder, manifest: Manifest, plan: pd.DataFrame) -> str:
    """Write the summary of all blocks, with one layer in memory at a time.

    Returns:
        Its version, a hash of the list of images. An index that was opened before an update does
        not find the new version, and reads its blocks instead.
    """
    layers, live = manifest.layers, ~plan["removed"].to_numpy(bool)
    listed = plan[["image_id", "removed", "content_hash"]].to_csv().encode()
    version = hashlib.sha256(listed).hexdigest()[:8]
    ranks = np.empty(len(plan), np.uint64)
    ranks[np.argsort(plan["image_id"].to_numpy(object), kind="stable")] = np.arange(len(plan))
    copies = _copies(plan)
    originals = live & ~copies
    buffer = pa.BufferOutputStream()
    maps: list[pd.DataFrame] = []
    groups = row_groups(layers)
    identity = identity_metadata(Identity.of(manifest, f"top-{version}"))
    schema = _top_schema(layers)
    with open_writer(buffer, schema.with_metadata(identity)) as writer:
        for layer in (layer for layer in layers if not layer.pooled_from):
            all_images = _LayerSummary(layer.channels)
            without_copies = _LayerSummary(layer.channels)
            for file in folder.block_files():
                ordinals, peaks = read_peaks(file, layers, layer.name, None)
                all_images.add(ordinals, peaks, live, ranks)
                if copies.any():
                    without_copies.add(ordinals, peaks, originals, ranks)
            for name, channels in groups:
                if name == layer.name:
                    table = _top_table(schema, [all_images, without_copies], channels, copies)
                    writer.write_table(table)
            maps.append(_statistics(layer, all_images))
    write_table(
        folder.path / f"maps-{version}.parquet",
        pd.concat(maps, ignore_index=True),
        Identity.of(manifest, f"maps-{version}"),
    )
    write_whole(folder.path / f"top-{version}.parquet", sealed(memoryview(buffer.getvalue())))
    return version


def drop_summaries(folder: IndexFolder, manifest: Manifest) -> None:
    """Delete the old summaries of an index: all but the one that the manifest names."""
    for path in folder.parquet_files():
        old = path.stem.startswith(("maps-", "top-")) and not path.stem.endswith(manifest.summary)
        if old and folder.identity(path) == Identity.of(manifest, path.stem):
            path.unlink(missing_ok=True)


def _copies(plan: pd.DataFrame) -> np.ndarray:
    """For every row of the list of images: True for a copy of a readable image with smaller id."""
    readable = plan[~plan["removed"].to_numpy(bool) & (plan["error"] == "").to_numpy(bool)]
    ordered = readable.sort_values("image_id")
    found = np.zeros(len(plan), bool)
    found[plan.index.get_indexer(ordered.index)] = is_repeated(ordered["content_hash"])
    return found


def _statistics(layer: Layer, summary: _LayerSummary) -> pd.DataFrame:
    """The statistics of the maps of a layer."""
    count = max(summary.images, 1)
    return pd.DataFrame(
        {
            "layer": layer.name,
            "channel": np.arange(layer.channels),
            "max": summary.highest,
            "mean": (summary.total / count).astype(np.float32),
            "share": summary.active / count,
            "dead": summary.highest <= 0,
        }
    )


def read_top(
    folder: IndexFolder, manifest: Manifest, layer: str, channel: int | None
) -> pd.DataFrame | None:
    """Read the strongest images of one map, or of all maps of a layer.

    Returns:
        channel, image (ordinal), value, row, column, copy (True if an image with a smaller id has
        the same content); None if there is no summary of the manifest's version.

    Raises:
        IndexDamagedError: the summary cannot be read.
    """
    path = folder.path / f"top-{manifest.summary}.parquet"
    if not path.is_file():
        return None
    _check(path, manifest)
    numbers = [
        number
        for number, (name, channels) in enumerate(row_groups(manifest.layers))
        if name == layer and (channel is None or channel in channels)
    ]
    try:
        with index_limits.open_parquet(path, index_limits.MAX_PEAKS_EXPANSION) as file:
            index_limits.check_peak_rows(file.metadata, path.stat().st_size)
            if file.num_row_groups <= max(numbers):
                raise ValueError("it lacks feature maps")
            table = file.read_row_groups(numbers)
            schema = _top_schema(manifest.layers)
            if table.column_names != schema.names:
                raise ValueError(f"its columns are not {', '.join(schema.names)}")
            here = next(found for found in manifest.layers if found.name == layer)
            index_limits.check_peak_columns(table, schema, here)
            if table.num_rows and pc.max(table["channel"]).as_py() >= here.channels:
                raise ValueError(f"{layer} has no such feature map")
            if channel is not None:
                table = table.filter(pc.equal(table["channel"], channel))
            found: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    except READ_ERRORS as error:
        raise _damaged(path, error) from error
    return found


def read_maps(folder: IndexFolder, manifest: Manifest, layer: str) -> pd.DataFrame | None:
    """Read the statistics of a layer's maps; None if there is no summary of this version.

    Raises:
        IndexDamagedError: the summary cannot be read.
    """
    found = _read_maps(folder, manifest, [layer])
    return None if found is None else found[layer]


def read_dead_maps(folder: IndexFolder, manifest: Manifest) -> dict[str, int] | None:
    """Layer -> number of its dead maps, or None if there is no summary of this version.

    Raises:
        IndexDamagedError: the summary cannot be read.
    """
    stored = [found.name for found in manifest.layers if not found.pooled_from]
    found = _read_maps(folder, manifest, stored)
    if found is None:
        return None
    return {layer: int(maps["dead"].sum()) for layer, maps in found.items()}


def _read_maps(
    folder: IndexFolder, manifest: Manifest, layers: Sequence[str]
) -> dict[str, pd.DataFrame] | None:
    path = folder.path / f"maps-{manifest.summary}.parquet"
    if not path.is_file():
        return None
    _check(path, manifest)
    channels = {found.name: found.channels for found in manifest.layers if not found.pooled_from}
    try:
        with index_limits.open_parquet(path, index_limits.MAX_EXPANSION, ["layer"]) as file:
            if file.metadata.num_rows != sum(channels.values()):
                raise ValueError("it does not have a row for each feature map")
            table = file.read()
        index_limits.check_map_columns(table)
        return {layer: _maps_of_layer(table, layer, channels[layer]) for layer in layers}
    except READ_ERRORS as error:
        raise _damaged(path, error) from error


def _maps_of_layer(table: pa.Table, layer: str, channels: int) -> pd.DataFrame:
    names = table["layer"].combine_chunks()
    here = table.filter(pc.equal(names.indices, pc.index(names.dictionary, layer)))
    found: pd.DataFrame = here.drop_columns(["layer"]).to_pandas(ignore_metadata=True)
    if found["channel"].tolist() != list(range(channels)):
        raise ValueError(f"it does not have a row for each feature map of {layer}")
    return found


def summary_damage(
    folder: IndexFolder, manifest: Manifest
) -> list[tuple[Location, IndexDamagedError]]:
    """Check every byte of the summary of a finished index.

    Returns:
        The files that are damaged, with the error of each.
    """
    found = []
    for kind in ("maps", "top"):
        path = folder.path / f"{kind}-{manifest.summary}.parquet"
        try:
            _check(path, manifest, whole=True)
        except IndexDamagedError as error:
            found.append((path, error))
    return found


def _check(path: Location, manifest: Manifest, *, whole: bool = False) -> None:
    """Check the seal and the identity of a file.

    Raises:
        IndexDamagedError: the file is missing or damaged.
        IndexForeignError: it belongs to another index.
    """
    try:
        with path.open("rb") as file:
            check_seal(file, whole=whole)
        schema = pq.read_schema(source(path))
    except READ_ERRORS as error:
        raise _damaged(path, error) from error
    check_identity(path, schema, manifest, path.stem)


def _damaged(path: object, error: Exception) -> IndexDamagedError:
    return IndexDamagedError(
        f"{path} is missing or damaged ({error}). Without this file answers come from the blocks, "
        "which is slower",
        REPAIR,
    )
