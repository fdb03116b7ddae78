"""Which labels each feature map tells apart from all others."""

from __future__ import annotations

import numpy as np
import pandas as pd

from deconv_core.index.layer_values import LayerValues
from deconv_core.statistics import roc

MOST_IMAGES = 50_000
"""With more images, areas come from a random sample of as many, always the same one."""
FEW_IMAGES = 10
"""The area of a label with fewer images says little."""
_SEED = 0


def label_table(measured: LayerValues) -> pd.DataFrame:
    """How well each map tells each label from all others; see ``ActivationIndex.label_table``."""
    codes, labels = pd.factorize(measured.labels, sort=True)
    codes, count = codes.astype(np.int64), len(labels)
    images = np.bincount(codes, minlength=count)
    values, seen = measured.values, codes
    if sampled := len(codes) > MOST_IMAGES:
        rng = np.random.default_rng(_SEED)
        chosen = np.sort(rng.choice(len(codes), MOST_IMAGES, replace=False))
        values, seen = values[:, chosen], codes[chosen]
    area = roc.areas(values, seen, count)
    here = np.bincount(seen, minlength=count).astype(float)
    low, high = roc.interval(area, here, len(seen) - here)
    top = roc.strongest(measured.values, 50)
    table = pd.DataFrame(
        {
            "channel": np.repeat(measured.channels, count),
            "label": np.tile(np.asarray(labels, object), len(area)),
            "images": np.tile(images, len(area)),
            "auc": area.ravel(),
            "auc_low": low.ravel(),
            "auc_high": high.ravel(),
            "precision_9": roc.precision(top, codes, count, 9).ravel(),
            "precision_50": roc.precision(top, codes, count, 50).ravel(),
        }
    )
    table["label"] = table["label"].astype("str")
    table.attrs = {"images": len(codes), "sample": MOST_IMAGES if sampled else None}
    return table


def best_labels(table: pd.DataFrame, least: int = FEW_IMAGES) -> pd.DataFrame:
    """The label that each map tells apart best.

    Args:
        table: the result of ``index.label_table``.
        least: leave out labels with fewer images.

    Returns:
        The rows of the table with the largest area of each map, of equal ones the first; none for
        a map without such a label.
    """
    enough = table[(table["images"] >= least) & table["auc"].notna()]
    return enough.loc[enough.groupby("channel")["auc"].idxmax()].reset_index(drop=True)
