"""Pictures of more than 8 bits: which of their values are black and white."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from deconv_core.errors import DeconvError
from deconv_dashboard.data.datasets import Dataset
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.frame.address import visit
from deconv_dashboard.frame.shell import escape
from deconv_dashboard.server.told import told

_RANGES = {"type": "As their type says", "file": "Stretch to each file's own range"}


def choice(place: DeltaGenerator) -> str:
    """A choice of the range: "type" or "file"."""
    return place.selectbox(
        "Values of more than 8 bits",
        list(_RANGES),
        key="value_range",
        format_func=_RANGES.__getitem__,
        help="Of 16-bit pictures 65,535 is white, of floats 1. Pictures of a camera of 12 bits, or "
        "measurements, may fill a small part of that and look black: stretched, the smallest value "
        "of each file is black and the largest white. Ordinary 8-bit pictures stay as they are.",
    )


def offer(registry: Registry, dataset: Dataset, key: str) -> None:
    """A button that opens the same images again, each stretched to its own range."""
    if dataset.kind != "demo" and dataset.value_range == "type":
        st.button(
            "Open these images again, each stretched to its own range",
            key=key,
            icon=":material/exposure:",
            type="tertiary",
            on_click=_open,
            args=(registry, dataset),
        )


def _open(registry: Registry, dataset: Dataset) -> None:
    try:
        stretched = registry.add_folder(
            dataset.root,
            name=dataset.name,
            kind=dataset.kind,
            extensions=dataset.extensions,
            labels=dataset.labels,
            resize=dataset.resize,
            follow_links=dataset.follow_links,
            value_range="file",
        )
    except DeconvError as error:
        st.session_state["scan_error"] = escape(f"The images were not opened: {told(error)}.")
        return
    visit("start", dataset=stretched.dataset_id, label=None)
