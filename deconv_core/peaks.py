"""``Peaks``: for each feature map, its largest activation in an image and the location."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from deconv_core.layers import Layer


def place_type(height: int, width: int) -> type[np.unsignedinteger]:
    """The type of rows and columns in maps of this size: uint8, or uint16 beyond 256."""
    return np.uint8 if max(height, width) <= 2**8 else np.uint16


@dataclass(frozen=True, eq=False)
class Peaks:
    """The peaks of C feature maps of one layer in N images: arrays (N, C).

    Attributes:
        values: float32, the largest activation of each map.
        rows: uint8 (uint16 for maps larger than 256), the row of its location; of equal values, the
            first row by row.
        columns: of the same type, the column of its location.
    """

    values: npt.NDArray[np.float32]
    rows: npt.NDArray[np.unsignedinteger]
    columns: npt.NDArray[np.unsignedinteger]

    @classmethod
    def of_no_image(cls, channels: int) -> Peaks:
        """Peaks without images: arrays (0, channels)."""
        places = np.zeros((0, channels), np.uint8)
        return cls(np.zeros((0, channels), np.float32), places, places)

    @classmethod
    def join(cls, parts: Sequence[Peaks], axis: int = 0) -> Peaks:
        """Join the peaks of several groups of images (axis 0) or of maps (axis 1)."""
        return cls(
            np.concatenate([part.values for part in parts], axis),
            np.concatenate([part.rows for part in parts], axis),
            np.concatenate([part.columns for part in parts], axis),
        )

    def select(self, images: Any = slice(None), channels: slice = slice(None)) -> Peaks:
        """The peaks of some images (a slice, positions or a mask) and some maps."""
        arrays = self.values, self.rows, self.columns
        return Peaks(*(array[images][:, channels] for array in arrays))

    def at(self, layer: Layer) -> Peaks:
        """The stored peaks, located in that layer: at the same place, or at half of it."""
        return Peaks(self.values, layer.place_of(self.rows), layer.place_of(self.columns))

    def best_channels(self) -> npt.NDArray[np.int64]:
        """For each image, the channel with the largest peak; ties go by row, column, channel."""
        best = self.values.max(axis=1, keepdims=True)
        where = self.rows.astype(np.int64) * 2**16 + self.columns
        last = np.iinfo(np.int64).max
        chosen: npt.NDArray[np.int64] = np.where(self.values == best, where, last).argmin(axis=1)
        return chosen

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return self.values.nbytes + self.rows.nbytes + self.columns.nbytes
