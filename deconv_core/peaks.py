"""The peak of every feature map: its largest activation in an image, and where that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from deconv_core.layers import Layer


@dataclass(frozen=True, eq=False)
class Peaks:
    """Peaks of maps of one layer in N images: arrays (N, C).

    Attributes:
        values: float32, the largest activation of each map.
        rows: uint8, its row in the map; of equal values the first in reading order.
        columns: uint8, its column.
    """

    values: npt.NDArray[np.float32]
    rows: npt.NDArray[np.uint8]
    columns: npt.NDArray[np.uint8]

    @classmethod
    def of_no_image(cls, channels: int) -> Peaks:
        """Arrays (0, channels)."""
        places = np.zeros((0, channels), np.uint8)
        return cls(np.zeros((0, channels), np.float32), places, places)

    @classmethod
    def join(cls, parts: Sequence[Peaks], axis: int = 0) -> Peaks:
        """One after the other: images of the same maps, or with ``axis`` 1 maps of one layer."""
        return cls(
            np.concatenate([part.values for part in parts], axis),
            np.concatenate([part.rows for part in parts], axis),
            np.concatenate([part.columns for part in parts], axis),
        )

    def select(self, images: Any = slice(None), channels: slice = slice(None)) -> Peaks:
        """Those of some images (a slice, positions or a mask), of some maps."""
        arrays = self.values, self.rows, self.columns
        return Peaks(*(array[images][:, channels] for array in arrays))

    def at(self, layer: Layer) -> Peaks:
        """A convolution's peaks where they are in a layer: in itself, or in the pooling above."""
        return Peaks(self.values, layer.place_of(self.rows), layer.place_of(self.columns))

    def best_channels(self) -> npt.NDArray[np.int64]:
        """For each image the position of the best peak; ties by row, column, channel."""
        best = self.values.max(axis=1, keepdims=True)
        where = self.rows.astype(np.int64) * 256 + self.columns
        last = np.iinfo(np.int64).max
        chosen: npt.NDArray[np.int64] = np.where(self.values == best, where, last).argmin(axis=1)
        return chosen

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.values.nbytes + self.rows.nbytes + self.columns.nbytes
