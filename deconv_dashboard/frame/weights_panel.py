"""The download of VGG19's weights: its progress and buttons, the same in every session."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from deconv_core.errors import DeconvError
from deconv_core.network.preprocessing import expected_by
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.frame.job_rows import stop_buttons, watched
from deconv_dashboard.frame.job_words import job_text
from deconv_dashboard.frame.shell import escape
from deconv_dashboard.frame.troubles import keep_trouble, say_kept_trouble, say_trouble
from deconv_dashboard.jobs.vgg19_download import BYTES, start_weights_download, weights_state
from deconv_dashboard.queue.state import JobState
from deconv_dashboard.wording import file_size, preprocessing_text


def weights_download(registry: Registry, actions: Callable[[], None], key: str = "weights") -> None:
    """Draw a description of VGG19, the progress of its download, and buttons; it updates itself.

    Args:
        registry: the data folder, which may have the weights.
        actions: draws the other buttons of the row.
        key: first part of the keys of the buttons.
    """

    def draw(state: JobState) -> None:
        words, buttons = st.columns([6, 4], vertical_alignment="center")
        with words:
            _words(registry, state)
        with buttons.container(horizontal=True, horizontal_alignment="right"):
            _button(registry, state, key)
            actions()

    watched(lambda: weights_state(registry), draw, jobs=lambda state: [state])


def _words(registry: Registry, state: JobState) -> None:
    expected = expected_by("vgg19")
    if state.active:
        st.progress(state.progress.share, escape(job_text(registry, state)))
        return
    if state.status == "done":
        st.caption(
            "By Simonyan and Zisserman, trained on ImageNet. On this computer. Preprocessing: "
            f"{preprocessing_text(expected.name, expected.reason)}."
        )
        return
    st.caption(
        "By Simonyan and Zisserman, trained on ImageNet. Its weights come from "
        f"download.pytorch.org: {file_size(BYTES)} once; 80 MB of them are kept. "
        f"Preprocessing: {preprocessing_text(expected.name, expected.reason)}."
    )
    if state.status == "cancelled" and state.progress.done:
        st.caption(f"Stopped at {file_size(state.progress.done)}. The downloaded part is kept.")
    if state.status == "failed":
        say_trouble(state.failure, f"weights_{state.job_id}")


def _button(registry: Registry, state: JobState, key: str) -> None:
    if state.status == "done":
        return
    if state.active:
        stop_buttons(registry, state, f"{key}_cancel")
        return
    label = {"none": "Download", "cancelled": "Resume"}.get(state.status, "Try again")
    st.button(
        *(label, f"{key}_download"),
        icon=":material/download:",
        on_click=_start,
        args=(registry,),
    )
    say_kept_trouble("weights_trouble", f"{key}_start")


def _start(registry: Registry) -> None:
    try:
        start_weights_download(registry)
    except DeconvError as error:
        keep_trouble("weights_trouble", error, "The download did not start")
