"""The distribution of a feature map's peaks: a histogram to click, and a table."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from deconv_core.index.activation_index import ActivationIndex
from deconv_core.output.figures import peak_histogram
from deconv_core.units import Unit
from deconv_dashboard import bands
from deconv_dashboard.frame import address, messages
from deconv_dashboard.gallery.downloads import file_stem
from deconv_dashboard.server import resources
from deconv_dashboard.values import Answer, Choice


def distribution(
    choice: Choice, index: ActivationIndex, unit: Unit, shown: Sequence[Answer]
) -> None:
    """Draw histogram and table side by side; a click on a bar shows its images."""
    left, right = st.columns(2, gap="medium")
    everything = [activation for answer in shown for activation in answer.activations]
    with left:
        st.markdown("## Peaks over all images")
        figure = peak_histogram(resources.peaks_of(choice, unit), everything, unit)
        figure.update_layout(legend={"x": 1, "xanchor": "right"})
        key = f"histogram {unit}"
        st.plotly_chart(
            figure,
            key=key,
            on_select=lambda: _show_bar(key),
            selection_mode="points",
            config={"displayModeBar": False},
            alt=f"Histogram of the peaks of {unit}",
        )
        said = messages.of_all_images(choice)
        st.caption(f"Click a bar to see its images. {said}")
    with right:
        st.markdown("## Table")
        if everything:
            stem = file_stem(choice, unit.layer, unit.channel, choice.label)
            messages.table(shown, index.layers, stem, "map_table", height=280, made=choice.made)
        else:
            st.caption("Nothing to list: the map fires in none of these images.")


def _show_bar(key: str) -> None:
    for point in st.session_state[key]["selection"]["points"]:
        of_marks = point["curve_number"] > 0
        if of_marks or point["y"]:  # not a bar of no images
            least, below = point["customdata"]
            address.visit("feature_map", band=bands.bar(least, below))
