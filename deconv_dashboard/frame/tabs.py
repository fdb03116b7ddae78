"""Tabs of a page: only the open one is made, and the address remembers it."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st
from streamlit.delta_generator import DeltaGenerator as Place

from deconv_dashboard.frame import address
from deconv_dashboard.frame.widget_keys import key_showing, widget_key
from deconv_dashboard.values import Choice


def open_tab(choice: Choice, titles: Mapping[str, str]) -> tuple[str, Place]:
    """Draw the tabs of a page.

    Args:
        choice: of this page run; its values name the open tab.
        titles: name in the address -> title. The first is open if the address names none.

    Returns:
        Name and place of the open tab.
    """
    usual, parameter = next(iter(titles)), address.TAB[choice.page]
    here = choice.values.get(parameter, usual)
    names = {title: name for name, title in titles.items()}

    def changed() -> None:
        picked = names[st.session_state[widget_key("page_tab")]]
        address.visit(choice.page, **{parameter: None if picked == usual else picked})

    key = key_showing("page_tab", titles[here])
    places = st.tabs(list(titles.values()), key=key, on_change=changed)
    return here, places[list(titles).index(here)]
