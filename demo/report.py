"""The training report: settings, duration, and accuracy on new pictures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconv_core.whole_files import write_whole

from .drawing import LABELS


@dataclass(frozen=True)
class Outcome:
    """The results of a training run."""

    confusion: NDArray[np.int64]
    drawing_seconds: float
    training_seconds: float
    device: str

    @property
    def accuracy(self) -> float:
        """Share of new pictures with the right predicted label."""
        return float(np.trace(self.confusion) / self.confusion.sum())


def write_report(file: Path, settings: Any, outcome: Outcome, weight_bytes: int) -> None:
    """Write the report as Markdown."""
    lines = [
        "# The demo network's training",
        "",
        "Written by `python -m demo.train`. A demo network trained on drawn pictures;",
        "it is not the VGG19 trained on ImageNet.",
        "",
        f"- Accuracy on {outcome.confusion.sum()} unseen pictures: **{outcome.accuracy:.2%}**",
        f"- Labels: {', '.join(LABELS)}",
        f"- Weights: {weight_bytes / 1e6:.2f} MB",
        f"- Time: drawing {_minutes(outcome.drawing_seconds)}, "
        f"training {_minutes(outcome.training_seconds)}",
        f"- Device: {outcome.device}",
        "- Settings:",
        *(f"  - {name}: {value}" for name, value in vars(settings).items()),
        "",
        "## Confusion table (rows: what was drawn; columns: what the network says)",
        "",
        *_table(outcome.confusion),
    ]
    write_whole(file, ("\n".join(lines) + "\n").encode())


def _minutes(seconds: float) -> str:
    """A duration in words; pictures from an earlier run take no time."""
    return f"{seconds / 60:.1f} min" if seconds >= 3 else "none (reused)"


def _table(confusion: NDArray[np.int64]) -> list[str]:
    """The counts as a Markdown table; zeros stay empty, so that mistakes are visible."""
    rows = ["| | " + " | ".join(LABELS) + " |", "|---" * (len(LABELS) + 1) + "|"]
    for label, counts in zip(LABELS, confusion, strict=True):
        rows.append(f"| **{label}** | " + " | ".join(str(n) if n else "" for n in counts) + " |")
    return rows
