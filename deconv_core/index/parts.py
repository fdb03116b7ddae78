"""What all Parquet files of an index contain: a seal, and the identity of their index."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from deconv_core.errors import REPAIR, IndexForeignError
from deconv_core.index.manifest import Manifest
from deconv_core.index.seals import sealed
from deconv_core.index.typed_json import from_json
from deconv_core.storage import Location
from deconv_core.whole_files import write_whole

_IDENTITY_KEY = b"deconv_identity"
READ_ERRORS = (
    *(OSError, MemoryError, pa.ArrowException, ValueError, TypeError, LookupError, AttributeError),
    *(ArithmeticError, RuntimeError),  # Arrow passes on some errors of its C++ code
)
"""Errors that reading a damaged file can raise."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which index a Parquet file belongs to, and which part of it the file is.

    Attributes:
        key: ``Manifest.key`` of the index; "" if the file has no identity.
        making: ``Manifest.settings_hash`` of the index.
        part: "blocks 0 to 3", "images", or kind and version of a summary.
    """

    key: str = ""
    making: str = ""
    part: str = ""

    @classmethod
    def of(cls, manifest: Manifest, part: str) -> Identity:
        """The identity of a part of an index."""
        return cls(manifest.key, manifest.settings_hash, part)


def identity_metadata(identity: Identity) -> dict[bytes, bytes]:
    """Metadata for a Parquet schema that stores an identity."""
    return {_IDENTITY_KEY: json.dumps(asdict(identity)).encode()}


def read_identity(schema: pa.Schema) -> Identity:
    """Read the identity from the metadata of a schema; an empty identity if there is none."""
    stored = (schema.metadata or {}).get(_IDENTITY_KEY)
    try:
        return from_json(Identity, json.loads(stored)) if stored else Identity()
    except (ValueError, RecursionError):
        return Identity()


def check_identity(path: Location, schema: pa.Schema, manifest: Manifest, part: str) -> None:
    """Check that a file belongs to an index, and is the given part of it.

    Raises:
        IndexForeignError: it belongs to another index, or is another part.
    """
    found = read_identity(schema)
    if found.key != manifest.key:
        raise IndexForeignError(
            f"{path} does not belong to this index: it or manifest.json comes from another index",
            REPAIR,
        )
    if found.part != part:
        raise IndexForeignError(
            f"{path} does not belong in this place: it is {found.part}, not {part}", REPAIR
        )


def write_table(path: Location, table: pd.DataFrame, identity: Identity) -> None:
    """Write a small table as a sealed Parquet file."""
    buffer = pa.BufferOutputStream()
    content = pa.Table.from_pandas(table, preserve_index=False)
    content = content.replace_schema_metadata(
        {**content.schema.metadata, **identity_metadata(identity)}
    )
    pq.write_table(content, buffer, compression="zstd", write_page_checksum=True)
    write_whole(path, sealed(memoryview(buffer.getvalue())))
