"""All feature maps of a layer: a table to sort, and a contact sheet of small pictures."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

import pandas as pd
import streamlit as st

from deconv_core.errors import DeconvError
from deconv_core.layers import Layer
from deconv_core.units import Activation, Unit, composed
from deconv_dashboard.frame import address, messages
from deconv_dashboard.frame.data_tables import data_table
from deconv_dashboard.gallery import answers
from deconv_dashboard.gallery.downloads import file_stem
from deconv_dashboard.gallery.tiles import Panel, Tile, gallery
from deconv_dashboard.server import drawn, reconstructing, resources
from deconv_dashboard.values import Choice, Pictures
from deconv_dashboard.wording import activation_text, counted

PAGE = 64
_PART = 16
_WITH_LAYER = 128  # pixels of a tile whose caption names the layer
_BARS = "#7d94a8"  # the accent colour is for the chosen tile


def map_href(channel: int) -> str:
    """The address of a feature map of this layer, for "open in a new tab"."""
    return "feature_map?" + urlencode(address.link_to(map=channel))


def unit_href(unit: Unit) -> str:
    """The address of a feature map of any layer, for "open in a new tab"."""
    return "feature_map?" + urlencode(address.link_to(layer=unit.layer, map=unit.channel))


def all_maps(choice: Choice, layer: Layer) -> None:
    """Draw the contact sheet or the table of a layer's maps, with a heading."""
    maps = resources.maps_of(choice, layer.name, choice.label)
    dead = int(maps["dead"].sum())
    st.markdown(f"### All {layer.channels} feature maps")
    if dead:
        st.caption(f"{counted(dead, 'map')} never fire{'s' if dead == 1 else ''} in these images.")
    view = st.segmented_control(
        "View",
        ["Contact sheet", "Table"],
        default="Contact sheet",
        required=True,
        key="maps_view",
        label_visibility="collapsed",
    )
    if view == "Table":
        _table(choice, layer, maps)
    else:
        _sheet(choice, layer, maps)


def _table(choice: Choice, layer: Layer, maps: pd.DataFrame) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input("Number or name contains", key="maps_filter", width=220)
        hide = st.toggle("Hide maps that never fire", key="maps_alive")
    names = [choice.names.get(str(Unit(layer.name, channel)), "") for channel in maps["channel"]]
    if any(names):
        maps = maps.copy()
        maps.insert(1, "name", names)
    wanted = composed(text.strip()).casefold()
    said = [f"{c} {composed(n).casefold()}" for c, n in zip(maps["channel"], names, strict=True)]
    shown = maps[[wanted in one for one in said]]
    if hide:
        shown = shown[~shown["dead"]]
    shown = shown.sort_values("max", ascending=False).reset_index(drop=True)
    strongest = float(maps["max"].max() or 1.0)
    listed = shown["channel"].tolist()

    def picked() -> None:  # runs before the page, so ``listed`` still matches the table
        st.session_state["maps_picked"] = [listed[row] for row in _rows(layer)]

    data_table(
        shown,
        file_stem(choice, f"{layer.name}_maps", None, choice.label),
        f"maps_table_{layer.name}",
        on_select=picked,
        selection_mode="single-row",
        height=420,
        alt=f"The feature maps of {layer.name}",
        column_config={
            "channel": st.column_config.NumberColumn("Feature map", width="small"),
            "name": st.column_config.TextColumn("Name"),
            "max": st.column_config.ProgressColumn(
                "Strongest activation",
                min_value=0.0,
                max_value=strongest,
                format="%.4g",
                color=_BARS,
            ),
            "mean": st.column_config.NumberColumn("Mean of the peaks", format="%.4g"),
            "share": st.column_config.ProgressColumn(
                "Images that activate it",
                min_value=0.0,
                max_value=1.0,
                format="percent",
                color=_BARS,
            ),
            "dead": st.column_config.CheckboxColumn("Dead", width="small"),
        },
    )
    st.caption(
        "Click the left edge of a row to open its feature map. Click a column's heading to sort. "
        f"{messages.of_all_images(choice)}"
    )
    for channel in st.session_state.pop("maps_picked", []):
        open_map(int(channel))


def _rows(layer: Layer) -> list[int]:
    """The selected rows of the table of maps."""
    selection = st.session_state[f"maps_table_{layer.name}"]["selection"]
    return list(selection["rows"])


def open_map(channel: int) -> None:
    """Go to a feature map of this layer."""
    st.switch_page(address.PAGE_FILES["feature_map"], query_params=address.link_to(map=channel))


def open_unit(unit: str) -> None:
    """Go to a feature map of any layer, for example "conv4_4/171"."""
    layer, _, channel = unit.rpartition("/")
    there = address.link_to(layer=layer, map=channel)
    st.switch_page(address.PAGE_FILES["feature_map"], query_params=there)


def _sheet(choice: Choice, layer: Layer, maps: pd.DataFrame) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        order = st.selectbox(
            "Order",
            ["By number", "Strongest first", "Rarest first"],
            key="sheet_order",
            width=180,
        )
        pages = -(-layer.channels // PAGE)
        page = 1
        if pages > 1:
            page = st.pagination(pages, width=320, key=f"sheet_page_{layer.name}")
    ordered = maps["channel"]
    if order == "Strongest first":
        ordered = maps.sort_values(["max", "channel"], ascending=[False, True])["channel"]
    elif order == "Rarest first":
        ordered = maps.sort_values(["dead", "share", "channel"])["channel"]
    channels = [int(channel) for channel in ordered.iloc[(page - 1) * PAGE : page * PAGE]]
    st.caption(
        "Left: the reconstruction of the map's strongest activation, on its own scale. Right: the "
        f"patch it came from. {messages.as_scanned(choice)}"
    )
    try:
        map_tiles(choice, [Unit(layer.name, channel) for channel in channels], "sheet")
    except DeconvError:  # the full message is above, in place of the top 9
        st.caption("The pictures cannot be made; the table lists all maps.")


def map_tiles(
    choice: Choice, units: Sequence[Unit], key: str, *, names_layer: bool = False
) -> None:
    """Draw each map's strongest activation as a tile that opens the map, a few rows at a time.

    Args:
        choice: what the page shows.
        units: the maps.
        key: of the galleries, unique on the page.
        names_layer: True names the layer in captions.

    Raises:
        DeconvError: the pictures cannot be made.
    """
    for first in range(0, len(units), _PART):
        part = units[first : first + _PART]
        best = resources.best_of_maps(choice, part)
        alive = [activation for activation in best if activation is not None]
        made = reconstructing.watched(choice, alive, height=160)
        ranks = {activation: rank for rank, activation in enumerate(alive, 1)}
        tiles = []
        for unit, activation in zip(part, best, strict=True):
            star = "★ " if unit in choice.named and choice.named[unit].star else ""
            number = f"{star}{unit if names_layer else unit.channel}"
            rank = ranks[activation] if activation is not None else 0
            tiles.append(_tile(choice, unit, number, activation, made, rank))
        opened = gallery(
            [Panel("", tiles, columns=0 if names_layer else 8, kind="pairs")],
            key=f"{key}_{first}",
            panel_columns=1,
            smallest=_WITH_LAYER if names_layer else 64,
        )
        if opened is not None:
            open_unit(opened)


def _tile(
    choice: Choice,
    unit: Unit,
    number: str,
    activation: Activation | None,
    made: Pictures,
    rank: int,
) -> Tile:
    picture, title, name = made.found.get(rank), choice.title_of(unit), choice.name_of(unit)
    if activation is None or picture is None:
        why = "never fires" if activation is None else "image gone or changed"
        return Tile(b"", title, f"{number} · {why}", name, str(unit), unit_href(unit))
    key = made.keys[rank]
    return Tile(
        drawn.tile_png(picture, key, "reconstruction", answers.PER_TILE),
        f"{title}: reconstruction and patch in {activation.image_id}",
        f"{number} · {activation_text(activation.value, approximate=choice.approximate)}",
        name,
        str(unit),
        unit_href(unit),
        second=drawn.tile_png(picture, key, "patch", answers.PER_TILE),
    )
