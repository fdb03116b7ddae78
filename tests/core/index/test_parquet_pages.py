"""Pages are read as pyarrow reads them, and only those that are not larger than their file."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deconv_core.index.parquet_pages import open_parquet

ROWS = 100_000


def content(**options: object) -> tuple[pa.Table, bytes]:
    """Numbers, texts, truths and gaps, in several pages of several kinds."""
    chance = np.random.default_rng(0)
    table = pa.table(
        {
            "number": chance.integers(0, 2**16, ROWS).astype(np.uint16),
            "value": chance.normal(size=ROWS).astype(np.float32),
            "text": pa.array([f"image {n % 999}" for n in range(ROWS)]),
            "truth": chance.random(ROWS) < 0.5,
            "gaps": pa.array([None if n % 7 else n for n in range(ROWS)]),
        }
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=ROWS // 3, **options)
    return table, buffer.getvalue()


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("packing", ["none", "zstd", "snappy"])
@pytest.mark.parametrize("dictionaries", [True, False])
def test_what_is_read_is_what_was_written(
    version: str, packing: str, dictionaries: bool, tmp_path: Path
) -> None:
    table, written = content(
        data_page_version=version,
        compression=packing,
        use_dictionary=dictionaries,
        write_page_checksum=True,
        data_page_size=5000,
    )
    (tmp_path / "file").write_bytes(written)
    with open_parquet(tmp_path / "file", 16) as file:
        assert file.read() == table
    with open_parquet(written, 16) as file:
        assert file.read_row_group(1, ["truth", "number"]) == table.select(
            ["truth", "number"]
        ).slice(ROWS // 3, ROWS // 3)


@pytest.mark.parametrize("dictionaries", [True, False])
def test_row_groups_without_rows_are_read(dictionaries: bool) -> None:
    table, _ = content()
    buffer = io.BytesIO()
    with pq.ParquetWriter(buffer, table.schema, use_dictionary=dictionaries) as writer:
        for part in (table.slice(0, 0), table.slice(0, 9), table.slice(0, 0)):
            writer.write_table(part)
    with open_parquet(buffer.getvalue(), 16) as file:
        assert [file.read_row_group(n).num_rows for n in range(3)] == [0, 9, 0]
    with open_parquet(buffer.getvalue(), 16) as file:
        assert file.read() == table.slice(0, 9)


def test_pages_may_be_so_many_times_the_file_and_no_more() -> None:
    buffer = io.BytesIO()
    table = pa.table({"n": np.zeros(10**6)})  # 8 MB
    pq.write_table(table, buffer, compression="zstd", use_dictionary=False)
    written = buffer.getvalue()
    enough = -(-8 * 10**6 // len(written))
    with open_parquet(written, enough) as file:
        assert file.read() == table
    with open_parquet(written, enough // 2) as file, pytest.raises(ValueError, match="claims a"):
        file.read()
    with pytest.raises(ValueError, match="claims 1,000,000 rows"), open_parquet(written, 1):
        pass


def test_a_page_that_was_damaged_is_noticed() -> None:
    _, written = content(write_page_checksum=True, compression="none")
    start = pq.read_metadata(io.BytesIO(written)).row_group(0).column(1).data_page_offset
    damaged = bytearray(written)
    damaged[start + 1000] ^= 1
    with open_parquet(bytes(damaged), 16) as file, pytest.raises(OSError, match="CRC"):
        file.read()


def test_what_is_no_page_is_refused() -> None:
    _, written = content(use_dictionary=False)
    start = pq.read_metadata(io.BytesIO(written)).row_group(0).column(0).data_page_offset
    for byte in range(256):
        damaged = bytearray(written)
        damaged[start] = byte
        if damaged != written:
            with open_parquet(bytes(damaged), 16) as file, pytest.raises((ValueError, OSError)):
                file.read()
