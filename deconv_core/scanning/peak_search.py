"""Finds the peak of each feature map, on any device."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import Tensor

from deconv_core.peaks import Peaks, place_type


def find_peaks(feature_maps: Tensor) -> Peaks:
    """The peaks of feature maps (N, C, H, W) of any floating type, with H and W at most 65,536."""
    return peaks_at(*locate(feature_maps), *feature_maps.shape[2:])


def locate(feature_maps: Tensor) -> tuple[Tensor, Tensor]:
    """Value and flat index (N, C) of the largest activation in each map of (N, C, H, W).

    With channels last in memory, pooling over the whole plane is several times faster than taking
    the maximum of the flattened plane; with channels first, NumPy's search is faster.
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


def peaks_at(highest: Tensor, where: Tensor, height: int, width: int) -> Peaks:
    """Convert the result of ``locate`` to peaks, for maps of this size."""
    places, kind = where.cpu().numpy(), place_type(height, width)
    return Peaks(
        highest.float().cpu().numpy(),
        (places // width).astype(kind),
        (places % width).astype(kind),
    )
