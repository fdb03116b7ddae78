"""The panel of Caltech-256: download, choice of classes, scan."""

from __future__ import annotations

import streamlit as st

from deconv_core.errors import DeconvError
from deconv_dashboard.data.datasets import NetworkChoice
from deconv_dashboard.data.names import distinct
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.frame.job_rows import job_row, watched
from deconv_dashboard.frame.troubles import keep_trouble, say_kept_trouble, say_trouble
from deconv_dashboard.jobs.caltech import (
    ARCHIVE_BYTES,
    IMAGES,
    caltech_folder,
    download_state,
    start_download,
)
from deconv_dashboard.queue.state import JobState
from deconv_dashboard.start.preview_panel import look, show_preview
from deconv_dashboard.start.use_images import use_buttons
from deconv_dashboard.wording import counted, file_size, label_name


def caltech_panel(registry: Registry, network: NetworkChoice) -> None:
    """Draw the panel; a running download updates itself."""
    if download_state(registry).status == "done":
        _classes(registry, network)
        return

    def draw(state: JobState) -> None:
        if state.active:
            job_row(registry, state, "caltech_cancel")
        elif state.status != "done":
            _offer(registry, state)

    watched(lambda: download_state(registry), draw, jobs=lambda state: [state])


def _offer(registry: Registry, state: JobState) -> None:
    """Draw a description of Caltech-256, and the button that downloads it."""
    st.markdown(
        f"{IMAGES:,} photographs of 256 kinds of things, published by Caltech. The author of the "
        "original program used this dataset. It is not part of this program."
    )
    if "caltech_trouble" in st.session_state:
        say_kept_trouble("caltech_trouble", "caltech")
    elif state.status == "failed":
        say_trouble(state.failure, "caltech")
    st.button(
        f"Download {file_size(ARCHIVE_BYTES)}" if state.status == "none" else "Start again",
        key="caltech_download",
        type="primary",
        icon=":material/download:",
        on_click=_start,
        args=(registry,),
    )
    st.caption(
        "The download goes from data.caltech.edu into the data folder. It needs 2.5 GB of disk "
        "space while it is unpacked."
    )


def _start(registry: Registry) -> None:
    try:
        start_download(registry)
    except DeconvError as error:
        keep_trouble("caltech_trouble", error, "The download did not start")


def _classes(registry: Registry, network: NetworkChoice) -> None:
    root = str(caltech_folder(registry))
    whole = look(registry, root)
    classes = distinct(whole.labels, label_name)
    chosen = st.multiselect(
        "Classes",
        list(classes),
        key="caltech_classes",
        placeholder=f"All {len(whole.labels)}; choose some for a shorter scan, for example dog",
        format_func=lambda name: f"{classes[name]} ({counted(whole.labels[name], 'image')})",
    )
    narrowed = look(registry, root, (), tuple(chosen)) if chosen else whole
    show_preview(narrowed, "caltech")
    use_buttons(
        registry,
        network,
        root,
        narrowed.images,
        labels=tuple(chosen),
        name="Caltech-256" + (f": {', '.join(chosen)}" if chosen else ""),
        kind="caltech256",
    )
