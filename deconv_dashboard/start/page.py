"""The Start page: pictures of a layer, the scan, and tabs for images, datasets and networks."""

from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from deconv_core.errors import DeconvError, IndexDamagedError
from deconv_core.images.folder import ImageFolder
from deconv_dashboard.frame.moved import folder_missing
from deconv_dashboard.frame.repair import damage_note
from deconv_dashboard.frame.shell import escape, heading, say_if_read_only, shell
from deconv_dashboard.frame.troubles import say_trouble
from deconv_dashboard.jobs.scans import scan_state
from deconv_dashboard.server import resources
from deconv_dashboard.start import follow_links, value_range
from deconv_dashboard.start.choose_images import (
    choose_images,
    folder_being_chosen,
    offer_given_folder,
    stop_choosing,
)
from deconv_dashboard.start.datasets_panel import data_folder, datasets_table
from deconv_dashboard.start.folder_browser import paths_shown
from deconv_dashboard.start.hero import hero
from deconv_dashboard.start.networks_panel import networks_table
from deconv_dashboard.start.preview_panel import look, show_preview
from deconv_dashboard.start.scan_panel import say_scan_trouble, scan_panel
from deconv_dashboard.values import Choice
from deconv_dashboard.wording import CHOOSE_TAB, DATASETS_TAB, NETWORKS_TAB


def images_in(choice: Choice) -> ImageFolder | None:
    """The images of the dataset; None if its folder cannot be listed."""
    try:
        return resources.images_of(choice.dataset)
    except DeconvError:
        return None


def not_scanned(choice: Choice) -> None:
    """Draw a preview of images that are not scanned yet."""
    dataset = choice.dataset
    try:
        shown = look(
            *(choice.registry, str(dataset.root), dataset.extensions or (), dataset.labels or ()),
            follow_links=dataset.follow_links,
            value_range=dataset.value_range,
        )
    except DeconvError as error:
        missing = (
            "The demo's pictures are missing from this installation. Choose your own folder below."
        )
        reason = escape(str(error)) if paths_shown() else "its folder is not where it was"
        gone = f"These images cannot be listed: {reason}. Choose other images below."
        if dataset.kind == "demo" or dataset.root.is_dir():
            st.warning(missing if dataset.kind == "demo" else gone, icon=":material/info:")
        else:
            folder_missing(choice.registry, dataset, "Or choose other images below.")
    else:
        show_preview(shown, "dataset")
        follow_links.offer(choice.registry, dataset, shown.passed_over, "follow_links_unscanned")
        if any(thumb.note for thumb in shown.thumbnails):
            value_range.offer(choice.registry, dataset, "stretch_unscanned")


def shown_now(choice: Choice) -> Callable[[], None] | None:
    """Draw the pictures of a scanned dataset, or the preview of another one, and the scan panel.

    Returns:
        A function that draws the pictures, or None; call it after the rest of the page.
    """
    scan = scan_state(choice.registry, choice.index_path)
    waiting = "Being scanned" if scan.active else "Ready to scan"
    if scan.status == "waiting" and scan.after:
        waiting = "Waiting to be scanned"
    buttons = heading(
        choice, "What does a feature map look for?" if has_answers(choice) else waiting
    )
    images, fill = images_in(choice), None
    if has_answers(choice):
        fill = hero(choice, buttons)
    elif isinstance(choice.problem, IndexDamagedError):
        damage_note(choice, choice.problem)
    elif choice.problem:
        say_trouble(choice.problem, "unread", "The index cannot be read")
    else:
        not_scanned(choice)
    demo = choice.dataset.dataset_id == choice.network.network_id == "demo"
    if not demo and (images or choice.index is not None):  # the demo's scan is part of the program
        scan_panel(choice.registry, choice.dataset, choice.network, images)
    return fill


def upper_part(choice: Choice, choosing: bool) -> DeltaGenerator:
    """The place above the tabs: a separate place for each state of the page.

    Streamlit removes old elements only at the end of a run, which may take seconds. An empty place
    removes those of the other states at once.
    """
    shape = "choosing" if choosing else "waiting"
    if not choosing and has_answers(choice):
        shape = "answers" if choice.index and choice.index.complete else "answers so far"
    places = {
        name: st.container() if name == shape else st.empty()
        for name in ("choosing", "waiting", "answers so far", "answers")
    }
    return places[shape]


def has_answers(choice: Choice) -> bool:
    """True if at least one image is scanned."""
    return choice.index is not None and len(choice.index.images) > 0


def start_page() -> None:
    """Draw the whole page, from top to bottom."""
    offer_given_folder(resources.registry())
    choice = shell("start", title="Start")
    choosing = folder_being_chosen()
    with upper_part(choice, choosing):
        if choosing:  # the rest goes, so that preview and button are visible without scrolling
            with heading(choice, "Your own pictures", names_dataset=False):
                st.button(
                    "Back",
                    icon=":material/arrow_back:",
                    key="stop_choosing",
                    on_click=stop_choosing,
                )
            say_scan_trouble()
            fill_hero = None
        else:
            fill_hero = shown_now(choice)

    say_if_read_only(choice.registry.home)
    names = [CHOOSE_TAB, DATASETS_TAB, NETWORKS_TAB]
    tabs = st.tabs(names, key="start_tab", on_change="rerun")
    if tabs[0].open:
        with tabs[0]:
            choose_images(choice.registry, choice.network)
    if tabs[1].open:
        with tabs[1]:
            datasets_table(choice.registry, choice.dataset)
            data_folder(choice.registry)
    if tabs[2].open:
        with tabs[2]:
            networks_table(choice.registry, choice.network)
    if fill_hero is not None:  # last: the pictures may take seconds
        fill_hero()
