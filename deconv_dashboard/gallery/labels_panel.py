"""Which labels a feature map tells apart."""

from __future__ import annotations

import streamlit as st

from deconv_core.index.label_table import FEW_IMAGES
from deconv_core.output.figures import label_chart
from deconv_core.units import Unit
from deconv_dashboard.frame import address, messages
from deconv_dashboard.frame.data_tables import data_table
from deconv_dashboard.gallery.downloads import file_stem
from deconv_dashboard.server import index_answers
from deconv_dashboard.values import Choice

_BARS = 20


def labels_panel(choice: Choice, unit: Unit) -> None:
    """Draw the area under the ROC curve of each label, and the table with all numbers."""
    if choice.index is None or len(choice.index.labels) < 2:
        st.caption(
            "There is one label only, so there is nothing to tell apart. The folders directly "
            "inside the scanned folder become labels."
        )
        return
    table = index_answers.label_table_of(choice, unit.layer, unit.channel)
    sample = table.attrs.get("sample")
    table = table.sort_values(["auc", "label"], ascending=[False, True], ignore_index=True)
    drawn = table.dropna(subset="auc")[:_BARS]
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("## Which labels it tells apart")
        key = f"labels {unit}"
        st.plotly_chart(
            label_chart(drawn, FEW_IMAGES),
            key=key,
            on_select=lambda: _choose(key),
            selection_mode="points",
            config={"displayModeBar": False},
            alt=f"How well {unit} tells labels apart",
        )
        more = f" The best {_BARS} of {len(table):,} labels." if len(table) > len(drawn) else ""
        some = f" From a random sample of {sample:,} images." if sample else ""
        st.caption(
            "1: every image of the label has a larger peak than every other image. 0.5: no "
            f"difference. Lines: 95 % intervals. Pale: fewer than {FEW_IMAGES} images.{more}{some} "
            f"Click a bar to see the label's images. {messages.as_scanned(choice)}"
        )
    with right:
        st.markdown("## Table")
        number = st.column_config.NumberColumn
        data_table(
            table.drop(columns="channel"),
            file_stem(choice, f"{unit.layer}_labels", unit.channel, None),
            f"label_table {unit}",
            made=choice.made,
            height=280,
            alt=f"Areas under the ROC curve of {unit}",
            column_config={
                "auc": number("area", format="%.3f"),
                "auc_low": number("from", format="%.3f"),
                "auc_high": number("to", format="%.3f"),
                "precision_9": number("among the top 9", format="percent"),
                "precision_50": number("among the top 50", format="percent"),
            },
        )


def _choose(key: str) -> None:
    for point in st.session_state[key]["selection"]["points"]:
        address.visit("feature_map", label=point["customdata"][0], label2=None)
