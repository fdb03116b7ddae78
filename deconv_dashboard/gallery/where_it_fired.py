"""The whole image of a chosen tile, with the receptive field and the feature map drawn over it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from deconv_core.errors import DeconvError
from deconv_core.units import Activation
from deconv_dashboard.frame import address
from deconv_dashboard.frame.shell import escape
from deconv_dashboard.gallery import answers
from deconv_dashboard.gallery.tiles import Mark, pick_position
from deconv_dashboard.server import drawn, reconstructing, resources
from deconv_dashboard.server.told import told
from deconv_dashboard.values import Choice

_NAMED = 5


def where_it_fired(choice: Choice, picked: answers.Picked) -> None:
    """Draw the image with the receptive field, the map over the image, and the reconstruction."""
    activation = picked.activation
    box = choice.layers[activation.unit.layer].box(activation.row, activation.column)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"## Where it fired: rank {picked.rank}", width="stretch")
        st.page_link(
            address.PAGE_FILES["image"],
            label="Open the image",
            icon=":material/image_search:",
            query_params=address.link_to(image=activation.image_id, **address.place_of(choice)),
        )
    st.caption(
        f"{escape(activation.image_id)} · activation {activation.value:.4g} at row "
        f"{activation.row}, column {activation.column} · sees pixel rows {box.top} to "
        f"{box.bottom - 1}, columns {box.left} to {box.right - 1}. Click another picture above to "
        "see where it fired."
    )
    if picked.copies:
        named = ", ".join(escape(image_id) for image_id in picked.copies[:_NAMED])
        rest = len(picked.copies) - _NAMED
        more = f" and {rest:,} more" if rest > 0 else ""
        st.caption(f"Files of equal content: {named}{more}.")
    places = st.columns(3, gap="medium")
    mark = Mark(box.left, box.top, box.width, box.height)
    try:
        _draw(choice, picked, activation, mark, places)
    except DeconvError as error:
        st.caption(f"The image cannot be shown: {escape(told(error))}")


def _draw(
    choice: Choice,
    picked: answers.Picked,
    activation: Activation,
    mark: Mark,
    places: Sequence[st.delta_generator.DeltaGenerator],
) -> None:
    seen = resources.scanned_image(choice, activation.image_id)
    unit = activation.unit
    size = seen.pixels.shape[0], seen.pixels.shape[1]
    with places[0]:
        st.caption("The image and the receptive field")
        png = drawn.overlay_png(seen.pixels)
        _still(png, "fired_image", f"{activation.image_id} with its receptive field", [mark], size)
    with places[1]:
        st.caption(f"Feature map {unit.channel} over the image")
        network = reconstructing.matching_network(choice)
        plane = reconstructing.planes(network, seen, unit.layer)[unit.channel]
        png = drawn.overlay_png(seen.pixels, plane, choice.layers[unit.layer])
        _still(png, "fired_plane", f"Plane of {unit} over {activation.image_id}", [mark], size)
    with places[2]:
        st.caption("The reconstruction, on its own scale")
        if picked.picture is not None and picked.key is not None:
            png = drawn.tile_png(picked.picture, picked.key, "reconstruction", answers.PER_TILE)
            _still(png, "fired_reconstruction", f"Reconstruction of {unit}", [], (1, 1))


def _still(png: bytes, key: str, alt: str, marks: Sequence[Mark], size: tuple[int, int]) -> None:
    pick_position(png, key, alt=alt, size=size, marks=marks, pickable=False)
