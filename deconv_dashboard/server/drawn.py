"""Pictures as PNG bytes, cached by everything they are drawn from (``resources`` has the list)."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st
from PIL import Image

from deconv_core.errors import DeconvError
from deconv_core.images.decoding import Pixels
from deconv_core.images.folder import ImageContent
from deconv_core.layers import Layer
from deconv_core.output.rendering import Scale, tile
from deconv_core.pictures import Reconstruction
from deconv_core.units import Activation, Box
from deconv_dashboard.png import png_bytes
from deconv_dashboard.server import resources
from deconv_dashboard.server.overlays import plain, plane_over, small_planes
from deconv_dashboard.values import Choice, PictureKey


@st.cache_data(max_entries=6000, show_spinner=False, hash_funcs=resources.AS_TEXT)
def tile_png(
    _picture: Reconstruction, key: PictureKey, kind: Any, scale: tuple[str, float, float]
) -> bytes:
    """One tile as PNG, as large as the receptive field.

    Args:
        _picture: the reconstruction to draw.
        key: the cache's key of the picture.
        kind: "reconstruction" or "patch".
        scale: the cache's key of the scale.
    """
    del key
    name, limit, percent = scale
    return png_bytes(tile(_picture, kind, Scale(name, limit, percent)))  # type: ignore[arg-type]


def own_scale_png(picture: Reconstruction, pixels: npt.NDArray[np.float32] | None = None) -> bytes:
    """A reconstruction on its own scale as PNG; with other pixels of the same place in its stead.

    Not kept: it takes a millisecond.
    """
    shown = picture if pixels is None else replace(picture, pixels=pixels)
    return png_bytes(tile(shown, "reconstruction", Scale.percentile(99)))


def patch_png(choice: Choice, activation: Activation) -> bytes:
    """The patch of an activation as PNG; needs the image, but not the network.

    Raises:
        ImageError: the image is gone, was changed, or cannot be read.
    """
    seen = resources.scanned_image(choice, activation.image_id)
    layer = choice.layers[activation.unit.layer]
    window = layer.box(activation.row, activation.column)
    height, width = layer.input_size
    return _patch(seen.pixels, seen.content, activation, window, (height, width))


@st.cache_data(max_entries=2000, show_spinner=False, hash_funcs=resources.AS_TEXT)
def _patch(
    _pixels: Pixels,
    content: ImageContent,
    activation: Activation,
    window: Box,
    size: tuple[int, int],
) -> bytes:
    del content
    box = window.clip(*size)
    patch = _pixels[box.top : box.bottom, box.left : box.right]
    nothing = np.zeros((3, box.height, box.width), np.float32)
    picture = Reconstruction(activation, window, box, nothing, patch, size)
    return png_bytes(tile(picture, "patch", Scale.per_tile()))


@st.cache_data(max_entries=2000, show_spinner=False, hash_funcs=resources.AS_TEXT)
def _thumbnail(_pixels: Pixels, content: ImageContent, shape: tuple[int, ...], side: int) -> bytes:
    del content, shape
    height, width = _pixels.shape[:2]
    longest = max(height, width)
    size = max(1, side * width // longest), max(1, side * height // longest)
    return png_bytes(Image.fromarray(_pixels).resize(size, Image.Resampling.LANCZOS))


def thumbnail(choice: Choice, image_id: str, side: int = 96) -> bytes:
    """A small PNG of an image of the dataset; b"" if it cannot be read."""
    try:
        seen = resources.image_of(choice, image_id)
    except DeconvError:
        return b""
    return _thumbnail(seen.pixels, seen.content, seen.pixels.shape, side)


def overlay_png(
    pixels: Pixels, plane: npt.NDArray[np.float32] | None = None, layer: Layer | None = None
) -> bytes:
    """An image as PNG, with a feature map's plane drawn over it if it and its layer are given."""
    values = hashlib.blake2b(repr((pixels.shape, layer)).encode(), digest_size=16)
    values.update(pixels.tobytes())
    if plane is not None:
        values.update(plane.tobytes())
    return _overlay(pixels, plane, layer, values.hexdigest())


@st.cache_data(max_entries=300, show_spinner=False)
def _overlay(
    _pixels: Pixels, _plane: npt.NDArray[np.float32] | None, _layer: Layer | None, values: str
) -> bytes:
    del values
    if _plane is None or _layer is None:
        drawn = plain(_pixels)
    else:
        drawn = plane_over(_pixels, _plane, _layer)
    return png_bytes(drawn, compress_level=1)  # half the time; the file is only shown, not saved


@st.cache_data(max_entries=16, show_spinner=False, hash_funcs=resources.AS_TEXT)
def plane_pngs(
    _planes: npt.NDArray[np.float32], key: tuple[str, ImageContent, str]
) -> tuple[list[bytes], float]:
    """All feature maps of a layer as small PNGs on one scale, and the activation that is white.

    Args:
        _planes: the feature maps (C, H, W).
        key: fingerprint of the network, image, and layer.
    """
    del key
    levels, white = small_planes(_planes)
    return [png_bytes(Image.fromarray(level), compress_level=1) for level in levels], white
