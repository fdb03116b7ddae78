"""Measures how long a job has reported nothing new."""

from __future__ import annotations

import time
from collections.abc import Callable

from deconv_dashboard.queue.state import JobState

_MOST = 256


class Silence:
    """Remembers the last report of each job and its time, on a monotonic clock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start without any report; ``clock`` returns seconds."""
        self._clock = clock
        self._seen: dict[str, tuple[object, float]] = {}

    def of(self, state: JobState) -> float:
        """Seconds since this job's report changed; 0 for the first report."""
        said, now = (state.status, state.place, state.progress), self._clock()
        last = self._seen.get(state.job_id)
        if last is None or last[0] != said:
            last = said, now
            self._seen[state.job_id] = last
            while len(self._seen) > _MOST:
                self._seen.pop(next(iter(self._seen)), None)
        return now - last[1]
