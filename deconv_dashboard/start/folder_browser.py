"""The dialog that chooses a folder of the computer that the app runs on."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import streamlit as st

from deconv_core.errors import DeconvError
from deconv_core.images.decoding import readable_extensions
from deconv_core.images.listing import entries_in
from deconv_core.images.passed_over import HIDDEN, kinds_in_words
from deconv_dashboard.folder_rules import what_is
from deconv_dashboard.frame.choice import escape
from deconv_dashboard.frame.troubles import keep_trouble, say_kept_trouble
from deconv_dashboard.frame.widget_keys import key_showing, widget_key
from deconv_dashboard.server import resources
from deconv_dashboard.server.serving import is_local, rules
from deconv_dashboard.start.folder_counts import pictures_below
from deconv_dashboard.wording import counted

_MOST = 300


def folders_offered() -> bool:
    """True if folders of this computer may be opened: by its own user, or if a list allows them."""
    return rules().offered


def paths_shown() -> bool:
    """True if paths of this computer may be shown: only its own user sees them."""
    return is_local()


@st.dialog("Choose a folder of images", width="medium", icon=":material/folder_open:")
def browse(target_key: str) -> None:
    """Draw the dialog; the chosen folder goes into the text field with this key."""
    offered = rules()
    place = _place(str(st.session_state.get(target_key, "")))
    st.session_state["browse_place"] = str(place)
    _choose_root(offered.roots or ())
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Up",
            icon=":material/arrow_upward:",
            disabled=not offered.allows(place.parent) or place.parent == place,
            on_click=_enter,
            args=(str(place.parent),),
        )
        st.text_input(
            "Path of the folder",
            key=key_showing("browse_path", offered.shown(place)),
            placeholder="Type or paste a path",
            on_change=_enter_typed,
            label_visibility="collapsed",
        )
    say_kept_trouble("browse_trouble", "browse")
    contents = _look(place)
    folders = contents.folders
    below = pictures_below([folder for folder in folders[:_MOST] if folder not in contents.links])
    with st.container(height=320, gap=None):
        if contents.problem:
            st.caption(f"This folder cannot be listed: {contents.problem}.")
        elif not folders:
            st.caption("This folder has no subfolders.")
        for number, folder in enumerate(folders[:_MOST]):
            inside = below[folder].text if folder in below else ""
            st.button(
                escape(folder.name) + (f" · {inside}" if inside else ""),
                key=f"enter {place.name} {number}",  # without a path: keys reach the browser
                icon=f":material/{'link' if folder in contents.links else 'folder'}:",
                type="tertiary",
                on_click=_enter,
                args=(str(folder),),
            )
        if len(folders) > _MOST:
            st.caption(
                f"The first {_MOST} of {len(folders):,} folders. For another folder, type its path "
                "above."
            )
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Use this folder", type="primary", key="use_folder"):
            st.session_state["folder_chosen"] = offered.shown(place)
            st.session_state.pop("browse_place", None)
            st.rerun()
        _say_counts(contents)


def _enter(folder: str) -> None:
    st.session_state["browse_place"] = folder


def _enter_typed() -> None:
    """Go to the typed folder, or to the folder of the typed file."""
    registry = resources.registry()
    try:
        place = registry.rules.meant(str(st.session_state[widget_key("browse_path")]))
        registry.rules.check(place)
        if what_is(place) == "file" and registry.rules.allows(place.parent):
            place = place.parent
        registry.check_folder(place)
    except DeconvError as error:
        keep_trouble("browse_trouble", error, "The folder was not opened")
    else:
        _enter(str(place))


def _choose_root(roots: Sequence[Path]) -> None:
    """Draw buttons for the allowed folders, if there are several."""
    if len(roots) < 2:
        return
    with st.container(horizontal=True):
        for number, root in enumerate(roots):
            name = escape(rules().shown(root))
            st.button(
                name, key=f"root {number}", type="tertiary", on_click=_enter, args=(str(root),)
            )


def _place(typed: str) -> Path:
    """The folder to show: the current one, else the typed one, else the first allowed or home."""
    offered = rules()
    places = [st.session_state.get("browse_place", "")]
    if typed.strip():
        with suppress(DeconvError):
            meant = offered.meant(typed)
            places += [str(meant), str(meant.parent)]  # of a file, its folder
    for place in map(Path, filter(None, places)):
        with suppress(OSError):  # a name that is too long
            if offered.allows(place) and place.is_dir():
                return place
    return offered.roots[0] if offered.roots else Path.home()


@dataclass(frozen=True)
class _Contents:
    """What a folder contains directly.

    Attributes:
        folders: its subfolders, by name.
        links: the subfolders that are links.
        pictures: number of pictures.
        passed_over: kind -> number of skipped files.
        problem: why it cannot be listed, or "".
    """

    folders: tuple[Path, ...] = ()
    links: frozenset[Path] = frozenset()
    pictures: int = 0
    passed_over: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""


def _look(place: Path) -> _Contents:
    readable = set(readable_extensions())
    folders, links, kinds = [], [], Counter[str]()
    pictures = 0
    try:
        for kind, entry in entries_in(str(place)):
            ending = os.path.splitext(entry.name)[1].lower()
            if kind in ("folder", "link"):
                folders.append(Path(entry.path))
                links += [folders[-1]] if kind == "link" else []
            elif kind == "hidden":
                kinds[HIDDEN] += 1
            elif ending in readable:
                pictures += 1
            else:
                kinds[ending] += 1
    except OSError as error:
        return _Contents(problem=(error.strerror or "it cannot be opened").lower())
    folders.sort(key=lambda folder: folder.name.casefold())
    ordered = {**{k: n for k, n in kinds.most_common() if k != HIDDEN}, HIDDEN: kinds[HIDDEN]}
    passed_over = {kind: number for kind, number in ordered.items() if number}
    return _Contents(tuple(folders), frozenset(links), pictures, passed_over)


def _say_counts(contents: _Contents) -> None:
    pictures = counted(contents.pictures, "picture")
    said = [f"{pictures} directly in this folder. Subfolders are included too."]
    if contents.passed_over:
        said.append(f"Skipped: {kinds_in_words(contents.passed_over)}.")
    if contents.links:
        number = len(contents.links)
        are, them = ("is a link", "it") if number == 1 else ("are links", "them")
        said.append(f"{number} of the subfolders {are}. A checkbox on Start includes {them}.")
    st.caption(escape(" ".join(said)))
