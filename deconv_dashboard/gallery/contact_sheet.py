"""All feature maps of a layer: a table to sort, and a contact sheet of small pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

import pandas as pd
import streamlit as st

from deconv_core.errors import DeconvError
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.layers import Layer
from deconv_core.output.figures import BARS
from deconv_core.units import Activation, Unit, composed
from deconv_dashboard.data.kept_pictures import DrawnTile
from deconv_dashboard.data.names import distinct
from deconv_dashboard.frame import address, messages
from deconv_dashboard.frame.choice import escape, whole_number
from deconv_dashboard.frame.data_tables import data_table
from deconv_dashboard.frame.widget_keys import key_showing, renew, widget_key
from deconv_dashboard.gallery import map_orders
from deconv_dashboard.gallery.downloads import file_stem
from deconv_dashboard.gallery.photograph import asking_for
from deconv_dashboard.gallery.tiles import Panel, Tile, gallery
from deconv_dashboard.server import index_answers, reconstructing
from deconv_dashboard.server.sheet_tiles import sheet_tiles
from deconv_dashboard.values import Choice
from deconv_dashboard.wording import activation_text, counted, label_name

PAGE = 64
TABLE = "table"
"""Value of ``show`` in the address."""
_PART = 16
_WITH_LAYER = 128  # pixels of a tile whose caption names the layer


def map_href(channel: int) -> str:
    """The address of a feature map of this layer, for "open in a new tab"."""
    return "feature_map?" + urlencode(address.link_to(map=channel))


def unit_href(unit: Unit) -> str:
    """The address of a feature map of any layer, for "open in a new tab"."""
    return "feature_map?" + urlencode(address.link_to(layer=unit.layer, map=unit.channel))


def all_maps(choice: Choice, index: ActivationIndex, layer: Layer) -> None:
    """Draw the contact sheet or the table of a layer's maps, in the chosen order."""
    st.markdown(f"## All {layer.channels} feature maps")
    maps = index_answers.maps_of(choice, layer.name, choice.label)
    if dead := int(maps["dead"].sum()):
        st.caption(f"{counted(dead, 'map')} never fire{'s' if dead == 1 else ''} in these images.")
    order = choice.values.get("order", map_orders.NUMBER)
    order = order if order in map_orders.orders_of(index) else map_orders.NUMBER
    as_table = choice.values.get("show") == TABLE
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _pick_view(as_table)
        _pick_order(index, order)
        if as_table:
            text, hide = _pick_matching(choice)
        else:
            page = _pick_page(choice, layer)
    listed = map_orders.ordered(choice, layer, maps, order, with_labels=as_table)
    if as_table:
        _table(choice, layer, _matching(choice, layer, listed, text, hide=hide), order)
    else:
        _sheet(choice, layer, listed[(page - 1) * PAGE : page * PAGE], order)


def _pick_view(as_table: bool) -> None:
    def changed() -> None:
        picked = st.session_state[widget_key("maps_view")]
        address.visit("layer", show=TABLE if picked == "Table" else None)

    st.segmented_control(
        "View",
        ["Contact sheet", "Table"],
        required=True,
        key=key_showing("maps_view", "Table" if as_table else "Contact sheet"),
        on_change=changed,
        label_visibility="collapsed",
    )


def _pick_order(index: ActivationIndex, order: str) -> None:
    orders = distinct(map_orders.orders_of(index), map_orders.title_of)

    def changed() -> None:
        picked = st.session_state[widget_key("sheet_order")]
        address.visit("layer", order=None if picked == map_orders.NUMBER else picked, part=None)

    st.selectbox(
        "Order",
        list(orders),
        format_func=orders.__getitem__,
        key=key_showing("sheet_order", order),
        on_change=changed,
        width=240,
        help="With a label: the maps whose peaks tell its images best from all others come first.",
    )


def _pick_matching(choice: Choice) -> tuple[str, bool]:
    """The text that a map's number or name contains, and whether to hide dead maps."""
    text, alive = choice.values.get("find", ""), choice.values.get("alive") == address.ALIVE

    def changed() -> None:
        written = st.session_state[widget_key("maps_filter")].strip()
        hidden = st.session_state[widget_key("maps_alive")]
        address.visit("layer", find=written, alive=address.ALIVE if hidden else None)

    st.text_input(
        "Number or name contains",
        max_chars=100,
        key=key_showing("maps_filter", text),
        on_change=changed,
        width=220,
    )
    st.toggle("Hide maps that never fire", key=key_showing("maps_alive", alive), on_change=changed)
    return text, alive


def _pick_page(choice: Choice, layer: Layer) -> int:
    pages = -(-layer.channels // PAGE)
    here = min(max(whole_number(choice.values.get("part", "1")), 1), pages)

    def changed() -> None:
        picked = st.session_state[widget_key("sheet_page")]
        address.visit("layer", part=None if picked == 1 else picked)

    if pages > 1:
        if st.session_state.get(widget_key("sheet_page"), here) != here:
            renew("sheet_page")
        key = widget_key("sheet_page")
        st.pagination(pages, default=here, width=320, key=key, on_change=changed)
    return here


def _matching(
    choice: Choice, layer: Layer, maps: pd.DataFrame, text: str, *, hide: bool
) -> pd.DataFrame:
    """The maps whose number or name has a text in it; ``hide`` leaves out dead ones."""
    names = [choice.names.get(str(Unit(layer.name, channel)), "") for channel in maps["channel"]]
    if any(names):
        maps = maps.copy()
        maps.insert(1, "name", names)
    wanted = composed(text).casefold()
    said = [f"{c} {composed(n).casefold()}" for c, n in zip(maps["channel"], names, strict=True)]
    shown = maps[[wanted in one for one in said]]
    return (shown[~shown["dead"]] if hide else shown).reset_index(drop=True)


def _table(choice: Choice, layer: Layer, shown: pd.DataFrame, order: str) -> None:
    listed = shown["channel"].tolist()

    def picked() -> None:  # runs before the page, so ``listed`` still matches the table
        cells = st.session_state[f"maps_table_{layer.name}"]["selection"]["cells"]
        st.session_state["maps_picked"] = [listed[row] for row, _ in cells]

    number, progress = st.column_config.NumberColumn, st.column_config.ProgressColumn
    largest = float(shown["max"].max() or 1.0) if len(shown) else 1.0
    ordered_by = map_orders.label_of_order(order)
    data_table(
        shown.drop(columns="dead"),
        file_stem(choice, f"{layer.name}_maps", None, choice.label),
        f"maps_table_{layer.name}",
        made=choice.made,
        on_select=picked,
        selection_mode="single-cell",
        height=420,
        alt=f"The feature maps of {layer.name}",
        column_config={
            "channel": number("Feature map", width="small"),
            "name": st.column_config.TextColumn("Name"),
            "max": progress(
                "Strongest activation", min_value=0.0, max_value=largest, format="%.4g", color=BARS
            ),
            "mean": number("Mean of the peaks", format="%.4g"),
            "share": progress(
                "Images that activate it",
                min_value=0.0,
                max_value=1.0,
                format="percent",
                color=BARS,
            ),
            "best_label": st.column_config.TextColumn("Tells apart best"),
            "best_auc": number("Area", format="%.3f"),
            "auc": number(f"Area, {label_name(ordered_by or '')}", format="%.3f"),
            "auc_low": number("From", format="%.3f"),
            "auc_high": number("To", format="%.3f"),
        },
    )
    st.caption(
        "Click a row to open its feature map. Click a column's heading to sort. "
        f"{messages.of_all_images(choice)}"
    )
    for channel in st.session_state.pop("maps_picked", []):
        open_map(int(channel))


def open_map(channel: int) -> None:
    """Go to a feature map of this layer."""
    st.switch_page(address.PAGE_FILES["feature_map"], query_params=address.link_to(map=channel))


def open_unit(unit: str) -> None:
    """Go to a feature map of any layer, for example "conv4_4/171"."""
    layer, _, channel = unit.rpartition("/")
    there = address.link_to(layer=layer, map=channel)
    st.switch_page(address.PAGE_FILES["feature_map"], query_params=there)


def _sheet(choice: Choice, layer: Layer, shown: pd.DataFrame, order: str) -> None:
    units = [Unit(layer.name, int(channel)) for channel in shown["channel"]]
    said: dict[Unit, str] = {}
    of_label = ""
    if (label := map_orders.label_of_order(order)) is not None:
        said = {u: f"{area:.3f}" for u, area in zip(units, shown["auc"], strict=True)}
        of_label = (
            f" The number is the area under the ROC curve for {escape(label_name(label))}: 1 if "
            "every image of the label has a larger peak than every other image, 0.5 for no "
            "difference."
        )
    st.caption(
        "Each tile: the reconstruction of the map's strongest activation, on its own scale, and "
        f"its patch.{of_label} {messages.as_scanned(choice)}"
    )
    try:
        if _wanted(choice, layer, units):
            map_tiles(choice, units, "sheet", said=said)
    except DeconvError:  # the full message is above, in place of the top 9
        st.caption("The pictures cannot be made; the table lists all maps.")


def _wanted(choice: Choice, layer: Layer, units: Sequence[Unit]) -> bool:
    """True if the sheet is to be drawn; else draw a button that asks for it.

    Pictures of deep layers take long. They are made when a person asks for the sheet of a layer,
    once in a session; a sheet whose pictures are all at hand needs no asking.
    """
    asked: set[tuple[str, str]] = st.session_state.setdefault("sheets_asked", set())
    this = str(choice.index_path), layer.name
    best = [found for found in index_answers.best_of_maps(choice, units) if found is not None]
    if this in asked or reconstructing.at_hand(choice, best):
        return True
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Draw the contact sheet",
            key="draw_sheet",
            icon=":material/apps:",
            on_click=asked.add,
            args=(this,),
        )
        st.caption(f"{counted(len(best), 'picture')}; deep layers take longest.", width="content")
    return False


def map_tiles(
    choice: Choice,
    units: Sequence[Unit],
    key: str,
    *,
    names_layer: bool = False,
    said: Mapping[Unit, str] | None = None,
) -> None:
    """Draw each map's strongest activation as a tile that opens the map, a few rows at a time.

    Args:
        choice: what the page shows.
        units: the maps.
        key: of the galleries, unique on the page.
        names_layer: True names the layer in captions.
        said: what the caption says of a map, in place of its activation.

    Raises:
        DeconvError: the pictures cannot be made.
    """
    for first in range(0, len(units), _PART):
        part = units[first : first + _PART]
        best = index_answers.best_of_maps(choice, part)
        alive = [activation for activation in best if activation is not None]
        made = sheet_tiles(choice, alive, f"{key}_{first}", height=160)
        ranks = {activation: rank for rank, activation in enumerate(alive, 1)}
        tiles = []
        for unit, activation in zip(part, best, strict=True):
            star = "★ " if unit in choice.named and choice.named[unit].star else ""
            number = f"{star}{unit if names_layer else unit.channel}"
            drawn = made.get(ranks[activation]) if activation is not None else None
            text = (said or {}).get(unit, "")
            tiles.append(_tile(choice, unit, number, activation, drawn, text))
        opened = gallery(
            [Panel("", tiles, columns=0, kind="pairs")],
            key=f"{key}_{first}",
            panel_columns=1,
            smallest=_WITH_LAYER if names_layer else 108,
        )
        if opened is not None:
            open_unit(opened)


def _tile(
    choice: Choice,
    unit: Unit,
    number: str,
    activation: Activation | None,
    drawn: DrawnTile | None,
    said: str,
) -> Tile:
    title, name = choice.title_of(unit), choice.name_of(unit)
    if activation is None or drawn is None:
        why = "never fires" if activation is None else "image gone or changed"
        return Tile(b"", title, f"{number} · {why}", name, str(unit), unit_href(unit))
    said = said or activation_text(activation.value, approximate=choice.approximate)
    return Tile(
        drawn.reconstruction,
        f"{title}: reconstruction and patch in {activation.image_id}",
        f"{number} · {said}",
        name,
        str(unit),
        unit_href(unit),
        second=drawn.patch,
        photograph=asking_for(activation, choice.layers[unit.layer]),
    )
