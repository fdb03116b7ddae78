"""VGG19 among the networks: its download, watched and cancelled from every session."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from dashboard.registry import Registry
from dashboard.serving import told
from dashboard.shell import escape
from dashboard.vgg19_download import (
    WeightsState,
    cancel_weights_download,
    start_weights_download,
    weights_state,
)
from dashboard.wording import file_size, preprocessing_text
from deconv_core.errors import DeconvError
from deconv_core.preprocessing import expected_by


def weights_download(registry: Registry, actions: Callable[[], None]) -> None:
    """What VGG19 needs, how far its download is, and buttons; it looks again by itself.

    Args:
        registry: knows whether the weights are there.
        actions: draws the other buttons of the row.
    """
    seen = weights_state(registry).status

    def draw() -> None:
        state = weights_state(registry)
        if state.status != seen:
            st.rerun()
        words, buttons = st.columns([6, 4], vertical_alignment="center")
        with words:
            _words(state)
        with buttons.container(horizontal=True, horizontal_alignment="right"):
            _button(registry, state)
            actions()

    st.fragment(draw, run_every=1.0 if seen == "running" else None)()


def _words(state: WeightsState) -> None:
    expected = expected_by("vgg19")
    match state.status:
        case "done":
            st.caption(
                "By Simonyan and Zisserman, trained on ImageNet. On this computer. Preprocessing: "
                f"{preprocessing_text(expected.name, expected.reason)}."
            )
        case "running" if state.done >= state.total:
            st.progress(1.0, "Checking and converting")
        case "running":
            share = state.done / state.total if state.total else 0.0
            said = f"{file_size(state.done)} of {file_size(state.total)}" if state.done else "…"
            st.progress(min(share, 1.0), f"Downloading · {said}")
        case _:
            st.caption(
                "By Simonyan and Zisserman, trained on ImageNet. Its weights come from "
                f"download.pytorch.org: {file_size(state.total)} once, of which 80 MB are kept."
            )
            if state.status == "cancelled" and state.done:
                st.caption(f"Stopped at {file_size(state.done)}; what has arrived is kept.")
            if state.status == "failed":
                message = told(state.message)
                message = f"{message[:1].upper()}{message[1:]}."
                st.error(escape(message), icon=":material/error:")


def _button(registry: Registry, state: WeightsState) -> None:
    if state.status == "done":
        return
    if state.status == "running":
        st.button(
            "Cancel",
            key="weights_cancel",
            icon=":material/stop_circle:",
            on_click=cancel_weights_download,
            args=(registry,),
        )
        return
    label = {"none": "Download", "cancelled": "Go on"}.get(state.status, "Try again")
    st.button(
        label, key="weights_download", icon=":material/download:", on_click=_start, args=(registry,)
    )
    if message := st.session_state.pop("weights_trouble", ""):
        st.error(message, icon=":material/error:")


def _start(registry: Registry) -> None:
    try:
        start_weights_download(registry)
    except DeconvError as error:
        st.session_state["weights_trouble"] = escape(f"The download did not start: {told(error)}.")
