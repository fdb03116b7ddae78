"""Where a disk or a limit is full: the way to what can be deleted."""

from __future__ import annotations

import streamlit as st

from dashboard.address import PAGE_FILES, link_to
from dashboard.wording import DATASETS_TAB
from deconv_core.errors import MAKE_ROOM

LABEL = "See what can be deleted"


def offer_room(message: str, key: str) -> None:
    """Beside a message that says to make room: a button that opens the list of what is kept.

    Args:
        message: what is said.
        key: of the button, after "room_".
    """
    if MAKE_ROOM not in message:
        return
    opened = st.button(
        LABEL, key=f"room_{key}", icon=":material/delete_sweep:", on_click=_choose_tab
    )
    if opened:
        st.switch_page(PAGE_FILES["start"], query_params=link_to())


def _choose_tab() -> None:
    st.session_state.update({"start_tab": DATASETS_TAB, "folder_path": "", "start_wanted": True})


def go_where_wanted(page: str) -> None:
    """Leave a page whose button was pressed; what the button belonged to is said only once."""
    if st.session_state.pop("start_wanted", False) and page != "start":
        st.switch_page(PAGE_FILES["start"], query_params=link_to())
