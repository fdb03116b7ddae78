"""What the Parquet files of an index have in common: a seal, and whose they are."""

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
MISTAKES = (
    *(OSError, MemoryError, pa.ArrowException, ValueError, TypeError, LookupError, AttributeError),
    *(ArithmeticError, RuntimeError),  # Arrow's C++ raises some things as they are
)
"""What reading bytes of any kind can raise."""


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


def identified(identity: Identity) -> dict[bytes, bytes]:
    """An identity as the metadata of a Parquet schema."""
    return {_IDENTITY_KEY: json.dumps(asdict(identity)).encode()}


def identity_of(schema: pa.Schema) -> Identity:
    """The identity in the metadata of a schema; nothing if there is none."""
    stored = (schema.metadata or {}).get(_IDENTITY_KEY)
    try:
        return from_json(Identity, json.loads(stored)) if stored else Identity()
    except (ValueError, RecursionError):
        return Identity()


def check_identity(path: Location, schema: pa.Schema, manifest: Manifest, part: str) -> None:
    """Check that a file belongs to the manifest's index, as this part of it.

    Raises:
        IndexForeignError: it is something else.
    """
    found = identity_of(schema)
    if found.key != manifest.key:
        raise IndexForeignError(
            f"{path} does not belong to this index: it or manifest.json is of another", REPAIR
        )
    if found.part != part:
        raise IndexForeignError(
            f"{path} does not belong in this place: it is {found.part}, not {part}", REPAIR
        )


def write_table(path: Location, table: pd.DataFrame, identity: Identity) -> None:
    """Write a small table as a sealed Parquet file."""
    buffer = pa.BufferOutputStream()
    content = pa.Table.from_pandas(table, preserve_index=False)
    content = content.replace_schema_metadata({**content.schema.metadata, **identified(identity)})
    pq.write_table(content, buffer, compression="zstd", write_page_checksum=True)
    write_whole(path, sealed(memoryview(buffer.getvalue())))
