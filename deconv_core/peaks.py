"""The peak of every feature map: its largest activation and where it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import Tensor


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


def find_peaks(feature_maps: Tensor) -> Peaks:
    """Peaks of feature maps (N, C, H, W), H and W at most 256, of any floating type.

    When channels come last in memory, pooling over the whole plane is several times faster than
    flattening and taking the maximum; when they come first, NumPy's search is.
    """
    height, width = feature_maps.shape[2:]
    if feature_maps.is_contiguous() and _in_numpy(feature_maps):
        planes = feature_maps.flatten(2).numpy()
        places = planes.argmax(axis=2)
        values = np.take_along_axis(planes, places[..., None], axis=2)[..., 0]
    else:
        highest, where = F.max_pool2d(feature_maps, (height, width), return_indices=True)
        places, values = where.flatten(1).cpu().numpy(), highest.flatten(1).float().cpu().numpy()
    return Peaks(values, (places // width).astype(np.uint8), (places % width).astype(np.uint8))


def _in_numpy(tensor: Tensor) -> bool:
    return tensor.device.type == "cpu" and tensor.dtype == torch.float32


def join_peaks(parts: list[Peaks]) -> Peaks:
    """The peaks of several batches of the same layer, one after the other."""
    return Peaks(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.columns for part in parts]),
    )
