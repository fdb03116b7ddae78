"""Check answers of a bfloat16 scan in float32, after their pictures are shown."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

import deconv_core
from deconv_core.errors import DeconvError
from deconv_dashboard.frame.choice import escape
from deconv_dashboard.server import index_answers, resources
from deconv_dashboard.server.reconstructing import compute, matching_network
from deconv_dashboard.values import Answer, Choice

if TYPE_CHECKING:
    from deconv_core.exact import ExactTop


def settle(
    choice: Choice, layer: str, channel: int | None, k: int, shown: Sequence[Answer]
) -> None:
    """Check approximate answers in float32, then run the page again with the exact answers.

    Call it after everything else is drawn; it shows what it does. Answers that are exact, that were
    checked before, or that have no pictures are left as they are.
    """
    wanted = [answer for answer in shown if answer.approximate]
    if not any(answer.pictures.found for answer in wanted) or choice.index is None:
        return
    known = index_answers.settled_answers()
    open_ones = [
        answer
        for answer in wanted
        if known.get(index_answers.question(choice, layer, channel, k, answer.label)) is None
    ]
    if not open_ones:
        st.caption(
            "≈ The scan was in bfloat16. Too many images have almost equal values to put them in "
            "an exact order."
        )
        return
    line = st.empty()
    line.caption("≈ The scan was in bfloat16. Checking in float32 …")
    try:
        for answer in open_ones:
            exact = _exact(choice, layer, channel, k, answer.label)
            known.put(index_answers.question(choice, layer, channel, k, answer.label), exact)
    except DeconvError as error:
        line.caption(f"≈ Approximate: the check in float32 failed. {escape(str(error))}")
        return
    st.rerun()


def _exact(choice: Choice, layer: str, channel: int | None, k: int, label: str | None) -> ExactTop:
    index, images = choice.index, resources.images_of(choice.dataset)

    def work(cancel: threading.Event) -> ExactTop:
        assert index is not None
        network, cache = matching_network(choice), resources.reconstruction_cache()
        return deconv_core.exact_top(
            *(network, images, index, layer, channel, k, label),
            copies=choice.copies,
            cache=cache,
            cancel=cancel,
        )

    found: ExactTop = compute(work)
    return found
