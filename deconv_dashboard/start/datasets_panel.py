"""The tab of Start with all datasets and their scans: sizes, Open, Rename, Delete."""

from __future__ import annotations

import streamlit as st

from deconv_core.demo import demo_index
from deconv_core.errors import DeconvError
from deconv_core.images.passed_over import kinds_in_words
from deconv_dashboard.data.datasets import Dataset
from deconv_dashboard.data.names import distinct
from deconv_dashboard.data.registry import LONGEST_NAME, Registry
from deconv_dashboard.folder_rules import folder_size
from deconv_dashboard.frame.address import visit
from deconv_dashboard.frame.job_rows import blocking_jobs
from deconv_dashboard.frame.job_words import job_text
from deconv_dashboard.frame.shell import escape
from deconv_dashboard.frame.troubles import keep_trouble, say_kept_trouble
from deconv_dashboard.jobs.scans import scan_state
from deconv_dashboard.start.folder_browser import paths_shown
from deconv_dashboard.wording import counted, file_size

_KINDS = {
    "demo": ":material/draw: demo",
    "folder": ":material/folder: folder",
    "upload": ":material/upload: upload",
    "caltech256": ":material/download: Caltech-256",
}
_WHOLE = ""  # no network has this id


def datasets_table(registry: Registry, current: Dataset) -> None:
    """Draw every dataset with its scans and its buttons."""
    _say_trouble(registry)
    for dataset in registry.datasets():
        with st.container(border=True, key=f"dataset_{dataset.dataset_id}"):
            _dataset_row(registry, dataset, current)


def _dataset_row(registry: Registry, dataset: Dataset, current: Dataset) -> None:
    name, place, scans, actions = st.columns([3, 3, 3, 4], vertical_alignment="center")
    here = " · shown now" if dataset.dataset_id == current.dataset_id else ""
    name.markdown(f"**{escape(dataset.name)}**  \n:small[{_KINDS[dataset.kind]}{here}]")
    place.caption(_place(dataset))
    scans.caption("  \n".join(_scans(registry, dataset)))
    with actions.container(horizontal=True, horizontal_alignment="right", wrap=False):
        st.button(
            "Open",
            key=f"open {dataset.dataset_id}",
            disabled=dataset.dataset_id == current.dataset_id,
            on_click=visit,
            args=("start",),
            kwargs={"dataset": dataset.dataset_id, "label": None},
        )
        if dataset.kind != "demo":
            with st.popover("Rename"):
                st.text_input(
                    "Name",
                    value=dataset.name,
                    key=f"name {dataset.dataset_id}",
                    max_chars=LONGEST_NAME,
                    on_change=_rename,
                    args=(registry, dataset),
                )
        deletable = dataset.kind != "demo" or registry.index_paths(dataset)
        if deletable and st.button("Delete", key=f"delete {dataset.dataset_id}"):
            _ask_what_to_delete(registry, dataset)


def _rename(registry: Registry, dataset: Dataset) -> None:
    try:
        registry.rename_dataset(dataset, str(st.session_state[f"name {dataset.dataset_id}"]))
    except DeconvError as error:
        keep_trouble("stored_trouble", error, "The name stays")


def _place(dataset: Dataset) -> str:
    if dataset.kind == "folder":
        place = escape(str(dataset.root)) if paths_shown() else "a folder of the server"
        gone = "" if dataset.root.is_dir() else " (missing now)"
        parts = [place + gone]
        if dataset.extensions:
            parts.append(", ".join(dataset.extensions))
        if dataset.labels:
            parts.append(f"only {escape(', '.join(dataset.labels[:4]))}")
        if dataset.follow_links:
            parts.append("links to folders followed")
        if dataset.value_range == "file":
            parts.append("stretched to each file's own range")
        return " · ".join(parts)
    if dataset.kind == "demo":
        there = dataset.root.is_dir()
        return "Part of the program" if there else "Missing from this installation"
    return f"{file_size(folder_size(dataset.root))} in the data folder"


def _scans(registry: Registry, dataset: Dataset) -> list[str]:
    """One line for each network that scanned the dataset."""
    lines = ["Demo network: scanned"] if dataset.kind == "demo" and demo_index().is_dir() else []
    paths = registry.index_paths(dataset)
    for network_id, network in _scanned_by(registry, dataset).items():
        path = paths[network_id]
        state = scan_state(registry, path)
        done, total = state.progress.done, state.progress.total
        said = f"stopped at {done:,} of {total:,}"
        if state.active:
            said = job_text(registry, state)
        elif state.status == "done":
            said = counted(total, "image")
        lines.append(f"{escape(network)}: {escape(said)}, {file_size(folder_size(path))}")
        if state.passed_over:
            lines.append(escape(f"Skipped: {kinds_in_words(state.passed_over)}"))
    return lines or ["Not scanned"]


def _scanned_by(registry: Registry, dataset: Dataset) -> dict[str, str]:
    """Network id -> name, for each network that has an index of the dataset."""
    names = {network.network_id: network.name for network in registry.networks()}
    return {
        network_id: names.get(network_id, f"removed network {network_id}")
        for network_id in registry.index_paths(dataset)
    }


@st.dialog("What should be deleted?", icon=":material/delete:")
def _ask_what_to_delete(registry: Registry, dataset: Dataset) -> None:
    said = {_WHOLE: f"{dataset.name}, with all its scans"} if dataset.kind != "demo" else {}
    for network_id, network in _scanned_by(registry, dataset).items():
        said[network_id] = f"The scan with {network}"
    labels = distinct(said, lambda option: escape(said[option]))
    chosen = st.radio(
        "What",
        list(labels),
        format_func=labels.__getitem__,
        key="delete_what",
        label_visibility="collapsed",
    )
    kept = dataset.kind in ("folder", "demo") or chosen != _WHOLE
    st.caption(
        "The pictures stay where they are."
        if kept
        else "The pictures are deleted too, unless another dataset uses them."
    )
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Keep", key="keep"):
            st.rerun()
        if st.button("Delete", type="primary", key="confirm_delete"):
            _delete(registry, dataset, str(chosen))
            st.rerun()


def _delete(registry: Registry, dataset: Dataset, chosen: str) -> None:
    """Delete the index of one network, or the dataset. An error is shown on the page."""
    try:
        if chosen != _WHOLE:
            if path := registry.index_paths(dataset).get(chosen):
                registry.delete_index(path)
        else:
            registry.delete_dataset(dataset)
            visit("start", dataset="demo", label=None)
    except DeconvError as error:
        keep_trouble("stored_trouble", error)
        st.session_state["stored_blocked"] = dataset.dataset_id


def _say_trouble(registry: Registry) -> None:
    """Show why nothing was deleted, and the jobs that a person must cancel first."""
    say_kept_trouble("stored_trouble", "stored")
    if blocked := st.session_state.get("stored_blocked"):
        blocking_jobs(registry, dataset=blocked, key="stop_stored")


def data_folder(registry: Registry) -> None:
    """Draw the path and the size of the data folder."""
    place = f"`{registry.home}`" if paths_shown() else "the server's data folder"
    size = file_size(folder_size(registry.home))
    st.caption(
        f"Indexes, uploads, exports, weights and drawn pictures are in {place}: {size}. "
        "Set `DECONV_HOME` to use another folder."
    )
