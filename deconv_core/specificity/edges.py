"""The edges of an image patch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import sobel


def edges(patch: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """The gradient magnitude (3, height, width) of a patch (height, width, 3), by Sobel."""
    planes = patch.transpose(2, 0, 1).astype(np.float64)
    found = [
        np.hypot(sobel(plane, 0, mode="nearest"), sobel(plane, 1, mode="nearest"))
        for plane in planes
    ]
    return np.stack(found)
