"""The download of published weights: its progress and buttons, the same in every session."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from deconv_core.errors import OTHER_WAY, DeconvError
from deconv_core.network.preprocessing import expected_by
from deconv_dashboard.data.catalogue import Classifier
from deconv_dashboard.data.datasets import NetworkChoice
from deconv_dashboard.data.registry import DEMO_NETWORK, VGG19, Registry
from deconv_dashboard.frame.address import visit
from deconv_dashboard.frame.job_rows import stop_buttons, watched
from deconv_dashboard.frame.job_words import job_text
from deconv_dashboard.frame.shell import escape
from deconv_dashboard.frame.troubles import keep_trouble, say_kept_trouble, say_trouble
from deconv_dashboard.jobs.weights_download import start_weights_download, weights_state
from deconv_dashboard.queue.state import JobState
from deconv_dashboard.server import resources
from deconv_dashboard.wording import file_size, preprocessing_text


def weights_download(
    registry: Registry, network: NetworkChoice, actions: Callable[[], None], key: str = "weights"
) -> None:
    """Draw a description of a network, the progress of its download, and buttons.

    It updates itself.

    Args:
        registry: the data folder, which may have the weights.
        network: one with published weights.
        actions: draws the other buttons of the row.
        key: first part of the keys of the buttons.
    """

    def draw(state: JobState) -> None:
        words, buttons = st.columns([6, 4], vertical_alignment="center")
        with words:
            _words(registry, network, state, key)
        with buttons.container(horizontal=True, horizontal_alignment="right"):
            _button(registry, network, state, key)
            actions()

    watched(lambda: weights_state(registry, network), draw, jobs=lambda state: [state])


def about(classifier: Classifier) -> str:
    """What a classifier is, and who trained it, in one sentence."""
    if classifier.name == VGG19.source:
        return "By Simonyan and Zisserman, trained on ImageNet."
    size = f"{classifier.parameters / 1e6:.1f} million parameters"
    return f"{size}, {classifier.layers} layers, trained on ImageNet by torchvision."


def _words(registry: Registry, network: NetworkChoice, state: JobState, key: str) -> None:
    expected = expected_by(network.source)
    classifier = network.published
    assert classifier is not None, "only published weights are downloaded"
    if state.active:
        st.progress(state.progress.share, escape(job_text(registry, state)))
        return
    if state.status == "done":
        st.caption(
            f"{about(classifier)} On this computer. Preprocessing: "
            f"{preprocessing_text(expected.name, expected.reason)}."
        )
        return
    kept = "; 80 MB of them are kept" if network == VGG19 else ""
    st.caption(
        f"{about(classifier)} Its weights come from "
        f"download.pytorch.org: {file_size(classifier.size)} once{kept}. "
        f"Preprocessing: {preprocessing_text(expected.name, expected.reason)}."
    )
    if state.status == "cancelled" and state.progress.done:
        st.caption(f"Stopped at {file_size(state.progress.done)}. The downloaded part is kept.")
    if state.status == "failed":
        say_trouble(state.failure, f"weights_{state.job_id}", offered=[OTHER_WAY])
        _other_ways(registry, network, classifier, key)


def _other_ways(
    registry: Registry, network: NetworkChoice, classifier: Classifier, key: str
) -> None:
    """After a download failed: ask for the file's path, and offer the demo network."""
    if registry.rules.offered:
        st.caption(
            f"Or get [{escape(classifier.file)}]({classifier.url}) in another way, for example on "
            "another computer, and give its path:"
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input(
                "Path of the downloaded file",
                key=f"{key}_file",
                placeholder=f"…/{classifier.file}",
                label_visibility="collapsed",
            )
            st.button("Use it", key=f"{key}_use_file", on_click=_take, args=(network, key))
        say_kept_trouble(f"{key}_file_trouble", f"{key}_file")
    if registry.ready(DEMO_NETWORK):
        st.button(
            "Use the demo network",
            key=f"{key}_demo",
            on_click=visit,
            args=("start",),
            kwargs={"network": DEMO_NETWORK.network_id},
        )


def _take(network: NetworkChoice, key: str) -> None:
    registry, typed = resources.registry(), str(st.session_state.get(f"{key}_file", ""))
    if not typed.strip():
        return
    try:
        start_weights_download(registry, network, file=registry.rules.meant(typed))
    except DeconvError as error:
        keep_trouble(f"{key}_file_trouble", error)


def _button(registry: Registry, network: NetworkChoice, state: JobState, key: str) -> None:
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
        args=(registry, network),
    )
    say_kept_trouble("weights_trouble", f"{key}_start")


def _start(registry: Registry, network: NetworkChoice) -> None:
    try:
        start_weights_download(registry, network)
    except DeconvError as error:
        keep_trouble("weights_trouble", error, "The download did not start")
