"""Buttons that lead from a message to the tab of Start where its advice can be followed."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from deconv_core.errors import DeconvError, NoRoomError
from deconv_dashboard.data.datasets import NetworkChoice
from deconv_dashboard.frame.address import PAGE_FILES, link_to
from deconv_dashboard.frame.widget_keys import set_widget
from deconv_dashboard.wording import DATASETS_TAB, NETWORKS_TAB

LABEL = "See what you can delete"
ASK = "Choose the preprocessing"
WEIGHTS = "See why, and other ways"


def offer_room(error: DeconvError, key: str) -> None:
    """Draw a button that opens the list of datasets and scans, if there is no room.

    Args:
        error: what went wrong.
        key: key of the button, after "room_".
    """
    if isinstance(error, NoRoomError):
        _way(LABEL, f"room_{key}", ":material/delete_sweep:", DATASETS_TAB)


def offer_question(network: NetworkChoice, key: str) -> None:
    """Draw a button that opens the form for a weight file with an unclear preprocessing.

    Args:
        network: the network with that weight file.
        key: key of the button, after "question_".
    """
    _way(ASK, f"question_{key}", ":material/help:", NETWORKS_TAB, weights_path=network.source)


def offer_networks(key: str) -> None:
    """Draw a button that opens the list of networks, where a failed download says what helps."""
    _way(WEIGHTS, f"networks_{key}", ":material/cloud_off:", NETWORKS_TAB)


def _way(label: str, key: str, icon: str, tab: str, **state: str) -> None:
    if st.button(label, key=key, icon=icon, on_click=_choose_tab, args=(tab, state)):
        st.switch_page(PAGE_FILES["start"], query_params=link_to())


def _choose_tab(tab: str, state: Mapping[str, str]) -> None:
    st.session_state.update({"start_tab": tab, "start_wanted": True, **state})
    set_widget("folder_path", "")


def go_where_wanted(page: str) -> None:
    """Go to Start if a button of ``_way`` was pressed: its message may be gone in this page run."""
    if st.session_state.pop("start_wanted", False) and page != "start":
        st.switch_page(PAGE_FILES["start"], query_params=link_to())
