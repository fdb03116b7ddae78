"""The support of an activation: the square of locations of each lower layer that it depends on.

One location of a layer depends on few locations of each layer below it, and its reconstruction is
zero everywhere else. These locations are its **support**. It becomes one step wider at each
convolution, doubles at each pooling, and ends at the border of the plane::

                 side of the support          ascend          descend
      conv4_2            1                    the value   ->  the value
      conv4_1            3                       ^                |
      pool3              5                       |   switches     |
      conv3_4           10                       |  - - - - ->    |
      conv3_3           12                       |                v
      ...                                     pixels          signed pixels

All activations of a batch have supports of the same side. Near a border a square is shifted into
the plane, so that its side stays the same. ``windowed_passes`` has the two passes on these squares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from deconv_core.images.decoding import Pixels
from deconv_core.layers import Layer
from deconv_core.network.network import Convolution, Network, Stage

Place = tuple[int, int]
"""Row and column."""


@dataclass(frozen=True, slots=True)
class Support:
    """A square of locations of one layer for each item of a batch.

    Attributes:
        plane: height and width of the layer's feature maps.
        side: height and width of the square.
        starts: first row and column of the square, for each item.
    """

    plane: int
    side: int
    starts: tuple[Place, ...]

    @property
    def whole(self) -> bool:
        """True if the square is the whole plane."""
        return self.side == self.plane

    def below_convolution(self) -> Support:
        """The locations below that a 3x3 convolution needs for these locations."""
        side = min(self.side + 2, self.plane)
        starts = tuple(
            (_inside(row - 1, side, self.plane), _inside(column - 1, side, self.plane))
            for row, column in self.starts
        )
        return Support(self.plane, side, starts)

    def below_pooling(self) -> Support:
        """The locations below that a 2x2 pooling needs for these locations."""
        starts = tuple((2 * row, 2 * column) for row, column in self.starts)
        return Support(2 * self.plane, 2 * self.side, starts)

    def around(self) -> Support:
        """The square one step wider on every side, also beyond the plane."""
        starts = tuple((row - 1, column - 1) for row, column in self.starts)
        return Support(self.plane, self.side + 2, starts)

    def part(self, items: slice) -> Support:
        """The squares of some items."""
        return Support(self.plane, self.side, self.starts[items])


def _inside(start: int, side: int, plane: int) -> int:
    """The nearest start from which ``side`` locations are inside the plane."""
    return min(max(start, 0), plane - side)


def supports(stages: Sequence[Stage], layer: Layer, places: Sequence[Place]) -> list[Support]:
    """The supports of locations of the last stage: in the input, then above each stage."""
    found = [Support(layer.height, 1, tuple(places))]
    for stage in reversed(stages):
        above = found[-1]
        convolves = isinstance(stage, Convolution)
        found.append(above.below_convolution() if convolves else above.below_pooling())
    return found[::-1]


def share_of_work(network: Network, layer: str) -> float:
    """Multiplications to compute one location of a layer, as a share of the whole image's."""
    stages = network.stages_to(layer)
    top = network.layer(layer)
    middle = (top.height // 2, top.width // 2)
    seen = whole = 0
    for stage, above in zip(stages, supports(stages, top, [middle])[1:], strict=True):
        if isinstance(stage, Convolution):
            seen += stage.weight.numel() * above.side**2
            whole += stage.weight.numel() * above.plane**2
    return seen / whole


def move(signal: Tensor, old: Support, new: Support) -> Tensor:
    """The signal on other squares of the plane; zero outside the old squares."""
    layout = torch.contiguous_format if signal.is_contiguous() else torch.channels_last
    shape = (*signal.shape[:2], new.side, new.side)
    moved = torch.empty(shape, memory_format=layout).zero_()
    for item, (before, after) in enumerate(zip(old.starts, new.starts, strict=True)):
        source, target = [], []
        for was, now in zip(before, after, strict=True):
            first, last = max(was, now), min(was + old.side, now + new.side)
            source.append(slice(first - was, last - was))
            target.append(slice(first - now, last - now))
        moved[item, :, target[0], target[1]] = signal[item, :, source[0], source[1]]
    return moved


def cut(pixels: Sequence[Pixels], square: Support) -> Tensor:
    """The squares of pictures (H, W, 3) as uint8 (N, 3, side, side), contiguous."""
    found = np.empty((len(pixels), 3, square.side, square.side), np.uint8)
    for item, (image, (row, column)) in enumerate(zip(pixels, square.starts, strict=True)):
        window = image[row : row + square.side, column : column + square.side]
        found[item] = window.transpose(2, 0, 1)
    return torch.from_numpy(found)
