"""A table with one row for each picture whose specificity was measured."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from deconv_core.specificity.specificity import Specificity


def specificity_table(measured: Iterable[Specificity]) -> pd.DataFrame:
    """A row for each complete measurement, in the given order.

    Columns: layer, channel, image_id, row, column, rule; ``other_maps`` (how many it is compared
    with), ``spearman`` and ``cosine`` (median over them), ``random_networks`` and ``edges``
    (Spearman's correlation, the first as a mean), ``left`` and ``left_random`` (shares of the
    activation that are left), ``beaten`` (other maps' pictures that lower it less).
    """
    return pd.DataFrame([_row(one) for one in measured])


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
