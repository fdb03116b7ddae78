"""Progress of long work: its types, and a bar where a person works interactively."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol


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


def or_bar(
    progress: Progress | Literal[False] | None, doing: str, unit: str = "it"
) -> Progress | None:
    """The function to report to: the one that was given, a bar, or none.

    Args:
        progress: the function; None draws a bar in a notebook or an interactive Python, and reports
            nothing elsewhere; False reports nothing.
        doing: what the bar says, for example "reconstructing".
        unit: what is counted; "B" counts bytes.
    """
    interactive = hasattr(sys, "ps1")  # the prompt of Python, IPython and notebooks
    return _bar(doing, unit) if progress is None and interactive else progress or None


def scan_progress_or_bar(
    progress: Callable[[ScanProgress], None] | Literal[False] | None,
) -> Callable[[ScanProgress], None] | None:
    """``or_bar`` for the progress of a scan."""
    if progress is None and (bar := or_bar(None, "scanning", " images")) is not None:
        return lambda now: bar(now.done, now.total)
    return progress or None


def _bar(doing: str, unit: str) -> Progress:
    """A bar of tqdm that begins with the first report and ends with the last."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without ipywidgets it draws a line of text
        from tqdm.auto import tqdm

    bars: list[tqdm] = []

    def report(done: int, total: int) -> None:
        if not bars:
            bars.append(tqdm(desc=doing, unit=unit, unit_scale=unit == "B"))
        bar = bars[0]
        bar.total = total
        bar.update(done - bar.n)
        if done >= total:
            bar.close()

    return report
