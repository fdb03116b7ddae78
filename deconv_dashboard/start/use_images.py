"""The buttons that turn previewed images into a dataset, with or without a scan."""

from __future__ import annotations

import streamlit as st

from deconv_core.errors import DeconvError
from deconv_dashboard.data.datasets import NetworkChoice
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.frame.address import visit
from deconv_dashboard.frame.moved import weights_missing
from deconv_dashboard.frame.remedies import begin
from deconv_dashboard.frame.troubles import keep_trouble
from deconv_dashboard.frame.widget_keys import set_widget
from deconv_dashboard.jobs.scans import scan_state
from deconv_dashboard.start.scan_panel import VGG19_DOWNLOAD, scan_label


def use_buttons(
    registry: Registry,
    network: NetworkChoice,
    root: str,
    images: int,
    extensions: tuple[str, ...] = (),
    labels: tuple[str, ...] = (),
    resize: str = "stretch",
    *,
    name: str | None = None,
    kind: str = "folder",
    follow_links: bool = False,
    value_range: str = "type",
) -> None:
    """Draw two buttons: one starts a scan, one only opens the images."""
    reading = (extensions, labels, resize, follow_links, value_range)
    settings = (registry, network, root, images, name, kind, *reading)
    blocked = not registry.ready(network) and network.published is None
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            scan_label(registry, network, images),
            key="use_and_scan",
            type="primary",
            icon=":material/play_arrow:",
            on_click=_use,
            args=settings,
            kwargs={"scan": True},
            disabled=not images or blocked,
        )
        st.button(
            "Open without scanning",
            key="use_only",
            type="tertiary",
            on_click=_use,
            args=settings,
            kwargs={"scan": False},
            disabled=not images,
        )
    st.caption(_seen_by(network))
    if blocked:
        weights_missing(registry, network, "Or choose another network in the sidebar.")


def _seen_by(network: NetworkChoice) -> str:
    """Say which network will scan the images, and how to choose another."""
    if network.network_id == "demo":
        return (
            "The demo network was trained on drawings. It is good for a first try. For "
            f"photographs choose VGG19 in the sidebar ({VGG19_DOWNLOAD}, downloaded once)."
        )
    return f"The network is {network.name}; choose another one in the sidebar."


def _use(
    registry: Registry,
    network: NetworkChoice,
    root: str,
    images: int,
    name: str | None,
    kind: str,
    extensions: tuple[str, ...],
    labels: tuple[str, ...],
    resize: str,
    follow_links: bool,
    value_range: str,
    *,
    scan: bool,
) -> None:
    try:
        dataset = registry.add_folder(
            root,
            name=name,
            kind=kind,
            extensions=extensions or None,
            labels=labels or None,
            resize=resize,
            follow_links=follow_links,
            value_range=value_range,
        )
    except DeconvError as error:
        keep_trouble("scan_error", error)
        return
    visit("start", dataset=dataset.dataset_id, label=None)
    set_widget("folder_path", "")  # the folder is the chosen dataset now
    done = scan_state(registry, registry.index_path(dataset, network)).status == "done"
    if scan and not done:
        begin(registry, dataset, network, images=images)
