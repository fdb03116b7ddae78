"""``LayerValues``: the peaks of feature maps of a layer in many images, as one array."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class LayerValues:
    """The peaks of C feature maps of a layer in N images.

    Attributes:
        layer: name of the layer.
        channels: the C maps, in order.
        image_ids: the N images, sorted.
        labels: the label of each image.
        values: float32 (C, N), the largest activation of each map in each image.
    """

    layer: str
    channels: npt.NDArray[np.int64]
    image_ids: npt.NDArray[np.object_]
    labels: npt.NDArray[np.object_]
    values: npt.NDArray[np.float32]
