"""Images of a scan that cannot be read, or that are nearly black or white, and what helps."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from deconv_core.errors import DeconvError
from deconv_dashboard.data.datasets import Dataset
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.frame.data_tables import data_table
from deconv_dashboard.server import resources
from deconv_dashboard.start import value_range
from deconv_dashboard.wording import counted

_MOST_LISTED = 500


def image_problems(registry: Registry, dataset: Dataset, index_path: Path) -> None:
    """Draw a table of these images with their reasons; nothing if there are none."""
    try:
        index = resources.index_of(index_path)
    except DeconvError:  # another part of the page shows the damage
        return
    if index is None:
        return
    failed = index.images[index.images["error"] != ""]
    rows = list(zip(failed["image_id"], failed["error"], strict=True))
    rows += list(index.notes.items())
    if not rows:
        return
    title = f"{counted(len(rows), 'image')} not readable, nearly black or nearly white"
    with st.expander(title, icon=":material/info:"):
        listed = rows[:_MOST_LISTED]
        columns = {"File": [name for name, _ in listed], "Reason": [why for _, why in listed]}
        data_table(columns, "image-problems", "image_problems")
        if len(rows) > len(listed):
            st.caption(f"The first {len(listed):,} of {len(rows):,}.")
        if index.notes:
            value_range.offer(registry, dataset, "stretch_scanned")
