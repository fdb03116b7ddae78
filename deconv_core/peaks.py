"""The peak of every feature map: its largest activation and where it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Peaks:
    """Peaks of one layer in N images: arrays (N, C).

    Attributes:
        values: float32, the largest activation of each map.
        rows: uint8, its row in the map; of equal values the first in reading order.
        columns: uint8, its column.
    """

    values: npt.NDArray[np.float32]
    rows: npt.NDArray[np.uint8]
    columns: npt.NDArray[np.uint8]

    def of_image(self, place: int) -> Peaks:
        """The peaks of one of the images: arrays (1, C)."""
        here = slice(place, place + 1)
        return Peaks(self.values[here], self.rows[here], self.columns[here])


def join_peaks(parts: list[Peaks]) -> Peaks:
    """The peaks of several batches of the same layer, one after the other."""
    return Peaks(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.columns for part in parts]),
    )
