"""Image: which feature maps one image activates, and where."""

from __future__ import annotations

import numpy as np
import streamlit as st

import deconv_core
from deconv_core.layers import Layer
from deconv_core.pictures import RULE_NAMES
from deconv_core.units import Activation, Unit
from deconv_dashboard.depths import first_shown
from deconv_dashboard.frame import address, messages, pickers
from deconv_dashboard.frame.choice import whole_number
from deconv_dashboard.frame.data_tables import data_table
from deconv_dashboard.frame.shell import escape, heading, shell
from deconv_dashboard.gallery import answers
from deconv_dashboard.gallery.choose_one import Shown, choose_image, image_menu
from deconv_dashboard.gallery.occlusion_panel import occlusion_panel
from deconv_dashboard.gallery.tiles import Mark, Panel, Tile, gallery, pick_position
from deconv_dashboard.server import drawn, reconstructing, resources
from deconv_dashboard.values import Choice
from deconv_dashboard.wording import activation_text

PAGE, MOST = "image", 12


def layers_of(choice: Choice) -> dict[str, Layer]:
    """The layers of the index; without an index, the layers of the network."""
    return dict(choice.layers or resources.network_of(choice).layers)


def position_of(choice: Choice, shown: Shown) -> tuple[int, int] | None:
    """The pixel (x, y) in the address; None if it does not name one of the image."""
    x, comma, y = choice.values.get("position", "").partition(",")
    place = whole_number(x), whole_number(y)
    height, width = shown.seen.pixels.shape[:2]
    return place if comma and 0 <= place[0] < width and 0 <= place[1] < height else None


def strongest_maps(
    planes: np.ndarray, layer: Layer, image_id: str, place: tuple[int, int] | None
) -> list[Activation]:
    """The maps with the largest values: in the whole image, or at one pixel of it."""
    flat = planes.reshape(len(planes), -1)
    where = flat.argmax(axis=1)
    if place is not None:
        row, column = layer.location_at(place[1], place[0])
        where = np.full(len(planes), row * layer.width + column)
    values = flat[np.arange(len(planes)), where]
    best = np.argsort(-values, kind="stable")[:MOST]
    return [
        Activation(
            Unit(layer.name, int(channel)),
            image_id,
            int(where[channel] // layer.width),
            int(where[channel] % layer.width),
            float(values[channel]),
        )
        for channel in best
        if values[channel] > 0
    ]


def map_tiles(
    choice: Choice,
    network: deconv_core.Network,
    shown: Shown,
    found: list[Activation],
    chosen: int,
) -> None:
    """Draw each map as reconstruction and patch; a click lays a map over the image."""
    made = reconstructing.watched_in(network, shown.folder, found, 480, choice.rule)
    tiles = []
    for rank, activation in enumerate(found, 1):
        picture, channel = made.found.get(rank), activation.unit.channel
        key = made.keys.get(rank)
        pngs = [
            drawn.tile_png(picture, key, kind, answers.PER_TILE) if picture and key else b""
            for kind in ("reconstruction", "patch")
        ]
        alt = f"Feature map {channel}: reconstruction and patch"
        tiles.append(
            Tile(
                pngs[0],
                alt,
                f"map {channel} · {activation_text(activation.value)}",
                choice.name_of(activation.unit),
                str(channel),
                chosen=channel == chosen,
                second=pngs[1],
            )
        )
    gallery(
        [Panel("", tiles, columns=3, kind="pairs")],
        key="image_maps",
        panel_columns=1,
        smallest=72,
        on_pick=lambda channel: address.visit(PAGE, map=channel),
    )


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
    if shown.seen.note:
        st.caption(f":material/exposure: This picture is {escape(shown.seen.note)}.")
    if not shown.uploaded:
        messages.since_the_scan(choice, shown.image_id, shown.seen.content_hash)
    layers = layers_of(choice)
    layer = layers.get(choice.values.get("layer", "")) or layers[first_shown(layers)]
    pickers.layer_strip(PAGE, layers, layer.name)
    place = position_of(choice, shown)
    left, right = st.columns([5, 7], gap="medium")
    with right:
        status = st.container(horizontal=True, vertical_alignment="center")
    with left, st.skeleton(height=400):
        network = resources.network_of(choice)
        check_layers(choice, network)
        planes = reconstructing.planes(network, shown.seen, layer.name)
    found = strongest_maps(planes, layer, shown.image_id, place)
    asked = whole_number(choice.values.get("map", ""))
    listed = [activation.unit.channel for activation in found]
    chosen = asked if 0 <= asked < layer.channels else (listed[0] if listed else 0)
    with left:
        picture(shown, layer, place, planes[chosen], chosen)
    with right:
        with status:
            where = "in this image" if place is None else "at the cross"
            st.markdown(f"### Strongest maps of {layer.name} {where}", width="stretch")
            if place is not None:
                st.button(
                    "Whole image",
                    key="whole_image",
                    icon=":material/fullscreen:",
                    on_click=lambda: address.visit(PAGE, position=None),
                )
        if found:
            map_tiles(choice, network, shown, found, chosen)
            pickers.rule_picker(PAGE, choice.rule)
            st.caption(
                f"Left: the map's reconstruction from this image ({RULE_NAMES[choice.rule]}), on "
                "its own scale. Right: the patch it sees. Click a map to lay it over the image."
            )
        else:
            st.info("No map of this layer fires here.", icon=":material/block:")
        open_link(choice, Unit(layer.name, chosen))
    at = activation_at(planes[chosen], layer, Unit(layer.name, chosen), shown.image_id, place)
    occlusion_panel(choice, network, shown, at)
    by_layer(choice, network, shown)


def activation_at(
    plane: np.ndarray, layer: Layer, unit: Unit, image_id: str, place: tuple[int, int] | None
) -> Activation:
    """A map's activation at its peak, or at one pixel of the image; it may be 0."""
    row, column = divmod(int(plane.argmax()), layer.width)
    if place is not None:
        row, column = layer.location_at(place[1], place[0])
    return Activation(unit, image_id, row, column, float(plane[row, column]))


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
) -> None:
    """Draw the image, or a feature map over it; a click picks a position."""
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
    if plane.max() <= 0:
        hint = f"Feature map {chosen} does not fire in this image. {hint}"
    if place is not None:
        x, y = place
        hint = f"Column {x}, row {y}. The frame shows what one location of {layer.name} sees."
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
        table = table.assign(name=names) if any(names) else table
        data_table(
            table,
            "strongest-map-of-every-layer",
            "by_layer",
            height="content",
            alt="The strongest map of every layer",
            column_config={"value": st.column_config.NumberColumn("value", format="%.4g")},
        )


choice = shell(PAGE, title="Image")
with messages.explained(choice):
    page(choice)
