"""What Start shows first: the nine strongest activations of a layer, or what to do to get them."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import address, answers
from dashboard.shell import Choice
from dashboard.tiles import gallery
from dashboard.wording import counted

_DEPTHS = ("conv1_2", "conv2_2", "conv3_4", "conv4_4", "conv5_4")
_FIRST = "conv4_4"


def hero(choice: Choice) -> Callable[[], None]:
    """Draw words, and keep the place for nine reconstructions beside nine patches.

    Returns:
        What fills the place; to be called when everything else is on the page.
    """
    left, right = st.columns([7, 4], gap="large")
    with left:
        layer = _layer_picker(choice)
        slot = _place(choice, layer)
    with right:
        _words(choice, layer)
    return lambda: _pictures(choice, layer, slot)


def _place(choice: Choice, layer: str) -> DeltaGenerator:
    """Room for the pictures; those of the last run stay in it until the new ones are there."""
    shown = (str(choice.index_path), layer)
    if st.session_state.get("hero_shown") == shown:
        return st.container()
    st.session_state["hero_shown"] = shown
    slot = st.empty()
    slot.skeleton(height=400)
    return slot


def _layer_picker(choice: Choice) -> str:
    """Five layers from shallow to deep."""
    names = [name for name in _DEPTHS if name in choice.layers] or list(choice.layers)[:5]
    layer = st.segmented_control(
        "Layer",
        names,
        default=_FIRST if _FIRST in names else names[-1],
        required=True,
        key="start_layer",
        label_visibility="collapsed",
    )
    return str(layer)


def _words(choice: Choice, layer: str) -> None:
    """What this is, and what is shown."""
    st.subheader("What does a feature map see?")
    st.markdown(
        "A convolutional network looks at pictures through thousands of small detectors, its "
        "feature maps. Scan a folder once, then see what excites any of them: the image patches, "
        "and beside them what the deconvnet makes of the activation alone. To see it on your own "
        "pictures, choose a folder below."
    )
    shown = choice.layers[layer]
    scanned = counted(len(choice.index.images) if choice.index else 0, "image")
    st.caption(
        f"Shown: of {scanned}, the nine that excite {layer} most. It has {shown.channels} feature "
        f"maps; each place in one sees {shown.receptive_field.size} x "
        f"{shown.receptive_field.size} pixels. Click a picture to open its feature map."
    )
    st.page_link(
        address.PAGE_FILES["layer"],
        label=f"Explore {layer}",
        icon=":material/arrow_forward:",
        query_params=address.link_to(layer=layer, map=None),
    )


def _pictures(choice: Choice, layer: str, slot: DeltaGenerator) -> None:
    with slot.container():
        answer = answers.find(choice, layer, None, 9, None)
        answers.fires_in(choice, answer, 9)
        (answer,) = answers.with_pictures(choice, [answer])
        if not answer.pictures.found:
            return
        panels = answers.panels(
            choice,
            answer,
            answers.scale_for("clipped", [answer]),
            names_map=True,
            value=lambda rank, activation: str(activation.unit.channel),
        )
        picked = gallery(panels, "start_tiles")
    if picked:
        st.switch_page(
            address.PAGE_FILES["feature_map"],
            query_params=address.link_to(layer=layer, map=int(picked)),
        )
