"""Tables: a row for each picture whose specificity was measured, or each position of a square."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:  # these load torch
    from deconv_core.network.head import Head
    from deconv_core.specificity.occlusion import Occlusion
    from deconv_core.specificity.specificity import Specificity


@dataclass(frozen=True, slots=True)
class LayerSpecificity:
    """How specific the measured pictures of a layer are.

    Attributes:
        layer: the layer.
        pictures: how many were measured.
        spearman: similarity of other maps' pictures from the same place, the median over pictures.
        random_networks: the same of random networks' pictures.
        beaten: share of the other maps' pictures that lower the activation less, the mean over
            pictures; 0.5 is chance. NaN, like the next two, if the fields are too small.
        left: share of the activation that is left after deletion, the median over pictures.
        left_random: the same in random order.
    """

    layer: str
    pictures: int
    spearman: float
    random_networks: float
    beaten: float
    left: float
    left_random: float


def specificity_table(measured: Iterable[Specificity]) -> pd.DataFrame:
    """A row for each complete measurement, in the given order.

    Columns: layer, channel, image_id, row, column, rule; ``other_maps`` (how many it is compared
    with), ``spearman`` and ``cosine`` (median over them), ``random_networks`` and ``edges``
    (Spearman's correlation, the first as a mean), ``left`` and ``left_random`` (shares of the
    activation that are left), ``beaten`` (other maps' pictures that lower it less). The last three
    are empty for fields that are too small for deletion.
    """
    return pd.DataFrame([_row(one) for one in measured])


def layer_specificities(table: pd.DataFrame) -> tuple[LayerSpecificity, ...]:
    """The main numbers of each layer of a ``specificity_table``, in the order of its rows."""
    if table.empty:
        return ()
    return tuple(
        LayerSpecificity(
            str(layer),
            len(rows),
            float(rows["spearman"].median()),
            float(rows["random_networks"].median()),
            float((rows["beaten"].astype("float64") / rows["other_maps"]).mean()),
            float(rows["left"].median()),
            float(rows["left_random"].median()),
        )
        for layer, rows in table.groupby("layer", sort=False)
    )


def occlusion_table(found: Occlusion, head: Head | None = None) -> pd.DataFrame:
    """A row for each position of the square, in reading order; the first without a square.

    Columns: top, left, size; ``activation`` of the map at its location, ``sum`` of the layer's
    strongest map, and with a classifier ``probability`` of the image's class and ``class``, the
    most probable one, by its name.
    """
    made, without = found.found, found.without
    places = [(top, left, found.size) for top in found.tops for left in found.lefts]
    table = pd.DataFrame([(None, None, 0), *places], columns=["top", "left", "size"], dtype="Int64")

    def column(values: Any, whole: Any) -> list[Any]:
        return [whole.item(), *values.ravel().tolist()]

    table["activation"] = column(made.activations, without.activations)
    table["sum"] = column(made.sums, without.sums)
    if made.classes is not None and head is not None:
        table["probability"] = column(made.probabilities, without.probabilities)
        table["class"] = list(map(head.class_name, column(made.classes, without.classes)))
    return table


def _row(one: Specificity) -> dict[str, Any]:
    found, made = one.picture.activation, one.deletion
    return {
        "layer": found.unit.layer,
        "channel": found.unit.channel,
        "image_id": found.image_id,
        "row": found.row,
        "column": found.column,
        "rule": one.picture.rule,
        "other_maps": len(one.other_maps),
        "spearman": float(np.median([other.spearman for other in one.other_maps])),
        "cosine": float(np.median([other.cosine for other in one.other_maps])),
        "random_networks": float(np.mean([other.spearman for other in one.random_networks])),
        "edges": one.edges,
        "left": None if made is None else made.own[-1],
        "left_random": None if made is None else made.random[-1],
        "beaten": None if made is None else made.beaten,
    }
