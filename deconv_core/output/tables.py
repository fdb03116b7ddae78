"""Activations as tables, for pages and CSV files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from deconv_core.arguments import listed
from deconv_core.index.ranked_peaks import Rank
from deconv_core.layers import Layer, layer_named
from deconv_core.pictures import Reconstruction
from deconv_core.units import Activation, Box, Unit, label_of

COLUMNS = ("rank", "image_id", "label", "layer", "channel", "row", "column", "value")
BOX_COLUMNS = ("top", "left", "height", "width")
_FORMULA = re.compile(r"(?:^|(?<=;))(?=['=+\-@\t\r\n＝＋－＠])")
"""Positions where a spreadsheet may see the start of a formula: at the start of a text, and after a
semicolon, which separates cells in countries with a decimal comma."""
_GUARDED = re.compile(r"(?:^|(?<=;))'(?=['=+\-@\t\r\n＝＋－＠])")
"""An apostrophe that ``table_csv`` put in front of such a start."""


def activation_table(
    items: Iterable[Reconstruction] | Iterable[Activation],
    layers: Mapping[str, Layer] | None = None,
    copies: Mapping[str, Sequence[str]] | None = None,
    names: Mapping[str, str] | None = None,
    ranks: Mapping[str, Rank] | None = None,
) -> pd.DataFrame:
    """A table with one row for each activation, in the given order.

    Args:
        items: reconstructions or activations.
        layers: ``index.layers`` or ``network.layers``; needed for the boxes of activations.
        copies: image id -> ids of its copies (``index.copies``), to name them.
        names: address of a feature map, "conv4_4/171" -> its name for people.
        ranks: image id -> its place in the distribution, for activations of a band.

    Returns:
        rank (from 1), image_id, label, layer, channel, row, column (locations in the map), value
        (activation), and the receptive field inside the 224x224 input in pixels: top, left,
        height, width. Without ``layers``, activations have no box. With ``copies`` there are also
        the columns copies (their number) and copy_ids (separated by "; "). If any of the maps has
        a name, there is the column name. With ``ranks`` there are rank_of_all (1 is the largest
        peak) and percentile (the share of images ranked below).

    Raises:
        DeconvError: ``items`` is not such a list, or ``layers`` lacks a layer.
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
    if ranks:
        places = [ranks[image_id] for image_id in table["image_id"]]
        table["rank_of_all"] = [place.rank for place in places]
        table["percentile"] = [place.percentile for place in places]
    units = zip(table["layer"], table["channel"], strict=True)
    called = [(names or {}).get(str(Unit(*unit)), "") for unit in units]
    return table.assign(name=called) if any(called) else table


def table_csv(table: pd.DataFrame) -> str:
    """A table as CSV that is safe in a spreadsheet.

    File names may come from anyone, and a spreadsheet runs a name like ``=HYPERLINK(...)`` as a
    formula. So a text that begins like a formula gets an apostrophe in front, which means "text" in
    a spreadsheet. A text that begins with an apostrophe gets another one, so that removing one
    apostrophe gives every text back. The same holds after a semicolon.

    Lines end as RFC 4180 says; only then does pandas quote a carriage return inside a name.
    """
    numeric = pd.api.types.is_numeric_dtype
    texts = {
        str(name): column.map(_shown_as_text)
        for name, column in table.items()
        if not numeric(column)
    }
    return table.assign(**texts).to_csv(index=False, lineterminator="\r\n")


def csv_file(table: pd.DataFrame) -> bytes:
    """The content of a table's .csv file: ``table_csv`` in UTF-8 with a byte order mark, for Excel.

    ``pandas.read_csv`` ignores the mark; ``open`` ignores it with ``encoding="utf-8-sig"``.
    """
    return table_csv(table).encode("utf-8-sig")


def from_table_csv(text: str) -> str:
    """A text of a cell that ``table_csv`` wrote, as it was before."""
    return _GUARDED.sub("", text)


def _shown_as_text(value: object) -> object:
    return _FORMULA.sub("'", value) if isinstance(value, str) else value


def _box(item: Reconstruction | Activation, layers: Mapping[str, Layer] | None) -> Box | None:
    if not isinstance(item, Activation):
        return item.box
    if layers is None:
        return None
    return layer_named(layers, item.unit.layer).box(item.row, item.column)
