"""Draws feature maps: one over its image, to show where it fires, or all of a layer, small."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from deconv_core.images.decoding import Pixels
from deconv_core.layers import Layer

_SHOWN = 448
"""Pictures are enlarged by a whole number until a side has so many pixels."""
_SMALL = 56
"""Most rows and columns of a small picture of a feature map."""
_HOT = np.array([255.0, 122.0, 26.0])


def plain(pixels: Pixels) -> Image.Image:
    """The image as the network sees it, enlarged: one of 224 x 224 pixels twice as large."""
    return enlarged(pixels, Image.Resampling.LANCZOS)


def enlarged(pixels: Pixels, how: Image.Resampling = Image.Resampling.NEAREST) -> Image.Image:
    """An image a whole number of times as large."""
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
    cover = strength[np.ix_(rows, columns)] * 0.9
    return enlarged(mixed(pixels, cover, _HOT))


def small_planes(planes: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.uint8], float]:
    """All feature maps of a layer (C, H, W) as small grey pictures, on one scale.

    Black is 0. In a map of many locations, a pixel is the largest of those that it stands for, so
    that a single active location stays visible.

    Returns:
        The pictures (C, h, w), and the activation that is white: 99 % of the layer's activations
        above 0 are at most as large. 0 if there are none.
    """
    firing = planes[planes > 0]
    white = float(np.percentile(firing, 99)) if firing.size else 0.0
    small = planes
    for axis in (1, 2):
        step = -(-planes.shape[axis] // _SMALL)
        small = np.maximum.reduceat(small, np.arange(0, planes.shape[axis], step), axis=axis)
    return np.rint(np.clip(small / (white or 1.0), 0, 1) * 255).astype(np.uint8), white


def mixed(
    pixels: Pixels, cover: npt.NDArray[np.floating[Any]], colours: npt.NDArray[np.float64]
) -> Pixels:
    """The image in dark grey, covered with a colour (3,) or with one for each pixel.

    Args:
        pixels: the image.
        cover: how much of each pixel (height, width) is covered, 0 to 1.
        colours: from 0 to 255.
    """
    grey = pixels.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    dim = np.repeat((grey * 0.6 + 20)[..., None], 3, axis=2)
    over = dim * (1 - cover[..., None]) + colours * cover[..., None]
    rounded: Pixels = np.rint(over).astype(np.uint8)
    return rounded
