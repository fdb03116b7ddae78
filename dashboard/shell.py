"""The frame of every page: page setup, sidebar, header. Each page calls ``shell`` first.

It paints before anything heavy happens, and it opens no weights and no images.
"""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import streamlit as st

from dashboard import address, pictures
from dashboard.choice import Choice, choose, escape, short_name
from dashboard.sidebar import PAGES, PRODUCT, sidebar
from deconv_core.activation_index import ActivationIndex

__all__ = ["PAGES", "Choice", "escape", "require_index", "shell", "short_name"]
ICON = str(Path(__file__).parent / "components" / "icon.png")


def shell(page: str, *, title: str) -> Choice:
    """Set the page up, draw sidebar and header, and say what is to be shown.

    Args:
        page: "start", "layer", "feature_map", "image", "export" or "method".
        title: for the browser's tab.
    """
    st.set_page_config(
        page_title=f"{title} · {PRODUCT}",
        page_icon=ICON,
        layout="wide",
        initial_sidebar_state=268,
    )
    pictures.begin_request()
    notes: list[str] = []
    choice = choose(page, notes)
    address.settle(page, choice.values)
    with st.sidebar:
        sidebar(page, choice)
    _header(page, choice)
    for note in notes:
        st.warning(note, icon=":material/link_off:")
    return choice


def _header(page: str, choice: Choice) -> None:
    parts = [short_name(choice.network), choice.dataset.name]
    if page in ("layer", "feature_map") and choice.layer is not None:
        parts.append(choice.layer.name)
    if page == "feature_map" and choice.layer is not None:
        parts.append(f"feature map {choice.map}")
    if page in ("layer", "feature_map") and choice.label:
        parts.append(f"label {choice.label}")
    st.caption(escape(" · ".join(parts)))
    if choice.index is not None and not choice.index.complete:
        st.info(
            f"Answers so far: {len(choice.index.images):,} of {choice.index.total:,} images are "
            "scanned. They can still change.",
            icon=":material/hourglass_top:",
        )


def require_index(choice: Choice) -> ActivationIndex:
    """The index; without one, says what to do and ends the page."""
    if choice.index is not None:
        return choice.index
    if choice.problem:
        st.error(f"The index cannot be read: {choice.problem}", icon=":material/error:")
    else:
        if choice.dataset.kind == "demo" and not choice.dataset.root.is_dir():
            st.info(
                "This copy of the program came without the demo's pictures. Choose a folder of "
                "your own on Start.",
                icon=":material/inventory_2:",
            )
        st.subheader("Nothing has been scanned yet")
        names = escape(choice.dataset.name), escape(short_name(choice.network))
        st.write(
            f"{names[0]} has not been scanned with {names[1]}. "
            "One scan answers for every layer and every feature map."
        )
    return _ways_out(choice)


def _ways_out(choice: Choice) -> NoReturn:
    """Links to what can be done instead, and the end of the page."""
    for network in choice.registry.networks():
        if (choice.registry.index_path(choice.dataset, network) / "manifest.json").is_file():
            st.page_link(
                address.PAGE_FILES[choice.page],
                label=f"See it with {escape(short_name(network))}, which has scanned it",
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
