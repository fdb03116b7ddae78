"""Pickers of what a feature map is compared with: a label, another map, or another network."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from deconv_core.units import Unit
from deconv_dashboard.data.names import distinct
from deconv_dashboard.frame import address
from deconv_dashboard.frame.choice import short_name
from deconv_dashboard.frame.second_side import scanned_by_others
from deconv_dashboard.frame.widget_keys import key_showing, widget_key
from deconv_dashboard.values import Choice

PAGE = "feature_map"
MAP, NETWORK = "/map", "/network"  # no label has a slash
_NAMES = {"": "Nothing", MAP: "Another map", NETWORK: "Another network"}


def compare_picker(choice: Choice, labels: Sequence[str]) -> None:
    """Draw the list of what can be compared with: labels, another map, another network."""
    networks = list(scanned_by_others(choice))
    kinds = ["", MAP, *([NETWORK] if networks else []), *labels]
    shown = distinct(kinds, lambda kind: _NAMES.get(kind, kind))

    def changed() -> None:
        picked = st.session_state[widget_key("pick_second")]
        wanted = {"label2": picked or None, "map2": None, "network2": None}
        if picked == MAP:
            wanted = {**wanted, "label2": None, "map2": str(_next_map(choice))}
        if picked == NETWORK:
            wanted = {**wanted, "label2": None, "network2": networks[0]}
        address.visit(PAGE, **wanted)

    st.selectbox(
        "Compare with",
        list(shown),
        format_func=shown.__getitem__,
        key=key_showing("pick_second", _kind(choice)),
        on_change=changed,
        width=145,
        help="A label: this map in two groups of images. Another map, or the same map of another "
        "network: both in the same images. Networks that have scanned this dataset are offered; "
        "scan it with random weights too to have a control.",
    )


def second_pickers(choice: Choice) -> None:
    """Draw the pickers of the other network and its map, if these are compared."""
    kind = _kind(choice)
    if kind not in (MAP, NETWORK):
        return
    other = choice.second or choice
    with st.container(horizontal=True, gap="small"):
        st.space("stretch")
        with st.container(horizontal=True, gap="small", width="content"):
            if kind == NETWORK:
                _network_picker(choice)
            _map_pickers(other, choice.unit if kind == NETWORK else None)


def _kind(choice: Choice) -> str:
    """The chosen entry of the list."""
    if choice.values.get("network2"):
        return NETWORK
    return MAP if choice.values.get("map2") else choice.values.get("label2", "")


def _next_map(choice: Choice) -> Unit:
    """The map after this one, or before the last one."""
    here, maps = choice.unit, choice.layers[choice.unit.layer].channels
    return Unit(here.layer, here.channel + 1 if here.channel + 1 < maps else max(maps - 2, 0))


def _network_picker(choice: Choice) -> None:
    networks = scanned_by_others(choice)
    labels = distinct(networks, lambda network_id: short_name(networks[network_id]))
    st.selectbox(
        "Other network",
        list(labels),
        format_func=labels.__getitem__,
        key=key_showing("pick_network2", choice.values["network2"]),
        on_change=lambda: address.visit(
            PAGE, network2=st.session_state[widget_key("pick_network2")], map2=None
        ),
        width=200,
    )


def _map_pickers(other: Choice, same: Unit | None) -> None:
    """Draw layer and number of the other map; ``same`` is the map that needs no mention."""
    here = other.unit

    def visit(layer: str, channel: int) -> None:
        unit = Unit(layer, min(channel, other.layers[layer].channels - 1))
        address.visit(PAGE, map2=None if unit == same else unit)

    st.selectbox(
        "Other layer",
        list(other.layers),
        key=key_showing("pick_layer2", here.layer),
        on_change=lambda: visit(st.session_state[widget_key("pick_layer2")], here.channel),
        width=145,
    )
    last = other.layers[here.layer].channels - 1
    st.number_input(
        f"Other map (0 to {last})",
        min_value=0,
        max_value=last,
        step=1,
        key=key_showing("pick_map2", here.channel),
        on_change=lambda: visit(here.layer, st.session_state[widget_key("pick_map2")]),
        width=145,
    )
