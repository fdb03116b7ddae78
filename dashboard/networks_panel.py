"""The networks: what each is, what it needs, and adding a weight file of one's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from dashboard.address import visit
from dashboard.folder_browser import folders_offered
from dashboard.registry import WEIGHT_SUFFIXES, NetworkChoice, Registry
from dashboard.serving import told
from dashboard.shell import escape
from dashboard.weights_panel import weights_download
from deconv_core.errors import DeconvError

_PREPROCESSINGS = {
    "": "As the file implies",
    "torchvision": "torchvision (RGB, 0 to 1)",
    "caffe": "caffe (BGR, 0 to 255)",
}


def networks_table(registry: Registry, current: NetworkChoice) -> None:
    """The networks, what each needs, and adding a weight file."""
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
        _add_weights(registry)


def _row(about: str, actions: Callable[[], None]) -> None:
    words, buttons = st.columns([6, 4], vertical_alignment="center")
    words.caption(about)
    with buttons.container(horizontal=True, horizontal_alignment="right"):
        actions()


def _about(registry: Registry, network: NetworkChoice) -> str:
    ready = registry.ready(network)
    match network.source:
        case "demo":
            words = "Trained on drawings; a quarter of VGG19's width. Ships with the program."
            return words if ready else f"{words} Its file is missing from this installation."
        case "random":
            return "Full width, never trained: what the shape of the network alone does."
    how = _PREPROCESSINGS[network.preprocessing or ""]
    words = f"A weight file of your own. Preprocessing: {how[:1].lower()}{how[1:]}."
    return words if ready else f"{words} The file is not there now."


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
            on_click=registry.delete_network,
            args=(network,),
        )


def _add_weights(registry: Registry) -> None:
    with st.form("add_weights", border=False):
        path, how, add = st.columns([6, 3, 2], vertical_alignment="bottom")
        typed = path.text_input(
            "Add your own weights",
            key="weights_path",
            placeholder=f"Path of a file that ends in {', '.join(WEIGHT_SUFFIXES)}",
            help="A VGG19 state dict (.pth, .pt), its features as .safetensors, or the "
            "vgg19.npy that Caffe's weights were converted to. Nothing in the file is executed.",
        )
        preprocessing = how.selectbox(
            "Preprocessing",
            list(_PREPROCESSINGS),
            format_func=_PREPROCESSINGS.__getitem__,
            key="weights_preprocessing",
        )
        pressed = add.form_submit_button(
            "Add", key="weights_add", icon=":material/add:", width="stretch"
        )
    if pressed and typed.strip():
        try:
            network = _checked(registry, typed, preprocessing or None)
        except DeconvError as error:
            message = told(error)
            st.error(escape(f"{message[:1].upper()}{message[1:]}."), icon=":material/error:")
        else:
            visit("start", network=network.network_id)
            st.rerun()


def _checked(registry: Registry, path: str, preprocessing: str | None) -> NetworkChoice:
    """Add a weight file after it was loaded once, so that a wrong one is refused here."""
    from deconv_core.weights import load_network

    network = registry.add_weights(registry.rules.meant(path), preprocessing)
    try:
        with st.spinner("Reading the weights"):
            load_network(network.source, network.preprocessing)
    except DeconvError:
        registry.delete_network(network)
        raise
    return network
