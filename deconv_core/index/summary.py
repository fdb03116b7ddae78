"""What a finished index knows by heart: the strongest images of every map, and its statistics.

A question about the top k (k up to 100) of a map or of a whole layer then reads a few small row
groups, whatever the number of images. It is enough for whole layers too: an image among the k best
of a layer has fewer than k images above it in its own best map. Where images are copies of each
other, it holds the 100 strongest images and the 100 strongest of those that are not copies.
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
    read_block_images,
    read_peaks,
    row_groups,
)
from deconv_core.index.copies import is_repeated
from deconv_core.index.folder import IndexFolder
from deconv_core.index.manifest import Manifest
from deconv_core.index.parts import (
    MISTAKES,
    Identity,
    check_identity,
    identified,
    write_table,
)
from deconv_core.index.seals import check_seal, sealed
from deconv_core.layers import Layer
from deconv_core.peaks import Peaks
from deconv_core.storage import Location, source
from deconv_core.whole_files import write_whole

KEPT = 100
"""Images kept of every map; where there are copies, as many again without them."""
MERGE_FROM = 64
"""Block files beyond which a finished scan merges them."""
MERGED_IMAGES = 4096

_TOP_SCHEMA = pa.schema(
    [
        ("channel", pa.uint16()),
        ("image", pa.uint32()),
        ("value", pa.float32()),
        ("row", pa.uint8()),
        ("column", pa.uint8()),
        ("copy", pa.bool_()),
    ]
)


def merge_blocks(folder: IndexFolder, manifest: Manifest) -> None:
    """Merge the block files of a large index into runs of about 4,096 images.

    A run is written whole before the files in it are deleted; killed in between, the next scan
    deletes them.
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

    def peaks(layer: str) -> Peaks:
        return Peaks.join([read_peaks(file, manifest.layers, layer, None)[1] for file in run])

    merged = folder.block_file(run[0].numbers.start, run[-1].numbers.stop - 1)
    folder.write_block(merged, rows, manifest, peaks)
    for file in run:
        file.path.unlink()


@dataclass(eq=False)
class _Best:
    """The strongest images of a layer's maps so far: arrays (at most ``KEPT``, channels).

    ``keys`` order by value, then by the rank of the image's id: the bits of a float that is not
    negative grow with it.
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
        """Add the peaks in those images that are counted.

        ``counted`` and ``ranks`` (of the ids) have an entry for every image of the index.
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
            (ordinals.astype(np.uint64) << 16)[:, None]
            | (found.rows.astype(np.uint64) << 8)
            | found.columns
        )
        keys, where = np.concatenate([self.keys, keys]), np.concatenate([self.places, where])
        if len(keys) > KEPT:
            kept = np.argpartition(keys, len(keys) - KEPT, axis=0)[-KEPT:]
            keys, where = (np.take_along_axis(array, kept, 0) for array in (keys, where))
        self.keys, self.places = keys, where


def _kept_table(bests: Sequence[_Best], channels: range, copies: np.ndarray) -> pa.Table:
    """The images that any of the bests keeps of some channels, once, strongest first.

    Those above 0 only; ``copies`` says of each ordinal whether the image is a copy.
    """
    here = slice(channels.start, channels.stop)
    keys, places = (
        np.concatenate([array[:, here] for array in arrays])
        for arrays in ([best.keys for best in bests], [best.places for best in bests])
    )
    order = np.argsort(keys, axis=0)[::-1]
    keys, places = (np.take_along_axis(array, order, 0) for array in (keys, places))
    values = (keys >> 32).astype(np.uint32).view(np.float32)
    chosen = values > 0
    chosen[1:] &= keys[1:] != keys[:-1]  # kept by both
    numbers = np.broadcast_to(np.arange(channels.start, channels.stop), keys.shape)
    where = places.T[chosen.T]
    columns: list[np.ndarray] = [
        *(numbers.T[chosen.T], where >> 16, values.T[chosen.T], (where >> 8) & 255, where & 255),
        copies[where >> 16],
    ]
    return pa.table(
        [
            pa.array(column.astype(kind.to_pandas_dtype()))
            for column, kind in zip(columns, _TOP_SCHEMA.types, strict=True)
        ],
        schema=_TOP_SCHEMA,
    )


def write_summary(folder: IndexFolder, manifest: Manifest, plan: pd.DataFrame) -> str:
    """Write the summary of all blocks, one layer in memory at a time.

    Returns:
        Its version, a hash of the list of images. An index that somebody opened before an update
        does not find the new version, and answers from its blocks as before.
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
    identity = identified(Identity.of(manifest, f"top-{version}"))
    with open_writer(buffer, _TOP_SCHEMA.with_metadata(identity)) as writer:
        for layer in (layer for layer in layers if not layer.is_pool):
            best, first = _Best(layer.channels), _Best(layer.channels)
            for file in folder.block_files():
                ordinals, peaks = read_peaks(file, layers, layer.name, None)
                best.add(ordinals, peaks, live, ranks)
                if copies.any():
                    first.add(ordinals, peaks, originals, ranks)
            for name, channels in groups:
                if name == layer.name:
                    writer.write_table(_kept_table([best, first], channels, copies))
            maps.append(_statistics(layer, best))
    write_table(
        folder.path / f"maps-{version}.parquet",
        pd.concat(maps, ignore_index=True),
        Identity.of(manifest, f"maps-{version}"),
    )
    write_whole(folder.path / f"top-{version}.parquet", sealed(memoryview(buffer.getvalue())))
    return version


def drop_summaries(folder: IndexFolder, manifest: Manifest) -> None:
    """Delete every summary of this index but the manifest's."""
    for path in folder.parquet_files():
        old = path.stem.startswith(("maps-", "top-")) and not path.stem.endswith(manifest.summary)
        if old and folder.identity(path) == Identity.of(manifest, path.stem):
            path.unlink(missing_ok=True)


def _copies(plan: pd.DataFrame) -> np.ndarray:
    """Of each row of the list of images: is it a copy of a readable one with a smaller id?"""
    readable = plan[~plan["removed"].to_numpy(bool) & (plan["error"] == "").to_numpy(bool)]
    ordered = readable.sort_values("image_id")
    found = np.zeros(len(plan), bool)
    found[plan.index.get_indexer(ordered.index)] = is_repeated(ordered["content_hash"])
    return found


def _statistics(layer: Layer, best: _Best) -> pd.DataFrame:
    count = max(best.images, 1)
    return pd.DataFrame(
        {
            "layer": layer.name,
            "channel": np.arange(layer.channels),
            "max": best.highest,
            "mean": (best.total / count).astype(np.float32),
            "share": best.active / count,
            "dead": best.highest <= 0,
        }
    )


def read_top(
    folder: IndexFolder, manifest: Manifest, layer: str, channel: int | None
) -> pd.DataFrame | None:
    """The images kept of one map, or of all maps of a layer.

    Returns:
        channel, image (ordinal), value, row, column, copy (True if it has the content of an image
        with a smaller id); None if there is no summary of the manifest's version.

    Raises:
        IndexDamagedError: it cannot be read.
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
            if table.column_names != _TOP_SCHEMA.names:
                raise ValueError(f"its columns are not {', '.join(_TOP_SCHEMA.names)}")
            here = next(found for found in manifest.layers if found.name == layer)
            index_limits.check_peak_columns(table, _TOP_SCHEMA, here)
            found: pd.DataFrame = table.to_pandas(ignore_metadata=True)
            if (found["channel"] >= here.channels).any():
                raise ValueError(f"{layer} has no such feature map")
    except MISTAKES as error:
        raise _damaged(path, error) from error
    return found if channel is None else found[found["channel"] == channel]


def read_maps(folder: IndexFolder, manifest: Manifest, layer: str) -> pd.DataFrame | None:
    """Statistics of a layer's maps, or None if there is no summary of the manifest's version.

    Raises:
        IndexDamagedError: they cannot be read.
    """
    path = folder.path / f"maps-{manifest.summary}.parquet"
    if not path.is_file():
        return None
    _check(path, manifest)
    channels = {found.name: found.channels for found in manifest.layers if not found.is_pool}
    try:
        with index_limits.open_parquet(path, index_limits.MAX_EXPANSION, ["layer"]) as file:
            if file.metadata.num_rows != sum(channels.values()):
                raise ValueError("it does not have a row for each feature map")
            table = file.read()
        index_limits.check_map_columns(table)
        names = table["layer"].combine_chunks()
        table = table.filter(pc.equal(names.indices, pc.index(names.dictionary, layer)))
        found: pd.DataFrame = table.drop_columns(["layer"]).to_pandas(ignore_metadata=True)
        if found["channel"].tolist() != list(range(channels[layer])):
            raise ValueError(f"it does not have a row for each feature map of {layer}")
    except MISTAKES as error:
        raise _damaged(path, error) from error
    return found


def summary_damage(
    folder: IndexFolder, manifest: Manifest
) -> list[tuple[Location, IndexDamagedError]]:
    """What is wrong with the summary of a finished index, every byte of it: (file, error)."""
    found = []
    for kind in ("maps", "top"):
        path = folder.path / f"{kind}-{manifest.summary}.parquet"
        try:
            _check(path, manifest, whole=True)
        except IndexDamagedError as error:
            found.append((path, error))
    return found


def _check(path: Location, manifest: Manifest, *, whole: bool = False) -> None:
    """Check a file's seal, and whose it is.

    Raises:
        IndexDamagedError: something is wrong with it.
    """
    try:
        with path.open("rb") as file:
            check_seal(file, whole=whole)
        schema = pq.read_schema(source(path))
    except MISTAKES as error:
        raise _damaged(path, error) from error
    check_identity(path, schema, manifest, path.stem)


def _damaged(path: object, error: Exception) -> IndexDamagedError:
    return IndexDamagedError(
        f"{path} is missing or damaged ({error}). Without the file answers come from the blocks, "
        "more slowly",
        REPAIR,
    )
