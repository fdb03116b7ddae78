"""The file of a layer sample: pictures measured so far, of one network on one set of images."""

from __future__ import annotations

import io
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pandas as pd

from deconv_core.index.activation_index import ActivationIndex
from deconv_core.index.manifest import digest
from deconv_core.output.tables import from_table_csv, table_csv
from deconv_core.units import Activation
from deconv_core.whole_files import write_whole

PAIRS = 64
"""How many (map, image) pairs stand for a layer."""
SAMPLE_OTHERS = 15
"""With how many other maps each picture of a sample is compared."""
_VERSION = 1
"""Of the measurement: its numbers are not comparable with those of another version."""
PAIR = ["layer", "channel", "content", "row", "column"]
"""The columns that name a measured picture; ``content`` is the hash of its image."""
_COLUMNS = {
    **dict.fromkeys(("made_from", "layer", "content", "image_id"), "str"),
    **dict.fromkeys(("channel", "row", "column", "other_maps"), "int64"),
    **dict.fromkeys(("spearman", "random_networks", "left", "left_random"), "float64"),
    "beaten": "Int64",  # empty where nothing was deleted
}


def made_from(index: ActivationIndex, others: int = SAMPLE_OTHERS, seed: int = 0) -> str:
    """Names what the numbers depend on besides the pair: network, resizing, method."""
    return digest([index.manifest.settings_hash, others, seed, _VERSION])


def read_layer_table(path: Path, index: ActivationIndex, key: str | None = None) -> pd.DataFrame:
    """The measured pictures in a file that still belong to an index; empty if there is no file.

    Args:
        path: the file.
        index: rows of changed or removed images are left out.
        key: of ``made_from``; None takes that of the defaults.
    """
    table = pd.DataFrame(columns=[*_COLUMNS])
    with suppress(OSError, ValueError):  # a damaged file counts as missing
        text = path.read_text("utf-8")
        read = pd.read_csv(io.StringIO(text), dtype=_COLUMNS)
        if set(read.columns) >= set(_COLUMNS):
            table = read[read["made_from"] == (key or made_from(index))]
    if table.empty:
        return table
    table = table.assign(image_id=table["image_id"].map(from_table_csv))
    now = index.content_hashes(dict.fromkeys(table["image_id"]))
    return table[table["image_id"].map(now) == table["content"]].reset_index(drop=True)


def write_layer_table(path: Path, table: pd.DataFrame) -> None:
    """Write the file.

    Raises:
        OSError: it cannot be written; the old file stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, table_csv(table).encode())


def incomplete_layers(
    table: pd.DataFrame, index: ActivationIndex, pairs: int = PAIRS
) -> tuple[str, ...]:
    """The layers of an index that have fewer measured pictures than a sample has."""
    done = Counter(table["layer"]) if len(table) else Counter[str]()
    return tuple(
        name
        for name, layer in index.layers.items()
        if done[name] < min(pairs, layer.channels - index.dead_maps[name])
    )


def pair_of(found: Activation, content: str) -> tuple[object, ...]:
    """The values of the columns ``PAIR`` for an activation."""
    return found.unit.layer, found.unit.channel, content, found.row, found.column
