"""The value range of pictures with more than 8 bits: which values are black and white."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from deconv_core.errors import DeconvError
from deconv_dashboard.data.datasets import Dataset
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.frame.address import visit
from deconv_dashboard.frame.troubles import keep_trouble

_RANGES = {"type": "Full range of their type", "file": "Stretch to each file's own range"}


def choice(place: DeltaGenerator) -> str:
    """Draw the choice of the value range; returns "type" or "file"."""
    return place.selectbox(
        "Values of more than 8 bits",
        list(_RANGES),
        key="value_range",
        format_func=_RANGES.__getitem__,
        help="Full range: white is 65,535 in 16-bit pictures, and 1 in pictures of floats. "
        "Pictures of a 12-bit camera, or measurements, may use a small part of this range and look "
        "black. Stretch: in each file the smallest value is black and the largest is white. "
        "Ordinary 8-bit pictures do not change.",
    )


def offer(registry: Registry, dataset: Dataset, key: str) -> None:
    """Draw a button that opens the same images again, each stretched to its own range."""
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
        keep_trouble("scan_error", error, "The images were not opened")
        return
    visit("start", dataset=stretched.dataset_id, label=None)
