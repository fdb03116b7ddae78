"""Figures of how specific a picture is: similarities as dots, deletion as curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from deconv_core.output.figures import ACCENT, BARS

_MARGIN = {"l": 8, "r": 8, "t": 8, "b": 8}


def similarity_dots(rows: Sequence[tuple[str, Sequence[float]]]) -> go.Figure:
    """One row of dots for each group of similarities, with a line at its median.

    Args:
        rows: name of the group, and its similarities from -1 to 1; the first is at the top.
    """
    figure = go.Figure()
    for place, (name, values) in enumerate(rows):
        figure.add_trace(
            go.Scatter(
                x=list(values),
                y=[place] * len(values),
                mode="markers",
                name=name,
                marker={"size": 8, "color": BARS, "opacity": 0.6},
                hovertemplate="%{x:.2f}<extra></extra>",
            )
        )
        if len(values):
            figure.add_trace(
                go.Scatter(
                    x=[float(np.median(values))],
                    y=[place],
                    mode="markers",
                    marker={
                        "symbol": "line-ns-open",
                        "size": 22,
                        "color": ACCENT,
                        "line": {"width": 2},
                    },
                    hovertemplate="median %{x:.2f}<extra></extra>",
                )
            )
    figure.update_layout(
        xaxis={"title": "similarity", "range": [-1.02, 1.02]},
        yaxis={
            "tickvals": list(range(len(rows))),
            "ticktext": [name for name, _ in rows],
            "range": [len(rows) - 0.5, -0.5],
            "showgrid": False,
        },
        height=70 + 44 * len(rows),
        margin=_MARGIN,
        showlegend=False,
    )
    return figure


def deletion_curves(
    percent: Sequence[int],
    own: Sequence[float],
    percent_of_others: Sequence[int],
    others: Sequence[Sequence[float]],
    named: Sequence[tuple[str, Sequence[float]]],
) -> go.Figure:
    """The share of an activation that is left, as more of the field is replaced.

    Args:
        percent: percent of the field that are replaced, of each step.
        own: in the order of the picture itself.
        percent_of_others: the same for the curves of other maps' pictures.
        others: in the order of other maps' pictures, drawn thin.
        named: name and curve of each other order.
    """
    figure = go.Figure()
    for number, curve in enumerate(others):
        figure.add_trace(
            go.Scatter(
                x=list(percent_of_others),
                y=list(curve),
                mode="lines",
                name="other maps' pictures",
                legendgroup="others",
                showlegend=number == 0,
                line={"color": BARS, "width": 1},
                opacity=0.45,
                hoverinfo="skip",
            )
        )
    for (name, curve), dash in zip(named, ("dash", "dot", "dashdot"), strict=False):
        line = {"color": BARS, "width": 2, "dash": dash}
        figure.add_trace(
            go.Scatter(x=list(percent), y=list(curve), mode="lines", name=name, line=line)
        )
    line = {"color": ACCENT, "width": 3}
    figure.add_trace(
        go.Scatter(x=list(percent), y=list(own), mode="lines", name="this picture", line=line)
    )
    figure.update_layout(
        xaxis={"title": "percent of the field replaced"},
        yaxis={"title": "activation left", "rangemode": "tozero", "tickformat": ".0%"},
        height=380,
        margin=_MARGIN,
        legend={"orientation": "h", "y": -0.22, "yanchor": "top", "x": 0},
    )
    return figure


def layer_boxes(
    groups: Sequence[tuple[str, Mapping[str, Sequence[float]]]], title: str, *, chance: float | None
) -> go.Figure:
    """Boxes of shares from layer to layer, with a dot for each picture.

    Args:
        groups: name of each group, and its values for each layer, in the order of the layers. The
            first is drawn in the accent colour.
        title: of the vertical axis, which runs from 0 to 1.
        chance: the value that says nothing, as a dashed line; None if there is none.
    """
    figure = go.Figure()
    for (name, layers), colour in zip(groups, (ACCENT, BARS), strict=False):
        figure.add_trace(
            go.Box(
                x=[layer for layer, values in layers.items() for _ in values],
                y=[value for values in layers.values() for value in values],
                name=name,
                boxpoints="all",
                jitter=0.5,
                pointpos=0,
                marker={"size": 3, "color": colour, "opacity": 0.45},
                line={"width": 1.5, "color": colour},
                fillcolor="rgba(0,0,0,0)",
                hovertemplate="%{x}: %{y:.2f}<extra></extra>",
            )
        )
    if chance is not None:
        figure.add_hline(chance, line={"dash": "dash", "width": 1, "color": BARS})
    figure.update_layout(
        boxmode="group",
        xaxis={"tickangle": -45},
        yaxis={"title": title, "range": [-0.03, 1.03]},
        height=340,
        margin=_MARGIN,
        showlegend=len(groups) > 1,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )
    return figure
