"""Which feature maps of a layer fire on the same images."""

from __future__ import annotations

import numpy as np
import pandas as pd

from deconv_core.index.layer_values import LayerValues
from deconv_core.statistics import similarity


def similar_maps(measured: LayerValues, channel: int, k: int, *, opposed: bool) -> pd.DataFrame:
    """The maps of a whole layer that correlate most with one; see ``ActivationIndex.similar``."""
    found = similarity.correlations(measured.values, channel)
    table = pd.DataFrame({"channel": measured.channels, "correlation": found})
    others = table[(table["channel"] != channel) & table["correlation"].notna()]
    ordered = others.sort_values(["correlation", "channel"], ascending=[opposed, True])
    return ordered[:k].reset_index(drop=True)


def correlation_table(measured: LayerValues) -> pd.DataFrame:
    """All correlations of a whole layer; see ``ActivationIndex.correlations``."""
    alive = np.flatnonzero(similarity.varies(measured.values))
    values = measured.values if len(alive) == len(measured.values) else measured.values[alive]
    matrix = similarity.correlation_matrix(values)
    order = similarity.clustered(matrix)
    channels = pd.Index(measured.channels[alive][order], name="channel")
    return pd.DataFrame(matrix[np.ix_(order, order)], index=channels, columns=channels)
