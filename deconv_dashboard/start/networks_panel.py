"""The tab of Start with all networks: descriptions, downloads, and the form for weight files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from deconv_core.errors import DeconvError
from deconv_core.network.preprocessing import expected_by
from deconv_dashboard.data.catalogue import classifiers
from deconv_dashboard.data.datasets import NetworkChoice
from deconv_dashboard.data.registry import DEMO_NETWORK, RANDOM, VGG19, Registry
from deconv_dashboard.frame.address import visit
from deconv_dashboard.frame.job_rows import blocking_jobs
from deconv_dashboard.frame.shell import escape
from deconv_dashboard.frame.troubles import keep_trouble, say_kept_trouble
from deconv_dashboard.frame.weights_panel import weights_download
from deconv_dashboard.start.add_weights import add_weights
from deconv_dashboard.start.catalogue_panel import add_classifier
from deconv_dashboard.start.folder_browser import folders_offered
from deconv_dashboard.wording import counted, preprocessing_text


def networks_table(registry: Registry, current: NetworkChoice) -> None:
    """Draw every network with its buttons, and the form that adds a weight file."""
    _say_trouble(registry)
    for network in registry.networks():
        with st.container(border=True, key=f"network_{network.network_id}"):
            name, rest = st.columns([3, 10], vertical_alignment="center")
            here = "  \n:small[shown now]" if network.network_id == current.network_id else ""
            name.markdown(f"**{escape(network.name)}**{here}")
            actions = partial(_network_actions, registry, network, current)
            with rest:
                if network.published is not None:
                    key = "weights" if network == VGG19 else f"weights_{network.network_id}"
                    weights_download(registry, network, actions, key)
                else:
                    _row(_about(registry, network), actions)
    add_classifier(registry)
    if folders_offered():
        add_weights(registry)


def _row(about: str, actions: Callable[[], None]) -> None:
    words, buttons = st.columns([6, 4], vertical_alignment="center")
    words.caption(about)
    with buttons.container(horizontal=True, horizontal_alignment="right"):
        actions()


def _about(registry: Registry, network: NetworkChoice) -> str:
    words, gone = "Your own weight file.", "The file is missing now."
    if network.source == "demo":
        words = "Trained on drawings. A quarter of VGG19's width. Part of the program."
        gone = "Its file is missing from this installation."
    elif network.at_random:
        what = "Untrained VGG19" if network == RANDOM else f"Untrained, {_layers(network)}"
        words = f"{what}, as a control."
    expected = expected_by(network.source, network.preprocessing)
    how = escape(preprocessing_text(expected.name, expected.reason))
    return f"{words} {f'Preprocessing: {how}.' if registry.ready(network) else gone}"


def _layers(network: NetworkChoice) -> str:
    name = network.source.partition(":")[0]
    return counted(classifiers()[name].layers, "layer")


def _network_actions(registry: Registry, network: NetworkChoice, current: NetworkChoice) -> None:
    usable = registry.ready(network) or network.published is not None
    st.button(
        "Use",
        key=f"use {network.network_id}",
        disabled=not usable or network.network_id == current.network_id,
        on_click=visit,
        args=("start",),
        kwargs={"network": network.network_id},
    )
    if network not in (DEMO_NETWORK, VGG19, RANDOM):
        st.button(
            "Remove",
            key=f"forget {network.network_id}",
            help="Removes the network from this list. Its file stays.",
            on_click=_remove,
            args=(registry, network),
        )


def _remove(registry: Registry, network: NetworkChoice) -> None:
    try:
        registry.delete_network(network)
    except DeconvError as error:
        keep_trouble("network_trouble", error)
        st.session_state["network_blocked"] = network.network_id


def _say_trouble(registry: Registry) -> None:
    """Show why a network was not removed, and the jobs that a person must cancel first."""
    say_kept_trouble("network_trouble", "network")
    if network_id := st.session_state.get("network_blocked"):
        blocking_jobs(registry, network=network_id, key="stop_network")
