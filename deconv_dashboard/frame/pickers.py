"""Pickers of layer, feature map, label, scale and number. Every choice goes into the address."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from deconv_core.layers import Layer
from deconv_dashboard import bands
from deconv_dashboard.data.names import distinct
from deconv_dashboard.frame import address
from deconv_dashboard.frame.address import RULES, SCALES
from deconv_dashboard.frame.choice import whole_number
from deconv_dashboard.frame.strip_stages import stages_of, tabled
from deconv_dashboard.frame.widget_keys import key_showing, widget_key
from deconv_dashboard.values import EACH, Choice

_FILES = Path(__file__).parent / "components"
_SHORT = 10
"""Names of layers with fewer letters fit into a narrow list."""
COPIES_HELP = (
    "Some files of this dataset have equal content. On: such files count as one picture, named "
    "after the first file (of the chosen label). Off: each file counts. Numbers over all images "
    "(shares, means, the histogram) always count every file."
)


def _inline(name: str) -> Any:
    return st.components.v2.component(
        f"deconv_{name}",
        css=(_FILES / f"{name}.css").read_text("utf-8"),
        js=(_FILES / f"{name}.js").read_text("utf-8"),
    )


_strip = _inline("strip")
_keys = _inline("keys")


def layer_strip(page: str, layers: Mapping[str, Layer], chosen: str) -> None:
    """Draw the network as a strip of layers to click, with their receptive fields."""
    stages = stages_of(layers.values(), chosen)

    def picked() -> None:
        name = st.session_state["layer_strip"].get("picked")
        if name:
            kept = {"map": None} if page == "image" else _map_within(layers[name])
            address.visit(page, layer=name, **kept)

    data = {"stages": tabled(stages), "chosen": chosen}
    _strip(key="layer_strip", data=data, on_picked_change=picked)

    if any(cell.closed for stage in stages for cell in stage.cells):
        with st.sidebar:
            layer_picker(page, layers, chosen, "Find a layer", width="stretch")


def _map_within(layer: Layer) -> dict[str, int | None]:
    """The remembered map, or the nearest number that a layer has; None before a map is chosen."""
    remembered = address.target().get("map")
    if remembered is None:
        return {"map": None}
    return {"map": min(max(whole_number(remembered), 0), layer.channels - 1)}


def arrow_keys(page: str, choice: Choice) -> None:
    """Listen to keys: ← → change the map, ↑ ↓ the layer; on the Layer page only the layer."""

    def pressed() -> None:
        goal = st.session_state["arrow_keys"].get("goal")
        if goal:
            layer, _, channel = str(goal).partition("/")
            address.visit(page, layer=layer, map=channel)

    data = {
        "layers": [
            {"name": layer.name, "maps": layer.channels} for layer in choice.layers.values()
        ],
        "layer": choice.values["layer"],
        "map": choice.map,
        "maps": page == "feature_map",
    }
    _keys(key="arrow_keys", data=data, height=1, on_goal_change=pressed)


def step(page: str, layer: Layer, by: int) -> None:
    """Move ``by`` maps from the map that was requested last."""
    remembered = address.target().get("map", "0")
    here = max(whole_number(remembered), 0)
    address.visit(page, map=min(layer.channels - 1, max(0, here + by)))


def map_picker(page: str, layer: Layer, channel: int) -> None:
    """Draw the number of the map and buttons Previous, Next, Random; call it inside a row."""
    st.number_input(
        f"Feature map (0 to {layer.channels - 1})",
        min_value=0,
        max_value=layer.channels - 1,
        step=1,
        key=key_showing("pick_map", channel),
        on_change=lambda: address.visit(page, map=st.session_state[widget_key("pick_map")]),
        width=150,
    )
    for label, arrow, by, edge in (
        ("Previous", "back", -1, 0),
        ("Next", "forward", 1, layer.channels - 1),
    ):
        st.button(
            label,
            icon=f":material/arrow_{arrow}:",
            key=f"{label.lower()}_map",
            help=f"Key: {'←' if by < 0 else '→'}",
            disabled=channel == edge,
            on_click=step,
            args=(page, layer, by),
        )
    st.button(
        "Random",
        icon=":material/shuffle:",
        key="random_map",
        on_click=lambda: address.visit(page, map=random.randrange(layer.channels)),
    )


def layer_picker(
    page: str,
    layers: Mapping[str, Layer],
    chosen: str,
    title: str = "Layer",
    width: int | Literal["stretch"] = 0,
) -> None:
    """Draw a list to choose a layer from, by its name.

    Args:
        page: name of the page.
        layers: the layers to choose from.
        chosen: name of the chosen layer.
        title: text above the list.
        width: of the list; 0 is as wide as the names need.
    """

    def changed() -> None:
        name = st.session_state[widget_key("pick_layer")]
        kept = {"map": None} if page == "image" else _map_within(layers[name])
        address.visit(page, layer=name, **kept)

    st.selectbox(
        title,
        list(layers),
        key=key_showing("pick_layer", chosen),
        on_change=changed,
        width=width or (130 if max(map(len, layers)) < _SHORT else 250),
        help="Keys: ↑ deeper, ↓ earlier. Type to search.",
    )


def label_picker(
    page: str,
    name: str,
    title: str,
    labels: Sequence[str],
    chosen: str,
    nothing: str,
) -> None:
    """Draw a list of labels.

    Args:
        page: name of the page.
        name: query parameter of the choice.
        title: text above the list.
        labels: the labels to choose from.
        chosen: the chosen label, or "".
        nothing: text of the entry for no label.
    """
    key = f"pick_{name}_here"
    shown = distinct(["", *labels], lambda label: label or nothing)

    def changed() -> None:
        address.visit(page, **{name: st.session_state[widget_key(key)] or None})

    st.selectbox(
        title,
        list(shown),
        format_func=shown.__getitem__,
        key=key_showing(key, chosen),
        on_change=changed,
        width=145,
    )


def scale_picker(page: str, chosen: str) -> None:
    """Draw the choice of the scale, which turns signed pixels into colours."""

    def changed() -> None:
        picked = st.session_state[widget_key("pick_scale")]
        address.visit(page, scale=None if picked in (None, "clipped") else picked)

    st.segmented_control(
        "Scale of the reconstructions",
        list(SCALES),
        format_func=SCALES.__getitem__,
        key=key_showing("pick_scale", chosen),
        on_change=changed,
        help="Shared: all tiles have one scale, so you can compare strengths. Per tile: each tile "
        "has its own scale, which shows shapes best. Both clip the strongest 1 % of the pixels. "
        "Unclipped: one scale for all tiles, without clipping.",
    )


_ONCE = {"": "Best images", address.MAPS: "Each map once"}


def count_picker(page: str, chosen: int) -> None:
    """Draw the number of activations, 1 to 100."""
    st.number_input(
        "How many",
        min_value=1,
        max_value=address.MOST,
        step=1,
        key=key_showing("pick_k", chosen),
        on_change=lambda: address.visit(page, k=_unless(st.session_state[widget_key("pick_k")], 9)),
        width=80,
    )


def rule_picker(page: str, chosen: str) -> None:
    """Draw the choice of the rule, which says how rectifications are undone."""

    def changed() -> None:
        picked = st.session_state[widget_key("pick_rule")]
        address.visit(page, rule=None if picked in (None, "deconvnet") else picked)

    st.segmented_control(
        "Rule",
        list(RULES),
        format_func=RULES.__getitem__,
        key=key_showing("pick_rule", chosen),
        on_change=changed,
        help="How a rectification is undone on the way down. Deconvnet: negative values become 0. "
        "Gradient: values become 0 where the rectification was closed on the way up. Guided: both.",
    )


def band_picker(page: str, chosen: str) -> None:
    """Draw the choice of a band of the distribution; nothing is chosen for a histogram's bar."""

    def changed() -> None:
        picked = st.session_state[widget_key("pick_band")]
        address.visit(page, band=None if picked in (None, bands.TOP) else picked)

    st.segmented_control(
        "Part of the distribution",
        list(bands.BANDS),
        format_func=bands.BANDS.__getitem__,
        key=key_showing("pick_band", chosen if chosen in bands.BANDS else None),
        on_change=changed,
        help="Images are ranked by their largest activation of this map. Top: the strongest. 75 %, "
        "50 %, 25 %: images around this percentile, evenly spaced by rank. Weakest: the weakest "
        "that activate the map. Silent: images in which it does not fire.",
    )


def once_picker(page: str, chosen: str) -> None:
    """Draw the choice between a layer's best images and its best maps."""

    def changed() -> None:
        address.visit(page, once=st.session_state[widget_key("pick_once")] or None)

    st.segmented_control(
        "What counts once",
        list(_ONCE),
        format_func=_ONCE.__getitem__,
        key=key_showing("pick_once", chosen),
        on_change=changed,
        required=True,
        label_visibility="collapsed",
        help="Best images: the nine images with the strongest activation of any map; one map may "
        "take several places. Each map once: the nine strongest maps, each with its best image.",
    )


def copies_switch(page: str, choice: Choice) -> None:
    """Draw the switch "Count copies once", if the dataset has copies."""
    if not choice.has_copies:
        return

    def changed() -> None:
        address.visit(page, copies=None if st.session_state[widget_key("pick_copies")] else EACH)

    st.toggle(
        "Count copies once",
        key=key_showing("pick_copies", not choice.copies),
        on_change=changed,
        help=COPIES_HELP,
    )


def _unless(value: int, usual: int) -> int | None:
    return None if value == usual else value
