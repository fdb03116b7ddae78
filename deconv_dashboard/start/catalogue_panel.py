"""The form that adds one of torchvision's classifiers: a list to search, and which weights."""

from __future__ import annotations

from functools import partial

import streamlit as st

from deconv_core.errors import DeconvError
from deconv_dashboard.data.catalogue import Classifier, classifiers
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.frame.address import visit
from deconv_dashboard.frame.troubles import keep_trouble, say_kept_trouble
from deconv_dashboard.jobs.weights_download import start_weights_download
from deconv_dashboard.wording import counted, file_size

_WEIGHTS = {"imagenet": "Trained on ImageNet", "random": "Random weights"}


def add_classifier(registry: Registry) -> None:
    """Draw the list of the catalogue, the choice of weights, and the button that adds a network."""
    known = classifiers()
    say_kept_trouble("catalogue_trouble", "catalogue")
    which, how, add = st.columns([6, 3, 2], vertical_alignment="bottom")
    name = which.selectbox(
        f"Add a network of torchvision ({len(known)})",
        list(known),
        index=None,
        format_func=lambda one: label_of(known[one]),
        key="catalogue_name",
        placeholder="Type to search, for example resnet",
        help="Networks whose steps all have a deconvnet. EfficientNet, ConvNeXt and transformers "
        "are not among them: they do not rectify.",
    )
    weights = how.selectbox(
        "Weights",
        list(_WEIGHTS),
        format_func=_WEIGHTS.__getitem__,
        key="catalogue_weights",
        help="Weights trained on ImageNet are downloaded once from download.pytorch.org. Random "
        "weights need no download; use them as a control.",
    )
    size = file_size(known[name].size) if name and weights == "imagenet" else ""
    add.button(
        f"Add, {size}" if size else "Add",
        key="catalogue_add",
        icon=":material/download:" if size else ":material/add:",
        disabled=name is None,
        width="stretch",
        on_click=partial(_add, registry, name, weights),
    )


def label_of(one: Classifier) -> str:
    """For example "ResNet-50 · 25.6 M parameters · 50 layers · 103 MB"."""
    millions = f"{one.parameters / 1e6:.1f} M parameters"
    return f"{one.title} · {millions} · {counted(one.layers, 'layer')} · {file_size(one.size)}"


def _add(registry: Registry, name: str | None, weights: str) -> None:
    """Add the network, choose it, and start its download if it needs one."""
    if name is None:
        return
    try:
        network = registry.add_classifier(name, at_random=weights == "random")
        start_weights_download(registry, network)
    except DeconvError as error:
        keep_trouble("catalogue_trouble", error)
        return
    st.session_state.pop("catalogue_name", None)
    visit("start", network=network.network_id)
