"""Parquet files are read if their footers claim no more than the file can hold."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deconv_core.index.limits import open_parquet

MILLION = pa.table({"number": np.zeros(10**6)})  # 8 MB


def written(table: pa.Table, **options: object) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("as_path", [True, False])
def test_a_file_may_claim_a_number_of_bytes_for_each_of_its_own(
    as_path: bool, tmp_path: Path
) -> None:
    content = written(MILLION, use_dictionary=False, row_group_size=10**5, compression="zstd")
    (tmp_path / "a.parquet").write_bytes(content)
    file = tmp_path / "a.parquet" if as_path else content
    enough = -(-8 * 10**6 // len(content)) + 1
    with open_parquet(file, enough) as opened:
        assert opened.read() == MILLION
    with pytest.raises(ValueError, match="claims 8,"), open_parquet(file, enough // 2):
        pass


def test_rows_that_take_no_bytes_are_claims_too() -> None:
    content = written(MILLION, row_group_size=10**6)  # one value, 10**6 times: a few bytes
    with pytest.raises(ValueError, match="claims 1,000,000 bytes"), open_parquet(content, 1):
        pass


def test_a_page_that_was_damaged_is_noticed() -> None:
    values = pa.table({"number": np.random.default_rng(0).normal(size=10**4)})
    content = bytearray(written(values, use_dictionary=False, write_page_checksum=True))
    content[
        pq.read_metadata(io.BytesIO(content)).row_group(0).column(0).data_page_offset + 999
    ] ^= 1
    with open_parquet(bytes(content), 16) as opened, pytest.raises(OSError, match="CRC"):
        opened.read()
