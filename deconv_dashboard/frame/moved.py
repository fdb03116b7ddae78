"""A moved image folder or weight file: the page that needs it asks for its new path."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import streamlit as st

from deconv_core.errors import DeconvError, DownloadError, PreprocessingUnclearError, WeightsError
from deconv_core.images.folder import ImageFolder
from deconv_core.index.folder import IndexFolder
from deconv_dashboard.data.datasets import Dataset, NetworkChoice
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.frame import address
from deconv_dashboard.frame.choice import escape
from deconv_dashboard.frame.troubles import keep_trouble, say_kept_trouble
from deconv_dashboard.frame.ways import offer_networks, offer_question
from deconv_dashboard.frame.weights_panel import weights_download
from deconv_dashboard.jobs.weights_download import weights_state
from deconv_dashboard.server import resources

FOLDER = "Choose the folder where it is now"
FILE = "Choose the weight file where it is now"
_HELPS = {
    "upload": "Upload the pictures again on Start.",
    "caltech256": "Download it again on Start.",
    "demo": "It is part of the program: install the program again.",
}


def folder_missing(registry: Registry, dataset: Dataset, what_is_left: str = "") -> None:
    """Say that the folder of a dataset is gone, and ask for its new path."""
    asked = dataset.kind == "folder" and registry.rules.offered
    helps = _HELPS.get(dataset.kind, "Put it back.")
    if asked:
        helps = "Put it back, or choose the folder where it is now."
    st.warning(
        f"The folder of {escape(dataset.name)} is not where it was. {helps} {what_is_left}",
        icon=":material/folder_off:",
    )
    if asked:
        _ask("folder", FOLDER, registry.rules.shown(dataset.root), partial(_move_folder, dataset))
    else:
        st.page_link(
            address.PAGE_FILES["start"],
            label="Open Start",
            icon=":material/arrow_forward:",
            query_params=address.link_to(),
        )


def weights_missing(registry: Registry, network: NetworkChoice, what_is_left: str = "") -> None:
    """Say that the weights of a network are missing, and offer a download or ask for the path."""
    name = escape(network.name)
    said = f"The weights of {name} are not on this computer, so nothing can be computed."
    if network.source == "demo":
        said += " They are part of the program: install the program again."
    elif network.published is None:
        said = f"The file of {name} is not where it was, so nothing can be computed. Put it back"
        said += ", or choose it where it is now." if registry.rules.offered else "."
    st.warning(" ".join(filter(None, [said, what_is_left])), icon=":material/download:")
    if network.published is not None:
        if not _first_time():
            return
        if weights_state(registry, network).failed_by(DownloadError):
            offer_networks(network.network_id)
        else:
            weights_download(registry, network, lambda: None, "missing_weights")
    elif network.source != "demo" and registry.rules.offered:
        _ask(
            "weights",
            FILE,
            registry.rules.shown(Path(network.source)),
            partial(_move_weights, network),
        )


def weights_unusable(registry: Registry, network: NetworkChoice, error: DeconvError) -> None:
    """Help with weights that cannot be used: ask for the preprocessing, or for another file."""
    own = network.is_file and registry.rules.offered
    if not own or not isinstance(error, WeightsError):
        return
    if isinstance(error, PreprocessingUnclearError):
        offer_question(network, "weights")
    else:
        was = registry.rules.shown(Path(network.source))
        _ask("weights", FILE, was, partial(_move_weights, network))


def _first_time() -> bool:
    """True for the first question of a page run; False if another part of the page has asked."""
    request = st.session_state.get("request_flag")
    again = request is not None and st.session_state.get("moved_asked") is request
    st.session_state["moved_asked"] = request
    return not again


def _ask(kind: str, label: str, was: str, move: Callable[[Registry, str], None]) -> None:
    """Draw a field for the new path, and the button that uses it."""
    if not _first_time():
        return
    say_kept_trouble("moved_error", f"moved_{kind}")
    with st.popover(label, icon=":material/drive_file_move:", key=f"moved_{kind}_open"):
        st.text_input("Its path now", key=f"moved_{kind}", placeholder=was, width=420)
        st.button(
            "Use it", key=f"use_moved_{kind}", type="primary", on_click=_take, args=(kind, move)
        )


def _take(kind: str, move: Callable[[Registry, str], None]) -> None:
    typed = str(st.session_state.get(f"moved_{kind}", ""))
    if not typed.strip():
        return
    try:
        move(resources.registry(), typed)
    except DeconvError as error:
        keep_trouble("moved_error", error)


def _move_folder(dataset: Dataset, registry: Registry, typed: str) -> None:
    root = registry.rules.meant(typed)
    registry.check_folder(root)
    there = {
        entry.image_id
        for entry in ImageFolder(
            *(root, dataset.extensions, dataset.labels),
            within=registry.within,
            follow_links=dataset.follow_links,
        )
    }
    scanned: set[str] = set()
    for path in registry.index_paths(dataset).values():
        if IndexFolder(path).exists():
            scanned |= set(IndexFolder(path).read_plan()["image_id"])
    if scanned and not scanned & there:
        raise DeconvError(
            "none of the images that were scanned is in "
            f"{registry.rules.shown(root)}; choose the folder where they are now"
        )
    registry.move_dataset(dataset, root)


def _move_weights(network: NetworkChoice, registry: Registry, typed: str) -> None:
    registry.move_weights(network, registry.rules.meant(typed))
