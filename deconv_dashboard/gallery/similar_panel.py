"""Feature maps of a layer that fire on the same images."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from deconv_core.errors import DeconvError
from deconv_core.units import Unit
from deconv_dashboard.frame import messages
from deconv_dashboard.gallery.contact_sheet import map_tiles
from deconv_dashboard.server import index_answers
from deconv_dashboard.values import Choice

_SHOWN = 6


def similar_panel(choice: Choice, unit: Unit) -> None:
    """Draw the maps whose peaks correlate most with those of a map, and the most opposed."""
    table = index_answers.similar_to(choice, unit)
    if table.empty:
        st.caption("The map has the same peak in every image, so no correlation can be computed.")
        return
    st.caption(
        "The correlation of the peaks over all images. A high one says that two maps fire on the "
        "same images; they may look for different things in them. Click a map to open it. "
        f"{messages.as_scanned(choice)}"
    )
    opposed = table[table["correlation"] < 0].iloc[::-1][:_SHOWN]
    for title, part, key in (
        ("Fires on the same images", table[:_SHOWN], "similar"),
        ("Fires on other images", opposed, "opposed"),
    ):
        st.markdown(f"## {title}")
        if part.empty:
            st.caption("No map of this layer has a negative correlation with this one.")
        else:
            _tiles(choice, unit.layer, part, key)


def _tiles(choice: Choice, layer: str, part: pd.DataFrame, key: str) -> None:
    channels, found = part["channel"].tolist(), part["correlation"].tolist()
    said = {
        Unit(layer, channel): f"r = {value:.2f}".replace("-", "\N{MINUS SIGN}")
        for channel, value in zip(channels, found, strict=True)
    }
    try:
        map_tiles(choice, list(said), key, said=said)
    except DeconvError as error:
        messages.trouble(choice, error)
