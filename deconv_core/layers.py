"""Layers: their shapes, their receptive fields, and which peaks a pooling shares.

On each axis the location ``c`` of a layer sees the pixels

    [c * stride + offset,  c * stride + offset + size)

A 3x3 convolution with padding 1 adds one step on both sides; a 2x2 pooling with stride 2 adds one
step at the end and doubles the stride. ``graph.geometry`` computes them; nothing here needs torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deconv_core.arguments import shown, whole_number
from deconv_core.errors import DeconvError
from deconv_core.units import Box

INPUT_SIZE = (224, 224)
"""The usual height and width, in pixels, of the images that a network sees."""


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """Size, stride and offset in pixels.

    Attributes:
        size: along the rows; along the columns too unless ``across`` says otherwise.
        stride: 0 if every location sees the same pixels: the whole image.
        offset: of the first location.
        across: size, stride and offset along the columns where they differ from those along the
            rows; else None.
    """

    size: int
    stride: int
    offset: int
    across: tuple[int, ...] | None = None

    @property
    def width(self) -> int:
        """Size along the columns."""
        return self.size if self.across is None else self.across[0]

    @property
    def sees_all(self) -> bool:
        """True if every location sees the whole image, as after a pooling over whole planes."""
        return self.stride == 0

    def box(self, row: int, column: int) -> Box:
        """The window of a location, not clipped: it may reach past the image.

        Raises:
            DeconvError: a coordinate is not a whole number.
        """
        places = whole_number("row", row, None), whole_number("column", column, None)
        width, stride, offset = self.across or (self.size, self.stride, self.offset)
        top = places[0] * self.stride + self.offset
        return Box(top, places[1] * stride + offset, self.size, width)


@dataclass(frozen=True, slots=True)
class Layer:
    """A named layer: the shape of its feature maps, and its receptive field.

    Attributes:
        name: for example "conv4_4", or the path of a module, "layer2.0.conv1".
        channels: number of feature maps.
        height: rows of a feature map.
        width: columns of a feature map.
        receptive_field: in pixels of the network's input.
        is_pool: True for the output of a pooling, False for that of a rectification.
        pooled_from: the layer whose peaks are also the peaks of this one, in halved rows and
            columns: that below a pooling of 2x2 cells with stride 2. "" for all others.
        input_size: height and width of the network's images, in pixels.
    """

    name: str
    channels: int
    height: int
    width: int
    receptive_field: ReceptiveField
    is_pool: bool = False
    pooled_from: str = ""
    input_size: tuple[int, ...] = INPUT_SIZE

    def box(self, row: int, column: int) -> Box:
        """The part of the image that a location sees.

        Raises:
            DeconvError: a coordinate is not a whole number.
        """
        return self.receptive_field.box(row, column).clip(*self.input_size)

    def location_at(self, y: int, x: int) -> tuple[int, int]:
        """Row and column of the location whose receptive field is centred nearest to a pixel.

        Where every location sees the whole image, they are taken to lie evenly over it.
        """
        field = self.receptive_field
        width, stride, offset = field.across or (field.size, field.stride, field.offset)
        if field.sees_all:
            return y * self.height // self.input_size[0], x * self.width // self.input_size[1]
        row = _nearest(y, field.size, field.stride, field.offset, self.height)
        return row, _nearest(x, width, stride, offset, self.width)

    def place_of(self, place: Any) -> Any:
        """Rows or columns of peaks of ``pooled_from``, as locations of this layer.

        They are halved: the largest value of a pooled map is the largest value of the map below,
        which lies in one of the four cells under it.
        """
        return place // 2 if self.pooled_from else place


def _nearest(pixel: int, size: int, stride: int, offset: int, locations: int) -> int:
    return min(max((2 * (pixel - offset) - (size - 1) + stride) // (2 * stride), 0), locations - 1)


def frame_of(window: Box, input_size: tuple[int, ...]) -> Box:
    """What a tile of a receptive field shows: itself, or the image where it is much larger.

    On an axis on which it is more than a quarter larger than the image, most of a tile would lie
    outside the image, and the image would be small.
    """
    height, width = input_size
    top, rows = (window.top, window.height) if 4 * window.height <= 5 * height else (0, height)
    left, columns = (window.left, window.width) if 4 * window.width <= 5 * width else (0, width)
    return Box(top, left, rows, columns)


def layer_named(layers: Mapping[str, Layer], name: str) -> Layer:
    """Look a layer up.

    Raises:
        DeconvError: there is no such layer; the message lists all layers.
    """
    if not isinstance(name, str) or name not in layers:
        names = ", ".join(layers)
        raise DeconvError(f"{shown(name)} is not a layer of this network; choose one of {names}")
    return layers[name]


def layer_of_peaks(layers: Mapping[str, Layer], name: str) -> str:
    """The layer whose peaks are stored for a layer: itself, or the one below a 2x2 pooling.

    Raises:
        DeconvError: there is no such layer; the message lists all layers.
    """
    return layer_named(layers, name).pooled_from or name
