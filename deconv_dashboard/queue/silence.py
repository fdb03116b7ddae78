"""For how long a job has said nothing new."""

from __future__ import annotations

import time
from collections.abc import Callable

from deconv_dashboard.queue.state import JobState

_MOST = 256


class Silence:
    """Remembers what each job last said, and when that was, on a clock that is never set."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """No job was looked at yet."""
        self._clock = clock
        self._seen: dict[str, tuple[object, float]] = {}

    def of(self, state: JobState) -> float:
        """Seconds since a look at this job showed something new; 0 the first time."""
        said, now = (state.status, state.place, state.progress), self._clock()
        last = self._seen.get(state.job_id)
        if last is None or last[0] != said:
            last = said, now
            self._seen[state.job_id] = last
            while len(self._seen) > _MOST:
                self._seen.pop(next(iter(self._seen)), None)
        return now - last[1]
