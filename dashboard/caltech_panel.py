"""Caltech-256: download it when asked, choose classes, scan."""

from __future__ import annotations

import streamlit as st

from dashboard.caltech import (
    ARCHIVE_BYTES,
    IMAGES,
    caltech_folder,
    cancel_download,
    download_state,
    start_download,
)
from dashboard.names import distinct
from dashboard.preview_panel import look, show_preview
from dashboard.registry import NetworkChoice, Registry
from dashboard.serving import told
from dashboard.shell import escape
from dashboard.use_images import use_buttons
from dashboard.wording import counted, file_size, label_name


def caltech_panel(registry: Registry, network: NetworkChoice) -> None:
    """Draw the panel; a download that runs is watched."""
    seen = download_state(registry).status
    if seen == "done":
        _classes(registry, network)
        return

    def draw() -> None:
        state = download_state(registry)
        if state.status != seen:
            st.rerun()
        if state.status == "running":
            _running(registry)
            return
        st.markdown(
            f"{IMAGES:,} photographs of 256 kinds of things, published by Caltech: the set the "
            "original program was shown with. It is not part of this program."
        )
        if state.status == "failed":
            message = told(state.message)
            st.error(escape(f"{message[:1].upper()}{message[1:]}."), icon=":material/error:")
        st.button(
            f"Download {file_size(ARCHIVE_BYTES)}" if seen == "none" else "Start again",
            key="caltech_download",
            type="primary",
            icon=":material/download:",
            on_click=start_download,
            args=(registry,),
        )
        st.caption("From data.caltech.edu into the data folder; it needs 2.5 GB while unpacking.")

    st.fragment(draw, run_every=1.0 if seen == "running" else 5.0)()


def _running(registry: Registry) -> None:
    state = download_state(registry)
    left, right = st.columns([5, 1], vertical_alignment="center")
    said = (
        f"{file_size(state.done)} of {file_size(state.total)}"
        if state.phase == "downloading"
        else f"unpacking, {state.done} of {state.total} classes"
    )
    left.progress(min(1.0, state.done / state.total), f"**Downloading Caltech-256** · {said}")
    right.button(
        "Cancel",
        key="caltech_cancel",
        icon=":material/stop_circle:",
        on_click=cancel_download,
        args=(registry,),
        width="stretch",
    )


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
    show_preview(narrowed)
    use_buttons(
        registry,
        network,
        root,
        narrowed.images,
        labels=tuple(chosen),
        name="Caltech-256" + (f": {', '.join(chosen)}" if chosen else ""),
        kind="caltech256",
    )
