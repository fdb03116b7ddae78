"""The files of an index: what each holds, and how each is written so that it is whole or absent.

::

    manifest.json     what made the index: network, preprocessing, compute path, layers, image root
    images.parquet    one row an image, in the order of the scan; its row number is its ordinal
    blocks/000000.parquet ...   peaks of a few images: layer, channel, image (ordinal), value, row,
                                column; sorted by layer, channel, image; at most 64 channels of one
                                layer in a row group; every page carries a checksum
    blocks/000000-000127.parquet   the same for a run of blocks that were merged when a large scan
                                ended
    top-VERSION.parquet, maps-VERSION.parquet   of a finished index: the 100 strongest images of
                                every map, and every map's statistics

A block also carries what was learned about its images (size, hash, reason for failing) in its
schema metadata, so a block alone is a complete, immutable unit of work. Only convolutions are
stored: a pooling's peak is its convolution's, at half the location.

Every Parquet file is sealed (``sealed.py``) and carries the key of its index and, if it is a block,
its numbers: one that is damaged, exchanged or of another index is known as such. Indexes of format
1 had neither seals nor keys; they are read, and checked as far as they can be.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from deconv_core import index_limits
from deconv_core.errors import IndexDamagedError, IndexForeignError, IndexMismatchError
from deconv_core.parquet_pages import open_parquet
from deconv_core.receptive_field import Layer
from deconv_core.sealed import check_seal, sealed, write_whole
from deconv_core.storage import Location, RemotePath, beside, location, source
from deconv_core.typed_json import from_json

FORMAT_VERSION = 2
_READ_VERSIONS = (1, 2)
GROUP_CHANNELS = 64
"""Channels in a row group: what a question about one feature map has to read at least."""

_IMAGES_KEY = b"deconv_images"
_IDENTITY_KEY = b"deconv_identity"
REPAIR = (  # what every message about damage says
    "scan the same images into this index again (or `python -m deconv_core check INDEX --repair`)"
)
PLAN_COLUMNS = (
    *("image_id", "label", "block", "removed"),
    *("width", "height", "error", "content_hash"),
)
MISTAKES = (
    *(OSError, MemoryError, pa.ArrowException, ValueError, TypeError, LookupError, AttributeError),
    *(ArithmeticError, RuntimeError),  # Arrow's C++ raises some things as they are
)
"""What reading bytes of any kind can raise."""
_BLOCK_NAME = re.compile(r"([0-9]{6,9})(?:-([0-9]{6,9}))?")
_MOST_MERGED = 2**16
_SCHEMA = pa.schema(
    [
        ("layer", pa.dictionary(pa.int8(), pa.string())),
        ("channel", pa.uint16()),
        ("image", pa.uint32()),
        ("value", pa.float32()),
        ("row", pa.uint8()),
        ("column", pa.uint8()),
    ]
)


@dataclass(frozen=True, slots=True)
class ComputePath:
    """Everything that decides the bits of a scan; fixed by the first block.

    ``error_bounds`` holds, for a scan that is not float32, the largest absolute difference from
    float32 seen on a sample, for each layer, in activation units. ``bits`` stands for what the
    first computer made of a test batch (``scan_engine.bits_of``), "" where nobody asked.
    """

    precision: str
    memory_format: str
    device: str
    compiled: bool
    batch_size: int
    torch_version: str
    error_bounds: dict[str, float] = field(default_factory=dict)
    bits: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What made an index.

    ``summary`` is the version of the summary that belongs to the images of a finished index.
    ``key`` is the same in every file of the index and differs from that of an index of other
    images, or made in another way; "" in format 1.
    """

    network: str
    fingerprint: str
    preprocessing: str
    architecture: str
    layers: tuple[Layer, ...]
    image_root: str
    resize: str
    compute: ComputePath
    block_size: int
    complete: bool = False
    summary: str = ""
    format_version: int = FORMAT_VERSION
    key: str = ""

    @property
    def making(self) -> str:
        """16 hexadecimal digits that stand for what decides the bits of a block."""
        compute = {
            k: v for k, v in asdict(self.compute).items() if k not in ("error_bounds", "bits")
        }
        return _digest([self.fingerprint, self.preprocessing, self.resize, compute])

    def keyed(self, image_ids: Iterable[str]) -> Manifest:
        """This manifest with the key of an index that begins with these images."""
        return replace(self, key=_digest([self.making, self.block_size, list(image_ids)]))


@dataclass(frozen=True, slots=True)
class Identity:
    """To which index a Parquet file belongs, and as what; all "" where it does not say.

    ``part`` is "blocks 0 to 3", "images" or the kind and version of a summary.
    """

    key: str = ""
    making: str = ""
    part: str = ""

    @classmethod
    def of(cls, manifest: Manifest, part: str) -> Identity:
        """The identity of a part of the manifest's index."""
        return cls(manifest.key, manifest.making, part)


@dataclass(frozen=True, slots=True)
class ImageRow:
    """What a scan learned about one image; ``error`` is "" when it was read."""

    ordinal: int
    image_id: str
    label: str
    width: int
    height: int
    error: str
    content_hash: str

    @property
    def possible(self) -> bool:
        """False if a stranger's file says what no scan does."""
        numbers, texts = (
            (self.ordinal, self.width, self.height),
            (self.image_id, self.label, self.error, self.content_hash),
        )
        return all(type(number) is int and 0 <= number < 2**32 for number in numbers) and all(
            type(text) is str for text in texts
        )


@dataclass(frozen=True, eq=False)
class LayerPeaks:
    """Peaks of ``channels`` of one layer as arrays (images, channels); ordinals (images,)."""

    ordinals: np.ndarray
    channels: range
    values: np.ndarray
    rows: np.ndarray
    columns: np.ndarray


@dataclass(frozen=True, slots=True)
class BlockFile:
    """One file of peaks and the numbers of the blocks in it."""

    path: Location
    numbers: range

    @property
    def part(self) -> str:
        """What the file says it is."""
        return f"blocks {self.numbers.start} to {self.numbers.stop - 1}"


class AnyPeaks(Protocol):
    """Peaks of one layer: arrays (images, channels)."""

    @property
    def values(self) -> np.ndarray:
        """Activations."""
        ...

    @property
    def rows(self) -> np.ndarray:
        """Rows of the peaks in the map."""
        ...

    @property
    def columns(self) -> np.ndarray:
        """Columns of the peaks in the map."""
        ...


def row_groups(layers: Sequence[Layer]) -> list[tuple[str, range]]:
    """(layer, channels) of each row group of a block, in order."""
    return [
        (layer.name, range(first, min(first + GROUP_CHANNELS, layer.channels)))
        for layer in layers
        if not layer.is_pool
        for first in range(0, layer.channels, GROUP_CHANNELS)
    ]


def open_writer(sink: Any, schema: pa.Schema) -> pq.ParquetWriter:
    """A writer of tables whose numbers are small and repeat, but for the values."""
    return pq.ParquetWriter(
        sink,
        schema,
        compression=dict.fromkeys(schema.names, "zstd") | {"value": "none"},
        use_dictionary=[name for name in schema.names if name != "value"],
        write_page_checksum=True,
    )


class IndexFolder:
    """Reads and writes the files of one index; knows nothing of networks or images."""

    def __init__(self, path: str | os.PathLike[str] | RemotePath) -> None:
        """Name the folder; nothing is read or made yet."""
        self.path = location(path)
        self.blocks = self.path / "blocks"

    def exists(self) -> bool:
        """True if there is an index here, finished or not."""
        return (self.path / "manifest.json").is_file()

    def read_manifest(self) -> Manifest:
        """Read what made the index.

        Raises:
            IndexMismatchError: no index here, or one of another format version.
            IndexDamagedError: the manifest cannot be read.
        """
        if not self.exists():
            raise IndexMismatchError(
                f"there is no index at {self.path}; scan a folder into it first"
            )
        path = self.path / "manifest.json"
        try:
            content = json.loads(path.read_text("utf-8"))
            version, checksum = content["format_version"], content.pop("checksum", "")
            if version not in _READ_VERSIONS:
                raise IndexMismatchError(
                    f"the index at {self.path} has format {version!s:.20}; this program reads "
                    f"{FORMAT_VERSION}: scan again into another folder"
                )
            if version > 1 and checksum != _digest(content):
                raise ValueError("its checksum is another")
            return _manifest(content)
        except MISTAKES as error:
            raise IndexDamagedError(
                f"{path} is damaged ({error}); put a copy of it back, or scan the same images "
                "with the same network into this index again: the blocks that belong are kept"
            ) from error

    def image_root(self, manifest: Manifest) -> Location:
        """The folder that was scanned; a relative path is meant from the index folder."""
        return beside(self.path, manifest.image_root)

    def write_manifest(self, manifest: Manifest) -> None:
        """Write what makes the index."""
        content = asdict(manifest)
        if manifest.format_version == 1:
            del content["key"]
        else:
            content["checksum"] = _digest(content)
        write_whole(self.path / "manifest.json", json.dumps(content, indent=1).encode())

    def read_plan(self, manifest: Manifest | None = None) -> pd.DataFrame:
        """One row an image: image_id, label, block, removed, width, height, error, content_hash.

        Args:
            manifest: the index it has to belong to; None does not ask.

        Raises:
            IndexDamagedError: the file is missing or damaged.
            IndexForeignError: it belongs to another index.
        """
        path = self.path / "images.parquet"
        try:
            content = path.read_bytes()
            has_seal = check_seal(io.BytesIO(content), whole=True)
            table = index_limits.read_plan_table(content)
            plan: pd.DataFrame = table.select(PLAN_COLUMNS).to_pandas(ignore_metadata=True)
        except MISTAKES as error:
            raise IndexDamagedError(
                f"{path} is missing or damaged ({error}); {REPAIR}: the list is made again from "
                "the blocks and the folder"
            ) from error
        if manifest is not None:
            check_identity(path, table.schema, has_seal, manifest, "images")
        return plan

    def identity(self, path: Location) -> Identity:
        """To which index a Parquet file says it belongs; nothing if it cannot be read."""
        try:
            return _identity(pq.read_schema(source(path)))
        except MISTAKES:
            return Identity()

    def write_plan(self, plan: pd.DataFrame, manifest: Manifest) -> None:
        """Write the list of images of an index."""
        write_table(self.path / "images.parquet", plan, Identity.of(manifest, "images"))

    def all_block_files(self) -> list[BlockFile]:
        """Every block file that is there, also those merged into another."""
        paths = self.blocks.glob("[0-9]*.parquet") if self.blocks.is_dir() else ()
        return [file for path in paths if (file := _block_file(path)) is not None]

    def block_files(self) -> list[BlockFile]:
        """The block files that are there, in order, without those merged into another."""
        found = self.all_block_files()
        merged = [file.numbers for file in found if len(file.numbers) > 1]
        alone = [file for file in found if not any(_covers(run, file.numbers) for run in merged)]
        return sorted(alone, key=lambda file: file.numbers.start)

    def done_blocks(self) -> list[int]:
        """Numbers of the blocks that are there, in order."""
        return [number for file in self.block_files() for number in file.numbers]

    def block_file(self, first: int, last: int | None = None) -> BlockFile:
        """The file of a block, or of a run of merged blocks."""
        name = f"{first:06d}" + ("" if last is None else f"-{last:06d}")
        stop = (first if last is None else last) + 1
        return BlockFile(self.blocks / f"{name}.parquet", range(first, stop))

    def write_block(
        self,
        file: BlockFile,
        images: Sequence[ImageRow],
        manifest: Manifest,
        peaks: Callable[[str], AnyPeaks],
    ) -> None:
        """Write one block under its final name.

        Args:
            file: from ``block_file``.
            images: what was learned about each image of the block, also the unreadable.
            manifest: of the index; says which layers there are.
            peaks: gives the peaks (N, C) of the readable images, in order, for a layer's name.
        """
        described = json.dumps([asdict(row) for row in images]).encode()
        identity = identified(Identity.of(manifest, file.part))
        schema = _SCHEMA.with_metadata({_IMAGES_KEY: described, **identity})
        ordinals = np.array([row.ordinal for row in images if not row.error], np.uint32)
        groups_of_layers = row_groups(manifest.layers)
        buffer = pa.BufferOutputStream()
        with open_writer(buffer, schema) as writer:
            for name, groups in itertools.groupby(groups_of_layers, key=lambda group: group[0]):
                found = peaks(name)
                for _, channels in groups:
                    writer.write_table(_group_table(schema, name, channels, ordinals, found))
        self.blocks.mkdir(exist_ok=True)
        write_whole(file.path, sealed(memoryview(buffer.getvalue())))

    def check_block(
        self, file: BlockFile, manifest: Manifest, *, whole: bool = False
    ) -> list[ImageRow]:
        """Check that a block is as it was written, and in its place.

        Args:
            file: the block.
            manifest: of the index it has to belong to.
            whole: check every byte; otherwise what says how to read the rest, and whose it is.

        Returns:
            What it learned about its images.

        Raises:
            IndexDamagedError: it is missing or damaged.
            IndexForeignError: it is another block, or one of another index.
        """
        try:
            with file.path.open("rb") as opened:
                has_seal = check_seal(opened, whole=whole)
            schema = pq.read_schema(source(file.path))
            if whole and not has_seal:
                read_pages(file.path, index_limits.PEAKS_SWELLING)
        except MISTAKES as error:
            raise _damaged(file.path, error) from error
        check_identity(file.path, schema, has_seal, manifest, file.part)
        return self.read_block_images(file)

    def read_block_images(self, file: BlockFile) -> list[ImageRow]:
        """What a block learned about its images.

        Raises:
            IndexDamagedError: the block cannot be read.
        """
        path = file.path
        try:
            described = (pq.read_schema(source(path)).metadata or {}).get(_IMAGES_KEY, b"")
            rows = [ImageRow(**row) for row in json.loads(described)]
            if not all(row.possible for row in rows):
                raise ValueError("it describes an impossible image")
            return rows
        except MISTAKES as error:
            raise _damaged(path, error) from error

    def read_peaks(
        self, file: BlockFile, layers: Sequence[Layer], layer: str, channel: int | None
    ) -> LayerPeaks:
        """Peaks of one channel of a layer, or of all (``channel`` None), in one block.

        Raises:
            IndexDamagedError: the block is missing, truncated or fails its checksums.
        """
        groups = [
            (number, channels)
            for number, (name, channels) in enumerate(row_groups(layers))
            if name == layer and (channel is None or channel in channels)
        ]
        try:
            with open_parquet(file.path, index_limits.PEAKS_SWELLING) as opened:
                index_limits.check_peak_rows(opened.metadata, file.path.stat().st_size)
                here = next(found for found in layers if found.name == layer)
                read = [_read_group(opened, number, here, channels) for number, channels in groups]
            if len({len(part.ordinals) for part in read}) > 1:
                raise ValueError("its feature maps have different numbers of images")
        except MISTAKES as error:
            raise _damaged(file.path, error) from error
        if channel is not None:
            (only,), start = read, groups[0][1].start
            one = slice(channel - start, channel - start + 1)
            return replace(
                only,
                channels=range(channel, channel + 1),
                values=only.values[:, one],
                rows=only.rows[:, one],
                columns=only.columns[:, one],
            )
        return LayerPeaks(
            read[0].ordinals,
            range(read[-1].channels.stop),
            np.concatenate([part.values for part in read], axis=1),
            np.concatenate([part.rows for part in read], axis=1),
            np.concatenate([part.columns for part in read], axis=1),
        )

    def clean(self) -> None:
        """Delete what a killed scan left behind. Only for the holder of the lock."""
        for folder in (self.path, self.blocks):
            if folder.is_dir():
                for part in folder.glob(".*.part"):
                    part.unlink(missing_ok=True)
        kept = {file.path for file in self.block_files()}
        for file in self.all_block_files():
            if file.path not in kept:
                file.path.unlink(missing_ok=True)  # merged into another before it was killed


def _block_file(path: Location) -> BlockFile | None:
    match = _BLOCK_NAME.fullmatch(path.stem)
    if match is None:
        return None
    first, last = int(match[1]), int(match[2] or match[1])
    return BlockFile(path, range(first, last + 1)) if first <= last < first + _MOST_MERGED else None


def _covers(run: range, numbers: range) -> bool:
    return run != numbers and run.start <= numbers.start and numbers.stop <= run.stop


def _damaged(path: Location, error: Exception) -> IndexDamagedError:
    return IndexDamagedError(
        f"block {path} is missing or damaged ({error}); {REPAIR}: only its images are read again"
    )


def _digest(content: object) -> str:
    """16 hexadecimal digits of plain data."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def identified(identity: Identity) -> dict[bytes, bytes]:
    """An identity as the metadata of a Parquet schema."""
    return {_IDENTITY_KEY: json.dumps(asdict(identity)).encode()}


def _identity(schema: pa.Schema) -> Identity:
    """The identity in the metadata of a schema; nothing if there is none."""
    stored = (schema.metadata or {}).get(_IDENTITY_KEY)
    try:
        return from_json(Identity, json.loads(stored)) if stored else Identity()
    except (ValueError, RecursionError):
        return Identity()


def check_identity(
    path: Location, schema: pa.Schema, has_seal: bool, manifest: Manifest, part: str
) -> None:
    """Check that a file belongs to the manifest's index, as this part of it.

    Raises:
        IndexDamagedError: it has no seal, and should have one.
        IndexForeignError: it is something else.
    """
    if not has_seal:
        if manifest.format_version > 1:
            raise IndexDamagedError(f"{path} is damaged (it has no seal); {REPAIR}")
        return
    found = _identity(schema)
    if found.key != manifest.key:
        raise IndexForeignError(
            f"{path} does not belong to this index: it or manifest.json is of another; {REPAIR}"
        )
    if found.part != part:
        raise IndexForeignError(
            f"{path} does not belong in this place: it is {found.part}, not {part}; {REPAIR}"
        )


def write_table(path: Location, table: pd.DataFrame, identity: Identity) -> None:
    """Write a small table as a sealed Parquet file."""
    buffer = pa.BufferOutputStream()
    content = pa.Table.from_pandas(table, preserve_index=False)
    content = content.replace_schema_metadata({**content.schema.metadata, **identified(identity)})
    pq.write_table(content, buffer, compression="zstd", write_page_checksum=True)
    write_whole(path, sealed(memoryview(buffer.getvalue())))


def read_pages(path: Location, swelling: int, texts: Sequence[str] = ("layer",)) -> None:
    """Read every page of a file that has no seal, so that their own checksums are compared."""
    with open_parquet(path, swelling, texts) as opened:
        for number in range(opened.num_row_groups):
            opened.read_row_group(number)


def _group_table(
    schema: pa.Schema, layer: str, channels: range, ordinals: np.ndarray, peaks: AnyPeaks
) -> pa.Table:
    here = slice(channels.start, channels.stop)
    count = len(ordinals) * len(channels)
    names = pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int8)), pa.array([layer]))
    columns = [
        names,
        np.repeat(np.arange(channels.start, channels.stop, dtype=np.uint16), len(ordinals)),
        np.tile(ordinals, len(channels)),
        *(array[:, here].T.ravel() for array in (peaks.values, peaks.rows, peaks.columns)),
    ]
    return pa.table(columns, schema=schema)


def _read_group(file: pq.ParquetFile, number: int, layer: Layer, channels: range) -> LayerPeaks:
    if number >= file.num_row_groups:
        raise ValueError(f"it has no row group {number}")
    table = file.read_row_group(number, columns=["channel", "image", "value", "row", "column"])
    index_limits.check_peak_columns(table, _SCHEMA, layer)
    images = table.num_rows // len(channels)
    numbers = table["channel"].to_numpy()
    if table.num_rows and (
        table.num_rows % len(channels)
        or numbers[0] != channels.start
        or numbers[-1] != channels.stop - 1
    ):
        raise ValueError(f"row group {number} does not hold channels {channels}")
    shape = (len(channels), images)
    values, rows, columns = (
        table[name].to_numpy().reshape(shape).T for name in ("value", "row", "column")
    )
    return LayerPeaks(table["image"].to_numpy()[:images], channels, values, rows, columns)


def _manifest(content: object) -> Manifest:
    manifest = from_json(Manifest, content)
    index_limits.check_layers(manifest.layers)
    index_limits.check_settings(manifest.summary, manifest.image_root, manifest.block_size)
    return manifest
