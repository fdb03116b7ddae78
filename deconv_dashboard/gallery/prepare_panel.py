"""Prepares the pictures of a layer in the background: a button below its feature maps."""

from __future__ import annotations

import streamlit as st

from deconv_core.index.activation_index import TOP, ActivationIndex
from deconv_core.layers import Layer
from deconv_dashboard.frame.choice import escape
from deconv_dashboard.frame.job_rows import watched
from deconv_dashboard.gallery.job_start import JobStart
from deconv_dashboard.jobs.prepared_pictures import preparing_state, room_for, start_preparing
from deconv_dashboard.limits import most_kept_pictures
from deconv_dashboard.queue.state import JobState
from deconv_dashboard.server import index_answers
from deconv_dashboard.values import Choice
from deconv_dashboard.wording import counted, file_size

_JOB = JobStart("preparing", "The preparation")


def prepare_panel(choice: Choice, index: ActivationIndex, layer: Layer) -> None:
    """Draw the running preparation of a layer's pictures, or the button that starts it."""
    alive = int((~index_answers.maps_of(choice, layer.name, None)["dead"]).sum())
    pictures = alive * min(TOP, index.counted(copies=False))
    where = choice.registry, choice.dataset, choice.network, layer.name
    watched(
        lambda: preparing_state(*where),
        lambda state: _panel(choice, layer, pictures, state),
        jobs=lambda state: [state],
    )


def _panel(choice: Choice, layer: Layer, pictures: int, state: JobState) -> None:
    if not _JOB.possible(choice, state):
        return
    room, most = room_for(layer, pictures), most_kept_pictures()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Prepare pictures of this layer",
            key="prepare",
            icon=":material/photo_library:",
            on_click=_JOB.attempt,
            args=(
                lambda: start_preparing(
                    choice.registry, choice.dataset, choice.network, layer.name
                ),
            ),
            disabled=not 0 < room <= most,
        )
        st.caption(_said(layer, pictures, room, most, done=state.status == "done"), width="content")


def _said(layer: Layer, pictures: int, room: int, most: int, *, done: bool) -> str:
    size, largest = file_size(room), file_size(most)
    many = counted(pictures, "picture")
    if room > most:
        return (
            f"The top 9 of every map: {many}, about {size}. That is more than the "
            f"{largest} of pictures that are kept."
        )
    if done:
        return f":material/check_circle: The pictures of {escape(layer.name)} were prepared."
    return (
        f"The top 9 of every map: {many}, about {size} of the {largest} that are "
        "kept. They are made in the background and then appear at once, also after a restart."
    )
