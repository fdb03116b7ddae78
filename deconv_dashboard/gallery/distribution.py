"""The distribution of a feature map's peaks: a histogram to click, and a table."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from deconv_core.output.figures import compared_histograms, peak_histogram
from deconv_dashboard import bands
from deconv_dashboard.frame import address, messages
from deconv_dashboard.gallery.chosen_tile import choose_tile
from deconv_dashboard.gallery.comparison import Comparison, TwoMaps
from deconv_dashboard.gallery.downloads import stem_of_sides
from deconv_dashboard.server import index_answers
from deconv_dashboard.values import Answer, Choice


def distribution(
    choice: Choice, shown: Sequence[Answer], compared: Comparison | None = None
) -> None:
    """Draw histogram and table side by side; a click on a bar shows its images."""
    left, right = st.columns(2, gap="medium")
    unit = choice.unit
    everything = [activation for answer in shown for activation in answer.activations]
    with left:
        if compared is None:
            st.markdown("## Peaks over all images")
            figure = peak_histogram(index_answers.peaks_of(choice, unit), everything, unit)
            figure.update_layout(legend={"x": 1, "xanchor": "right"})
            said = messages.of_all_images(choice)
        else:
            st.markdown(f"## {compared.heading}")
            figure = compared_histograms(compared.groups, compared.axis, compared.form)
            said = f"{compared.note} {max(messages.as_scanned(side) for side in choice.sides)}"
        bars = sum(trace.type == "bar" for trace in figure.data)
        key = f"histogram {unit} {bars}"
        of_largest = isinstance(compared, TwoMaps)
        st.plotly_chart(
            figure,
            key=key,
            on_select=lambda: _show_bar(key, bars, of_largest=of_largest),
            selection_mode="points",
            config={"displayModeBar": False},
            alt=f"Histogram of the peaks of {unit}",
        )
        st.caption(f"Click a bar to see its images. {said}")
    with right:
        st.markdown("## Table")
        if everything:
            _table(choice, shown)
        else:
            st.caption("Nothing to list: the map fires in none of these images.")


def _table(choice: Choice, shown: Sequence[Answer]) -> None:
    """Draw the activations; a click on a row chooses its tile."""

    def picked() -> None:
        for row, _ in st.session_state[f"map_table {unit}"]["selection"]["cells"]:
            choose_tile(choice, row + 1)

    unit = choice.unit
    messages.table(
        choice.sides,
        shown,
        stem_of_sides(choice),
        key=f"map_table {unit}",
        on_select=picked,
        selection_mode="single-cell",
        height=280,
        made=choice.made,
    )
    st.caption("Click a row to see where the map fired.")


def _show_bar(key: str, bars: int, *, of_largest: bool) -> None:
    for point in st.session_state[key]["selection"]["points"]:
        of_marks = point["curve_number"] >= bars
        if of_marks or point["y"]:  # not a bar of no images
            least, below = point["customdata"]
            address.visit("feature_map", band=bands.bar(least, below, of_largest=of_largest))
