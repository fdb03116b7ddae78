"""The tab of Start where a person chooses images: demo, a folder, an upload, Caltech-256."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import streamlit as st

from deconv_core.errors import DeconvError
from deconv_dashboard.data.datasets import NetworkChoice
from deconv_dashboard.data.names import distinct
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.first_view import first_view
from deconv_dashboard.folder_rules import what_is
from deconv_dashboard.frame.address import visit
from deconv_dashboard.frame.shell import escape
from deconv_dashboard.frame.troubles import say_trouble
from deconv_dashboard.frame.widget_keys import set_widget, widget_key
from deconv_dashboard.start import follow_links, value_range
from deconv_dashboard.start.caltech_panel import caltech_panel
from deconv_dashboard.start.folder_browser import browse, folders_offered
from deconv_dashboard.start.preview_panel import list_passed_over, look, passed_over, show_preview
from deconv_dashboard.start.previews import Preview
from deconv_dashboard.start.use_images import use_buttons
from deconv_dashboard.upload.panel import upload_panel
from deconv_dashboard.wording import CHOOSE_TAB, label_name

_SOURCES = {
    "folder": ":material/folder: Folder",
    "upload": ":material/upload: Upload",
    "caltech256": ":material/download: Caltech-256",
    "demo": ":material/draw: Demo drawings",
}
_RESIZES = {"stretch": "Stretch to a square", "crop": "Centre crop"}


def folder_being_chosen() -> bool:
    """True while the field holds a folder that is not a dataset yet."""
    source, tab = st.session_state.get("source", "folder"), st.session_state.get("start_tab")
    named = st.session_state.get("folder_chosen") or st.session_state.get(
        widget_key("folder_path"), ""
    )
    return source == "folder" and tab in (None, CHOOSE_TAB) and bool(str(named).strip())


def offer_given_folder(registry: Registry) -> None:
    """Put the folder that the server was started for into the field, once in a session.

    An address that names a dataset is shown as it is.
    """
    folder = first_view().folder
    if not folder or "folder_given" in st.session_state:
        return
    st.session_state["folder_given"] = folder
    if "dataset" not in st.query_params and registry.rules.allows(Path(folder)):
        set_widget("folder_path", registry.rules.shown(Path(folder)))


def stop_choosing() -> None:
    """Empty the field of the folder; for a button."""
    set_widget("folder_path", "")


def choose_images(registry: Registry, network: NetworkChoice) -> None:
    """Draw the tab. The chosen images become the dataset in the address."""
    sources = [name for name in _SOURCES if name != "folder" or folders_offered()]
    source = st.segmented_control(
        "Where the images are",
        sources,
        default=sources[0],
        required=True,
        format_func=_SOURCES.__getitem__,
        key="source",
        label_visibility="collapsed",
    )
    if source == "folder":
        _folder(registry, network)
    elif source == "upload":
        upload_panel(registry, network)
    elif source == "caltech256":
        caltech_panel(registry, network)
    else:
        _demo(registry)


def _demo(registry: Registry) -> None:
    st.markdown(
        "Pictures drawn for this program, scanned by the small network that comes with it. "
        "Nothing has to be scanned or downloaded."
    )
    missing = not registry.dataset("demo").root.is_dir()
    if missing:
        st.warning("The demo's pictures are missing from this installation; install it again.")
    st.button(
        "Show the demo",
        key="show_demo",
        type="primary",
        icon=":material/draw:",
        disabled=missing,
        on_click=visit,
        args=("start",),
        kwargs={"dataset": "demo", "network": "demo", "label": None},
    )


def _folder(registry: Registry, network: NetworkChoice) -> None:
    if chosen := st.session_state.pop("folder_chosen", ""):
        st.session_state[widget_key("folder_path")] = chosen
    with st.container(horizontal=True, vertical_alignment="bottom"):
        typed = st.text_input(
            "Folder on this computer",
            key=widget_key("folder_path"),
            placeholder="Type or paste a path, or browse. Subfolders are included",
            persist_state="session",
        )
        if st.button("Browse", key="browse", icon=":material/folder_open:"):
            st.session_state.pop("browse_place", None)
            browse(widget_key("folder_path"))
    if not typed.strip():
        st.caption("The folders directly inside it become labels, for example dog and cat.")
        return
    try:
        root = registry.rules.meant(typed)
        _say_understood(registry.rules.shown(root), typed)
        registry.check_folder(root)
        follow = follow_links.wanted()
        whole = look(registry, str(root), follow_links=follow)
    except DeconvError as error:
        say_trouble(error, "folder")
        _offer_folder_of(registry, typed)
        return
    if not whole.images:
        shown = escape(registry.rules.shown(root))
        said = passed_over(whole.passed_over)
        st.warning(f"There are no pictures in {shown}. {said}", icon=":material/info:")
        follow_links.checkbox(whole)
        list_passed_over(whole, "folder")
        return
    extensions, labels, resize, values = _filters(whole)
    narrowed = look(
        *(registry, str(root), extensions, labels), follow_links=follow, value_range=values
    )
    show_preview(narrowed, "folder")
    follow = follow_links.checkbox(whole)
    use_buttons(
        *(registry, network, str(root), narrowed.images, extensions, labels, resize),
        follow_links=follow,
        value_range=values,
    )


def _say_understood(shown: str, typed: str) -> None:
    """Show the folder that the program understood, if it differs from the typed text."""
    if shown != typed.strip():
        st.caption(f":material/folder: {escape(shown)}")


def _offer_folder_of(registry: Registry, typed: str) -> None:
    """Draw a button for the folder of a file, if the typed path is a file."""
    rules = registry.rules
    with suppress(DeconvError):
        file = rules.meant(typed)
        if not rules.allows(file) or what_is(file) != "file":
            return
        folder = rules.shown(file.parent)
        if file.suffix.lower() == ".zip":
            st.caption("To use the pictures in a zip, choose *Upload* above, or unpack it.")
        if rules.allows(file.parent):
            st.button(
                f"Use its folder: {escape(folder)}",
                key="use_its_folder",
                icon=":material/folder:",
                on_click=_fill_in,
                args=(folder,),
            )


def _fill_in(folder: str) -> None:
    set_widget("folder_path", folder)


def _filters(whole: Preview) -> tuple[tuple[str, ...], tuple[str, ...], str, str]:
    """Draw the filters; returns file types, labels (() for all), resize mode and value range."""
    left, middle, right, last = st.columns(4)
    types = distinct(whole.extensions, lambda name: name or "without ending")
    extensions = left.multiselect(
        "File types",
        list(types),
        key="extensions",
        placeholder="All that can be read",
        format_func=lambda name: f"{types[name]} ({whole.extensions[name]:,})",
    )
    folders = distinct(whole.labels, label_name)
    labels = middle.multiselect(
        "Labels",
        list(folders),
        key="labels",
        placeholder="All",
        format_func=lambda name: f"{folders[name]} ({whole.labels[name]:,})",
    )
    resize = right.selectbox(
        "Pictures that are not square",
        list(_RESIZES),
        key="resize",
        format_func=_RESIZES.__getitem__,
        help="Networks see pictures of one size, most of them 224 x 224 pixels. Stretching shows "
        "the whole picture, with changed proportions. A centre crop keeps the "
        "proportions; networks for ImageNet are trained so.",
    )
    return tuple(extensions), tuple(labels), resize, value_range.choice(last)
