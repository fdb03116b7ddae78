"""The folder of an index: its files, and how they are read and written.

::

    manifest.json     settings: network, preprocessing, compute path, layers, image root
    images.parquet    list of images, one row per image; its row number is the image's ordinal
    blocks/000000.parquet ...   peaks of a few images: layer, channel, image (ordinal), value, row,
                                column; sorted by layer, channel, image; at most 64 channels of one
                                layer in a row group; every page has a checksum
    blocks/000000-000127.parquet   several blocks, merged at the end of a large scan
    top-VERSION.parquet, maps-VERSION.parquet   summary of a finished index: the 100 strongest
                                images of every map, with copies and without; statistics of maps

A block also stores a row for each of its images (size, hash, error) in its schema metadata, so a
block is complete by itself and never changes. Only the peaks of convolutions are stored: a
pooling's peak is that of the convolution below, at half the row and column.

A file is written under a temporary name and renamed when it is complete. Every Parquet file has a
seal (``seals.py``) and an identity (``parts.py``), so that a damaged or foreign file is detected.
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
    READABLE_VERSIONS,
    Manifest,
    digest,
    is_foreign,
    is_manifest,
    parse_manifest,
)
from deconv_core.index.parts import (
    READ_ERRORS,
    Identity,
    check_identity,
    read_identity,
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
    "scan the same images with the same network into this index again: its blocks are kept",
)
_BLOCK_NAME = re.compile(r"([0-9]{6,9})(?:-([0-9]{6,9}))?")
_FILE_NAME = re.compile(
    rf"manifest\.json|(?:images|(?:top|maps)-[0-9a-f]{{8}}|{_BLOCK_NAME.pattern})\.parquet"
)
_MOST_MERGED = 2**16  # the most blocks in a file


def is_index_file_name(name: str) -> bool:
    """True if a name is that of a file of an index."""
    return _FILE_NAME.fullmatch(name) is not None


class IndexFolder:
    """Reads and writes the files of an index."""

    def __init__(self, path: str | os.PathLike[str] | RemotePath) -> None:
        """Store the path; nothing is read or created yet.

        Raises:
            DeconvError: it is not a path, or a path that Parquet cannot open.
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
        """True if there is an index, finished or not."""
        return (self.path / "manifest.json").is_file()

    @property
    def anew(self) -> IndexFolder:
        """The folder of the new index that will replace this one; only for a local folder."""
        return IndexFolder(Path(f"{self.path}.anew"))

    def has_anew(self) -> bool:
        """True if there is a new index that will replace this one."""
        return isinstance(self.path, Path) and bool(self.path.name) and self.anew.exists()

    def has_own_manifest(self) -> bool:
        """True if manifest.json can be read and belongs to an index, of any format version."""
        try:
            return is_manifest(json.loads((self.path / "manifest.json").read_text("utf-8")))
        except READ_ERRORS:
            return False

    def read_manifest(self) -> Manifest:
        """Read the manifest.

        Raises:
            IndexMismatchError: there is no index, or one of another format version.
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
            if is_foreign(content):
                raise IndexMismatchError(
                    f"there is no index at {self.path}: another program wrote its manifest.json"
                )
            version, checksum = content["format_version"], content.pop("checksum", "")
            if version not in READABLE_VERSIONS:
                raise IndexMismatchError(
                    f"the index at {self.path} has format {version!s:.20}; this program reads only "
                    f"format {FORMAT_VERSION}",
                    ANEW,
                )
            if checksum != digest(content):
                raise ValueError("its checksum is wrong")
            return parse_manifest(content)
        except READ_ERRORS as error:
            raise IndexDamagedError(
                f"{path} is damaged ({error})",
                *MANIFEST_REMEDIES,
            ) from error

    def image_root(self, manifest: Manifest) -> Location:
        """The folder that was scanned; a relative path starts at the index folder."""
        return beside(self.path, manifest.image_root)

    def write_manifest(self, manifest: Manifest) -> None:
        """Write the manifest."""
        content = asdict(manifest)
        content["checksum"] = digest(content)
        write_whole(self.path / "manifest.json", json.dumps(content, indent=1).encode())

    def read_plan(self, manifest: Manifest | None = None) -> pd.DataFrame:
        """Read the list of images: one row per image, with the columns ``PLAN_COLUMNS``.

        Args:
            manifest: checks that the list belongs to this index; None does not check.

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
        except READ_ERRORS as error:
            raise IndexDamagedError(f"{path} is missing or damaged ({error})", REPAIR) from error
        if manifest is not None:
            check_identity(path, table.schema, manifest, "images")
        return plan

    def identity(self, path: Location) -> Identity:
        """Read the identity of a Parquet file; an empty one if the file cannot be read."""
        try:
            return read_identity(pq.read_schema(source(path)))
        except READ_ERRORS:
            return Identity()

    def write_plan(self, plan: pd.DataFrame, manifest: Manifest) -> None:
        """Write the list of images."""
        write_table(self.path / "images.parquet", plan, Identity.of(manifest, "images"))

    def entries(self, below: str = "") -> Iterator[tuple[str, int]]:
        """Names and sizes in the folder or a subfolder; the size of a folder is 0."""
        path = self.path / below if below else self.path
        if isinstance(path, RemotePath):
            yield from path.entries()
        elif path.is_dir():
            with os.scandir(path) as found:
                for entry in found:
                    is_file = entry.is_file(follow_symlinks=False)
                    try:
                        size = entry.stat(follow_symlinks=False).st_size if is_file else 0
                    except FileNotFoundError:  # another scan has just renamed it
                        continue
                    yield entry.name, size

    def parquet_files(self) -> Iterator[Location]:
        """The list of images, summaries and blocks, by their names."""
        for name in sorted(name for name, _ in self.entries() if is_index_file_name(name)):
            if name.endswith(".parquet"):
                yield self.path / name
        yield from (file.path for file in self.all_block_files())

    def all_block_files(self) -> list[BlockFile]:
        """Every block file, also those that were merged into another one."""
        paths = self.blocks.glob("[0-9]*.parquet") if self.blocks.is_dir() else ()
        return [file for path in paths if (file := _block_file(path)) is not None]

    def block_files(self) -> list[BlockFile]:
        """The block files in order, without those that were merged into another one."""
        found = self.all_block_files()
        merged = [file.numbers for file in found if len(file.numbers) > 1]
        alone = [file for file in found if not any(_covers(run, file.numbers) for run in merged)]
        return sorted(alone, key=lambda file: file.numbers.start)

    def done_blocks(self) -> list[int]:
        """The numbers of the finished blocks, in order."""
        return [number for file in self.block_files() for number in file.numbers]

    def block_file(self, first: int, last: int | None = None) -> BlockFile:
        """The file of a block, or of several merged blocks."""
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
        """Write a block; the arguments are those of ``block_content``."""
        content = block_content(file, images, manifest, peaks)
        self.blocks.mkdir(exist_ok=True)
        write_whole(file.path, content)

    def clean(self) -> None:
        """Delete the temporary and merged files of a killed scan; the caller must hold the lock."""
        for folder in (self.path, self.blocks):
            if folder.is_dir():
                remove_parts(folder, is_index_file_name)
        kept = {file.path for file in self.block_files()}
        for file in self.all_block_files():  # merged, but not deleted before the scan was killed
            if file.path not in kept and self.identity(file.path).part == file.part:
                file.path.unlink(missing_ok=True)


def _block_file(path: Location) -> BlockFile | None:
    """The block file with this name; None if it is not the name of one."""
    match = _BLOCK_NAME.fullmatch(path.stem)
    if match is None:
        return None
    first, last = int(match[1]), int(match[2] or match[1])
    return BlockFile(path, range(first, last + 1)) if first <= last < first + _MOST_MERGED else None


def _covers(run: range, numbers: range) -> bool:
    """True if a file of merged blocks contains those of another file."""
    return run != numbers and run.start <= numbers.start and numbers.stop <= run.stop
