"""The feature maps listed on the Image page: the strongest, the most unusual, or all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import streamlit as st

import deconv_core
from deconv_core.layers import Layer
from deconv_core.pictures import RULE_NAMES
from deconv_core.units import Activation, Unit
from deconv_dashboard.frame import address
from deconv_dashboard.frame.address import ALL, UNUSUAL
from deconv_dashboard.frame.widget_keys import key_showing, widget_key
from deconv_dashboard.gallery import answers
from deconv_dashboard.gallery.choose_one import Shown
from deconv_dashboard.gallery.photograph import asking_for
from deconv_dashboard.gallery.tiles import Panel, Tile, gallery
from deconv_dashboard.server import drawn, index_answers, reconstructing
from deconv_dashboard.values import Choice, Pictures
from deconv_dashboard.wording import activation_text, counted, ordinal, percentile_text

MOST = 12
"""How many tiles a list has."""
_LISTS = {"": "Strongest", UNUSUAL: "Most unusual", ALL: "All maps"}
Place = tuple[int, int] | None
"""A pixel (x, y) of the image; None for the whole image."""


@dataclass(frozen=True)
class ListedMap:
    """A map that fires in an image.

    Attributes:
        activation: its activation, above 0.
        rank: its place in the list of all that fire; 1 is the first.
        percentile: the share of images with a smaller peak; None if the list is by strength.
    """

    activation: Activation
    rank: int
    percentile: float | None = None

    @property
    def channel(self) -> int:
        """The number of the map."""
        return self.activation.unit.channel


def activations(
    planes: npt.NDArray[np.float32], layer: Layer, image_id: str, place: Place
) -> list[Activation]:
    """Each map's activation, at its peak or at one pixel of the image; some may be 0."""
    flat = planes.reshape(len(planes), -1)
    where = flat.argmax(axis=1)
    if place is not None:
        row, column = layer.location_at(place[1], place[0])
        where = np.full(len(planes), row * layer.width + column)
    rows, columns = np.divmod(where, layer.width)
    values = flat[np.arange(len(planes)), where]
    found = zip(rows.tolist(), columns.tolist(), values.tolist(), strict=True)
    return [
        Activation(Unit(layer.name, channel), image_id, row, column, value)
        for channel, (row, column, value) in enumerate(found)
    ]


def percentiles(
    choice: Choice, shown: Shown, found: Sequence[Activation], place: Place
) -> list[float]:
    """For each map of a layer, the share of images with a smaller peak than the activation found.

    Raises:
        DeconvError: the index is damaged or belongs to another network.
    """
    assert choice.index is not None, "the list is offered only with an index"
    reconstructing.matching_network(choice)
    scanned = choice.index.content_hashes([shown.image_id]).get(shown.image_id)
    known = place is None and not shown.uploaded and scanned == shown.seen.content_hash
    # The stored peaks of a scanned image: they compare exactly with those of the other images.
    image: str | tuple[float, ...] = shown.image_id
    if not known:
        image = tuple(activation.value for activation in found)
    table = index_answers.percentiles_of(choice, found[0].unit.layer, image)
    return [float(share) for share in table["percentile"]]


def ranked(found: Sequence[Activation], shares: Sequence[float] | None) -> list[ListedMap]:
    """The maps that fire, by percentile if it is given, then by strength, then by number."""
    firing = [activation for activation in found if activation.value > 0]
    if shares is None:
        firing.sort(key=lambda one: (-one.value, one.unit.channel))
        return [ListedMap(one, rank) for rank, one in enumerate(firing, 1)]
    firing.sort(key=lambda one: (-shares[one.unit.channel], -one.value, one.unit.channel))
    return [ListedMap(one, rank, shares[one.unit.channel]) for rank, one in enumerate(firing, 1)]


def shortened(maps: Sequence[ListedMap], most: int, asked: int) -> list[ListedMap]:
    """The first of a list; a map that is asked for and comes later has the last place."""
    later = [one for one in maps[most:] if one.channel == asked]
    return [*maps[: most - len(later)], *later]


def list_picker(choice: Choice) -> None:
    """Draw the choice of the list."""
    offered = [name for name in _LISTS if name != UNUSUAL or choice.index is not None]

    def changed() -> None:
        address.visit(choice.page, list=st.session_state[widget_key("pick_list")] or None)

    st.segmented_control(
        "Which maps",
        offered,
        format_func=_LISTS.__getitem__,
        key=key_showing("pick_list", choice.values.get("list", "")),
        on_change=changed,
        required=True,
        label_visibility="collapsed",
        help="Strongest: the maps with the largest activations. Most unusual: the maps whose "
        "activation exceeds their peaks in the largest share of the dataset's images; of equal "
        "shares, the strongest first. All maps: every map of the layer as a small picture.",
    )


def map_tiles(
    choice: Choice,
    network: deconv_core.Network,
    shown: Shown,
    listed: Sequence[ListedMap],
    chosen: int,
    place: Place,
) -> None:
    """Draw each map's reconstruction, with its patch; at one place all see the same, drawn once."""
    found = [one.activation for one in listed]
    made = reconstructing.watched_in(network, shown.folder, found, "maps", 480, choice.rule)
    tiles = []
    for number, one in enumerate(listed, 1):
        channel, extra = one.channel, [choice.name_of(one.activation.unit)]
        if one.rank > len(listed):
            extra.append(f"{ordinal(one.rank)} in the list")
        patch = b"" if place is not None else _png(made, number, "patch")
        tiles.append(
            Tile(
                _png(made, number, "reconstruction"),
                f"Feature map {channel}: reconstruction{' and patch' if patch else ''}",
                _caption(choice, one),
                " · ".join(filter(None, extra)),
                str(channel),
                chosen=channel == chosen,
                second=patch,
                photograph=asking_for(one.activation, network.layers[one.activation.unit.layer]),
            )
        )
    panel = Panel("", tiles, columns=3, kind="pairs")
    if place is not None:
        png = next((_png(made, number, "patch") for number in made.found), b"")
        patch_tile = Tile(png, "The patch that all these maps see", "Patch", "same for all")
        panel = Panel("", [patch_tile, *tiles], columns=4)
    gallery(
        [panel],
        key="image_maps",
        panel_columns=1,
        smallest=72,
        on_pick=lambda channel: address.visit(choice.page, map=channel),
    )


def about_tiles(choice: Choice, place: Place) -> None:
    """Say what the tiles show."""
    rule = RULE_NAMES[choice.rule]
    if place is None:
        said = (
            f"Each tile: the map's reconstruction from this image ({rule}), on its own scale, and "
            "the patch it sees."
        )
    else:
        said = (
            f"First the patch, which is the same for all maps at one place; then each map's "
            f"reconstruction from it ({rule}), on its own scale."
        )
    if choice.index is not None and choice.values.get("list") == UNUSUAL:
        images = counted(choice.index.counted(copies=choice.copies), "image")
        here = "its peak in this image" if place is None else "its activation here"
        said += f" The percentage: in how many of {images} the map's peak is smaller than {here}."
    st.caption(f"{said} Click a map to lay it over the image.")


def all_planes(
    choice: Choice,
    network: deconv_core.Network,
    shown: Shown,
    planes: npt.NDArray[np.float32],
    layer: Layer,
    chosen: int,
) -> None:
    """Draw every feature map of a layer as a small grey picture, all on one scale."""
    key = network.fingerprint, shown.seen.content, layer.name
    pngs, white = drawn.plane_pngs(planes, key)
    peaks = planes.max(axis=(1, 2)).tolist()
    tiles = [
        Tile(
            png,
            f"{choice.title_of(Unit(layer.name, channel))}: largest activation "
            f"{activation_text(peak)}",
            str(channel),
            value=str(channel),
            chosen=channel == chosen,
        )
        for channel, (png, peak) in enumerate(zip(pngs, peaks, strict=True))
    ]
    with st.container(height=620, key="image_planes_box"):
        gallery(
            [Panel("", tiles, columns=0, kind="planes")],
            key="image_planes",
            panel_columns=1,
            smallest=56,
            on_pick=lambda channel: address.visit(choice.page, map=channel),
        )
    st.caption(
        f"The feature maps in the order of their numbers, all on one scale: black is 0, white is "
        f"{activation_text(white)} or more (the strongest 1 % of the activations are clipped). "
        "Click a map to lay it over the image."
    )


def _caption(choice: Choice, one: ListedMap) -> str:
    said = f"map {one.channel} · {activation_text(one.activation.value)}"
    if one.percentile is None:
        return said
    return f"{said} · {'≈ ' if choice.approximate else ''}{percentile_text(one.percentile)}"


def _png(made: Pictures, number: int, kind: str) -> bytes:
    picture, key = made.found.get(number), made.keys.get(number)
    return drawn.tile_png(picture, key, kind, answers.PER_TILE) if picture and key else b""
