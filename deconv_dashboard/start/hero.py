"""The top of Start: the nine strongest activations of a layer, and what they are."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from deconv_dashboard.depths import depths, first_shown
from deconv_dashboard.frame import address, messages
from deconv_dashboard.gallery import answers, refining, tour
from deconv_dashboard.gallery.downloads import downloads, file_stem
from deconv_dashboard.gallery.photograph import photographs
from deconv_dashboard.gallery.tiles import gallery
from deconv_dashboard.server import resources
from deconv_dashboard.start.opening import opening_for, with_opening
from deconv_dashboard.values import Choice
from deconv_dashboard.wording import counted, field_text


def hero(choice: Choice, buttons: DeltaGenerator) -> Callable[[], None]:
    """Draw the text, and reserve the place of nine reconstructions beside nine patches.

    Args:
        choice: the choices of this page run.
        buttons: the place of the download button.

    Returns:
        A function that draws the pictures; call it after the rest of the page.
    """
    left, right = st.columns([9, 4], gap="medium")
    with left:
        layer = _layer_picker(choice)
        slot = _place(choice, layer)
    with right:
        _words(choice, layer)
    return lambda: _pictures(choice, layer, slot, buttons)


def _place(choice: Choice, layer: str) -> DeltaGenerator:
    """The place of the pictures; it shows those of the last page run until new ones are ready."""
    shown = (str(choice.index_path), layer)
    if st.session_state.get("hero_shown") == shown:
        return st.container()
    st.session_state["hero_shown"] = shown
    slot = st.empty()
    slot.skeleton(height=400)
    return slot


def _layer_picker(choice: Choice) -> str:
    """Draw a choice of five layers from shallow to deep."""
    layer = st.segmented_control(
        "Layer",
        depths(choice.layers),
        default=first_shown(choice.layers),
        required=True,
        key="start_layer",
        wrap=True,
        label_visibility="collapsed",
    )
    return str(layer)


def _words(choice: Choice, layer: str) -> None:
    """Draw the text that explains the pictures."""
    st.markdown(
        "A convolutional network looks at pictures through many small detectors, its **feature "
        "maps**. This page shows the image patches that activate a layer most. Beside each patch "
        "is its **reconstruction**: what the deconvnet makes of this one activation. Grey is zero."
    )
    if choice.dataset.kind == "demo":
        st.markdown("To use your own pictures, choose a folder below.")
    shown = choice.layers[layer]
    scanned = counted(len(choice.index.images) if choice.index else 0, "image")
    st.caption(
        f"Shown: up to nine of {scanned}, which activate {layer} most. {layer} has "
        f"{shown.channels} feature maps. Receptive field: {field_text(shown)}. "
        "Click a picture to open its feature map."
    )
    st.page_link(
        address.PAGE_FILES["layer"],
        label=f"Explore {layer}",
        icon=":material/arrow_forward:",
        query_params=address.link_to(layer=layer, map=None),
    )
    if tour.stops(choice):
        st.caption("Tour")
        with st.container(horizontal=True, gap="xsmall"):
            tour.tour_links(choice)


def _pictures(choice: Choice, layer: str, slot: DeltaGenerator, buttons: DeltaGenerator) -> None:
    picked, scale, checking = None, None, None
    with slot.container(), messages.explained(choice):
        answer = answers.find(choice, layer, None, 9, None)
        answers.fires_in(choice, answer, 9)
        if (opening := opening_for(choice, layer, answer)) is not None:
            answer, caption = with_opening(answer, opening), opening.caption
            resources.warm_up()  # these tiles are stored; the next page must compute its pictures
        else:
            (answer,) = answers.with_pictures(choice, [answer])
            if not answer.pictures.found:
                return
            scale = answers.scale_for("clipped", [answer])
            caption = scale.caption
        panels = answers.panels(
            answer,
            choice.layers,
            scale,
            names_map=True,
            names_file=False,
            value=lambda _, activation: str(activation.unit.channel),
        )
        picked = gallery(panels, "start_tiles")
        photographs(choice)
        st.caption(f"Reconstructions: {caption}.")
        checking = st.container()
    if checking is None:  # ``explained`` showed an error; mypy does not know this
        return  # type: ignore[unreachable]
    if scale is not None:
        stem = file_stem(choice, layer, None, None)
        title = f"{layer} · {choice.dataset.name}"
        with buttons:
            downloads(
                *(answer.pictures.all, stem, choice.layers[layer], scale, choice.made, "start"),
                heading=title,
                copies=answer.copies,
            )
    if picked:
        st.switch_page(
            address.PAGE_FILES["feature_map"],
            query_params=address.link_to(layer=layer, map=int(picked)),
        )
    with checking:
        refining.settle(choice, layer, None, 9, [answer])
