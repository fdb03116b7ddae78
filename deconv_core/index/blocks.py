"""Reads and writes the blocks of an index: the peaks of a few images, and a row for each image."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from deconv_core.errors import REPAIR, IndexDamagedError
from deconv_core.index import limits as index_limits
from deconv_core.index.manifest import Manifest
from deconv_core.index.parts import (
    READ_ERRORS,
    Identity,
    check_identity,
    identity_metadata,
)
from deconv_core.index.seals import check_seal, sealed
from deconv_core.layers import Layer
from deconv_core.peaks import Peaks, place_type
from deconv_core.storage import Location, source

GROUP_CHANNELS = 64
"""Channels in a row group: the least that a query about one feature map reads."""

Ordinals = npt.NDArray[np.uint32]
"""Row numbers of images in the list of images."""

_Number = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
_IMAGES_KEY = b"deconv_images"


def place_column(layers: Sequence[Layer]) -> pa.DataType:
    """The type of rows and columns in an index: uint8, or uint16 with maps larger than 256."""
    wide = any(
        place_type(layer.height, layer.width) is np.uint16
        for layer in layers
        if not layer.pooled_from
    )
    return pa.uint16() if wide else pa.uint8()


def _schema(layers: Sequence[Layer]) -> pa.Schema:
    return pa.schema(
        [
            ("layer", pa.dictionary(pa.int8(), pa.string())),
            ("channel", pa.uint16()),
            ("image", pa.uint32()),
            ("value", pa.float32()),
            ("row", place_column(layers)),
            ("column", place_column(layers)),
        ]
    )


class ImageRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One image of a scan.

    Attributes:
        ordinal: its row number in the list of images.
        image_id: its path relative to the root folder.
        label: its label.
        width: width in pixels; 0 before it is read.
        height: height in pixels; 0 before it is read.
        error: why it cannot be used, or "".
        content_hash: SHA-256 of the file; "" before it is read.
        note: a hint that its values fill little of the range of their type, or "".
    """

    ordinal: _Number
    image_id: str
    label: str
    width: _Number
    height: _Number
    error: str
    content_hash: str
    note: str = ""

    @classmethod
    def planned(cls, ordinal: int, image_id: str, label: str) -> ImageRow:
        """An image that is not scanned yet."""
        return cls(ordinal, image_id, label, width=0, height=0, error="", content_hash="")


@dataclass(frozen=True, slots=True)
class BlockFile:
    """A block file, and the numbers of the blocks in it."""

    path: Location
    numbers: range

    @property
    def part(self) -> str:
        """The part of the index that the file is, as its identity says."""
        return f"blocks {self.numbers.start} to {self.numbers.stop - 1}"


def row_groups(layers: Sequence[Layer]) -> list[tuple[str, range]]:
    """Layer and channels of each row group of a block file, in order."""
    return [
        (layer.name, range(first, min(first + GROUP_CHANNELS, layer.channels)))
        for layer in layers
        if not layer.pooled_from
        for first in range(0, layer.channels, GROUP_CHANNELS)
    ]


def open_writer(sink: Any, schema: pa.Schema) -> pq.ParquetWriter:
    """A Parquet writer that compresses all columns except the values, which hardly repeat."""
    return pq.ParquetWriter(
        sink,
        schema,
        compression=dict.fromkeys(schema.names, "zstd") | {"value": "none"},
        use_dictionary=[name for name in schema.names if name != "value"],
        write_page_checksum=True,
    )


def block_content(
    file: BlockFile,
    images: Sequence[ImageRow],
    manifest: Manifest,
    peaks: Callable[[str], Peaks],
) -> bytes:
    """The content of a block file, with its seal.

    Args:
        file: the block.
        images: all images of the block, also the unreadable ones.
        manifest: the manifest of the index, with the layers.
        peaks: called with the name of a layer; returns the peaks (N, C) of the readable images, in
            order.
    """
    described = json.dumps([msgspec.structs.asdict(row) for row in images]).encode()
    identity = identity_metadata(Identity.of(manifest, file.part))
    schema = _schema(manifest.layers).with_metadata({_IMAGES_KEY: described, **identity})
    ordinals = np.array([row.ordinal for row in images if not row.error], np.uint32)
    groups_of_layers = row_groups(manifest.layers)
    buffer = pa.BufferOutputStream()
    with open_writer(buffer, schema) as writer:
        for name, groups in itertools.groupby(groups_of_layers, key=lambda group: group[0]):
            found = peaks(name)
            for _, channels in groups:
                writer.write_table(_group_table(schema, name, channels, ordinals, found))
    return sealed(memoryview(buffer.getvalue()))


def check_block(file: BlockFile, manifest: Manifest, *, whole: bool = False) -> list[ImageRow]:
    """Check that a block is not damaged and belongs to an index.

    Args:
        file: the block.
        manifest: the manifest of the index.
        whole: check every byte; otherwise only the footer and the identity.

    Returns:
        The rows of its images.

    Raises:
        IndexDamagedError: it is missing or damaged.
        IndexForeignError: it is another block, or belongs to another index.
    """
    try:
        with file.path.open("rb") as opened:
            check_seal(opened, whole=whole)
        schema = pq.read_schema(source(file.path))
    except READ_ERRORS as error:
        raise _damaged(file.path, error) from error
    check_identity(file.path, schema, manifest, file.part)
    return _image_rows(file.path, schema)


def read_block_images(file: BlockFile) -> list[ImageRow]:
    """Read the rows of the images in a block.

    Raises:
        IndexDamagedError: the block cannot be read.
    """
    try:
        schema = pq.read_schema(source(file.path))
    except READ_ERRORS as error:
        raise _damaged(file.path, error) from error
    return _image_rows(file.path, schema)


def _image_rows(path: Location, schema: pa.Schema) -> list[ImageRow]:
    """The rows of the images that the schema of a block describes."""
    try:
        described = (schema.metadata or {}).get(_IMAGES_KEY, b"")
        return msgspec.json.decode(described, type=list[ImageRow])
    except (*READ_ERRORS, msgspec.MsgspecError) as error:
        raise _damaged(path, error) from error


def read_peaks(
    file: BlockFile, layers: Sequence[Layer], layer: str, channel: int | None
) -> tuple[Ordinals, Peaks]:
    """Read the peaks of one channel of a layer, or of all channels (None), from one block.

    Returns:
        The ordinals of the images, and the peaks in them.

    Raises:
        IndexDamagedError: the block is missing, truncated or fails its checksums.
    """
    groups = _groups_with(layers, layer, channel)
    ordinals, arrays = _read_groups(file, layers, layer, groups, ("value", "row", "column"))
    found = Peaks(*(array.T for array in arrays))
    if channel is None:
        return ordinals, found
    start = channel - groups[0][1].start
    return ordinals, found.select(channels=slice(start, start + 1))


def read_values(
    file: BlockFile, layers: Sequence[Layer], layer: str, channel: int | None
) -> tuple[Ordinals, npt.NDArray[np.float32]]:
    """Read the values of the peaks of a layer, or of one channel, without their locations.

    Returns:
        The ordinals of the N images, and the values (C, N) of the C maps.

    Raises:
        IndexDamagedError: the block is missing, truncated or fails its checksums.
    """
    groups = _groups_with(layers, layer, channel)
    ordinals, (values,) = _read_groups(file, layers, layer, groups, ("value",))
    return ordinals, values if channel is None else values[[channel - groups[0][1].start]]


def _groups_with(
    layers: Sequence[Layer], layer: str, channel: int | None
) -> list[tuple[int, range]]:
    """Number and channels of the row groups of a layer, or of the one with a channel."""
    return [
        (number, channels)
        for number, (name, channels) in enumerate(row_groups(layers))
        if name == layer and (channel is None or channel in channels)
    ]


def _read_groups(
    file: BlockFile,
    layers: Sequence[Layer],
    layer: str,
    groups: Sequence[tuple[int, range]],
    columns: Sequence[str],
) -> tuple[Ordinals, list[npt.NDArray[Any]]]:
    """Read columns of row groups of a layer: the ordinals, and an array (C, N) of each column."""
    try:
        with index_limits.open_parquet(file.path, index_limits.MAX_PEAKS_EXPANSION) as opened:
            index_limits.check_peak_rows(opened.metadata, file.path.stat().st_size)
            here = next(found for found in layers if found.name == layer)
            schema = _schema(layers)
            (images,) = _read_group(opened, *groups[0], schema, here, ("image",))
            read = [_read_group(opened, *group, schema, here, columns) for group in groups]
        if any(array.shape[1:] != images[0].shape for arrays in read for array in arrays):
            raise ValueError("its feature maps have different numbers of images")
    except READ_ERRORS as error:
        raise _damaged(file.path, error) from error
    return images[0], [np.concatenate(arrays) for arrays in zip(*read, strict=True)]


def _group_table(
    schema: pa.Schema, layer: str, channels: range, ordinals: np.ndarray, peaks: Peaks
) -> pa.Table:
    """The rows of a row group: the peaks of some channels, sorted by channel and image."""
    here = peaks.select(channels=slice(channels.start, channels.stop))
    count = len(ordinals) * len(channels)
    names = pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int8)), pa.array([layer]))
    columns = [
        names,
        np.repeat(np.arange(channels.start, channels.stop, dtype=np.uint16), len(ordinals)),
        np.tile(ordinals, len(channels)),
        *(array.T.ravel() for array in (here.values, here.rows, here.columns)),
    ]
    return pa.table(columns, schema=schema)


def _read_group(
    file: pq.ParquetFile,
    number: int,
    channels: range,
    schema: pa.Schema,
    layer: Layer,
    columns: Sequence[str],
) -> list[npt.NDArray[Any]]:
    """Read columns (channels, images) of the row group with these channels of a layer."""
    if number >= file.num_row_groups:
        raise ValueError(f"it has no row group {number}")
    table = file.read_row_group(number, columns=["channel", *columns])
    index_limits.check_peak_columns(table, schema, layer)
    images = table.num_rows // len(channels)
    numbers = table["channel"].to_numpy()
    if table.num_rows and (
        table.num_rows % len(channels)
        or numbers[0] != channels.start
        or numbers[-1] != channels.stop - 1
    ):
        raise ValueError(f"row group {number} does not hold channels {channels}")
    shape = (len(channels), images)
    return [table[name].to_numpy().reshape(shape) for name in columns]


def _damaged(path: Location, error: Exception) -> IndexDamagedError:
    return IndexDamagedError(f"block {path} is missing or damaged ({error})", REPAIR)
