"""Plotly figures. Where possible, the page's theme decides the colours."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from deconv_core.names import visible
from deconv_core.units import Activation, Unit

ACCENT = "#d9480f"
BARS = "#7d94a8"
"""Readable in light and dark; the accent colour is for marks."""
GROUP_COLOURS = (ACCENT, BARS)
"""Of the first and the second of two groups of images."""
_BARS = 40


def peak_histogram(peaks: pd.DataFrame, top: Sequence[Activation], unit: Unit) -> go.Figure:
    """A histogram of the peaks of one feature map, with the top activations marked.

    Args:
        peaks: the table from ``index.peaks``.
        top: the activations to mark.
        unit: the feature map, for the title of the axis.
    """
    # The browser could count too, but would need all peaks, perhaps a million.
    values = peaks["value"].to_numpy()
    edges = _edges(values)
    counts, _ = np.histogram(values, edges)
    # Lists: rows of a NumPy array come back from a click as {"0": ..., "1": ...}.
    bars = np.stack([edges[:-1], edges[1:]], axis=1).tolist()
    marked = np.searchsorted(edges, [activation.value for activation in top], "right") - 1
    figure = go.Figure(
        go.Bar(
            x=(edges[:-1] + edges[1:]) / 2,
            y=counts,
            width=0.92 * np.diff(edges),
            customdata=bars,
            name="images",
            marker={"color": BARS},
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
            customdata=[bars[min(number, len(bars) - 1)] for number in marked],
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
        hovermode="x",  # low bars too can be pointed at
    )
    return figure


def compared_histograms(
    groups: Mapping[str, np.ndarray], axis: str, form: str = ".4g"
) -> go.Figure:
    """Histograms of two groups of peaks over each other.

    Args:
        groups: name of a group -> its peaks.
        axis: title of the axis of the peaks.
        form: how peaks are written, for example ".0%".
    """
    edges, shares = shared_bars(groups.values())
    bars = np.stack([edges[:-1], edges[1:]], axis=1).tolist()
    figure = go.Figure(
        [
            go.Bar(
                x=(edges[:-1] + edges[1:]) / 2,
                y=share,
                width=0.92 * np.diff(edges),
                customdata=bars,
                name=html.escape(visible(name)),
                marker={"color": colour, "opacity": 0.6},
                hovertemplate=f"%{{y:.1%}} from %{{customdata[0]:{form}}} to "
                f"%{{customdata[1]:{form}}}<extra>%{{fullData.name}}</extra>",
            )
            for name, share, colour in zip(groups, shares, GROUP_COLOURS, strict=True)
        ]
    )
    figure.update_layout(
        barmode="overlay",
        xaxis={"title": axis, "tickformat": form if form.endswith("%") else ""},
        yaxis={"title": "share of the images", "tickformat": ".0%"},
        height=280,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "y": 1.12, "x": 1, "xanchor": "right"},
        hovermode="x",
    )
    return figure


def label_chart(table: pd.DataFrame, few: int) -> go.Figure:
    """Bars of how well one feature map tells labels apart, with 95 % intervals, the best first.

    Args:
        table: rows of ``index.label_table`` with an area, the best first.
        few: labels with fewer images are drawn pale.
    """
    pale = (table["images"] < few).to_numpy()
    names = [f"{visible(label) or '(no folder)'} ({n:,})" for label, n in _pairs(table)]
    figure = go.Figure(
        go.Bar(
            x=table["auc"] - 0.5,
            base=0.5,
            y=list(range(len(table))),
            orientation="h",
            marker={"color": BARS, "opacity": np.where(pale, 0.35, 1.0)},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": table["auc_high"] - table["auc"],
                "arrayminus": table["auc"] - table["auc_low"],
                "thickness": 1,
                "color": "#8d8d8d",
                "width": 3,
            },
            customdata=table[["label", "auc", "auc_low", "auc_high", "images"]].values.tolist(),
            hovertemplate="area %{customdata[1]:.3f} (%{customdata[2]:.3f} to "
            "%{customdata[3]:.3f}), %{customdata[4]:,} images<extra></extra>",
        )
    )
    figure.add_vline(x=0.5, line={"width": 1, "dash": "dot", "color": BARS})
    figure.update_layout(
        xaxis={"title": "area under the ROC curve", "range": [0, 1.02]},
        yaxis={
            "tickvals": list(range(len(table))),
            "ticktext": [html.escape(name) for name in names],
            "autorange": "reversed",
        },
        height=90 + 24 * len(table),
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        showlegend=False,
        hovermode="y",  # also bars of no length, those of an area of 0.5
    )
    return figure


def _pairs(table: pd.DataFrame) -> list[tuple[str, int]]:
    return list(zip(table["label"].tolist(), table["images"].tolist(), strict=True))


def correlation_map(table: pd.DataFrame, layer: str) -> go.Figure:
    """The table of ``index.correlations`` as a heat map: -1 blue, 0 grey, 1 orange."""
    names = [str(channel) for channel in table.index]
    figure = go.Figure(
        go.Heatmap(
            z=table.to_numpy().round(3),
            x=names,
            y=names,
            zmin=-1,
            zmax=1,
            colorscale=[[0, "#2b6cb0"], [0.5, "#e6e6e6"], [1, ACCENT]],
            hovertemplate="maps %{y} and %{x}: %{z:.2f}<extra></extra>",
            colorbar={
                **{"thickness": 12, "outlinewidth": 0, "tickvals": [-1, -0.5, 0, 0.5, 1]},
                **{"lenmode": "pixels", "len": 200, "y": 1, "yanchor": "top"},
            },
        )
    )
    # Square cells: what is too long of an axis becomes empty page, not empty plot.
    axis = {
        **{"type": "category", "showticklabels": len(names) <= 64, "ticks": ""},
        **{"showgrid": False, "zeroline": False, "showline": False, "constrain": "domain"},
    }
    figure.update_layout(
        xaxis=axis,
        yaxis={
            **axis,
            **{"autorange": "reversed", "scaleanchor": "x", "constraintoward": "top"},
            "title": f"maps of {layer}",
        },
        height=640,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
    )
    return figure


def shared_bars(groups: Iterable[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Edges of bars that serve several groups of peaks, and each group's share in every bar."""
    groups = list(groups)
    edges = _edges(np.concatenate(groups))
    return edges, [np.histogram(one, edges)[0] / max(len(one), 1) for one in groups]


def _edges(values: np.ndarray) -> np.ndarray:
    """Edges of bars of a round width, from 0 to beyond the largest value."""
    largest = float(values.max(initial=0.0))
    width = float(f"{largest / _BARS:.1g}") or 1.0
    return np.asarray(width * np.arange(int(largest / width) + 2))
