"""The box "Go to" of the sidebar: type a map, a layer, a name, a label or a file, and go there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from deconv_dashboard.frame import address
from deconv_dashboard.frame.places import Place, find_places
from deconv_dashboard.server import index_answers
from deconv_dashboard.values import Choice

_FILES = Path(__file__).parent / "components"
_KEY = "go_to"
_KINDS = {"map": "Feature map", "layer": "Layer", "label": "Label", "image": "Image"}

_box = st.components.v2.component(
    "deconv_go_to",
    css=(_FILES / "go_to.css").read_text("utf-8"),
    js=(_FILES / "go_to.js").read_text("utf-8"),
)


@st.fragment
def go_to_box(choice: Choice) -> None:
    """Draw the box. What is typed is searched here; only the box runs again, not the page."""
    sent: Any = st.session_state.get(_KEY, {})
    query = str(sent.get("query") or "")
    data = {
        "query": query,
        "places": [
            {
                "goal": f"{place.kind} {place.value}",
                "title": place.title,
                "kind": _KINDS[place.kind],
            }
            for place in (_found(choice, query) if query else [])
        ],
    }
    result = _box(key=_KEY, data=data, on_query_change=lambda: None, on_goal_change=lambda: None)
    if result.goal:
        kind, _, value = str(result.goal).partition(" ")
        go_to(kind, value)


def _found(choice: Choice, query: str) -> list[Place]:
    labels = choice.index.labels if choice.index else {}
    here = choice.values.get("layer", "")
    ids = index_answers.image_ids_of(choice)
    return find_places(query, choice.layers, choice.named, labels, ids, here=here)


def go_to(kind: str, value: str) -> None:
    """Open the page of a place; a value that does not exist is corrected there."""
    if kind == "map":
        layer, _, channel = value.rpartition("/")
        page, there = "feature_map", {"layer": layer, "map": channel}
    elif kind == "image":
        page, there = "image", {"image": value}
    elif kind in ("layer", "label"):
        page, there = "layer", {kind: value}
    else:
        return
    st.switch_page(address.PAGE_FILES[page], query_params=address.link_to(**there))
