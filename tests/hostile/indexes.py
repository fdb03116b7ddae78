"""Hostile and unusual index files, made by the tests, with the expected result of each.

Checksums keep accidents out, not people: each file gets the seal that it should have. Files that
are only damaged are in ``tests/faults``.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import random
import string
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from deconv_core.index.seals import sealed

Change = Callable[[Path], None]


@dataclass(frozen=True)
class IndexCase:
    """What is changed in an index folder, a pattern for the refusal ("" for none), and memory.

    ``largest`` is how many bytes the process may grow by; what the test makes the files of is
    outside.
    """

    change: Change
    expected: str = "damaged|is not an index|does not belong|does not hold|has format"
    largest: int = 100 * 2**20


def write(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def manifest(**changes: Any) -> Change:
    """Fields of the manifest replaced; None takes one away. Its checksum is made right."""

    def change(folder: Path) -> None:
        path = folder / "manifest.json"
        content = json.loads(path.read_text())
        content.pop("checksum", None)
        for name, value in changes.items():
            if value is None:
                content.pop(name)
            else:
                content[name] = value(content[name]) if callable(value) else value
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
        write(path, json.dumps({**content, "checksum": digest}).encode())

    return change


def raw(name: str, content: bytes) -> Change:
    return lambda folder: write(folder / name, content)


def first_layer(**changes: Any) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    return lambda layers: [{**layers[0], **changes}, *layers[1:]]


def parquet(table: pa.Table, **options: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", write_page_checksum=True, **options)
    return sealed(buffer.getvalue())


def table(name: str, change: Callable[[pa.Table], pa.Table], **options: Any) -> Change:
    """A Parquet file whose content was changed, with its own metadata and the right seal."""

    @functools.lru_cache(1)  # finished and unfinished indexes have the same file
    def changed(whole: bytes) -> bytes:
        before = pq.read_table(io.BytesIO(whole))
        after = change(before)
        metadata = {**(after.schema.metadata or {}), **(before.schema.metadata or {})}
        return parquet(after.replace_schema_metadata(metadata), **options)

    def replaced(folder: Path) -> None:
        path = next(folder.glob(name))
        write(path, changed(path.read_bytes()))

    return replaced


PLAN, BLOCK = "images.parquet", "blocks/000000.parquet"


def column(name: str, values: Callable[[pa.Table], object]) -> Callable[[pa.Table], pa.Table]:
    def change(content: pa.Table) -> pa.Table:
        place = content.column_names.index(name)
        return content.set_column(place, name, pa.array(values(content)))

    return change


def repeated(times: int) -> Callable[[pa.Table], pa.Table]:
    """The same rows again and again: a few bytes when packed."""
    return lambda content: content.take(np.zeros(times, np.int64))


def long_label(content: pa.Table) -> pa.Table:
    labels = pa.array(["x" * 100_000] * content.num_rows)
    return content.set_column(content.column_names.index("label"), "label", labels)


def described(change: Callable[[list[dict[str, Any]]], object]) -> Change:
    """What a block says of its images, changed."""

    def changed(content: pa.Table) -> pa.Table:
        metadata = dict(content.schema.metadata)
        rows = change(json.loads(metadata[b"deconv_images"]))
        metadata[b"deconv_images"] = rows if isinstance(rows, bytes) else json.dumps(rows).encode()
        return content.replace_schema_metadata(metadata)

    def replaced(folder: Path) -> None:
        path = folder / BLOCK
        before = pq.ParquetFile(path)
        groups = [before.read_row_group(n) for n in range(before.num_row_groups)]
        schema = changed(groups[0]).schema
        write(path, written(groups, schema))

    return replaced


def peaks(change: Callable[[pa.Table], pa.Table]) -> Change:
    """The first row group of a block, changed."""

    @functools.lru_cache(1)
    def changed(whole: bytes) -> bytes:
        before = pq.ParquetFile(io.BytesIO(whole))
        groups = [before.read_row_group(n) for n in range(before.num_row_groups)]
        groups[0] = change(groups[0])
        return written(groups, groups[0].schema.with_metadata(before.schema_arrow.metadata))

    def replaced(folder: Path) -> None:
        write(folder / BLOCK, changed((folder / BLOCK).read_bytes()))

    return replaced


def written(groups: list[pa.Table], schema: pa.Schema) -> bytes:
    buffer = io.BytesIO()
    with pq.ParquetWriter(buffer, schema, write_page_checksum=True) as writer:
        for group in groups:
            writer.write_table(group.cast(schema))
    return sealed(buffer.getvalue())


def long_errors(content: pa.Table) -> pa.Table:
    """Reasons of 8,000 letters that cannot be packed."""
    chance = random.Random(0)
    texts = ["".join(chance.choices(string.printable, k=8000)) for _ in range(content.num_rows)]
    return content.set_column(content.column_names.index("error"), "error", pa.array(texts))


def dictionary_page(name: str, column: str, claimed: int, content: bytes = b"") -> Change:
    """The pages of a column replaced by one of ``claimed`` bytes, really so if ``content`` is."""

    def forge(folder: Path) -> None:
        path = next(folder.glob(name))
        whole = path.read_bytes()
        group = pq.read_metadata(path).row_group(0)
        number = next(n for n in range(99) if group.column(n).path_in_schema == column)
        place, room = group.column(number).dictionary_page_offset, group.column(number)
        packed = room.total_compressed_size - 21  # bytes of the header
        header = bytes([0x15, 4, 0x15, *varint(claimed), 0x15, *varint(packed)])
        header += bytes([0x4C, 0x15, 2, 0x15, 0, 0, 0])  # one value, plain
        assert len(header) == 21
        page = header + content + skipped(packed - len(content))
        seal = whole.index(b"deconvS1", place)
        parquet = whole[:place] + page + whole[place + len(page) : seal] + whole[seal + 72 :]
        write(path, sealed(parquet))

    return forge


def varint(number: int) -> list[int]:
    """A number of 32 bits as Thrift packs it, in five bytes whatever it is."""
    return [number << 1 >> 7 * n & 127 | 128 * (n < 4) for n in range(5)]


def skipped(length: int) -> bytes:
    """So many bytes that zstd passes over."""
    return b"\x50\x2a\x4d\x18" + (length - 8).to_bytes(4, "little") + bytes(length - 8)


def swelling(megabytes: int) -> bytes:
    """A zstd frame that becomes so many MiB: each of its blocks repeats a byte 2^17 times."""
    count = 8 * megabytes
    blocks = [
        (2**17 << 3 | 2 | (n == count - 1)).to_bytes(3, "little") + b"x" for n in range(count)
    ]
    return b"\x28\xb5\x2f\xfd\x00\x58" + b"".join(blocks)


def both(first: Change, second: Change) -> Change:
    def change(folder: Path) -> None:
        first(folder)
        second(folder)

    return change


def first_image(**changes: Any) -> Change:
    return described(lambda rows: [{**rows[0], **changes}, *rows[1:]])


def block_called(name: str) -> Change:
    def change(folder: Path) -> None:
        (folder / "blocks" / name).write_bytes((folder / BLOCK).read_bytes())

    return change


INDEXES: dict[str, IndexCase] = {
    # the manifest
    "no JSON": IndexCase(raw("manifest.json", b"not JSON")),
    "bytes that are no text": IndexCase(raw("manifest.json", b"\xff\xfe{}")),
    "a list": IndexCase(raw("manifest.json", b"[]")),
    "a number": IndexCase(raw("manifest.json", b"7")),
    "nested 100,000 times": IndexCase(raw("manifest.json", b"[" * 100_000)),
    "a number of 10,000 digits": IndexCase(raw("manifest.json", b"9" * 10_000)),
    "another format": IndexCase(manifest(format_version=99), "has format 99"),
    "a format that is a megabyte": IndexCase(manifest(format_version="9" * 2**20), "has format 9"),
    "a field too many": IndexCase(manifest(evil=1)),
    "a field too few": IndexCase(manifest(layers=None)),
    "a text for a number": IndexCase(manifest(block_size="6")),
    "yes for a number": IndexCase(manifest(block_size=True)),
    "a number beyond all": IndexCase(manifest(block_size=10**30)),
    "blocks without images": IndexCase(manifest(block_size=0)),
    "no layers": IndexCase(manifest(layers=[])),
    "1,050 layers": IndexCase(manifest(layers=lambda layers: layers * 50)),
    "10^12 feature maps": IndexCase(manifest(layers=first_layer(channels=10**12))),
    "fewer than no feature maps": IndexCase(manifest(layers=first_layer(channels=-1))),
    "a layer of 10^9 x 10^9": IndexCase(manifest(layers=first_layer(height=10**9, width=10**9))),
    "a layer named as a path": IndexCase(manifest(layers=first_layer(name="../../x"))),
    "a layer named as HTML": IndexCase(manifest(layers=first_layer(name="<img src=x>"))),
    "a layer that is a list": IndexCase(manifest(layers=lambda layers: [[1, 2], *layers[1:]])),
    "another receptive field": IndexCase(
        manifest(layers=first_layer(receptive_field={"size": 3, "stride": 0, "offset": -1}))
    ),
    "layers backwards": IndexCase(manifest(layers=lambda layers: layers[::-1])),
    "a summary elsewhere": IndexCase(manifest(summary="../../../../tmp/x")),
    "a summary of zeros": IndexCase(manifest(summary="\0")),
    "images in a folder that is none": IndexCase(manifest(image_root="\0")),
    "images in /etc": IndexCase(manifest(image_root="/etc"), ""),
    "labels that are a text": IndexCase(manifest(labels="all")),
    "an extension that is a number": IndexCase(manifest(extensions=[7])),
    "a label of a megabyte": IndexCase(manifest(labels=["x" * 2**20])),
    "pictures resized in no known way": IndexCase(manifest(resize="pad")),
    "values in no known range": IndexCase(manifest(value_range=None)),
    "values in another range": IndexCase(manifest(value_range="half")),
    "a reason of a megabyte": IndexCase(manifest(preprocessing_reason="x" * 2**20)),
    "infinite error bounds": IndexCase(
        manifest(compute=lambda compute: {**compute, "error_bounds": {"conv1_1": "much"}})
    ),
    "the key of another": IndexCase(manifest(key="0123456789abcdef"), "does not belong"),
    # the list of images
    "a list that is no Parquet": IndexCase(raw(PLAN, b"PAR1" + bytes(99) + b"PAR1")),
    "a list of 4 bytes": IndexCase(raw(PLAN, b"PAR1")),
    "a list without images": IndexCase(
        table(PLAN, lambda plan: plan.slice(0, 0)), "damaged|does not|belong"
    ),
    "a list without labels": IndexCase(table(PLAN, lambda plan: plan.drop_columns(["label"]))),
    "a list with a column too many": IndexCase(
        table(PLAN, lambda plan: plan.append_column("evil", plan["label"]))
    ),
    "10,000,000 images in a few bytes": IndexCase(table(PLAN, repeated(10_000_000))),
    "a label of 100,000 letters": IndexCase(table(PLAN, long_label)),
    "names that are numbers": IndexCase(
        table(PLAN, column("image_id", lambda plan: list(range(plan.num_rows))))
    ),
    "names that are missing": IndexCase(
        table(PLAN, column("image_id", lambda plan: pa.array([None] * plan.num_rows, pa.string())))
    ),
    "names that are lists": IndexCase(
        table(PLAN, column("image_id", lambda plan: [["a"]] * plan.num_rows))
    ),
    "blocks below zero": IndexCase(
        table(PLAN, column("block", lambda plan: [-(2**40)] * plan.num_rows))
    ),
    "blocks beyond all": IndexCase(
        table(PLAN, column("block", lambda plan: [2**62] * plan.num_rows))
    ),
    "removed perhaps": IndexCase(
        table(PLAN, column("removed", lambda plan: ["perhaps"] * plan.num_rows))
    ),
    # blocks
    "a block that is no Parquet": IndexCase(raw(BLOCK, b"PAR1" + bytes(99) + b"PAR1")),
    "a block that says nothing of its images": IndexCase(described(lambda rows: b"")),
    "images that are a number": IndexCase(described(lambda rows: 7)),
    "images nested 100,000 times": IndexCase(described(lambda rows: b"[" * 100_000)),
    "an image beyond the list": IndexCase(first_image(ordinal=2**31)),
    "an image before the list": IndexCase(first_image(ordinal=-1)),
    "an image numbered beyond all": IndexCase(first_image(ordinal=10**30)),
    "an image numbered by text": IndexCase(first_image(ordinal="0")),
    "an image named by a list": IndexCase(first_image(image_id=["a"])),
    "an image with a field too many": IndexCase(first_image(evil=1)),
    "an image named as a path": IndexCase(first_image(image_id="../../etc/passwd")),
    "values that are not numbers": IndexCase(
        peaks(column("value", lambda part: pa.array([np.nan] * part.num_rows, pa.float32())))
    ),
    "values that are text": IndexCase(peaks(column("value", lambda part: ["x"] * part.num_rows))),
    "places outside the feature map": IndexCase(
        peaks(column("row", lambda part: pa.array([255] * part.num_rows, pa.uint8())))
    ),
    "channels in disorder": IndexCase(
        peaks(column("channel", lambda part: pa.array([9] * part.num_rows, pa.uint16())))
    ),
    "feature maps without images": IndexCase(peaks(lambda part: part.slice(0, 0))),
    "10,000,000 peaks in a few bytes": IndexCase(peaks(repeated(10_000_000))),
    "a run of 10^9 blocks": IndexCase(block_called("000000-999999999.parquet"), ""),
    "a block without a number": IndexCase(block_called("0x.parquet"), ""),
    "a run that ends before it begins": IndexCase(block_called("000009-000001.parquet"), ""),
    # pages
    "names that claim 2 GB": IndexCase(dictionary_page(PLAN, "image_id", 2**31 - 1)),
    "names that become 300 MiB": IndexCase(
        both(
            table(PLAN, long_errors),
            dictionary_page(PLAN, "error", 300 * 2**20, swelling(300)),
        ),
        largest=400 * 2**20,  # its footer claims less: Arrow unpacks the page, then it is refused
    ),
    "peaks that claim 2 GB": IndexCase(dictionary_page(BLOCK, "image", 2**31 - 1)),
    "a summary that claims 2 GB": IndexCase(dictionary_page("top-*", "image", 2**31 - 1)),
    "statistics that claim 2 GB": IndexCase(dictionary_page("maps-*", "mean", 2**31 - 1)),
    "statistics in an encoding that is never written": IndexCase(
        table(
            "maps-*.parquet",
            lambda maps: maps,
            use_dictionary=False,
            column_encoding={"channel": "DELTA_BINARY_PACKED"},
        ),
        "",
    ),
    # the summary
    "a summary that is no Parquet": IndexCase(
        lambda folder: write(next(folder.glob("top-*")), b"PAR1" + bytes(99) + b"PAR1")
    ),
    "a summary of images that are not there": IndexCase(
        table(
            "top-*.parquet",
            column("image", lambda part: pa.array([2**31] * part.num_rows, pa.uint32())),
            use_dictionary=False,
        ),
        "damaged|images that it does not have|lacks",
    ),
    "a summary that does not know copies": IndexCase(
        table("top-*.parquet", lambda content: content.drop_columns(["copy"]))
    ),
    "a summary in which copies are numbers": IndexCase(
        table("top-*.parquet", column("copy", lambda part: [7] * part.num_rows))
    ),
    "statistics of other feature maps": IndexCase(
        table("maps-*.parquet", column("channel", lambda part: [7] * part.num_rows))
    ),
    "statistics that are text": IndexCase(
        table("maps-*.parquet", column("max", lambda part: ["x"] * part.num_rows))
    ),
    "10,000,000 statistics": IndexCase(table("maps-*.parquet", repeated(10_000_000))),
}
