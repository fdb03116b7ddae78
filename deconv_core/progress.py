"""How long work says how far it is, and how it is asked to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class CancelFlag(Protocol):
    """What a caller sets to stop long work; ``threading.Event`` is one."""

    def is_set(self) -> bool:
        """True once the work should stop."""
        ...


Progress = Callable[[int, int], None]
"""Called with (done, in all)."""


@dataclass(frozen=True, slots=True)
class ScanProgress:
    """How far a scan is.

    Attributes:
        done: images finished, with those found done.
        total: images in all.
        found: images that were done before this scan began.
        failed: images that could not be read, of those done.
        images_per_second: of this run, 0 before the first batch.
        seconds_left: estimate, None before the first batch.
    """

    done: int
    total: int
    found: int
    failed: int
    images_per_second: float
    seconds_left: float | None
