"""The correlations between all feature maps of a layer."""

from __future__ import annotations

import streamlit as st

from deconv_core.layers import Layer
from deconv_core.output.figures import correlation_map
from deconv_dashboard.frame import messages
from deconv_dashboard.server import index_answers
from deconv_dashboard.values import Choice
from deconv_dashboard.wording import counted

_WIDTH = 720
"""Pixels: the square plot and the bar of colours beside it."""


def correlations_panel(choice: Choice, layer: Layer) -> None:
    """Draw the correlation of the peaks of each two maps, similar maps side by side."""
    table = index_answers.correlations_of(choice, layer.name)
    left_out = layer.channels - len(table)
    rest = (
        f" {counted(left_out, 'map')} with the same peak in every image "
        f"{'is' if left_out == 1 else 'are'} left out."
        if left_out
        else ""
    )
    st.caption(
        "The correlation of the peaks of each two maps over all images, in the order of a "
        "clustering: blocks along the diagonal are maps that fire on the same images. This does "
        f"not mean that they look for the same thing.{rest} {messages.as_scanned(choice)}"
    )
    if len(table) > 1:
        st.plotly_chart(
            correlation_map(table, layer.name),
            key=f"correlations_{layer.name}",
            width=_WIDTH,
            config={"displayModeBar": False},
            alt=f"Correlations between the feature maps of {layer.name}",
        )
