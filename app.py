"""Start: what this is, which images and which network, and the scan."""

import streamlit as st

from dashboard import resources
from dashboard.choose_images import choose_images
from dashboard.folder_browser import folders_offered
from dashboard.hero import hero
from dashboard.networks_panel import networks_table
from dashboard.preview_panel import look, show_preview
from dashboard.scan_panel import scan_panel
from dashboard.shell import Choice, escape, shell
from dashboard.stored_data import data_folder, datasets_table
from deconv_core.errors import DeconvError
from deconv_core.images import ImageFolder


def images_in(choice: Choice) -> ImageFolder | None:
    """The images of the dataset; None if its folder cannot be listed."""
    try:
        return resources.images_of(choice.dataset)
    except DeconvError:
        return None


def not_scanned(choice: Choice) -> None:
    """A look at images that were not scanned yet."""
    st.subheader(escape(choice.dataset.name))
    dataset = choice.dataset
    try:
        shown = look(
            choice.registry, str(dataset.root), dataset.extensions or (), dataset.labels or ()
        )
    except DeconvError as error:
        missing = (
            "The demo's pictures are missing from this installation. Choose a folder of your own "
            "below."
        )
        reason = str(error) if folders_offered() else "its folder is not where it was"
        gone = f"These images cannot be listed: {reason}. Choose other images below."
        st.warning(missing if dataset.kind == "demo" else gone, icon=":material/info:")
    else:
        show_preview(shown)


choice = shell("start", title="Start")
images = images_in(choice)
fill_hero = None
if choice.index is not None and len(choice.index.images):
    fill_hero = hero(choice)
elif choice.problem:
    st.error(f"The index cannot be read: {choice.problem}.", icon=":material/error:")
else:
    not_scanned(choice)
if images or choice.index is not None:
    scan_panel(choice.registry, choice.dataset, choice.network, images)

tabs = st.tabs(
    ["Choose images", "Datasets and scans", "Networks"], key="start_tab", on_change="rerun"
)
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
if fill_hero is not None:  # last, because it may take seconds
    fill_hero()
