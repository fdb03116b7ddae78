"""Times several sides in turns, with medians and ratios: ratios depend less on the machine."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Mapping

import torch

Sides = Mapping[str, Callable[[], object]]


CALLS = 5
"""Calls in each turn for a side that takes less than ``SHORT`` seconds."""
SHORT = 0.02


def medians(sides: Sides, rounds: int) -> dict[str, float]:
    """Median seconds of a call of each side over the rounds, after one call that does not count."""
    for side in sides.values():
        side()
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            for _ in range(CALLS):
                began = time.perf_counter()
                side()
                taken[name].append(time.perf_counter() - began)
                if taken[name][-1] > SHORT:
                    break
    return {name: statistics.median(times) for name, times in taken.items()}


def machine() -> str:
    """The processor, as far as the system names it, and the libraries that compute on it."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
            lines = dict(line.split(":", 1) for line in file if ":" in line)
        flags = lines.get("flags\t\t", "")
        extras = [name for name in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if name in flags]
        model = f"{lines['model name	'].strip()} ({', '.join(extras)})"
    except (OSError, KeyError):
        pass
    return f"{model}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def print_row(*cells: object) -> None:
    """One row of a Markdown table."""
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)
