"""Patches over the whole distribution of a feature map, without reconstructions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from deconv_core.errors import DeconvError
from deconv_core.index.ranked_peaks import Rank
from deconv_core.units import Activation, label_of
from deconv_dashboard import bands
from deconv_dashboard.frame import address, messages
from deconv_dashboard.gallery.photograph import asking_for
from deconv_dashboard.gallery.tiles import Panel, Tile, gallery
from deconv_dashboard.server import drawn, index_answers
from deconv_dashboard.values import Choice
from deconv_dashboard.wording import activation_text, counted, percentile_text, shortened

_SHOWN = 9


def spread_row(side: Choice) -> None:
    """Draw one row of patches, from the strongest image to the weakest that activates the map."""
    ranked = index_answers.ranked_of(side, side.unit, side.label)
    firing = ranked.firing
    if not len(firing):
        return
    part = firing.spread(_SHOWN)
    of = f", {side.called}" if side.called else ""
    heading = f"From strongest to weakest{of}"
    activation_row(side, heading, part.activations(), f"spread_{side.called}", part.ranks())
    silent = len(ranked) - len(firing)
    rest = f" In {counted(silent, 'image')} it is silent." if silent else ""
    some = "All" if len(part) == len(firing) else f"{len(part)} of the"
    st.caption(
        f"{some} {counted(len(firing), 'image')} in which the map fires, evenly spaced by rank."
        f"{rest} Below each: rank, percentile, activation. Click one to open it. "
        f"{messages.as_scanned(side)}"
    )


def activation_row(
    choice: Choice,
    heading: str,
    activations: Sequence[Activation],
    key: str,
    ranks: Mapping[str, Rank] | None = None,
) -> None:
    """Draw the patches of up to nine activations in one row; a click opens the image.

    Args:
        choice: of this page run.
        heading: above the row.
        activations: the patches to draw, in order.
        key: of the row, unique on the page.
        ranks: image id -> its place in the distribution, for the captions.
    """
    tiles = [_patch(choice, one, (ranks or {}).get(one.image_id)) for one in activations]
    panel = Panel(heading, tiles, columns=_SHOWN, kind="patch row")
    _open(choice, gallery([panel], key=key, panel_columns=1))


def silent_images(side: Choice, k: int) -> None:
    """Draw whole images in which a map is silent."""
    part = bands.shown_of(bands.SILENT, index_answers.ranked_of(side, side.unit, side.label), k)
    tiles = [
        Tile(
            drawn.thumbnail(side, image_id, 224),
            f"Image: {image_id}",
            shortened(label_of(image_id), 20),
            shortened(image_id.rpartition("/")[2]),
            image_id,
        )
        for image_id in part.table["image_id"].tolist()
    ]
    of = f", {side.called}" if side.called else ""
    panel = Panel(f"Images in which the map is silent{of}", tiles, columns=_SHOWN, kind="patch row")
    if tiles:
        _open(side, gallery([panel], key=f"silent_{side.called}", panel_columns=1))


def _patch(choice: Choice, activation: Activation, place: Rank | None) -> Tile:
    try:
        png = drawn.patch_png(choice, activation)
    except DeconvError:
        png = b""
    value = activation_text(activation.value, approximate=choice.approximate)
    title = shortened(label_of(activation.image_id), 20) or shortened(activation.image_id, 20)
    if place is not None:
        title = f"{place.rank:,} · {percentile_text(place.percentile)}"
    return Tile(
        png,
        f"Image patch: {activation.unit} in {activation.image_id}",
        title,
        value if png else "image gone or changed",
        activation.image_id,
        names=activation.image_id,
        photograph=asking_for(activation, choice.layers[activation.unit.layer]),
    )


def _open(choice: Choice, image_id: str | None) -> None:
    """Open an image with the map and the network of a side."""
    if image_id is not None:
        link = address.link_to(image=image_id, **address.place_of(choice))
        st.switch_page(address.PAGE_FILES["image"], query_params=link)
