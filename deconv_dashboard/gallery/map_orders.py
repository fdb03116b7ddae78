"""The orders in which the Layer page lists feature maps."""

from __future__ import annotations

import pandas as pd

from deconv_core.index.activation_index import ActivationIndex
from deconv_core.index.label_table import best_labels
from deconv_core.layers import Layer
from deconv_core.names import visible
from deconv_dashboard.server import index_answers
from deconv_dashboard.values import Choice
from deconv_dashboard.wording import label_name

NUMBER, STRONGEST, RAREST = "number", "strongest", "rarest"
_TITLES = {
    NUMBER: "By number",
    STRONGEST: "Strongest first",
    RAREST: "Fires in fewest images first",
}
_LABEL = "label:"


def orders_of(index: ActivationIndex) -> list[str]:
    """Names of the orders in the address; those of labels only if there are several labels."""
    labels = list(index.labels) if len(index.labels) > 1 else []
    return [*_TITLES, *(_LABEL + label for label in labels)]


def title_of(order: str) -> str:
    """An order in words."""
    label = label_of_order(order)
    return _TITLES[order] if label is None else f"Tells apart: {visible(label_name(label))}"


def label_of_order(order: str) -> str | None:
    """The label that an order is about; None for the other orders."""
    return order.removeprefix(_LABEL) if order.startswith(_LABEL) else None


def ordered(
    choice: Choice, layer: Layer, maps: pd.DataFrame, order: str, *, with_labels: bool
) -> pd.DataFrame:
    """The maps of a layer in an order.

    Args:
        choice: of this page run.
        layer: the layer.
        maps: the table of ``index.maps``.
        order: one of ``orders_of``.
        with_labels: adds best_label and best_auc, the label that each map tells apart best, of
            those with at least ten images.

    Returns:
        The table; for the order of a label with auc, auc_low, auc_high.
    """
    label = label_of_order(order)
    several = choice.index is not None and len(choice.index.labels) > 1
    if several and (with_labels or label is not None):
        areas = index_answers.label_table_of(choice, layer.name, None)
        if with_labels:
            best = best_labels(areas)[["channel", "label", "auc"]]
            best = best.set_axis(["channel", "best_label", "best_auc"], axis="columns")
            maps = maps.merge(best, on="channel", how="left")
        if label is not None:
            columns = ["channel", "auc", "auc_low", "auc_high"]
            maps = maps.merge(areas[areas["label"] == label][columns], on="channel", how="left")
            return maps.sort_values(["auc", "channel"], ascending=[False, True])
    if order == STRONGEST:
        return maps.sort_values(["max", "channel"], ascending=[False, True])
    if order == RAREST:
        return maps.sort_values(["dead", "share", "channel"])
    return maps
