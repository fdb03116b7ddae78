"""Draws a feature map over its image, to show where it fires."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from deconv_core.images.decoding import Pixels
from deconv_core.layers import Layer

_SHOWN = 448
"""Pictures are enlarged by a whole number until a side has so many pixels."""
_HOT = np.array([255.0, 122.0, 26.0])


def plain(pixels: Pixels) -> Image.Image:
    """The image as the network sees it, enlarged: one of 224 x 224 pixels twice as large."""
    return _enlarged(pixels, Image.Resampling.LANCZOS)


def _enlarged(pixels: Pixels, how: Image.Resampling) -> Image.Image:
    height, width = pixels.shape[:2]
    times = -(-_SHOWN // max(height, width))
    return Image.fromarray(pixels).resize((times * width, times * height), how)


def plane_over(pixels: Pixels, plane: npt.NDArray[np.float32], layer: Layer) -> Image.Image:
    """A feature map in orange over the image in dark grey.

    Each pixel shows the location of the layer whose receptive field is centred nearest to it. Full
    orange is the largest activation in this image.
    """
    rows = [layer.location_at(y, 0)[0] for y in range(pixels.shape[0])]
    columns = [layer.location_at(0, x)[1] for x in range(pixels.shape[1])]
    strength = plane / plane.max() if plane.max() > 0 else np.zeros_like(plane)
    cover = strength[np.ix_(rows, columns)][..., None] * 0.9
    grey = pixels.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    dim = np.repeat((grey * 0.6 + 20)[..., None], 3, axis=2)
    mixed = np.rint(dim * (1 - cover) + _HOT * cover).astype(np.uint8)
    return _enlarged(mixed, Image.Resampling.NEAREST)
