"""Image: which feature maps one image activates, and where."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import streamlit as st

import deconv_core
from deconv_core.layers import Layer
from deconv_core.units import Activation, Unit
from deconv_dashboard.depths import first_shown
from deconv_dashboard.frame import address, messages, pickers
from deconv_dashboard.frame.address import ALL, UNUSUAL
from deconv_dashboard.frame.choice import whole_number
from deconv_dashboard.frame.data_tables import data_table
from deconv_dashboard.frame.shell import escape, heading, name_tab, shell
from deconv_dashboard.frame.widget_keys import renew, widget_key
from deconv_dashboard.gallery import image_maps
from deconv_dashboard.gallery.choose_one import Shown, choose_image, image_menu
from deconv_dashboard.gallery.occlusion_panel import occlusion_panel
from deconv_dashboard.gallery.photograph import photographs
from deconv_dashboard.gallery.tiles import Mark, pick_position
from deconv_dashboard.server import drawn, reconstructing, resources
from deconv_dashboard.values import Choice

PAGE = "image"


def layers_of(choice: Choice) -> dict[str, Layer]:
    """The layers of the index; without an index, the layers of the network."""
    return dict(choice.layers or resources.network_of(choice).layers)


def position_of(choice: Choice, shown: Shown) -> tuple[int, int] | None:
    """The pixel (x, y) in the address; None if it does not name one of the image."""
    x, comma, y = choice.values.get("position", "").partition(",")
    place = whole_number(x), whole_number(y)
    height, width = shown.seen.pixels.shape[:2]
    return place if comma and 0 <= place[0] < width and 0 <= place[1] < height else None


def page(choice: Choice) -> None:
    """Draw everything below the header."""
    above = st.container()  # for the title: messages about the choice appear below it
    shown = choose_image(choice)
    with above:
        buttons = heading(choice, shown.name if shown else "No image")
    with buttons:
        image_menu(choice, shown)
    if shown is None:
        return
    name_tab(Path(shown.name).name)
    if shown.seen.note:
        st.caption(f":material/exposure: This picture is {escape(shown.seen.note)}.")
    if not shown.uploaded:
        messages.since_the_scan(choice, shown.image_id, shown.seen.content_hash)
    layers = layers_of(choice)
    layer = layers.get(choice.values.get("layer", "")) or layers[first_shown(layers)]
    pickers.layer_strip(PAGE, layers, layer.name)
    photographs(choice, shown.folder)
    place = position_of(choice, shown)
    left, right = st.columns([5, 7], gap="medium")
    with right:
        status = st.container(horizontal=True, vertical_alignment="center")
    with left, st.skeleton(height=400):
        network = resources.network_of(choice)
        check_layers(choice, network)
        planes = reconstructing.planes(network, shown.seen, layer.name)
    found = image_maps.activations(planes, layer, shown.image_id, place)
    listed = listed_maps(choice, shown, found, place)
    asked = whole_number(choice.values.get("map", ""))
    chosen = chosen_map(listed, found, asked, everything=choice.values.get("list") == ALL)
    replaced = asked if 0 <= asked < layer.channels and asked != chosen else None
    with left:
        picture(shown, layer, place, planes[chosen], chosen, replaced)
    with right:
        with status:
            title(choice, layer, place)
        if choice.values.get("list") == ALL:
            image_maps.all_planes(choice, network, shown, planes, layer, chosen)
        elif listed:
            image_maps.map_tiles(choice, network, shown, listed, chosen, place)
            pickers.rule_picker(PAGE, choice.rule)
            image_maps.about_tiles(choice, place)
        else:
            st.info("No map of this layer fires here.", icon=":material/block:")
        open_link(choice, Unit(layer.name, chosen))
    occlusion_panel(choice, network, shown, found[chosen])
    by_layer(choice, network, shown)


def listed_maps(
    choice: Choice, shown: Shown, found: Sequence[Activation], place: image_maps.Place
) -> list[image_maps.ListedMap]:
    """The maps beside the image; the map in the address is among them if it fires."""
    unusual = choice.values.get("list") == UNUSUAL
    shares = image_maps.percentiles(choice, shown, found, place) if unusual else None
    most = image_maps.MOST if place is None else image_maps.MOST - 1  # one tile is the patch
    asked = whole_number(choice.values.get("map", ""))
    return image_maps.shortened(image_maps.ranked(found, shares), most, asked)


def chosen_map(
    listed: Sequence[image_maps.ListedMap],
    found: Sequence[Activation],
    asked: int,
    *,
    everything: bool,
) -> int:
    """The map over the image: the one asked for if it is in the list, else the list's first."""
    channels = [one.channel for one in listed]
    if 0 <= asked < len(found) and (everything or not listed or asked in channels):
        return asked
    return channels[0] if listed else 0


def title(choice: Choice, layer: Layer, place: image_maps.Place) -> None:
    """Draw the heading of the list, the choice of the list, and the way back from a place."""
    where = "in this image" if place is None else "at the cross"
    said = {
        "": f"Strongest maps of {layer.name} {where}",
        UNUSUAL: f"Most unusual maps of {layer.name} {where}",
        ALL: f"All maps of {layer.name} in this image",
    }
    st.markdown(f"## {said[choice.values.get('list', '')]}", width="stretch")
    image_maps.list_picker(choice)
    if place is not None:
        st.button(
            "Whole image",
            key="whole_image",
            icon=":material/fullscreen:",
            on_click=lambda: address.visit(PAGE, position=None),
        )


def check_layers(choice: Choice, network: deconv_core.Network) -> None:
    """Refuse a network whose layers differ from the index's: the page draws the index's layers.

    Raises:
        IndexMismatchError: the layers differ.
    """
    if choice.index is not None and dict(network.layers) != dict(choice.layers):
        reconstructing.matching_network(choice)


def picture(
    shown: Shown,
    layer: Layer,
    place: tuple[int, int] | None,
    plane: np.ndarray,
    chosen: int,
    replaced: int | None,
) -> None:
    """Draw the image, or a feature map over it; a click picks a position.

    Args:
        shown: the image.
        layer: the layer.
        place: the picked position.
        plane: the feature map.
        chosen: its number.
        replaced: the map that was asked for and does not fire; None if it is the chosen one.
    """
    over = st.toggle(f"Feature map {chosen} over the image", value=True, key="show_plane")
    height, width = shown.seen.pixels.shape[:2]
    marks = []
    if place is not None:
        box = layer.box(*layer.location_at(place[1], place[0]))
        marks = [Mark(box.left, box.top, box.width, box.height), Mark(*place)]
    pick_position(
        drawn.overlay_png(shown.seen.pixels, plane if over else None, layer),
        "image_picture",
        alt=shown.name,
        marks=marks,
        size=(height, width),
        step=max(1, layer.receptive_field.stride or height // layer.height),
        on_pick=lambda text: address.visit(PAGE, position=text),
    )
    hint = "Click on the image to see which maps fire there."
    if place is not None:
        x, y = place
        hint = f"Column {x}, row {y}. The frame shows what one location of {layer.name} sees."
    if replaced is not None:
        where = "in this image" if place is None else "here"
        hint = f"Feature map {replaced} does not fire {where}; this is map {chosen}. {hint}"
    elif plane.max() <= 0:
        hint = f"Feature map {chosen} does not fire in this image. {hint}"
    st.caption(hint)


def open_link(choice: Choice, unit: Unit) -> None:
    """Link to the feature map that lies over the image."""
    title = choice.title_of(unit)
    st.page_link(
        address.PAGE_FILES["feature_map"],
        label=escape(f"Open {title[:1].lower()}{title[1:]}"),
        icon=":material/arrow_forward:",
        query_params=address.link_to(layer=unit.layer, map=unit.channel),
    )


def by_layer(choice: Choice, network: deconv_core.Network, shown: Shown) -> None:
    """Draw a table: the strongest map of every layer in this image."""
    with st.expander("The strongest map of every layer", icon=":material/table_rows:"):
        table = reconstructing.strongest_by_layer(network, shown.seen)
        units = zip(table["layer"], table["channel"], strict=True)
        names = [choice.names.get(str(Unit(*unit)), "") for unit in units]
        shown_table = table.assign(name=names) if any(names) else table

        def picked() -> None:  # runs before the page, so ``table`` still matches what was clicked
            for row, _ in st.session_state[widget_key("by_layer")]["selection"]["cells"]:
                name, channel = table["layer"].iloc[row], table["channel"].iloc[row]
                address.visit(PAGE, layer=name, map=channel, position=None)
            renew("by_layer")  # else a second click on the same row would only deselect it

        data_table(
            shown_table,
            "strongest-map-of-every-layer",
            key=widget_key("by_layer"),
            on_select=picked,
            selection_mode="single-cell",
            height="content",
            alt="The strongest map of every layer",
            column_config={"value": st.column_config.NumberColumn("value", format="%.4g")},
        )
        st.caption("Click a row to lay its map over the image.")


choice = shell(PAGE, title="Image")
with messages.explained(choice):
    page(choice)
