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
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from deconv_core.errors import IndexDamagedError, IndexMismatchError
from deconv_core.receptive_field import Layer, ReceptiveField

FORMAT_VERSION = 1
GROUP_CHANNELS = 64
"""Channels in a row group: what a question about one feature map has to read at least."""

_IMAGES_KEY = b"deconv_images"
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
    float32 seen on a sample, for each layer, in activation units.
    """

    precision: str
    memory_format: str
    device: str
    compiled: bool
    batch_size: int
    torch_version: str
    error_bounds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What made an index.

    ``summary`` is the version of the summary that belongs to the images of a finished index.
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

    path: Path
    numbers: range


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


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that its name never stands for half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


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

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Name the folder; nothing is read or made yet."""
        self.path = Path(path).expanduser().absolute()
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
        try:
            content = json.loads((self.path / "manifest.json").read_text("utf-8"))
            version = content["format_version"]
            if version != FORMAT_VERSION:
                raise IndexMismatchError(
                    f"the index at {self.path} has format {version}; this program reads "
                    f"{FORMAT_VERSION}: scan again into another folder"
                )
            return _manifest(content)
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise IndexDamagedError(
                f"{self.path / 'manifest.json'} is damaged ({error}); delete the index folder and "
                "scan again"
            ) from error

    def image_root(self, manifest: Manifest) -> Path:
        """The folder that was scanned; a relative path is meant from the index folder."""
        return Path(os.path.normpath(self.path / manifest.image_root))

    def write_manifest(self, manifest: Manifest) -> None:
        """Write what makes the index."""
        text = json.dumps(asdict(manifest), indent=1)
        write_whole(self.path / "manifest.json", text.encode())

    def read_plan(self) -> pd.DataFrame:
        """One row an image: image_id, label, block, removed, width, height, error, content_hash.

        Raises:
            IndexDamagedError: the file is missing or cannot be read.
        """
        path = self.path / "images.parquet"
        try:
            plan: pd.DataFrame = pq.read_table(path, page_checksum_verification=True).to_pandas()
            return plan
        except (OSError, pa.ArrowException) as error:
            raise IndexDamagedError(
                f"{path} is missing or damaged ({error}); delete the index folder and scan again"
            ) from error

    def write_plan(self, plan: pd.DataFrame) -> None:
        """Write the list of images."""
        buffer = pa.BufferOutputStream()
        table = pa.Table.from_pandas(plan, preserve_index=False)
        pq.write_table(table, buffer, compression="zstd", write_page_checksum=True)
        write_whole(self.path / "images.parquet", buffer.getvalue().to_pybytes())

    def block_files(self) -> list[BlockFile]:
        """The block files that are there, in order, without those merged into another."""
        paths = self.blocks.glob("[0-9]*.parquet") if self.blocks.is_dir() else ()
        found = [file for path in paths if (file := _block_file(path)) is not None]
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
        layers: Sequence[Layer],
        peaks: Callable[[str], AnyPeaks],
    ) -> None:
        """Write one block under its final name.

        Args:
            file: from ``block_file``.
            images: what was learned about each image of the block, also the unreadable.
            layers: all layers of the network.
            peaks: gives the peaks (N, C) of the readable images, in order, for a layer's name.
        """
        described = json.dumps([asdict(row) for row in images]).encode()
        schema = _SCHEMA.with_metadata({_IMAGES_KEY: described})
        ordinals = np.array([row.ordinal for row in images if not row.error], np.uint32)
        buffer = pa.BufferOutputStream()
        with open_writer(buffer, schema) as writer:
            for name, groups in itertools.groupby(row_groups(layers), key=lambda group: group[0]):
                found = peaks(name)
                for _, channels in groups:
                    writer.write_table(_group_table(schema, name, channels, ordinals, found))
        self.blocks.mkdir(exist_ok=True)
        write_whole(file.path, buffer.getvalue().to_pybytes())

    def read_block_images(self, file: BlockFile) -> list[ImageRow]:
        """What a block learned about its images.

        Raises:
            IndexDamagedError: the block cannot be read.
        """
        path = file.path
        try:
            described = pq.read_schema(path).metadata[_IMAGES_KEY]
            return [ImageRow(**row) for row in json.loads(described)]
        except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
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
            with pq.ParquetFile(file.path, page_checksum_verification=True) as opened:
                read = [_read_group(opened, number, channels) for number, channels in groups]
        except (OSError, pa.ArrowException, ValueError) as error:
            raise _damaged(file.path, error) from error
        if channel is not None:
            (only,), start = read, groups[0][1].start
            here = slice(channel - start, channel - start + 1)
            return replace(
                only,
                channels=range(channel, channel + 1),
                values=only.values[:, here],
                rows=only.rows[:, here],
                columns=only.columns[:, here],
            )
        return LayerPeaks(
            read[0].ordinals,
            range(read[-1].channels.stop),
            np.concatenate([part.values for part in read], axis=1),
            np.concatenate([part.rows for part in read], axis=1),
            np.concatenate([part.columns for part in read], axis=1),
        )

    def clean(self) -> None:
        """Delete what a killed scan left half-written. Only for the holder of the lock."""
        for folder in (self.path, self.blocks):
            if folder.is_dir():
                for part in folder.glob(".*.part"):
                    part.unlink(missing_ok=True)
        kept = {file.path for file in self.block_files()}
        for path in self.blocks.glob("[0-9]*.parquet") if self.blocks.is_dir() else ():
            if path not in kept and _block_file(path) is not None:
                path.unlink(missing_ok=True)  # merged into another before the scan was killed


def _block_file(path: Path) -> BlockFile | None:
    first, dash, last = path.stem.partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()):
        return None
    return BlockFile(path, range(int(first), int(last or first) + 1))


def _covers(run: range, numbers: range) -> bool:
    return run != numbers and run.start <= numbers.start and numbers.stop <= run.stop


def _damaged(path: Path, error: Exception) -> IndexDamagedError:
    return IndexDamagedError(
        f"block {path} is missing or damaged ({error}); delete that file and scan again: only its "
        "images are read again"
    )


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


def _read_group(file: pq.ParquetFile, number: int, channels: range) -> LayerPeaks:
    table = file.read_row_group(number, columns=["channel", "image", "value", "row", "column"])
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


def _manifest(content: dict[str, Any]) -> Manifest:
    layers = tuple(
        Layer(**{**layer, "receptive_field": ReceptiveField(**layer["receptive_field"])})
        for layer in content["layers"]
    )
    compute = ComputePath(**content["compute"])
    return Manifest(**{**content, "layers": layers, "compute": compute})
