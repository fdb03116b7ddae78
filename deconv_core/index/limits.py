"""What the files of an index may claim.

An index can come from a stranger, and a few bytes of JSON or Parquet can claim a layer of a billion
maps or a billion images. Nothing is read that is larger than its file is worth, and what was read
has to be possible.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from deconv_core.layers import POOL, Layer, chain_layers
from deconv_core.storage import Location

MOST_CHANNELS = 2**16
MOST_LAYERS = 64
LARGEST_BLOCK = 2**20 - 1
"""Images in a block."""
_VERSION = re.compile(r"[0-9a-f]{0,16}")
_LONGEST_TEXT = 2**14
MAX_EXPANSION = 256
"""Most bytes that one byte of a compressed list becomes; names of images differ more than that."""
_VALUE_BYTES = 4
MAX_PEAKS_EXPANSION = 16
"""Most bytes that one byte of a file of peaks becomes: the file has 4 bytes for each value, which
has at most 8 in each column (the number and its position in a dictionary)."""
_ALWAYS_ALLOWED = 2**16
"""Bytes that the pages of any file may have."""
TEXTS = ("image_id", "label", "error", "note", "content_hash")
_NUMBERS = ("block", "width", "height")


def check_layers(layers: Sequence[Layer]) -> None:
    """Refuse layers that are not those of a VGG-like chain with this many channels.

    Raises:
        ValueError: they are not.
    """
    if not 0 < len(layers) <= MOST_LAYERS:
        raise ValueError(f"it has {len(layers)} layers; possible are 1 to {MOST_LAYERS}")
    if not all(0 < layer.channels <= MOST_CHANNELS for layer in layers):
        raise ValueError(f"a layer has no feature maps, or more than {MOST_CHANNELS:,}")
    chain = [POOL if layer.is_pool else layer.channels for layer in layers]
    if layers[0].is_pool or chain_layers(chain) != tuple(layers) or layers[-1].height < 1:
        raise ValueError("its layers are not those of a VGG-like network")


def check_settings(summary: str, image_root: str, block_size: int) -> None:
    """Refuse what would lead out of the index, or into a block without end.

    Raises:
        ValueError: one of them is impossible.
    """
    if _VERSION.fullmatch(summary) is None:
        raise ValueError("the version of its summary is no version")
    if not 1 <= block_size <= LARGEST_BLOCK:
        raise ValueError(f"it has {block_size} images a block")
    if "\0" in image_root or len(image_root) > _LONGEST_TEXT:
        raise ValueError("its folder of images cannot be one")


def check_reading(resize: str, value_range: str) -> None:
    """Refuse ways of reading pictures that there are not.

    Raises:
        ValueError: it is one.
    """
    if resize not in ("stretch", "crop") or value_range not in ("type", "file"):
        raise ValueError("it reads its images in an unknown way")


def check_texts(texts: Sequence[str]) -> None:
    """Refuse texts that are too long to be what they are meant for.

    Raises:
        ValueError: one is.
    """
    if any(len(text) > _LONGEST_TEXT for text in texts):
        raise ValueError("one of its texts is too long")


@contextmanager
def open_parquet(
    file: Location | bytes, expansion: int, texts: Sequence[str] = ()
) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file whose footer claims no more than the file can hold.

    Args:
        file: its path or its content.
        expansion: the most bytes that one byte of the file becomes.
        texts: columns of texts that may be repeated, read as dictionaries.

    Raises:
        ValueError: it claims more.
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
        # Of row groups, not of columns: Arrow ends the process over some columns' statistics.
        groups = map(opened.metadata.row_group, range(opened.num_row_groups))
        claims = [opened.metadata.num_rows, sum(group.total_byte_size for group in groups)]
        if max(claims) > expansion * size + _ALWAYS_ALLOWED:
            raise ValueError(f"it claims {max(claims):,} bytes in {size:,}")
        yield opened


def read_plan_table(content: bytes) -> pa.Table:
    """Read the list of images: no row and no text larger than the file can hold.

    Raises:
        ValueError: it claims more, or a column is missing or of another type.
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
        raise ValueError("it numbers blocks in an impossible way")
    return table


def _text_length(name: str, column: pa.ChunkedArray) -> int:
    """Letters of a column of text, counting one that is repeated each time."""
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
    """Refuse a column of another type, or with gaps; ``wanted`` is a type or a test of one.

    Raises:
        ValueError: it is.
    """
    right = wanted(column.type) if callable(wanted) else column.type == wanted
    if not right or column.null_count:
        raise ValueError(f"column {name} is {column.type}, or has gaps")


def check_peak_rows(metadata: pq.FileMetaData, size: int) -> None:
    """Refuse a file of peaks that claims more rows than it has room for: 4 bytes a value.

    Raises:
        ValueError: it does.
    """
    if metadata.num_rows * _VALUE_BYTES > size:
        raise ValueError(f"it claims {metadata.num_rows:,} peaks in {size:,} bytes")


def check_peak_columns(table: pa.Table, schema: pa.Schema, layer: Layer) -> None:
    """Refuse peaks of other types, without a value, or at places that the layer has not.

    Raises:
        ValueError: they are.
    """
    for name in table.column_names:
        check_column(name, table[name], schema.field(name).type)
    if not table.num_rows:
        return
    for name, side in (("row", layer.height), ("column", layer.width)):
        if pc.max(table[name]).as_py() >= side:
            raise ValueError(f"{layer.name} has no {name} {pc.max(table[name]).as_py()}")
    if not pc.all(pc.is_finite(table["value"])).as_py():
        raise ValueError("a value is not finite")


def check_map_columns(table: pa.Table) -> None:
    """Refuse statistics of feature maps of other types.

    Raises:
        ValueError: they are.
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
