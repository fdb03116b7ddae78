"""The address of a page: its query parameters say what the page shows.

A page reads the address, corrects wrong values with a note, and writes it back complete with
defaults. So the same address shows the same in every browser. Widgets do not store choices
themselves; their callbacks call ``visit``.

Two quick key presses must both count, but the browser sends the second one with the old address.
So ``visit`` starts from the last request, not from the browser's address.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import streamlit as st

from deconv_core.pictures import Rule
from deconv_dashboard.values import Choice

PARAMETERS = (
    *("network", "dataset", "layer", "map", "label", "label2", "map2", "network2"),
    *("scale", "rule", "k", "band", "copies", "tab", "view", "order", "show", "part"),
    *("image", "position", "once", "list", "rank", "find", "alive"),
)
PAGE_FILES = {
    "start": "app.py",
    "layer": "pages/1_layer.py",
    "feature_map": "pages/2_feature_map.py",
    "image": "pages/3_image.py",
    "export": "pages/4_export.py",
    "method": "pages/5_method.py",
}
SCALES = {"clipped": "Shared", "99": "Per tile", "shared": "Unclipped"}
"""Name for ``Scale.named`` -> name on pages; the default comes first."""
RULES: dict[Rule, str] = {"deconvnet": "Deconvnet", "guided": "Guided", "gradient": "Gradient"}
"""Rule of ``reconstruct`` -> name on pages; the default comes first."""
MOST = 100
"""Largest k."""
MAPS = "maps"
"""Value of ``once``: each feature map takes one place of a layer's top."""
UNUSUAL, ALL = "unusual", "all"
"""Values of ``list``: how the Image page lists maps; unsaid, it lists the strongest."""
ALIVE = "only"
"""Value of ``alive``: the table of maps hides those that never fire."""
TABS = {
    "feature_map": {
        "numbers": "Distribution",
        "fired": "Where it fired",
        "about": "About this picture",
        "rules": "Rules",
        "labels": "Labels",
        "similar": "Similar maps",
        "groups": "Groups",
        "notes": "Notes",
    },
    "layer": {
        "maps": "All maps",
        "correlations": "Correlations",
        "named": "Named maps",
    },
}
"""Page -> its tabs: name in the address -> title; the first is open if the address names none."""
TAB = {"feature_map": "tab", "layer": "view"}
"""Page -> the query parameter of its tabs. Each is remembered while another page is open."""
_CARRIED = (
    *("network", "dataset", "layer", "map", "label", "copies"),
    *("tab", "view", "order", "show", "part", "rule", "once", "list", "find", "alive"),
)
_RANKED = (
    *("network", "dataset", "layer", "map", "label", "label2", "map2", "network2"),
    *("k", "band", "copies"),
)
"""A change of one of these ranks other images, so the chosen rank is forgotten."""
_SHOWN = {
    "start": ("network", "dataset"),
    "layer": (
        *("network", "dataset", "label", "layer", "scale", "copies"),
        *("view", "order", "show", "part", "once", "find", "alive"),
    ),
    "feature_map": (
        *("network", "dataset", "layer", "map", "label", "label2", "map2", "network2"),
        *("scale", "rule", "k", "band", "copies", "tab", "rank"),
    ),
    "image": (
        *("network", "dataset", "label", "image", "layer", "map"),
        *("position", "rule", "list"),
    ),
    "export": ("network", "dataset", "label", "layer", "map", "copies"),
    "method": ("network", "dataset"),
}


def asked(page: str) -> dict[str, str]:
    """The parameters that this page run should show: of the last ``visit``, or of the address bar.

    Parameters that this page does not write into its address (such as the layer) are remembered.
    """
    waiting = st.session_state.get("address_waiting")
    if waiting is not None and waiting[0] == page:
        return dict(waiting[1])
    here = {name: st.query_params[name] for name in PARAMETERS if name in st.query_params}
    remembered = st.session_state.get("address", {})
    same_place = all(
        here.get(name, remembered.get(name)) == remembered.get(name)
        for name in ("network", "dataset")
    )
    kept = _CARRIED if same_place else ()
    unsaid = {
        name: remembered[name]
        for name in kept
        if name in remembered and name not in here and name not in _SHOWN[page]
    }
    return {**unsaid, **here}


def settle(page: str, values: Mapping[str, str]) -> None:
    """Write the checked parameters into the address bar, and remember them."""
    st.session_state["address"] = {name: text for name, text in values.items() if text}
    st.session_state["address_page"] = page
    others = {
        name: st.query_params.get_all(name) for name in st.query_params if name not in PARAMETERS
    }
    wanted = {name: values[name] for name in _SHOWN[page] if values.get(name)}
    if dict(st.query_params) != {**{n: v[-1] for n, v in others.items()}, **wanted}:
        st.query_params.from_dict({**others, **wanted})
    st.session_state.pop("address_waiting", None)


def visit(page: str, **changes: Any) -> None:
    """Change parameters of this page; for widget callbacks. None removes a parameter."""
    remembered = st.session_state.get("address", {})
    given = {name: "" if value is None else str(value) for name, value in changes.items()}
    if any(given.get(name, "") != remembered.get(name, "") for name in _RANKED if name in given):
        given = {"rank": "", **given}
    wanted = {name: text for name, text in {**remembered, **given}.items() if text}
    st.session_state["address"] = wanted
    st.session_state["address_waiting"] = (page, wanted)


def run_again() -> NoReturn:
    """Run the whole page again with its current parameters; for fragments that run on a timer.

    On a busy server the browser may ask for a fragment with an address older than the last
    ``visit``. A plain ``st.rerun`` would go back to that address.
    """
    visit(st.session_state["address_page"])
    st.rerun()


def target() -> dict[str, str]:
    """The parameters of the last request, even if no page has shown them yet."""
    return dict(st.session_state.get("address", {}))


def place_of(choice: Choice) -> dict[str, object]:
    """The changes of a link that leads to the network and the map of a choice."""
    here = {"layer": choice.values["layer"], "map": choice.values.get("map")}
    return {"network": choice.network.network_id, **here}


def link_to(**changes: Any) -> dict[str, str]:
    """Query parameters of a link: the current ones with changes. None removes a parameter."""
    remembered = st.session_state.get("address", {})
    carried = {name: remembered[name] for name in _CARRIED if name in remembered}
    given = {name: "" if value is None else str(value) for name, value in changes.items()}
    return {name: text for name, text in {**carried, **given}.items() if text}
