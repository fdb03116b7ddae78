"""Draws a feature map over its image, to show where it fires."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from deconv_core.images.decoding import Pixels

_SHOWN = 448
_HOT = np.array([255.0, 122.0, 26.0])


def plain(pixels: Pixels) -> Image.Image:
    """The image as the network sees it, twice as large."""
    return Image.fromarray(pixels).resize((_SHOWN, _SHOWN), Image.Resampling.LANCZOS)


def plane_over(pixels: Pixels, plane: npt.NDArray[np.float32]) -> Image.Image:
    """A feature map in orange over the image in dark grey.

    Location (row, column) covers the pixels [row * stride, (row + 1) * stride) and the same for
    columns: the centre of its receptive field. Full orange is the largest activation in this image.
    """
    stride = pixels.shape[0] // plane.shape[0]
    strength = plane / plane.max() if plane.max() > 0 else np.zeros_like(plane)
    cover = np.kron(strength, np.ones((stride, stride)))[..., None] * 0.9
    grey = pixels.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    dim = np.repeat((grey * 0.6 + 20)[..., None], 3, axis=2)
    mixed = np.rint(dim * (1 - cover) + _HOT * cover).astype(np.uint8)
    return Image.fromarray(mixed).resize((_SHOWN, _SHOWN), Image.Resampling.NEAREST)
