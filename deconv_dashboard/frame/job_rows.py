"""Background jobs on pages: one row a job, which looks again by itself and can be cancelled.

A job that says nothing new for a while, or does not stop when it is asked to, can be ended. This
server measures how long that is, on a clock that is never set: no time in a file counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

import streamlit as st

from deconv_dashboard.data.registry import Registry
from deconv_dashboard.frame.address import run_again
from deconv_dashboard.frame.choice import escape
from deconv_dashboard.frame.job_words import job_doing, job_text
from deconv_dashboard.queue.state import JobState
from deconv_dashboard.server import resources
from deconv_dashboard.wording import duration

QUIET_SECONDS = 20.0
"""After so long without news a job that runs may be ended."""
DEAF_SECONDS = 5.0
"""After so long a job that was asked to stop may be ended."""
_Seen = TypeVar("_Seen")


def watched(
    look: Callable[[], _Seen],
    draw: Callable[[_Seen], None],
    jobs: Callable[[_Seen], Sequence[JobState]],
    also: Callable[[], object] = lambda: None,
    seconds: tuple[float, float] = (1.0, 5.0),
) -> None:
    """Draw what is seen, again and again.

    The whole page runs again when a job begins or ends, or when something else changes.

    Args:
        look: at the files, for what is drawn.
        draw: it.
        jobs: those of what was seen.
        also: looks at what else the page depends on.
        seconds: from one look to the next while a job is active, and while none is.
    """

    def shape(seen: _Seen) -> object:
        return [(state.job_id, state.active or state.status) for state in jobs(seen)], also()

    first = look()
    known = shape(first)

    def again() -> None:
        seen = look()
        if shape(seen) != known:
            run_again()
        draw(seen)

    active = any(state.active for state in jobs(first))
    st.fragment(again, run_every=seconds[0] if active else seconds[1])()


def job_row(
    registry: Registry, state: JobState, key: str, *, name: str = "", note: str = ""
) -> None:
    """How far an active job is, and the buttons that stop it.

    Args:
        registry: whose job it is.
        state: of the job.
        key: of the Cancel button; "end " and the same of the other one.
        name: what it is called, as Markdown; what it does if "".
        note: to be said after how far it is, as Markdown.
    """
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container():
            name = name or f"**{escape(job_doing(registry, state))}**"
            st.progress(state.progress.share, name)
            st.caption(". ".join(filter(None, [job_line(registry, state), note])))
        stop_buttons(registry, state, key)


def job_line(registry: Registry, state: JobState) -> str:
    """How far a job is, and for how long it has said nothing if that is long; as Markdown."""
    text = escape(job_text(registry, state))
    if may_hang(state):
        text += f" · No news for {duration(resources.job_silence().of(state))}"
    return text


def blocking_jobs(registry: Registry, *, dataset: str = "", network: str = "", key: str) -> None:
    """The active jobs that read a dataset or use a network, each with its buttons."""

    def look() -> list[JobState]:
        return registry.jobs.using(dataset=dataset, network=network)

    def draw(jobs: Sequence[JobState]) -> None:
        for state in jobs:
            job_row(registry, state, f"{key} {state.job_id}")

    watched(look, draw, jobs=lambda jobs: jobs)


def stop_buttons(
    registry: Registry,
    state: JobState,
    key: str,
    kind: Literal["secondary", "tertiary"] = "secondary",
) -> None:
    """Cancel; and End it, once a job may hang. For a horizontal container."""
    st.button(
        "Cancel",
        key=key,
        type=kind,
        icon=":material/stop_circle:",
        on_click=registry.jobs.cancel,
        args=(state.job_id,),
        disabled=state.status == "cancelling",
    )
    if may_hang(state):
        st.button(
            "End it",
            key=f"end {key}",
            type=kind,
            icon=":material/dangerous:",
            help="Ends the process at once. What it has finished is kept.",
            on_click=registry.jobs.end,
            args=(state.job_id,),
        )


def may_hang(state: JobState) -> bool:
    """True if a job has said nothing new for longer than one should wait."""
    if not state.active or (state.status == "waiting" and state.place):
        return False
    patience = DEAF_SECONDS if state.status == "cancelling" else QUIET_SECONDS
    return resources.job_silence().of(state) >= patience
