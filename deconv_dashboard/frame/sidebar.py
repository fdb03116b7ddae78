"""The sidebar of every page: links, network, dataset, label, and progress of jobs."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from deconv_core.images.passed_over import kinds_in_words
from deconv_dashboard.data.names import distinct
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.frame import address
from deconv_dashboard.frame.choice import escape, short_name
from deconv_dashboard.frame.go_to import go_to_box
from deconv_dashboard.frame.job_rows import job_line, stop_buttons, watched
from deconv_dashboard.frame.job_words import job_doing
from deconv_dashboard.frame.widget_keys import key_showing, widget_key
from deconv_dashboard.jobs.scans import scan_state
from deconv_dashboard.queue.state import JobState
from deconv_dashboard.server.told import told
from deconv_dashboard.values import Choice
from deconv_dashboard.wording import counted, duration

_COMPONENTS = Path(__file__).parent / "components"
_NO_HEIGHT = ":host { display: block; height: 0; }"
_closing = st.components.v2.component(
    "deconv_sidebar", css=_NO_HEIGHT, js=(_COMPONENTS / "sidebar.js").read_text("utf-8")
)
_history = st.components.v2.component(
    "deconv_history", css=_NO_HEIGHT, js=(_COMPONENTS / "history.js").read_text("utf-8")
)
PRODUCT = "Deconvnet dashboard"
PAGES = {
    "start": ("Start", ":material/home:"),
    "layer": ("Layer", ":material/layers:"),
    "feature_map": ("Feature map", ":material/grid_view:"),
    "image": ("Image", ":material/image:"),
    "export": ("Export", ":material/folder_zip:"),
    "method": ("Method", ":material/menu_book:"),
}
_KEYS = {
    "layer": "Keys: ↑ deeper layer, ↓ earlier layer; on a picture Enter opens, Z enlarges; G goes "
    "to a map, a layer, a label or an image",
    "feature_map": "Keys: ← → feature map, ↑ deeper layer, ↓ earlier layer; on a picture Z "
    "enlarges; G goes to a map, a layer, a label or an image",
}
_ALL = ""  # also the label of pictures in no folder, which is therefore not offered


def sidebar(page: str, choice: Choice) -> None:
    """Draw the sidebar; call inside ``st.sidebar``."""
    st.markdown(f"**{PRODUCT}**")
    with st.container(gap=None):
        for name, (label, icon) in PAGES.items():
            st.page_link(
                address.PAGE_FILES[name],
                label=label,
                icon=icon,
                query_params=address.link_to() or None,
                width="stretch",
            )
    if choice.index is not None:
        go_to_box(choice)
    _network_picker(page, choice)
    _dataset_picker(page, choice)
    if page in ("layer", "image"):  # on Feature map it stands beside the label to compare with
        _label_picker(page, choice)
    _jobs(page, choice)
    if choice.network.network_id == "demo":
        _about_demo()
    if page in _KEYS and choice.index is not None:
        with st.container(key="keyboard_keys"):
            st.caption(_KEYS[page])
    _close_on_a_phone(page, choice)
    _history(key="browser_history")


def _close_on_a_phone(page: str, choice: Choice) -> None:
    """Tell the browser what the page shows: a sidebar that lies over the page then closes."""
    shown = [page, *(choice.values.get(name, "") for name in ("layer", "map", "image"))]
    chosen = choice.network.network_id, choice.dataset.dataset_id
    _closing(key="sidebar_closing", data={"shown": " ".join(shown), "chosen": " ".join(chosen)})


def _network_picker(page: str, choice: Choice) -> None:
    networks = {network.network_id: network for network in choice.registry.networks()}
    labels = distinct(networks, lambda network_id: short_name(networks[network_id]))
    st.selectbox(
        "Network",
        list(labels),
        format_func=labels.__getitem__,
        key=key_showing("pick_network", choice.network.network_id),
        on_change=lambda: address.visit(page, network=st.session_state[widget_key("pick_network")]),
    )


def _dataset_picker(page: str, choice: Choice) -> None:
    datasets = {dataset.dataset_id: dataset for dataset in choice.registry.datasets()}

    def changed() -> None:
        chosen = st.session_state[widget_key("pick_dataset")]
        address.visit(page, dataset=chosen, label=None, label2=None, network2=None, image=None)

    labels = distinct(datasets, lambda dataset_id: datasets[dataset_id].name)
    st.selectbox(
        "Dataset",
        list(labels),
        format_func=labels.__getitem__,
        key=key_showing("pick_dataset", choice.dataset.dataset_id, choice.dataset.name),
        on_change=changed,
    )


def _label_picker(page: str, choice: Choice) -> None:
    known = choice.index.labels if choice.index else {}
    counts = {_ALL: sum(known.values())} | {name: known[name] for name in known if name}
    if len(counts) == 1:
        return
    labels = distinct(counts, lambda name: "All labels" if name == _ALL else name)
    shown = choice.label or _ALL
    st.selectbox(
        "Label",
        list(labels),
        format_func=lambda name: f"{labels[name]} ({counts[name]:,})",
        key=key_showing("pick_label", shown, str(counts.get(shown))),
        on_change=lambda: address.visit(
            page, label=st.session_state[widget_key("pick_label")] or None
        ),
    )


def _about_demo() -> None:
    with st.popover("Small demo network", icon=":material/info:", type="tertiary"):
        st.markdown(
            "This is a small network, trained on drawings. It has VGG19's layers with a quarter "
            "of the feature maps. It is **not** ImageNet VGG19, and its map numbers mean other "
            "things.\n\nTo use VGG19, choose *VGG19 (ImageNet)* above. Its weights are downloaded "
            "once (575 MB), when you ask for it: on Start under *Networks*, or with the first "
            "scan. Under *Networks* you can also add your own weight file."
        )


def _jobs(page: str, choice: Choice) -> None:
    """Draw the progress of this page's scan and of every other job; it updates itself."""
    registry, path = choice.registry, choice.index_path

    def look() -> tuple[JobState, list[JobState]]:
        return scan_state(registry, path), registry.jobs.active()

    def draw(seen: tuple[JobState, list[JobState]]) -> None:
        scan, active = seen
        _draw_scan(registry, scan)
        others = [state for state in active if state.job_id != scan.job_id]
        for state in [*([scan] if scan.active else []), *others]:
            if state is not scan:
                _draw_other(registry, state)
            if not _has_a_row(page, state, scan):
                with st.container(horizontal=True):
                    stop_buttons(registry, state, f"stop {state.job_id}", "tertiary")

    watched(look, draw, jobs=lambda seen: [seen[0], *seen[1]], seconds=(2.0, 10.0))


def _draw_other(registry: Registry, state: JobState) -> None:
    text = f"{escape(job_doing(registry, state))}: {job_line(registry, state)}"
    if state.status == "waiting":
        st.caption(f":material/hourglass_top: {text}")
    else:
        st.progress(state.progress.share, text=text)


def _has_a_row(page: str, state: JobState, scan: JobState) -> bool:
    """True if the page itself shows this job with its buttons."""
    if page == "start":
        return state.job_id == scan.job_id
    return page == "export" and state.kind == "export"


def _draw_scan(registry: Registry, state: JobState) -> None:
    progress = state.progress
    if state.active:
        text = job_line(registry, state)
        if state.status == "running" and not progress.step:
            left = f", {duration(progress.seconds_left)} left" if progress.seconds_left else ""
            text = f"Scanning: {progress.done:,} of {progress.total:,}{left}"
        st.progress(progress.share, text=text)
    elif state.status == "done":
        failed, mark = "", "check_circle"
        if progress.failed:
            failed, mark = f", {counted(progress.failed, 'file')} not readable", "warning"
        scanned = counted(progress.done - progress.failed, "image")
        st.caption(f":material/{mark}: {scanned} scanned{failed}")
        if state.passed_over:
            st.caption(escape(f"Skipped: {kinds_in_words(state.passed_over)}"))
    elif state.status == "cancelled" and progress.total:
        st.caption(f":material/pause_circle: Paused at {progress.done:,} of {progress.total:,}")
    elif state.status == "failed":
        st.caption(f":material/error: Scan failed: {escape(told(state.failure))}")
    else:
        st.caption(":material/radio_button_unchecked: Not scanned yet")
