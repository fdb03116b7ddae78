"""Background jobs on pages: one row for each job, which updates itself and has a button to stop it.

A scan can be paused, other jobs can be cancelled. Another button ends a job that reports nothing
new for a while, or that does not stop. The
server measures this time with a monotonic clock; times in files do not count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

import streamlit as st

from deconv_dashboard.data.registry import Registry
from deconv_dashboard.frame.address import run_again
from deconv_dashboard.frame.choice import escape
from deconv_dashboard.frame.job_words import job_doing, job_text
from deconv_dashboard.queue.state import RESTING, JobState
from deconv_dashboard.server import resources
from deconv_dashboard.wording import duration

QUIET_SECONDS = 20.0
"""After this time without news, a person may end a running job."""
DEAF_SECONDS = 5.0
"""After this time, a person may end a job that was asked to stop."""
_Seen = TypeVar("_Seen")


def watched(
    look: Callable[[], _Seen],
    draw: Callable[[_Seen], None],
    jobs: Callable[[_Seen], Sequence[JobState]],
    also: Callable[[], object] = lambda: None,
    seconds: tuple[float, float] = (1.0, 5.0),
) -> None:
    """Draw a part of a page that depends on jobs, and update it every few seconds.

    The whole page runs again when a job begins or ends, or when ``also`` returns something else.

    Args:
        look: reads the files and returns what to draw.
        draw: draws what ``look`` returned.
        jobs: the jobs in what ``look`` returned.
        also: returns anything else that the page depends on.
        seconds: time between two updates (while a job is active, while none is active).
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
    """Draw the progress of an active job and the buttons that stop it.

    Args:
        registry: the data folder of the job.
        state: the state of the job.
        key: key of the button that pauses or cancels it; that of the other button is "end " + key.
        name: title as Markdown; "" describes what the job does.
        note: text after the progress, as Markdown.
    """
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container():
            name = name or f"**{escape(job_doing(registry, state))}**"
            st.progress(state.progress.share, name)
            st.caption(". ".join(filter(None, [job_line(registry, state), note])))
        stop_buttons(registry, state, key)


def job_line(registry: Registry, state: JobState) -> str:
    """The progress of a job in one line of Markdown, and how long it has been silent if long."""
    text = escape(job_text(registry, state))
    if may_hang(state):
        text += f" · No news for {duration(resources.job_silence().of(state))}"
    return text


def blocking_jobs(registry: Registry, *, dataset: str = "", network: str = "", key: str) -> None:
    """Draw the active jobs that read a dataset or use a network, each with its buttons."""

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
    """Draw Pause or Cancel, and "End it" if the job may hang; call in a horizontal container."""
    pauses = state.kind == "scan" and state.status != "waiting"
    st.button(
        "Pause" if pauses else "Cancel",
        key=key,
        type=kind,
        icon=":material/pause_circle:" if pauses else ":material/stop_circle:",
        help="Keeps every finished image." if pauses else None,
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
            help="Ends the process at once. Finished parts are kept.",
            on_click=registry.jobs.end,
            args=(state.job_id,),
        )


def may_hang(state: JobState) -> bool:
    """True if a job has reported nothing new for so long that it may hang."""
    rests = state.status == "running" and state.progress.step == RESTING
    if not state.active or rests or (state.status == "waiting" and state.place):
        return False
    patience = DEAF_SECONDS if state.status == "cancelling" else QUIET_SECONDS
    return resources.job_silence().of(state) >= patience
