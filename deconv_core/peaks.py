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
    """Peaks of feature maps (N, C, H, W), H and W at most 256, of any floating type."""
    return peaks_at(*locate(feature_maps), feature_maps.shape[-1])


def locate(feature_maps: Tensor) -> tuple[Tensor, Tensor]:
    """The largest value of each map of (N, C, H, W), and its flat index: both (N, C).

    When channels come last in memory, pooling over the whole plane is several times faster than
    flattening and taking the maximum; when they come first, NumPy's search is.
    """
    if feature_maps.device.type != "cpu":
        highest, where = feature_maps.flatten(2).max(dim=2)
        return highest, where
    if feature_maps.is_contiguous() and feature_maps.dtype == torch.float32:
        planes = feature_maps.flatten(2)
        where = torch.from_numpy(planes.numpy().argmax(axis=2))
        return planes.gather(2, where.unsqueeze(2)).squeeze(2), where
    pooled, where = F.max_pool2d(feature_maps, feature_maps.shape[2:], return_indices=True)
    return pooled.flatten(1), where.flatten(1)


def peaks_at(highest: Tensor, where: Tensor, width: int) -> Peaks:
    """Peaks from what ``locate`` gave for maps of that width."""
    places = where.cpu().numpy()
    return Peaks(
        highest.float().cpu().numpy(),
        (places // width).astype(np.uint8),
        (places % width).astype(np.uint8),
    )


def join_peaks(parts: list[Peaks]) -> Peaks:
    """The peaks of several batches of the same layer, one after the other."""
    return Peaks(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.columns for part in parts]),
    )
