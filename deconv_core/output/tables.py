"""Activations as tables, for the eye and for CSV files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from deconv_core.arguments import listed
from deconv_core.layers import INPUT_SIDE, Layer, layer_named
from deconv_core.pictures import Reconstruction
from deconv_core.units import Activation, Box, label_of

COLUMNS = ("rank", "image_id", "label", "layer", "channel", "row", "column", "value")
BOX_COLUMNS = ("top", "left", "height", "width")
_FORMULA = re.compile(r"(?:^|(?<=;))(?=['=+\-@\t\r\n＝＋－＠])")
"""Where a spreadsheet may see a formula begin: at the beginning of a text, and behind a semicolon,
which ends a cell where decimal numbers are written with a comma."""


def activation_table(
    items: Iterable[Reconstruction] | Iterable[Activation],
    layers: Mapping[str, Layer] | None = None,
    copies: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """One row an activation, in the order given.

    Args:
        items: reconstructions, or activations alone.
        layers: ``index.layers`` or ``network.layers``, to give the boxes of bare activations.
        copies: ``index.copies`` of each image that has any, to name them.

    Returns:
        rank (from 1), image_id, label, layer, channel, row, column (locations in the map), value
        (activation), and the receptive field inside the 224x224 input in pixels: top, left,
        height, width. The box of a bare activation is missing without ``layers``. With ``copies``
        also copies (their number) and copy_ids (separated by "; ").

    Raises:
        DeconvError: something else than a list of these, or a layer that ``layers`` lacks.
    """
    rows = []
    given = listed("items", items, (Reconstruction, Activation), "index.top('conv4_4')")
    for rank, item in enumerate(given, 1):
        activation = item if isinstance(item, Activation) else item.activation
        box = _box(item, layers)
        rows.append(
            (
                rank,
                activation.image_id,
                label_of(activation.image_id),
                activation.unit.layer,
                activation.unit.channel,
                activation.row,
                activation.column,
                activation.value,
                *((box.top, box.left, box.height, box.width) if box else (None,) * 4),
            )
        )
    table = pd.DataFrame(rows, columns=[*COLUMNS, *BOX_COLUMNS])
    table = table.astype(dict.fromkeys(BOX_COLUMNS, "Int64"))
    if copies is not None:
        others = [copies.get(image_id, ()) for image_id in table["image_id"]]
        table["copies"] = pd.Series([len(ids) for ids in others], dtype="int64")
        table["copy_ids"] = pd.Series(["; ".join(ids) for ids in others], dtype="str")
    return table


def table_csv(table: pd.DataFrame) -> str:
    """A table as CSV that a spreadsheet shows and does not run.

    Names of files come from anyone, and one like ``=HYPERLINK(...)`` is a formula to a spreadsheet.
    A text that begins like one gets an apostrophe in front, which says "text" there; so does one
    that begins with an apostrophe: taking one away from every text that has it gives all back.
    Behind a semicolon it is the same.
    Lines end as RFC 4180 wants; only then a carriage return inside a name is quoted.
    """
    numeric = pd.api.types.is_numeric_dtype
    texts = {
        str(name): column.map(_shown_as_text)
        for name, column in table.items()
        if not numeric(column)
    }
    return table.assign(**texts).to_csv(index=False, lineterminator="\r\n")


def csv_file(table: pd.DataFrame) -> bytes:
    """What a .csv file of a table holds: ``table_csv`` in UTF-8, with the mark Excel knows it by.

    ``pandas.read_csv`` passes over the mark; ``open`` does with ``encoding="utf-8-sig"``.
    """
    return table_csv(table).encode("utf-8-sig")


def _shown_as_text(value: object) -> object:
    return _FORMULA.sub("'", value) if isinstance(value, str) else value


def _box(item: Reconstruction | Activation, layers: Mapping[str, Layer] | None) -> Box | None:
    if not isinstance(item, Activation):
        return item.box
    if layers is None:
        return None
    layer = layer_named(layers, item.unit.layer)

    return layer.receptive_field.box(item.row, item.column).clip(INPUT_SIDE, INPUT_SIDE)
