"""The list of exports on the Export page: progress, download, delete."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import streamlit as st

from deconv_core.errors import DeconvError, ImageError, IndexMismatchError, IndexOutdatedError
from deconv_core.output.export_archive import folder_of
from deconv_core.output.selection import Selection
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.frame.job_rows import job_row, watched
from deconv_dashboard.frame.remedies import scan_button
from deconv_dashboard.frame.shell import escape
from deconv_dashboard.frame.troubles import keep_trouble, say_kept_trouble, say_trouble
from deconv_dashboard.jobs.exports import Export, delete_export, exports, read_left_out
from deconv_dashboard.wording import counted, file_size

_LISTED = 6
_NAMED = 20


def export_list(registry: Registry) -> None:
    """Draw the list of exports; it updates itself."""
    watched(
        lambda: exports(registry),
        lambda found: _list(registry, found),
        jobs=lambda found: [export.state for export in found],
    )


def _list(registry: Registry, found: Sequence[Export]) -> None:
    say_kept_trouble("export_trouble", "export")
    if not found:
        st.caption(
            "Nothing has been exported yet. A zip is built in the background. It stays here until "
            "you delete it."
        )
    for one in found:
        with st.container(border=True, key=f"export_{one.export_id}"):
            if one.state.active:
                job_row(registry, one.state, f"cancel {one.export_id}", name=f"`{one.name}`")
            else:
                _ended(registry, one)


def contents(selection: Selection, name: str, labels: int) -> None:
    """Draw a list of the files in a zip of this selection.

    Args:
        selection: what is chosen.
        name: name of the zip.
        labels: number of labels of the images.
    """
    folders = [folder_of(*section) for section in selection.sections]
    if not folders:
        return
    inside = "two grids, table, tiles" if selection.single_tiles else "two grids, table"
    inside += ", specificity" if selection.specificity else ""
    rows = [("index.html", "one page with everything, offline")]
    rows += [("manifest.json", "weights, images, settings, locations")]
    rows += [(f"{name}/", inside) for name in folders[:_LISTED]]
    layers = dict.fromkeys([*selection.layers, *(unit.layer for unit in selection.units)])
    if labels > 1:
        rows += [
            (f"{layer}/label_table.csv", "the labels that its maps tell apart")
            for layer in list(layers)[:2]
        ]
    lines = [f"- `{name}` {what}" for name, what in rows]
    if len(folders) > _LISTED:
        lines.append(f"- and {len(folders) - _LISTED:,} more folders")
    st.markdown("## In the zip")
    st.markdown(f"It unpacks into one folder, `{name.removesuffix('.zip')}`, with:")
    st.markdown("\n".join(lines))


def _ended(registry: Registry, export: Export) -> None:
    left, right = st.columns([3, 2], vertical_alignment="center")
    with left:
        _words(export)
        _remedies(registry, export)
    with right.container(
        horizontal=True, horizontal_alignment="right", vertical_alignment="center"
    ):
        if export.state.status == "done":
            st.download_button(
                "Download",
                data=partial(_content, export.path),
                file_name=export.name,
                mime="application/zip",
                on_click="ignore",
                key=f"download {export.export_id}",
                icon=":material/download:",
                type="primary",
            )
        st.button(
            "Delete",
            key=f"delete {export.export_id}",
            on_click=_delete,
            args=(registry, export.export_id),
        )


def _remedies(registry: Registry, export: Export) -> None:
    """Say which images were left out, and offer what helps: a scan, or making room."""
    state, left_out = export.state, {}
    if state.status == "done" and state.progress.failed:
        left_out = read_left_out(export.path)
        with st.expander(
            f"{counted(len(left_out), 'image')} left out: missing, or changed since the scan",
            icon=":material/warning:",
        ):
            for image_id, why in list(left_out.items())[:_NAMED]:
                st.caption(f"{escape(image_id)}: {escape(why)}")
            if len(left_out) > _NAMED:
                st.caption(f"and {len(left_out) - _NAMED:,} more, in left_out.csv of the zip")
    outdated = state.failed_by(ImageError) or state.failed_by(IndexOutdatedError)
    if left_out or outdated or state.failed_by(IndexMismatchError):
        with suppress(DeconvError):  # the dataset or the network may be deleted
            chosen = registry.dataset(state.dataset), registry.network(state.network)
            update = bool(left_out) or outdated
            scan_button(registry, *chosen, export.export_id, update=update)
            st.caption("After the scan, build the zip again.")
    say_kept_trouble("scan_error", f"scan_{export.export_id}")


def _delete(registry: Registry, export_id: str) -> None:
    try:
        delete_export(registry, export_id)
    except DeconvError as error:
        keep_trouble("export_trouble", error, "The export was not deleted")


def _content(path: Path) -> bytes:
    return path.read_bytes()


def _words(export: Export) -> None:
    name, state = f"`{export.name}`", export.state
    match state.status:
        case "done":
            maps = [counted(state.progress.total, "map")] if state.progress.total else []
            st.markdown(f"{name}  \n:small[{' · '.join([*maps, _size(export.path)])}]")
        case "cancelled":
            st.markdown(f"{name}  \n:small[cancelled; there is no zip]")
        case _:
            st.markdown(name)
            say_trouble(state.failure, export.export_id)


def _size(path: Path) -> str:
    try:
        return file_size(path.stat().st_size)
    except OSError:  # another session deleted it in the meantime
        return "deleted"
