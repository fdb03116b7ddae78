"""Limits on the content of index files, because an index may come from somebody else.

A few bytes of JSON or Parquet can declare a layer with a billion maps, or a billion images. Nothing
is read if its declared size is too large for the file, and values must be possible.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from deconv_core.layers import Layer
from deconv_core.storage import Location

MOST_CHANNELS = 2**16
MOST_LAYERS = 2_000
LARGEST_SIDE = 2**16 - 1
"""Rows or columns of a feature map, and pixels of an image along one side."""
_LARGEST_FIELD = 2**24
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,199}")
LARGEST_BLOCK = 2**20 - 1
"""Images in a block."""
_VERSION = re.compile(r"[0-9a-f]{0,16}")
_LONGEST_TEXT = 2**14
MAX_EXPANSION = 256
"""Largest allowed ratio of uncompressed to compressed bytes in the list of images."""
_VALUE_BYTES = 4
MAX_PEAKS_EXPANSION = 16
"""Largest allowed ratio of declared to stored bytes in a file of peaks: the file holds 4 bytes for
each value, and declares at most 8 in each column (the number and its position in a dictionary)."""
_ALWAYS_ALLOWED = 2**16
"""Declared bytes that are allowed for any file."""
TEXTS = ("image_id", "label", "error", "note", "content_hash")
_NUMBERS = ("block", "width", "height")


def check_layers(layers: Sequence[Layer]) -> None:
    """Check that layers are possible ones of a network.

    Raises:
        ValueError: they are.
    """
    if not 0 < len(layers) <= MOST_LAYERS:
        raise ValueError(f"it has {len(layers)} layers; possible are 1 to {MOST_LAYERS}")
    known: dict[str, Layer] = {}
    for layer in layers:
        if _NAME.fullmatch(layer.name) is None or layer.name in known:
            raise ValueError(f"a layer has the impossible name {layer.name[:40]!a}")
        _check_shape(layer)
        if layer.pooled_from:
            below = known.get(layer.pooled_from)
            cells = 2 * layer.height, 2 * layer.width
            alike = below and (below.channels, below.height, below.width) == (
                layer.channels,
                *cells,
            )
            if not alike or not layer.is_pool or (below and below.pooled_from):
                raise ValueError(f"{layer.name} does not fit the layer that it pools")
        known[layer.name] = layer
    if layers[0].pooled_from:
        raise ValueError("its first layer pools another")


def _check_shape(layer: Layer) -> None:
    field = layer.receptive_field
    if not 0 < layer.channels <= MOST_CHANNELS:
        raise ValueError(f"a layer has no feature maps, or more than {MOST_CHANNELS:,}")
    sides = [layer.height, layer.width, *layer.input_size]
    if len(sides) != 4 or not all(0 < side <= LARGEST_SIDE for side in sides):
        raise ValueError(f"{layer.name} has maps of an impossible size")
    across = field.across or (field.size, field.stride, field.offset)
    if len(across) != 3 or min(field.size, across[0]) < 1 or min(field.stride, across[1]) < 0:
        raise ValueError(f"{layer.name} has an impossible receptive field")
    whole = (field.size, field.offset) == (layer.input_size[0], 0)
    if field.sees_all and not whole:
        raise ValueError(f"{layer.name} has an impossible receptive field")
    if max(map(abs, (*across, field.size, field.stride, field.offset))) > _LARGEST_FIELD:
        raise ValueError(f"{layer.name} has an impossible receptive field")


def check_settings(summary: str, image_root: str, block_size: int) -> None:
    """Check settings whose values could lead out of the index folder or use too much memory.

    Raises:
        ValueError: one of them is impossible.
    """
    if _VERSION.fullmatch(summary) is None:
        raise ValueError("the version of its summary is not valid")
    if not 1 <= block_size <= LARGEST_BLOCK:
        raise ValueError(f"it has {block_size} images in a block")
    if "\0" in image_root or len(image_root) > _LONGEST_TEXT:
        raise ValueError("its folder of images is not a valid path")


def check_decoding(resize: str, value_range: str) -> None:
    """Check the options for decoding images.

    Raises:
        ValueError: one of them is unknown.
    """
    if resize not in ("stretch", "crop") or value_range not in ("type", "file"):
        raise ValueError("its option for resizing or for the value range is unknown")


def check_texts(texts: Sequence[str]) -> None:
    """Check that no text is too long.

    Raises:
        ValueError: one is.
    """
    if any(len(text) > _LONGEST_TEXT for text in texts):
        raise ValueError("one of its texts is too long")


@contextmanager
def open_parquet(
    file: Location | bytes, expansion: int, texts: Sequence[str] = ()
) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file, if its footer declares no more bytes than the file can hold.

    Args:
        file: its path or its content.
        expansion: largest allowed ratio of declared bytes to the size of the file.
        texts: columns of texts that may be repeated, read as dictionaries.

    Raises:
        ValueError: it declares more.
    """
    size = len(file) if isinstance(file, bytes) else file.stat().st_size
    with (
        io.BytesIO(file) if isinstance(file, bytes) else file.open("rb") as content,
        pq.ParquetFile(
            content,
            page_checksum_verification=True,
            read_dictionary=list(texts),
            pre_buffer=True,  # columns that lie side by side are read at once
        ) as opened,
    ):
        # Not the sizes of columns: Arrow aborts the process on the statistics of some columns.
        groups = map(opened.metadata.row_group, range(opened.num_row_groups))
        declared = [opened.metadata.num_rows, sum(group.total_byte_size for group in groups)]
        if max(declared) > expansion * size + _ALWAYS_ALLOWED:
            raise ValueError(f"it claims {max(declared):,} bytes in {size:,}")
        yield opened


def read_plan_table(content: bytes) -> pa.Table:
    """Read the list of images, if its rows and texts are not too large for the file.

    Raises:
        ValueError: they are too large, or a column is missing or has a wrong type.
        pyarrow.ArrowException: it cannot be read.
    """
    size, wanted = len(content), [*TEXTS, *_NUMBERS, "removed"]
    with open_parquet(content, MAX_EXPANSION, TEXTS) as file:
        if file.metadata.num_rows > size:
            raise ValueError(f"it claims {file.metadata.num_rows:,} images in {size:,} bytes")
        if sorted(file.schema.names) != sorted(wanted):
            raise ValueError(f"its columns are not {', '.join(wanted)}")
        table = file.read(columns=wanted)
    length = sum(_text_length(name, table[name]) for name in TEXTS)
    if length > MAX_EXPANSION * size:
        raise ValueError(f"it claims {length:,} letters in {size:,} bytes")
    for name in TEXTS:
        plain = table[name].cast(pa.string())
        table = table.set_column(table.column_names.index(name), name, plain)
    for name in _NUMBERS:
        check_column(name, table[name], pa.types.is_integer)
    check_column("removed", table["removed"], pa.types.is_boolean)
    blocks = pc.min_max(table["block"]).as_py()
    if table.num_rows and not -1 <= blocks["min"] <= blocks["max"] < 2**31:
        raise ValueError("it has an impossible block number")
    return table


def _text_length(name: str, column: pa.ChunkedArray) -> int:
    """Total length of the texts in a column, with repeated texts counted each time."""
    total = 0
    for chunk in column.chunks:
        texts = chunk.dictionary if pa.types.is_dictionary(chunk.type) else chunk
        check_column(name, texts, lambda kind: pa.types.is_string(kind) or _is_long(kind))
        if chunk.null_count:
            raise ValueError(f"column {name} has gaps")
        lengths = pc.binary_length(texts)
        if (pc.max(lengths).as_py() or 0) > _LONGEST_TEXT:
            raise ValueError(f"column {name} holds a text that is too long")
        each = lengths.take(chunk.indices) if pa.types.is_dictionary(chunk.type) else lengths
        total += pc.sum(each).as_py() or 0
    return total


def _is_long(kind: pa.DataType) -> bool:
    return bool(pa.types.is_large_string(kind))


def check_column(name: str, column: pa.Array | pa.ChunkedArray, wanted: object) -> None:
    """Check that a column has the right type and no missing values.

    Args:
        name: name of the column.
        column: the column.
        wanted: the type, or a function that checks a type.

    Raises:
        ValueError: the type is wrong, or values are missing.
    """
    right = wanted(column.type) if callable(wanted) else column.type == wanted
    if not right or column.null_count:
        raise ValueError(f"column {name} is {column.type}, or has gaps")


def check_peak_rows(metadata: pq.FileMetaData, size: int) -> None:
    """Check that a file of peaks has room for its declared rows: 4 bytes per row.

    Raises:
        ValueError: it declares too many rows.
    """
    if metadata.num_rows * _VALUE_BYTES > size:
        raise ValueError(f"it claims {metadata.num_rows:,} peaks in {size:,} bytes")


def check_peak_columns(table: pa.Table, schema: pa.Schema, layer: Layer) -> None:
    """Check the types of columns of peaks, their locations in the layer, and their values.

    Raises:
        ValueError: a type is wrong, a location is outside the layer, or a value is not finite.
    """
    for name in table.column_names:
        check_column(name, table[name], schema.field(name).type)
    if not table.num_rows:
        return
    for name, side in (("row", layer.height), ("column", layer.width)):
        if name in table.column_names and pc.max(table[name]).as_py() >= side:
            raise ValueError(f"{layer.name} has no {name} {pc.max(table[name]).as_py()}")
    if "value" in table.column_names and not pc.all(pc.is_finite(table["value"])).as_py():
        raise ValueError("a value is not finite")


def check_map_columns(table: pa.Table) -> None:
    """Check the types of the columns of statistics.

    Raises:
        ValueError: a column is missing or has a wrong type.
    """
    for name, wanted in (
        ("channel", pa.types.is_integer),
        ("max", pa.types.is_floating),
        ("mean", pa.types.is_floating),
        ("share", pa.types.is_floating),
        ("dead", pa.types.is_boolean),
    ):
        if name not in table.column_names:
            raise ValueError(f"it lacks the column {name}")
        check_column(name, table[name], wanted)
