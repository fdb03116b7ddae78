"""Plotly figures. Where possible, the page's theme decides the colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from deconv_core.units import Activation, Unit

ACCENT = "#d9480f"
_BARS = 40


def peak_histogram(peaks: pd.DataFrame, top: Sequence[Activation], unit: Unit) -> go.Figure:
    """A histogram of the peaks of one feature map, with the top activations marked.

    Args:
        peaks: the table from ``index.peaks``.
        top: the activations to mark.
        unit: the feature map, for the title of the axis.
    """
    # The browser could count too, but would need all peaks, perhaps a million.
    counts, edges = _counted(peaks["value"].to_numpy())
    figure = go.Figure(
        go.Bar(
            x=(edges[:-1] + edges[1:]) / 2,
            y=counts,
            width=0.92 * np.diff(edges),
            customdata=np.stack([edges[:-1], edges[1:]], axis=1),
            name="images",
            hovertemplate="%{y} images from %{customdata[0]:.4g} "
            "to %{customdata[1]:.4g}<extra></extra>",
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
    )
    return figure


def _counted(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts and edges of bars; the bars have a round width and cover 0 to the largest value."""
    largest = float(values.max(initial=0.0))
    width = float(f"{largest / _BARS:.1g}") or 1.0
    counts, edges = np.histogram(values, width * np.arange(int(largest / width) + 2))
    return counts, edges
