"""What pages say of a damaged index, and the button that scans only what is damaged again."""

from __future__ import annotations

import streamlit as st

from deconv_core.errors import DeconvError, IndexDamagedError
from deconv_core.index.parts import REPAIR
from deconv_dashboard.frame.choice import escape
from deconv_dashboard.frame.remedies import offer_scan
from deconv_dashboard.frame.ways import offer_room
from deconv_dashboard.jobs.scans import scan_state, start_scan
from deconv_dashboard.server.told import told
from deconv_dashboard.values import Choice

LABEL = "Repair: scan only the damaged blocks again"


def damage_note(choice: Choice, message: str) -> None:
    """Say what is damaged and offer to repair it; of a repair that runs, that it does.

    Args:
        choice: whose index is damaged.
        message: the error, as the core says it.
    """
    request = st.session_state.get("request_flag")
    if request is not None and st.session_state.get("damage_told") is request:
        return  # two parts of a page may meet the same damage
    st.session_state["damage_told"] = request
    said, _, _ = message.partition(f"; {REPAIR}")  # the button does that
    st.error(escape(f"The index cannot be read: {told(said)}."), icon=":material/broken_image:")
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
    if trouble := st.session_state.pop("repair_error", ""):
        st.error(escape(trouble), icon=":material/error:")
        offer_room(trouble, "repair")


def _repair(choice: Choice) -> None:
    try:
        start_scan(choice.registry, choice.dataset, choice.network)
    except DeconvError as error:
        st.session_state["repair_error"] = f"The repair did not start: {told(error)}."
