"""Sets of drawings: several processes draw them into one array on disk; seeds separate the sets."""

import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deconv_core.whole_files import whole_file

from .drawing import LABELS, draw

# The sets use different seeds: training from 0, measuring from a million, the sample set that
# ships with the program from two million.
TRAINING_SEED = 0
UNSEEN_SEED = 1_000_000
SAMPLE_SEED = 2_000_000
SIDE = 224


@dataclass(frozen=True)
class PictureSet:
    """Pictures (n, 224, 224, 3) as uint8, and the label number of each."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


def draw_set(file: Path, per_label: int, first_seed: int) -> PictureSet:
    """Draw a set, or reuse the file if it already holds this set."""
    count = per_label * len(LABELS)
    labels = np.tile(np.arange(len(LABELS)), per_label)
    shape = (count, SIDE, SIDE, 3)
    if not file.exists():
        with whole_file(file) as part:
            np.memmap(part, np.uint8, "w+", shape=shape).flush()
            jobs = [(part, shape, first_seed, start) for start in range(0, count, 64)]
            with ProcessPoolExecutor(os.cpu_count()) as workers:
                list(workers.map(_draw_run, jobs))
    return PictureSet(np.memmap(file, np.uint8, "r", shape=shape), labels)


def _draw_run(job: tuple[Path, tuple[int, ...], int, int]) -> None:
    """Draw 64 pictures in a row into the file."""
    file, shape, first_seed, start = job
    pixels = np.memmap(file, np.uint8, "r+", shape=shape)
    for place in range(start, min(start + 64, shape[0])):
        turn, label = divmod(place, len(LABELS))
        pixels[place] = np.asarray(draw(LABELS[label], first_seed + turn).image)
    pixels.flush()
