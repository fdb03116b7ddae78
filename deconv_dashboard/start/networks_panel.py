"""The networks: what each is, what it needs, and adding a weight file of one's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from deconv_core.errors import DeconvError
from deconv_core.network.preprocessing import expected_by
from deconv_dashboard.data.datasets import NetworkChoice
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.frame.address import visit
from deconv_dashboard.frame.job_rows import blocking_jobs
from deconv_dashboard.frame.shell import escape
from deconv_dashboard.frame.weights_panel import weights_download
from deconv_dashboard.server.told import told
from deconv_dashboard.start.add_weights import add_weights
from deconv_dashboard.start.folder_browser import folders_offered
from deconv_dashboard.wording import preprocessing_text


def networks_table(registry: Registry, current: NetworkChoice) -> None:
    """The networks, what each needs, and adding a weight file."""
    _say_trouble(registry)
    for network in registry.networks():
        with st.container(border=True, key=f"network_{network.network_id}"):
            name, rest = st.columns([3, 10], vertical_alignment="center")
            here = "  \n:small[shown now]" if network.network_id == current.network_id else ""
            name.markdown(f"**{escape(network.name)}**{here}")
            actions = partial(_network_actions, registry, network, current)
            with rest:
                if network.source == "vgg19":
                    weights_download(registry, actions)
                else:
                    _row(_about(registry, network), actions)
    if folders_offered():
        add_weights(registry)


def _row(about: str, actions: Callable[[], None]) -> None:
    words, buttons = st.columns([6, 4], vertical_alignment="center")
    words.caption(about)
    with buttons.container(horizontal=True, horizontal_alignment="right"):
        actions()


def _about(registry: Registry, network: NetworkChoice) -> str:
    match network.source:
        case "demo":
            words = "Trained on drawings; a quarter of VGG19's width. Ships with the program."
            gone = "Its file is missing from this installation."
        case "random":
            words, gone = "Full width, never trained: what the shape of the network alone does.", ""
        case _:
            words, gone = "A weight file of your own.", "The file is not there now."
    expected = expected_by(network.source, network.preprocessing)
    how = escape(preprocessing_text(expected.name, expected.reason))
    return f"{words} {f'Preprocessing: {how}.' if registry.ready(network) else gone}"


def _network_actions(registry: Registry, network: NetworkChoice, current: NetworkChoice) -> None:
    usable = registry.ready(network) or network.source == "vgg19"
    st.button(
        "Use",
        key=f"use {network.network_id}",
        disabled=not usable or network.network_id == current.network_id,
        on_click=visit,
        args=("start",),
        kwargs={"network": network.network_id},
    )
    if network.source not in ("demo", "vgg19", "random"):
        st.button(
            "Remove",
            key=f"forget {network.network_id}",
            help="Remove it from this list; the file stays",
            on_click=_remove,
            args=(registry, network),
        )


def _remove(registry: Registry, network: NetworkChoice) -> None:
    try:
        registry.delete_network(network)
    except DeconvError as error:
        st.session_state["network_trouble"] = str(error)
        st.session_state["network_blocked"] = network.network_id


def _say_trouble(registry: Registry) -> None:
    """Why a network was not removed; and the jobs that have to be cancelled first."""
    if message := told(st.session_state.pop("network_trouble", "")):
        st.error(escape(f"{message[:1].upper()}{message[1:]}."), icon=":material/error:")
    if network_id := st.session_state.get("network_blocked"):
        blocking_jobs(registry, network=network_id, key="stop_network")
