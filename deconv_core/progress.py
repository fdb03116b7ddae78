"""Types for long work: how it reports progress, and how it is cancelled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class CancelFlag(Protocol):
    """A flag that a caller sets to cancel long work; ``threading.Event`` is one."""

    def is_set(self) -> bool:
        """True if the work should stop."""
        ...


Progress = Callable[[int, int], None]
"""A function that is called with (done, total)."""


@dataclass(frozen=True, slots=True)
class ScanProgress:
    """How far a scan is.

    Attributes:
        done: scanned images, with those of earlier runs.
        total: number of images.
        found: images that earlier runs scanned.
        failed: scanned images that could not be read.
        images_per_second: rate of this run; 0 before the first batch.
        seconds_left: estimated time left; None before the first batch.
    """

    done: int
    total: int
    found: int
    failed: int
    images_per_second: float
    seconds_left: float | None
