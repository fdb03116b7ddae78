"""The image of the Image page: one of the dataset, or an uploaded one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import streamlit as st

from deconv_core.errors import DeconvError
from deconv_core.images.folder import ImageFolder, SeenImage
from deconv_core.units import as_stored, composed
from deconv_dashboard.frame import address
from deconv_dashboard.frame.moved import folder_missing
from deconv_dashboard.frame.shell import escape
from deconv_dashboard.gallery.tiles import Panel, Tile, gallery
from deconv_dashboard.server import drawn, resources
from deconv_dashboard.server.told import told
from deconv_dashboard.values import Choice
from deconv_dashboard.wording import counted, shortened

_PAGE = 12
_SIDE = 192  # pixels of a thumbnail
_LARGEST = 50  # MB


@dataclass(frozen=True, eq=False)
class Shown:
    """The image that the page shows.

    Attributes:
        name: its name for people.
        image_id: its id in ``folder``.
        folder: the folder that holds it.
        seen: its pixels as the network sees them.
        uploaded: True if a visitor uploaded it; False for an image of the dataset.
    """

    name: str
    image_id: str
    folder: ImageFolder
    seen: SeenImage
    uploaded: bool = False


def choose_image(choice: Choice) -> Shown | None:
    """The chosen image; None if there is none, with a message that says why."""
    uploaded = _uploaded(choice)
    try:
        folder = resources.images_of(choice.dataset)
    except DeconvError as error:
        if choice.dataset.root.is_dir():
            st.warning(escape(told(error)), icon=":material/folder_off:")
        else:
            folder_missing(choice.registry, choice.dataset)
        return uploaded
    names = _names(choice)
    asked = choice.values.get("image", "")
    if uploaded is not None and not asked:
        return uploaded
    meant = as_stored(asked, (entry.image_id for entry in folder)) if asked else []
    if asked and len(meant) != 1:
        st.warning(
            f"This dataset has no image “{escape(shortened(asked, 60))}”; showing another.",
            icon=":material/link_off:",
        )
        meant = []
    if not names:
        st.info("This dataset has no images.", icon=":material/image_not_supported:")
        return None
    return _read(choice, folder, meant[0] if meant else names[0])


def _read(choice: Choice, folder: ImageFolder, image_id: str) -> Shown | None:
    try:
        seen = resources.image_of(choice, image_id)
    except DeconvError as error:
        said = escape(f"{image_id} cannot be read: {told(error)}")
        st.error(said, icon=":material/broken_image:")
        return None
    return Shown(image_id, image_id, folder, seen)


def _uploaded(choice: Choice) -> Shown | None:
    kept = st.session_state.get("uploaded_image")
    if kept is None:
        return None
    name, digest, suffix, content = kept
    try:
        reading = choice.dataset.resize, choice.dataset.value_range
        folder = resources.uploaded_image(digest, suffix, *reading, content)
        seen = resources.reconstruction_cache().image(folder, 0, resources.input_size_of(choice))
        return Shown(f"{name} (uploaded)", folder[0].image_id, folder, seen, uploaded=True)
    except DeconvError as error:
        said = escape(f"{name} cannot be read: {told(error)}")
        st.error(said, icon=":material/broken_image:")
        return None


def image_menu(choice: Choice, shown: Shown | None) -> None:
    """Draw the steps to the neighbours, thumbnails to choose from, and the field for an upload."""
    _steps(_names(choice), shown)
    menu = st.popover(
        "Choose an image", icon=":material/photo_library:", key="image_menu", on_change="rerun"
    )
    if menu.open:  # thumbnails are made only for an open menu
        with menu:
            _menu(choice, shown)
    with st.popover("Upload one", icon=":material/upload:"):
        st.file_uploader(
            "Your own image",
            key="image_upload",
            on_change=_take_upload,
            max_upload_size=_LARGEST,
            help="The image stays on the computer that runs this app. It is deleted when you close "
            "the session.",
        )


def _names(choice: Choice) -> list[str]:
    """The ids of the images to choose from; none if the folder cannot be listed."""
    try:
        folder = resources.images_of(choice.dataset)
    except DeconvError:
        return []
    return [entry.image_id for entry in folder if choice.label in (None, entry.label)]


def _steps(names: list[str], shown: Shown | None) -> None:
    """Draw the buttons Previous and Next."""
    is_listed = shown is not None and not shown.uploaded and shown.image_id in names
    here = names.index(shown.image_id) if shown is not None and is_listed else -1
    for word, arrow, by, edge, letter in (
        ("Previous", "back", -1, 0, "P"),
        ("Next", "forward", 1, len(names) - 1, "N"),
    ):
        st.button(
            word,
            icon=f":material/arrow_{arrow}:",
            key=f"{word.lower()}_image",
            help=f"{word} image",
            shortcut=letter,
            disabled=here in (-1, edge),
            on_click=_step,
            args=(names, here, by),
        )


def _step(names: list[str], here: int, by: int) -> None:
    """Move from the image that was requested last, so that two quick presses both count."""
    asked = address.target().get("image")
    here = names.index(asked) if asked in names else here
    address.visit("image", image=names[min(max(here + by, 0), len(names) - 1)], position=None)


def _menu(choice: Choice, shown: Shown | None) -> None:
    names = _names(choice)
    if not names:
        st.caption("The dataset's folder cannot be listed, or has no images.")
        return
    with st.container(width=680):
        _thumbnails(choice, names, shown)


def _take_upload() -> None:
    file = st.session_state.get("image_upload")
    if file is None:
        return
    if file.size > _LARGEST * 2**20:  # the browser refuses such a file, another client may not
        return
    content = file.getvalue()
    digest = hashlib.sha256(content).hexdigest()[:16]
    # The uploaded name is not used for the file: it may be an invalid file name.
    st.session_state["uploaded_image"] = (file.name, digest, ".png", content)
    address.visit("image", image=None, position=None)


def _thumbnails(choice: Choice, names: list[str], shown: Shown | None) -> None:
    text = st.text_input(
        "Search", key="image_search", placeholder="Part of the name", label_visibility="collapsed"
    )
    wanted = composed(text.strip()).casefold()
    found = [name for name in names if wanted in composed(name).casefold()] if wanted else names
    pages = max(1, -(-len(found) // _PAGE))
    here = found.index(shown.image_id) if shown is not None and shown.image_id in found else 0
    page = st.pagination(pages, default=here // _PAGE + 1, key="image_page") if pages > 1 else 1
    part = found[(min(page, pages) - 1) * _PAGE : min(page, pages) * _PAGE]
    tiles = [
        Tile(
            drawn.thumbnail(choice, name, _SIDE),
            name,
            "",
            shortened(name.rpartition("/")[2], 24),
            name,
            chosen=shown is not None and not shown.uploaded and shown.image_id == name,
        )
        for name in part
    ]
    if not tiles:
        st.caption("No image has this text in its name.")
        return

    def picked(name: str) -> None:
        st.session_state.pop("uploaded_image", None)
        st.session_state["image_menu"] = False
        address.visit("image", image=name, position=None)

    gallery(
        [Panel(counted(len(found), "image"), tiles, columns=0)],
        key="image_thumbnails",
        panel_columns=1,
        smallest=140,
        on_pick=picked,
    )
