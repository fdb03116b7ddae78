"""The list of exports on the Export page: watched while they are built, then downloaded."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import streamlit as st

from dashboard.exports import ExportState, cancel_export, delete_export, exports
from dashboard.registry import Registry
from dashboard.serving import told
from dashboard.shell import escape
from dashboard.wording import counted, file_size
from deconv_core.selection import Selection

_LISTED = 6


def export_list(registry: Registry) -> None:
    """Draw the list; it looks again by itself."""
    seen = [(state.export_id, state.status) for state in exports(registry)]

    def draw() -> None:
        states = exports(registry)
        if [(state.export_id, state.status) for state in states] != seen:
            st.rerun()
        if not states:
            st.caption(
                "Nothing has been exported yet. A zip is built in the background; it stays here "
                "until you delete it."
            )
        for state in states:
            with st.container(border=True, key=f"export_{state.export_id}"):
                _row(registry, state)

    running = any(status == "running" for _, status in seen)
    st.fragment(draw, run_every=1.0 if running else 5.0)()


def contents(selection: Selection) -> None:
    """What a zip of this selection holds."""
    from deconv_core.export import folder_of  # loads torch

    folders = [folder_of(layer, None) for layer in selection.layers]
    folders += [folder_of(unit.layer, unit.channel) for unit in selection.units]
    if not folders:
        return
    inside = "two grids, table, tiles" if selection.single_tiles else "two grids, table"
    rows = [("index.html", "all of it on one page, offline")]
    rows += [("manifest.json", "weights, images, settings, places")]
    rows += [(f"{name}/", inside) for name in folders[:_LISTED]]
    width = max(len(name) for name, _ in rows) + 3
    lines = [f"{name:{width}}{what}" for name, what in rows]
    if len(folders) > _LISTED:
        lines.append(f"and {len(folders) - _LISTED:,} more folders")
    st.markdown("### In the zip")
    st.code("\n".join(lines), language=None)


def _row(registry: Registry, state: ExportState) -> None:
    left, right = st.columns([3, 2], vertical_alignment="center")
    with left:
        _words(state)
    with right.container(
        horizontal=True, horizontal_alignment="right", vertical_alignment="center"
    ):
        if state.status == "running":
            st.button(
                "Cancel",
                key=f"cancel {state.export_id}",
                icon=":material/stop_circle:",
                on_click=cancel_export,
                args=(registry, state.export_id),
            )
            return
        if state.status == "done":
            st.download_button(
                "Download",
                data=partial(_content, state.path),
                file_name=state.name,
                mime="application/zip",
                on_click="ignore",
                key=f"download {state.export_id}",
                icon=":material/download:",
                type="primary",
            )
        st.button(
            "Delete",
            key=f"delete {state.export_id}",
            on_click=delete_export,
            args=(registry, state.export_id),
        )


def _content(path: Path) -> bytes:
    return path.read_bytes()


def _words(state: ExportState) -> None:
    name = f"`{state.name}`"
    match state.status:
        case "running":
            share = state.done / state.total if state.total else 0.0
            words = (
                f"{state.done} of {counted(state.total, 'map')}"
                if state.done
                else "loading the network"
            )
            st.progress(min(share, 1.0), f"{name}  \n:small[{words}]")
        case "done":
            size = file_size(state.path.stat().st_size)
            st.markdown(f"{name}  \n:small[{counted(state.total, 'map')} · {size}]")
        case "cancelled":
            st.markdown(f"{name}  \n:small[cancelled; nothing was kept]")
        case _:
            st.markdown(name)
            message = told(state.message)
            message = f"{message[:1].upper()}{message[1:]}."
            st.error(escape(message), icon=":material/error:")
