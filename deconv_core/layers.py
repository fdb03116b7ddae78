"""Which pixels a location of a layer can see.

On each axis the location ``c`` of a layer sees the pixels

    [c * stride + offset,  c * stride + offset + size)

A 3x3 convolution with padding 1 adds one step on both sides; a 2x2 pooling with stride 2 adds one
step at the end and doubles the stride. Nothing here needs weights or torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from deconv_core.arguments import shown, whole_number
from deconv_core.errors import DeconvError
from deconv_core.units import Box

INPUT_SIDE = 224
"""Height and width, in pixels, of every image the network sees."""

POOL = "pool"
"""Marks a pooling in a chain of channel numbers: ``(64, 64, POOL, 128, ...)``."""


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """Size, stride and offset in pixels, the same on both axes."""

    size: int
    stride: int
    offset: int

    def box(self, row: int, column: int) -> Box:
        """The window of a location, not clipped: it may reach past the image.

        Raises:
            DeconvError: a coordinate is not a whole number.
        """
        places = whole_number("row", row, None), whole_number("column", column, None)
        top, left = (place * self.stride + self.offset for place in places)
        return Box(top, left, self.size, self.size)

    def after_convolution(self) -> ReceptiveField:
        """The receptive field of a 3x3 convolution with padding 1 above this layer."""
        return ReceptiveField(self.size + 2 * self.stride, self.stride, self.offset - self.stride)

    def after_pooling(self) -> ReceptiveField:
        """The receptive field of a 2x2 pooling with stride 2 above this layer."""
        return ReceptiveField(self.size + self.stride, 2 * self.stride, self.offset)


@dataclass(frozen=True, slots=True)
class Layer:
    """A named layer: the shape of its feature maps, and its receptive field."""

    name: str
    channels: int
    height: int
    width: int
    receptive_field: ReceptiveField

    @property
    def is_pool(self) -> bool:
        """True for pool1 ... pool5, False for a convolution (taken after its ReLU)."""
        return self.name.startswith("pool")

    def place_of(self, place: Any) -> Any:
        """Rows or columns of the convolution's peaks, as locations of this layer.

        They are halved for a pooling: the largest value of its map is the largest value of the map
        below, which lies in one of the four cells under it.
        """
        return place // 2 if self.is_pool else place


def chain_layers(chain: Iterable[int | str]) -> tuple[Layer, ...]:
    """The named layers of a VGG-like chain, with their geometry.

    Args:
        chain: for each step in order, the channels of a convolution or ``POOL``.

    Returns:
        ``conv1_1``, ``conv1_2``, ``pool1``, ``conv2_1``, ... for a 224x224 input.
    """
    layers: list[Layer] = []
    field, side, block, place, channels = ReceptiveField(1, 1, 0), INPUT_SIDE, 1, 0, 3
    for step in chain:
        if step == POOL:
            field, side = field.after_pooling(), side // 2
            layers.append(Layer(f"pool{block}", channels, side, side, field))
            block, place = block + 1, 0
        else:
            field, channels, place = field.after_convolution(), int(step), place + 1
            layers.append(Layer(f"conv{block}_{place}", channels, side, side, field))
    return tuple(layers)


def layer_named(layers: Mapping[str, Layer], name: str) -> Layer:
    """Look a layer up.

    Raises:
        DeconvError: there is no such layer; the message lists all layers.
    """
    if not isinstance(name, str) or name not in layers:
        names = ", ".join(layers)
        raise DeconvError(f"{shown(name)} is not a layer of this network; choose one of {names}")
    return layers[name]


def convolution_of(layers: Mapping[str, Layer], name: str) -> str:
    """The convolution with the peaks of a layer: the layer itself, or the one below a pooling.

    Raises:
        DeconvError: there is no such layer; the message lists all layers.
    """
    names = list(layers)
    return names[names.index(name) - 1] if layer_named(layers, name).is_pool else name
