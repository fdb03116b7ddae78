"""Buttons that help a page without pictures: update the scan, or scan anew."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from deconv_core.errors import (
    DeconvError,
    ImageError,
    IndexDamagedError,
    IndexMismatchError,
    IndexOutdatedError,
)
from deconv_dashboard.data.datasets import Dataset, NetworkChoice
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.frame.troubles import keep_trouble, say_kept_trouble
from deconv_dashboard.jobs.scans import NOTHING_CHANGED, scan_key, scan_state, start_scan
from deconv_dashboard.server import resources
from deconv_dashboard.values import Choice

UPDATE = "Update the scan"
ANEW = "Scan anew"
ANEW_HELP = "Scans all images into a new index. The old index stays until the new one is complete."


def begin(
    registry: Registry,
    dataset: Dataset,
    network: NetworkChoice,
    update: bool = False,
    images: int = 0,
    anew: bool = False,
) -> None:
    """Start a scan from a button; ``images`` is their number. An error is shown on the page."""
    resources.list_again()  # the scan lists the folder again; the page must show the same list
    try:
        job = start_scan(registry, dataset, network, update=update, images=images, anew=anew)
        st.session_state["update_asked"] = job if update else ""
    except DeconvError as error:
        keep_trouble("scan_error", error, "The scan did not start")


def found_nothing_new(registry: Registry, index_path: Path) -> bool:
    """True if this session asked for the last update of an index, and nothing had changed."""
    job = registry.jobs.find(scan_key(index_path))
    asked = st.session_state.get("update_asked")
    return bool(asked) and job.job_id == asked and job.progress.step == NOTHING_CHANGED


def offer_scan(choice: Choice, error: DeconvError, key: str) -> None:
    """Draw a button for the scan that helps against an error, if there is one."""
    outdated = isinstance(error, ImageError | IndexOutdatedError)
    if not outdated and not isinstance(error, IndexMismatchError | IndexDamagedError):
        return
    if choice.index_path.parent != choice.registry.home / "indexes":
        return  # the demo's index is part of the program
    request = st.session_state.get("request_flag")
    if request is not None and st.session_state.get("scan_offered") is request:
        return  # several parts of a page may have the same error
    st.session_state["scan_offered"] = request
    scan_button(choice.registry, choice.dataset, choice.network, key, update=outdated)
    say_kept_trouble("scan_error", f"scan_{key}")


def scan_button(
    registry: Registry, dataset: Dataset, network: NetworkChoice, key: str, *, update: bool
) -> None:
    """Draw a button that updates a scan, or that scans anew."""
    state = scan_state(registry, registry.index_path(dataset, network))
    st.button(
        "A scan is running" if state.active else UPDATE if update else ANEW,
        key=f"{'update' if update else 'anew'}_{key}",
        icon=":material/sync:" if update else ":material/restart_alt:",
        help="Scans only images that were added or changed." if update else ANEW_HELP,
        disabled=state.active or not registry.ready(network),
        on_click=begin,
        args=(registry, dataset, network, update),
        kwargs={"anew": not update},
    )
