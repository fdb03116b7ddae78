"""The chosen tile of the Feature map page: a click puts it into the address and into view."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from deconv_dashboard.frame import address
from deconv_dashboard.gallery import answers
from deconv_dashboard.values import Choice

_PLACE = "chosen_tile"
_OF_ONE_TILE = ("fired", "about", "rules")
"""Tabs about the chosen tile."""

_into_view = st.components.v2.component(
    "deconv_into_view",
    js=(Path(__file__).parent / "components" / "into_view.js").read_text("utf-8"),
)


def choose_tile(choice: Choice, place: int) -> None:
    """Choose the tile at a place among all that are shown; for callbacks.

    Opens the tab "Where it fired", unless a tab about the chosen tile is open.
    """
    st.session_state["tile_clicked"] = str(time.time_ns())
    tab = choice.values.get("tab")
    tab = tab if tab in _OF_ONE_TILE else "fired"
    address.visit("feature_map", rank=None if place == 1 else place, tab=tab)


def of_chosen(
    choice: Choice, picked: answers.Picked | None, draw: Callable[[Choice, answers.Picked], None]
) -> None:
    """Draw something about the chosen tile, and bring it into view after a click on a tile."""
    if picked is None:
        st.caption("There is no picture to choose: the map fires in none of these images.")
        return
    with st.container(key=_PLACE):
        draw(choice, picked)
    clicked = st.session_state.get("tile_clicked", "")
    _into_view(key="into_view", data={"place": _PLACE, "clicked": clicked}, height=1)
