"""Work that nobody waits for: it is done in a thread, after the page has painted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


class LateWork:
    """Does pieces of work one after the other, each a while after it was given."""

    def __init__(self, seconds: float = 0.5, most: int = 32) -> None:
        """Wait ``seconds`` before each piece; drop pieces while ``most`` are waiting."""
        self._seconds = seconds
        self._room = threading.BoundedSemaphore(most)
        self._thread = ThreadPoolExecutor(1, "late-work")

    def do(self, work: Callable[[], object]) -> None:
        """Do this later."""
        given = time.monotonic()

        def begin() -> None:
            try:
                time.sleep(max(0.0, given + self._seconds - time.monotonic()))
                work()
            finally:
                self._room.release()

        if self._room.acquire(blocking=False):
            self._thread.submit(begin)

    def wait(self) -> None:
        """Return when everything given before is done."""
        self._thread.submit(lambda: None).result()
