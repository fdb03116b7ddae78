"""What pages say of a damaged index, and the button that scans only what is damaged again."""

from __future__ import annotations

import streamlit as st

from deconv_core.errors import REPAIR, DeconvError, IndexDamagedError
from deconv_dashboard.frame.choice import escape
from deconv_dashboard.frame.remedies import offer_scan
from deconv_dashboard.frame.troubles import keep_trouble, say_kept_trouble
from deconv_dashboard.jobs.scans import scan_state, start_scan
from deconv_dashboard.server.told import told
from deconv_dashboard.values import Choice

LABEL = "Repair: scan only the damaged blocks again"


def damage_note(choice: Choice, error: IndexDamagedError) -> None:
    """Say what is damaged and offer to repair it; of a repair that runs, that it does.

    Args:
        choice: whose index is damaged.
        error: what is damaged.
    """
    request = st.session_state.get("request_flag")
    if request is not None and st.session_state.get("damage_told") is request:
        return  # two parts of a page may meet the same damage
    st.session_state["damage_told"] = request
    said = told(error, offered=[REPAIR])
    st.error(escape(f"The index cannot be read: {said}."), icon=":material/broken_image:")
    if choice.index_path.parent != choice.registry.home / "indexes":
        st.caption("It ships with the program: install it again.")
        return
    running = scan_state(choice.registry, choice.index_path).active
    st.button(
        "Repairing: what is damaged is scanned again" if running else LABEL,
        key="repair_index",
        type="primary",
        icon=":material/healing:",
        disabled=running or not choice.registry.ready(choice.network),
        on_click=_repair,
        args=(choice,),
    )
    offer_scan(choice, IndexDamagedError(), "damaged")  # where a repair is not possible
    say_kept_trouble("repair_error", "repair")


def _repair(choice: Choice) -> None:
    try:
        start_scan(choice.registry, choice.dataset, choice.network)
    except DeconvError as error:
        keep_trouble("repair_error", error, "The repair did not start")
