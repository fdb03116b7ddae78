"""What panels that start a background job of their own draw first, and what their button does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from deconv_core.errors import DeconvError
from deconv_dashboard.frame.job_rows import job_row
from deconv_dashboard.frame.troubles import keep_trouble, say_kept_trouble, say_trouble
from deconv_dashboard.queue.state import JobState
from deconv_dashboard.values import Choice


@dataclass(frozen=True)
class JobStart:
    """How a panel names its job.

    Attributes:
        doing: for keys, for example "preparing".
        noun: for sentences, for example "The preparation".
    """

    doing: str
    noun: str

    def possible(self, choice: Choice, state: JobState) -> bool:
        """Draw the running job, or what went wrong with the last one; True if one can start."""
        say_kept_trouble(f"{self.doing}_error", self.doing)
        if state.active:
            job_row(choice.registry, state, f"cancel {self.doing}")
            return False
        if state.status == "failed":
            say_trouble(state.failure, f"{self.doing}_failed", f"{self.noun} stopped")
        return choice.registry.ready(choice.network) and choice.dataset.root.is_dir()

    def attempt(self, start: Callable[[], object]) -> None:
        """Start the job; the next run of the page says what went wrong."""
        try:
            start()
        except DeconvError as error:
            keep_trouble(f"{self.doing}_error", error, f"{self.noun} did not start")
