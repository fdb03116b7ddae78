"""Plotly figures, returned and never shown. Colours are left to the page's theme where possible."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from deconv_core.units import Activation, Unit

ACCENT = "#d9480f"


def peak_histogram(peaks: pd.DataFrame, top: Sequence[Activation], unit: Unit) -> go.Figure:
    """How the peaks of one feature map are spread over the images, with the top ones marked.

    Args:
        peaks: from ``index.peaks``.
        top: the activations shown beside it.
        unit: for the title of the axis.
    """
    figure = go.Figure(
        go.Histogram(
            x=peaks["value"],
            nbinsx=48,
            name="images",
            hovertemplate="%{y} images with a peak of %{x}<extra></extra>",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=[activation.value for activation in top],
            y=[0] * len(top),
            mode="markers",
            name=f"the {len(top)} shown",
            text=[f"{rank}. {a.image_id}" for rank, a in enumerate(top, 1)],
            hovertemplate="%{text}<br>%{x:.4g}<extra></extra>",
            marker={"symbol": "line-ns-open", "size": 16, "color": ACCENT, "line": {"width": 2}},
        )
    )
    figure.update_layout(
        xaxis_title=f"largest activation of {unit} in an image",
        yaxis_title="images",
        height=280,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "y": 1.12, "x": 0},
        bargap=0.04,
    )
    return figure
