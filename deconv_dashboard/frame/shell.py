"""The frame of every page: page setup, sidebar, heading. Each page calls ``shell`` first.

``shell`` opens no weights and no images, so the frame appears at once. The page then calls
``heading`` with its title.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import streamlit as st
from streamlit.delta_generator import DeltaGenerator as Place

from deconv_core.errors import IndexDamagedError
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.units import Unit
from deconv_dashboard.frame import address
from deconv_dashboard.frame.choice import choose, escape, short_name
from deconv_dashboard.frame.remedies import offer_scan
from deconv_dashboard.frame.repair import damage_note
from deconv_dashboard.frame.second_side import with_second
from deconv_dashboard.frame.sidebar import PAGES, PRODUCT, sidebar
from deconv_dashboard.frame.troubles import say_trouble
from deconv_dashboard.frame.ways import go_where_wanted
from deconv_dashboard.server import reconstructing, resources
from deconv_dashboard.values import Choice
from deconv_dashboard.wording import counted
from deconv_dashboard.writing import can_write

__all__ = [
    "PAGES",
    "Choice",
    "escape",
    "heading",
    "name_tab",
    "require_index",
    "say_if_read_only",
    "shell",
    "short_name",
]
_FILES = Path(__file__).parent / "components"
ICON = str(_FILES / "icon.png")


def shell(page: str, *, title: str) -> Choice:
    """Set up a page, draw its sidebar, and return the choices of this page run.

    Args:
        page: "start", "layer", "feature_map", "image", "export" or "method".
        title: text of the browser's tab.
    """
    st.set_page_config(
        page_title=f"{title} · {PRODUCT}",
        page_icon=ICON,
        layout="wide",
        initial_sidebar_state=268,
    )
    go_where_wanted(page)
    st.html(_FILES / "page.css")
    reconstructing.begin_request()
    notes: list[str] = []
    choice = with_second(choose(page, notes), notes)
    if called := _shown(page, choice):
        name_tab(called)
    resources.prepared(choice.registry.home)
    address.settle(page, choice.values)
    with st.sidebar:
        sidebar(page, choice)
    return replace(choice, notes=tuple(notes))


def name_tab(shown: str) -> None:
    """Name the browser's tab after what the page shows."""
    st.set_page_config(page_title=f"{shown} · {PRODUCT}")


def _shown(page: str, choice: Choice) -> str:
    """What a page shows, for the browser's tab; "" for pages with a title of their own."""
    if page == "image":
        return Path(choice.values.get("image", "")).name
    if choice.layer is None:
        return ""
    unit = Unit(choice.layer.name, choice.map)
    titles = {
        "feature_map": " · ".join(filter(None, [str(unit), choice.name_of(unit)])),
        "layer": unit.layer,
    }
    return titles.get(page, "")


def heading(choice: Choice, title: str, *, names_dataset: bool = True) -> Place:
    """Draw the title row of a page, notes about wrong addresses, and a note on an unfinished scan.

    Args:
        choice: what ``shell`` returned.
        title: the title, in plain text.
        names_dataset: True names the dataset beside the title.

    Returns:
        The right end of the row, for buttons.
    """
    around = [short_name(choice.network), *([choice.dataset.name] if names_dataset else [])]
    if names_dataset and choice.index is not None:
        around.append(choice.made.resized)
    if choice.page in ("layer", "feature_map") and choice.label:
        around.append(f"label {choice.label}")
    with st.container(horizontal=True, key="page_heading", vertical_alignment="center"):
        st.markdown(f"# {escape(title)}", width="content")
        st.caption(escape(" · ".join(around)), width="stretch")
        buttons = st.container(horizontal=True, width="content", gap="small")
    for note in choice.notes:
        st.warning(note, icon=":material/link_off:")
    if choice.index is not None and not choice.index.complete:
        st.info(
            f"Answers so far: {len(choice.index.images):,} of "
            f"{counted(choice.index.total, 'image')} scanned. The answers can still change.",
            icon=":material/hourglass_top:",
        )
    return buttons


def say_if_read_only(home: Path) -> None:
    """Warn if the data folder is read-only."""
    if not can_write(home):
        st.warning(
            "The data folder cannot be written to. You can look at everything in it, but you "
            "cannot scan, upload, export, add or delete. Give the account that runs this program "
            "write access, or set `DECONV_HOME` to another folder.",
            icon=":material/lock:",
        )


def require_index(choice: Choice) -> ActivationIndex:
    """The index of the page; without one, say what to do and end the page run."""
    if choice.index is not None:
        return choice.index
    if isinstance(choice.problem, IndexDamagedError):
        damage_note(choice, choice.problem)
    elif choice.problem:
        say_trouble(choice.problem, "unread", "The index cannot be read")
        offer_scan(choice, choice.problem, "unread")
    else:
        if choice.dataset.kind == "demo" and not choice.dataset.root.is_dir():
            st.info(
                "This copy of the program came without the demo's pictures. Choose your own "
                "folder on Start.",
                icon=":material/inventory_2:",
            )
        st.markdown("## Nothing has been scanned yet")
        names = escape(choice.dataset.name), escape(short_name(choice.network))
        st.write(
            f"{names[0]} has not been scanned with {names[1]}. "
            "One scan covers every layer and every feature map."
        )
    return _ways_out(choice)


def _ways_out(choice: Choice) -> NoReturn:
    """Draw links to other networks and to Start, and end the page run."""
    for network in choice.registry.networks():
        if (choice.registry.index_path(choice.dataset, network) / "manifest.json").is_file():
            st.page_link(
                address.PAGE_FILES[choice.page],
                label=f"Show the scan by {escape(short_name(network))}",
                icon=":material/visibility:",
                query_params=address.link_to(network=network.network_id),
            )
    st.page_link(
        address.PAGE_FILES["start"],
        label="Scan it on Start",
        icon=":material/arrow_forward:",
        query_params=address.link_to(),
    )
    st.stop()
