"""Activations as tables, for the eye and for CSV files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import pandas as pd

from deconv_core.receptive_field import INPUT_SIDE, Layer
from deconv_core.reconstruction import Reconstruction
from deconv_core.units import Activation, Box, label_of

COLUMNS = ("rank", "image_id", "label", "layer", "channel", "row", "column", "value")
BOX_COLUMNS = ("top", "left", "height", "width")
_FORMULA = r"^(?=['=+\-@\t\r\n＝＋－＠])"


def activation_table(
    items: Sequence[Reconstruction] | Sequence[Activation],
    layers: Mapping[str, Layer] | None = None,
) -> pd.DataFrame:
    """One row an activation, in the order given.

    Args:
        items: reconstructions, or activations alone.
        layers: ``index.layers`` or ``network.layers``, to give the boxes of bare activations.

    Returns:
        rank (from 1), image_id, label, layer, channel, row, column (locations in the map), value
        (activation), and the receptive field inside the 224x224 input in pixels: top, left,
        height, width. The box of a bare activation is missing without ``layers``.
    """
    rows = []
    for rank, item in enumerate(cast("Sequence[Reconstruction | Activation]", items), 1):
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
    return table.astype(dict.fromkeys(BOX_COLUMNS, "Int64"))


def table_csv(table: pd.DataFrame) -> str:
    """A table as CSV that a spreadsheet shows and does not run.

    Names of files come from anyone, and one like ``=HYPERLINK(...)`` is a formula to a spreadsheet.
    A text that begins like one gets an apostrophe in front, which says "text" there; so does one
    that begins with an apostrophe: taking one away from every text that has it gives all back.
    Lines end as RFC 4180 wants; only then a carriage return inside a name is quoted.
    """
    texts = {
        name: table[name].astype(str).str.replace(_FORMULA, "'", regex=True)
        for name in ("image_id", "label")
    }
    return table.assign(**texts).to_csv(index=False, lineterminator="\r\n")


def _box(item: Reconstruction | Activation, layers: Mapping[str, Layer] | None) -> Box | None:
    if not isinstance(item, Activation):
        return item.box
    if layers is None:
        return None
    layer = layers[item.unit.layer]

    return layer.receptive_field.box(item.row, item.column).clip(INPUT_SIDE, INPUT_SIDE)
