"""The first page's answer over the demo, ready made; and torch, loaded once that page is shown."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import streamlit as st

from dashboard.answers import Answer
from dashboard.choice import Choice
from deconv_core.demo import Opening, demo_index, demo_opening

_SHOWN_FIRST = 1.0  # seconds that the browser has to itself before torch is loaded


def opening_for(choice: Choice, layer: str, answer: Answer) -> Opening | None:
    """The stored answer, if exactly this was asked and the index still gives these activations."""
    asked_of_demo = choice.index_path == demo_index() and choice.network.network_id == "demo"
    if not asked_of_demo or answer.label is not None:
        return None
    opening = _stored()
    if opening is None or opening.layer != layer:
        return None
    return opening if tuple(answer.activations) == opening.activations else None


def with_opening(answer: Answer, opening: Opening) -> Answer:
    """The answer with the stored tiles in place of reconstructions."""
    tiles = {}
    for rank in range(1, len(answer.activations) + 1):
        tiles["reconstruction", rank] = opening.reconstructions[rank - 1]
        tiles["patch", rank] = opening.patches[rank - 1]
    return replace(answer, tiles=tiles)


@st.cache_resource(show_spinner=False)
def _stored() -> Opening | None:
    try:
        return demo_opening()
    except (OSError, ValueError, KeyError):  # it is only a short cut
        return None


@st.cache_resource(show_spinner=False)
def warm_up() -> threading.Thread:
    """Load torch, once a server, while the visitor looks at the first page."""

    def load() -> None:
        time.sleep(_SHOWN_FIRST)
        import deconv_core.reconstruction
        import deconv_core.rendering  # noqa: F401

    thread = threading.Thread(target=load, name="warm-up", daemon=True)
    thread.start()
    return thread
