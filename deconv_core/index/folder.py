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
                                every map, with copies and without, and every map's statistics

A block also carries what was learned about its images (size, hash, reason for failing) in its
schema metadata, so a block alone is a complete, immutable unit of work. Only convolutions are
stored: a pooling's peak is its convolution's, at half the location.

Every Parquet file is sealed (``seals.py``) and carries the key of its index and, if it is a block,
its numbers: one that is damaged, exchanged or of another index is known as such.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from deconv_core.errors import ANEW, REPAIR, DeconvError, IndexDamagedError, IndexMismatchError
from deconv_core.index import limits as index_limits
from deconv_core.index.blocks import BlockFile, ImageRow, block_content
from deconv_core.index.manifest import (
    FORMAT_VERSION,
    Manifest,
    digest,
    is_manifest,
    is_of_another_program,
    manifest_of,
)
from deconv_core.index.parts import (
    MISTAKES,
    Identity,
    check_identity,
    identity_of,
    write_table,
)
from deconv_core.index.seals import check_seal
from deconv_core.peaks import Peaks
from deconv_core.storage import Location, RemotePath, beside, location, source
from deconv_core.whole_files import remove_parts, write_whole

PLAN_COLUMNS = (
    *("image_id", "label", "block", "removed"),
    *("width", "height", "error", "note", "content_hash"),
)
MANIFEST_REMEDIES = (
    "put a copy of it back",
    "scan the same images with the same network into this index again: the blocks that belong are "
    "kept",
)
_BLOCK_NAME = re.compile(r"([0-9]{6,9})(?:-([0-9]{6,9}))?")
_FILE_NAME = re.compile(
    rf"manifest\.json|(?:images|(?:top|maps)-[0-9a-f]{{8}}|{_BLOCK_NAME.pattern})\.parquet"
)
_MOST_MERGED = 2**16


def is_of_an_index(name: str) -> bool:
    """True for the names that files of an index have."""
    return _FILE_NAME.fullmatch(name) is not None


class IndexFolder:
    """Reads and writes the files of one index; knows nothing of networks or images."""

    def __init__(self, path: str | os.PathLike[str] | RemotePath) -> None:
        """Name the folder; nothing is read or made yet.

        Raises:
            DeconvError: it is no path, or one that Parquet's reader cannot be given.
        """
        self.path = location(path)
        try:
            str(self.path).encode()
        except UnicodeEncodeError:
            raise DeconvError(
                f"the name of the index folder, {str(self.path)!a}, is not valid Unicode; "
                "choose another folder"
            ) from None
        self.blocks = self.path / "blocks"

    def exists(self) -> bool:
        """True if there is an index here, finished or not."""
        return (self.path / "manifest.json").is_file()

    @property
    def anew(self) -> IndexFolder:
        """Where a new index is made that will take the place of this one, of this computer."""
        return IndexFolder(Path(f"{self.path}.anew"))

    def has_anew(self) -> bool:
        """True if a new index was begun that will take the place of this one."""
        return isinstance(self.path, Path) and bool(self.path.name) and self.anew.exists()

    def has_own_manifest(self) -> bool:
        """True if manifest.json can be read and is of an index of any format."""
        try:
            return is_manifest(json.loads((self.path / "manifest.json").read_text("utf-8")))
        except MISTAKES:
            return False

    def read_manifest(self) -> Manifest:
        """Read what made the index.

        Raises:
            IndexMismatchError: no index here, or one of another format version.
            IndexDamagedError: the manifest cannot be read.
        """
        if not self.exists():
            none = f"there is no index at {self.path}"
            if self.has_anew():
                raise IndexMismatchError(f"{none}; a new one was begun at {self.anew.path}", ANEW)
            raise IndexMismatchError(none, "scan a folder into it first")
        path = self.path / "manifest.json"
        try:
            content = json.loads(path.read_text("utf-8"))
            if is_of_another_program(content):
                raise IndexMismatchError(
                    f"there is no index at {self.path}: its manifest.json is of another program"
                )
            version, checksum = content["format_version"], content.pop("checksum", "")
            if version != FORMAT_VERSION:
                raise IndexMismatchError(
                    f"the index at {self.path} has format {version!s:.20}; this program reads only "
                    f"format {FORMAT_VERSION}",
                    ANEW,
                )
            if checksum != digest(content):
                raise ValueError("its checksum is another")
            return manifest_of(content)
        except MISTAKES as error:
            raise IndexDamagedError(
                f"{path} is damaged ({error})",
                *MANIFEST_REMEDIES,
            ) from error

    def image_root(self, manifest: Manifest) -> Location:
        """The folder that was scanned; a relative path is meant from the index folder."""
        return beside(self.path, manifest.image_root)

    def write_manifest(self, manifest: Manifest) -> None:
        """Write what makes the index."""
        content = asdict(manifest)
        content["checksum"] = digest(content)
        write_whole(self.path / "manifest.json", json.dumps(content, indent=1).encode())

    def read_plan(self, manifest: Manifest | None = None) -> pd.DataFrame:
        """One row an image, with the columns ``PLAN_COLUMNS``.

        Args:
            manifest: the index it has to belong to; None does not ask.

        Raises:
            IndexDamagedError: the file is missing or damaged.
            IndexForeignError: it belongs to another index.
        """
        path = self.path / "images.parquet"
        try:
            content = path.read_bytes()
            check_seal(io.BytesIO(content), whole=True)
            table = index_limits.read_plan_table(content)
            plan: pd.DataFrame = table.select(PLAN_COLUMNS).to_pandas(ignore_metadata=True)
        except MISTAKES as error:
            raise IndexDamagedError(f"{path} is missing or damaged ({error})", REPAIR) from error
        if manifest is not None:
            check_identity(path, table.schema, manifest, "images")
        return plan

    def identity(self, path: Location) -> Identity:
        """To which index a Parquet file says it belongs; nothing if it cannot be read."""
        try:
            return identity_of(pq.read_schema(source(path)))
        except MISTAKES:
            return Identity()

    def write_plan(self, plan: pd.DataFrame, manifest: Manifest) -> None:
        """Write the list of images of an index."""
        write_table(self.path / "images.parquet", plan, Identity.of(manifest, "images"))

    def entries(self, below: str = "") -> Iterator[tuple[str, int]]:
        """Names in the folder, or in one below, with their sizes (0 for folders)."""
        path = self.path / below if below else self.path
        if isinstance(path, RemotePath):
            yield from path.entries()
        elif path.is_dir():
            with os.scandir(path) as found:
                for entry in found:
                    is_file = entry.is_file(follow_symlinks=False)
                    yield entry.name, entry.stat(follow_symlinks=False).st_size if is_file else 0

    def parquet_files(self) -> Iterator[Location]:
        """The files whose names are those of the list of images, of blocks and of summaries."""
        for name in sorted(name for name, _ in self.entries() if is_of_an_index(name)):
            if name.endswith(".parquet"):
                yield self.path / name
        yield from (file.path for file in self.all_block_files())

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
        peaks: Callable[[str], Peaks],
    ) -> None:
        """Write one block under its final name; the arguments are those of ``block_content``."""
        content = block_content(file, images, manifest, peaks)
        self.blocks.mkdir(exist_ok=True)
        write_whole(file.path, content)

    def clean(self) -> None:
        """Delete what a killed scan left behind. Only for the holder of the lock."""
        for folder in (self.path, self.blocks):
            if folder.is_dir():
                remove_parts(folder, is_of_an_index)
        kept = {file.path for file in self.block_files()}
        for file in self.all_block_files():  # merged into another before it was killed
            if file.path not in kept and self.identity(file.path).part == file.part:
                file.path.unlink(missing_ok=True)


def _block_file(path: Location) -> BlockFile | None:
    match = _BLOCK_NAME.fullmatch(path.stem)
    if match is None:
        return None
    first, last = int(match[1]), int(match[2] or match[1])
    return BlockFile(path, range(first, last + 1)) if first <= last < first + _MOST_MERGED else None


def _covers(run: range, numbers: range) -> bool:
    return run != numbers and run.start <= numbers.start and numbers.stop <= run.stop
