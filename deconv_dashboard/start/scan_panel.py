"""The scan of the images and network that are chosen: start, watch, pause, resume, update."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from deconv_core.errors import ANEW as HOW_ANEW
from deconv_core.errors import (
    DeconvError,
    IndexForeignError,
    IndexMismatchError,
    IndexOutdatedError,
    PreprocessingUnclearError,
    WeightsError,
)
from deconv_core.images.folder import ImageFolder
from deconv_core.images.passed_over import FOLLOW
from deconv_core.index.dead_maps import dead_maps_sentence, layers_with_many_dead_maps
from deconv_core.index.folder import IndexFolder
from deconv_dashboard.data.datasets import Dataset, NetworkChoice
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.frame.address import target
from deconv_dashboard.frame.job_rows import job_row, watched
from deconv_dashboard.frame.moved import weights_missing, weights_unusable
from deconv_dashboard.frame.remedies import ANEW, ANEW_HELP, begin, found_nothing_new
from deconv_dashboard.frame.shell import escape
from deconv_dashboard.frame.troubles import keep_trouble, say_kept_trouble, say_trouble
from deconv_dashboard.frame.ways import offer_question
from deconv_dashboard.frame.widget_keys import widget_key
from deconv_dashboard.jobs.scans import changes_since, drop_new_scan, scan_state
from deconv_dashboard.queue.state import JobState
from deconv_dashboard.server import resources
from deconv_dashboard.start import follow_links
from deconv_dashboard.start.image_problems import image_problems
from deconv_dashboard.start.preview_panel import passed_over
from deconv_dashboard.wording import counted, file_size

VGG19_DOWNLOAD = "575 MB"


def scan_panel(
    registry: Registry, dataset: Dataset, network: NetworkChoice, images: ImageFolder | None
) -> None:
    """Draw the panel; it watches by itself, also what other sessions start or pause.

    Args:
        registry: names the index.
        dataset: the images chosen.
        network: the network chosen.
        images: its images; None if they cannot be listed.
    """
    path = registry.index_path(dataset, network)

    def look() -> JobState:
        return scan_state(registry, path)

    done = look().status == "done"
    changed, dead = (_changed(path, images), _dead(path)) if done else ("", "")

    def draw(state: JobState) -> None:
        with st.container(border=state.status != "done", key="scan_panel"):
            if state.active:
                stopping = state.status == "cancelling"
                note = "" if stopping else "You can close this page: the scan goes on."
                job_row(registry, state, "cancel_scan", note=note)
            elif state.status == "done":
                _done(registry, dataset, network, state, changed, dead)
            else:
                _waiting(registry, dataset, network, state, len(images or ()))

    if not done and not registry.ready(network) and network.published is None:
        weights_missing(registry, network, "Or choose another network in the sidebar.")
    elif (state := look()).failed_by(PreprocessingUnclearError):
        offer_question(network, "scan")
    elif state.failed_by(WeightsError):
        weights_unusable(registry, network, WeightsError(state.message))
    watched(look, draw, jobs=lambda state: [state], also=lambda: (_showable(path), _asked()))
    say_scan_trouble()


def say_scan_trouble() -> None:
    """Why a scan that was asked for did not start."""
    say_kept_trouble("scan_error", "scan_error")


def _asked() -> tuple[object, object]:
    """What a button of the panel may change: then the whole page is drawn again, not it alone."""
    return target(), st.session_state.get(widget_key("folder_path"))


def _showable(index_path: Path) -> bool:
    """True once there is something to look at, if only the first block."""
    return bool(IndexFolder(index_path).done_blocks())


def scan_label(registry: Registry, network: NetworkChoice, images: int) -> str:
    """What the button that starts a scan says."""
    label = f"Scan {counted(images, 'image')}"
    if (weights := network.published) is not None and not registry.ready(network):
        size = file_size(weights.size)
        label = f"Download {weights.title} ({size}) and scan {counted(images, 'image')}"
    return label


def _done(
    registry: Registry,
    dataset: Dataset,
    network: NetworkChoice,
    state: JobState,
    changed: str,
    dead: str,
) -> None:
    left, right = st.columns([6, 1], vertical_alignment="center")
    failed, total = state.progress.failed, state.progress.total
    mark, unread = ":green[:material/check_circle:]", ""
    if failed:
        mark, unread = ":orange[:material/warning:]", f", {counted(failed, 'file')} not readable"
    left.markdown(
        f"{mark} **{counted(total - failed, 'image')} scanned**{unread} · "
        f"{escape(dataset.name)} with {escape(network.name)}"
    )
    if changed:
        left.caption(f":material/info: {changed}.")
    elif found_nothing_new(registry, registry.index_path(dataset, network)):
        left.caption(":material/info: Nothing changed since the last scan.")
    if dead:
        left.caption(f":material/warning: {escape(dead)}.")
    with left:
        image_problems(registry, dataset, registry.index_path(dataset, network))
    if state.passed_over:
        left.caption(passed_over(state.passed_over))
        with left:
            follow_links.offer(registry, dataset, state.passed_over, "follow_links_scanned")
    if dataset.kind == "demo":
        return
    right.button(
        "Update",
        key="update_scan",
        type="secondary" if changed else "tertiary",
        icon=":material/sync:",
        help="Reads every file again and scans only what was added or changed since the last scan.",
        on_click=begin,
        args=(registry, dataset, network, True),
        width="stretch",
    )


def _waiting(
    registry: Registry, dataset: Dataset, network: NetworkChoice, state: JobState, images: int
) -> None:
    """Not scanned, stopped, or failed."""
    left, right = st.columns([3, 2], vertical_alignment="center")
    left.markdown(_headline(dataset, network, state))
    outdated = state.failed_by(IndexOutdatedError)
    if state.message:
        offered = {FOLLOW, *((HOW_ANEW,) if state.anew else ())}
        with left:  # an update is what helps an outdated index
            say_trouble(
                state.failure, "scan_panel", offered=state.remedies if outdated else offered
            )
    again = state.anew or (state.status in ("cancelled", "failed") and state.progress.total > 0)
    anew = not state.anew and _needs_anew(state)
    if images or again or anew:
        label = "Resume" if again else scan_label(registry, network, images)
        right.button(
            ANEW if anew else "Update and resume" if outdated else label,
            key="start_scan",
            type="primary",
            icon=":material/restart_alt:" if anew else ":material/play_arrow:",
            help=ANEW_HELP if anew else None,
            on_click=begin,
            args=(registry, dataset, network, outdated, images, anew),
            disabled=not registry.ready(network) and network.published is None,
            width="stretch",
        )
    path = registry.index_path(dataset, network)
    if state.anew:
        _deletion(right, "Drop the new scan", "drop_new_scan", drop_new_scan, (registry, path))
    elif anew:
        right.button(
            "Try again with the scan that is there",
            key="retry_scan",
            on_click=begin,
            args=(registry, dataset, network),
            width="stretch",
        )
        _deletion(right, "Delete the scan that is there", "delete_old", _delete, (registry, path))


def _needs_anew(state: JobState) -> bool:
    """True if no scan can go on with the index that is there."""
    if state.failed_by(IndexOutdatedError):
        return False
    return state.failed_by(IndexMismatchError) or state.failed_by(IndexForeignError)


def _deletion(
    place: DeltaGenerator,
    label: str,
    key: str,
    delete: Callable[..., None],
    args: tuple[Registry, Path],
) -> None:
    """A deletion that is asked for twice."""
    with place.popover(label, icon=":material/delete:", width="stretch"):
        st.caption("The pictures stay where they are.")
        st.button("Delete", key=key, type="primary", on_click=_tried, args=(delete, *args))


def _delete(registry: Registry, path: Path) -> None:
    registry.delete_index(path)


def _tried(delete: Callable[..., None], registry: Registry, path: Path) -> None:
    try:
        delete(registry, path)
    except DeconvError as error:
        keep_trouble("scan_error", error, "Nothing was deleted")


def _headline(dataset: Dataset, network: NetworkChoice, state: JobState) -> str:
    pair = f"{escape(dataset.name)} with {escape(network.name)}"
    if state.anew:
        so_far = f"{state.progress.done:,} of {counted(state.progress.total, 'image')}"
        return (
            f"**The new scan is paused at {so_far}** · {pair}. The one before is shown until the "
            "new one is done."
        )
    match state.status:
        case "cancelled" if state.progress.total:
            done, total = state.progress.done, state.progress.total
            return (
                f"**Paused at {done:,} of {counted(total, 'image')}** · {pair}. You can explore "
                "what is done: images are scanned in random order."
            )
        case "failed":
            return f"**The scan failed** · {pair}"
        case _:
            return (
                f"**Not scanned yet** · {pair}. One pass over the images; after it every layer "
                "and feature map opens at once."
            )


def _dead(index_path: Path) -> str:
    """Layers in which many maps never fire, and why that may be; "" if there are none."""
    try:
        index = resources.index_of(index_path)
        found = layers_with_many_dead_maps(index) if index is not None else []
    except DeconvError:  # the page says what is damaged
        return ""
    return dead_maps_sentence(index, found) if index is not None and found else ""


def _changed(index_path: Path, images: ImageFolder | None) -> str:
    """How the folder differs from the scan, by names alone, or ""."""
    if images is None:
        return "The folder cannot be listed now: it was moved or deleted"
    try:
        changes = changes_since(index_path, (entry.image_id for entry in images))
    except DeconvError:
        return ""
    said = [
        f"{counted(number, 'image')} {verb}"
        for number, verb in ((changes.added, "added"), (changes.removed, "removed"))
        if number
    ]
    return f"{' and '.join(said)} since this scan; an update scans only those" if said else ""
