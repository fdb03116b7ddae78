"""Both passes on no more than the support of one activation.

One location of a layer depends on few locations of each layer below it, and its reconstruction is
zero everywhere else. These few are its **support**: one step wider at each convolution, doubled at
each pooling, cut off where the plane ends::

                 side of the support          ascend          descend
      conv4_2            1                    the value   ->  the value
      conv4_1            3                       ^                |
      pool3              5                       |   switches     |
      conv3_4           10                       |  - - - - ->    |
      conv3_3           12                       |                v
      ...                                     pixels          signed pixels

``ascend`` and ``descend`` are ``convnet_pass`` and ``deconvnet_pass`` on these squares. Borders of
the image stay borders: beyond them filters see zeros. All activations of a batch share the sides;
near a border the squares are shifted inside the plane, which keeps them large enough.

Going up is float32, NCHW, the reference, in which switches are made; it gives the bits of the whole
image. Going down has its channels last in memory: faster, and different by rounding only.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import Tensor

from deconv_core.deconvnet import convolve
from deconv_core.images import Pixels
from deconv_core.network import Convolution, Network, Pooling, Stage
from deconv_core.receptive_field import Layer
from deconv_core.switches import Switches, crops, pack, pool, unpool

_TOGETHER = 2**21
"""Numbers in a signal up to which all items of a batch go down together."""

Place = tuple[int, int]
"""Row and column."""


@dataclass(frozen=True, slots=True)
class Support:
    """A square of locations of one layer for each item of a batch.

    Attributes:
        plane: height and width of the layer's feature maps.
        side: of the square.
        starts: where it begins, for each item.
    """

    plane: int
    side: int
    starts: tuple[Place, ...]

    def part(self, first: int, count: int) -> Support:
        """The squares of some items."""
        return Support(self.plane, self.side, self.starts[first : first + count])

    def below_convolution(self) -> Support:
        """What a 3x3 convolution must see to give these locations."""
        side = min(self.side + 2, self.plane)
        starts = tuple(
            (_inside(row - 1, side, self.plane), _inside(column - 1, side, self.plane))
            for row, column in self.starts
        )
        return Support(self.plane, side, starts)

    def below_pooling(self) -> Support:
        """What a 2x2 pooling must see to give these locations."""
        starts = tuple((2 * row, 2 * column) for row, column in self.starts)
        return Support(2 * self.plane, 2 * self.side, starts)


def _inside(start: int, side: int, plane: int) -> int:
    """The start nearest to this one from which ``side`` locations lie inside the plane."""
    return min(max(start, 0), plane - side)


def supports(stages: Sequence[Stage], layer: Layer, places: Sequence[Place]) -> list[Support]:
    """The supports of locations of the last stage: of the input, then above each stage."""
    found = [Support(layer.height, 1, tuple(places))]
    for stage in reversed(stages):
        above = found[-1]
        convolves = isinstance(stage, Convolution)
        found.append(above.below_convolution() if convolves else above.below_pooling())
    return found[::-1]


def share_of_work(network: Network, layer: str) -> float:
    """Multiplications to see one location of a layer, as a share of those of the whole image."""
    stages = network.stages_to(layer)
    top = network.layer(layer)
    middle = (top.height // 2, top.width // 2)
    seen = whole = 0
    for stage, above in zip(stages, supports(stages, top, [middle])[1:], strict=True):
        if isinstance(stage, Convolution):
            seen += stage.weight.numel() * above.side**2
            whole += stage.weight.numel() * above.plane**2
    return seen / whole


@torch.inference_mode()
def ascend(
    network: Network, layer: Layer, pixels: Sequence[Pixels], places: Sequence[Place]
) -> tuple[Tensor, list[Switches]]:
    """See one location of a layer in each of several images.

    Args:
        network: what looks.
        layer: of which one location is wanted.
        pixels: uint8 (224, 224, 3) of each image.
        places: the location in each.

    Returns:
        All activations (N, C) at those locations, and the switches of each item's support.
    """
    stages = network.stages_to(layer.name)
    squares = supports(stages, layer, places)
    signal = network.normalise(_cut(pixels, squares[0]))
    recorded: list[tuple[Tensor, Support]] = []
    for stage, (below, above) in zip(stages, itertools.pairwise(squares), strict=True):
        if isinstance(stage, Convolution):
            signal = _filter(signal, stage, below, above).relu_()
        else:
            signal, codes = pool(signal)
            recorded.append((pack(codes), above))
    channels = tuple(network.layer(s.name).channels for s in stages if isinstance(s, Pooling))
    switches = [
        Switches(
            tuple(packed[item] for packed, _ in recorded),
            channels,
            tuple(above.starts[item] for _, above in recorded),
        )
        for item in range(len(places))
    ]
    return signal[..., 0, 0], switches


@torch.inference_mode()
def descend(
    network: Network,
    layer: Layer,
    channels: Sequence[int],
    places: Sequence[Place],
    values: Sequence[float],
    switches: Sequence[Switches],
) -> tuple[Tensor, Support]:
    """Take one activation of each of several images down to pixels.

    Args:
        network: with whose weights.
        layer: of the activations.
        channels: the feature map of each.
        places: the location of each.
        values: the activations.
        switches: of each item, covering its support: of the support alone, or of the whole image.

    Returns:
        Signed pixels (N, 3, side, side), and the square of the input that they are.
    """
    stages = network.stages_to(layer.name)
    squares = supports(stages, layer, places)
    signal = torch.tensor(values).view(-1, 1, 1, 1)
    top = stages[-1]
    if isinstance(top, Convolution):  # of one activation: its filter
        signal = _on_the_plane(signal * top.weight[list(channels)], squares[-1], squares[-2])
        stages, squares = stages[:-1], squares[:-1]
    else:
        signal = signal * F.one_hot(torch.tensor(channels), layer.channels)[..., None, None]
    signal = signal.contiguous(memory_format=torch.channels_last)
    return _down(signal, stages, squares, switches), squares[0]


def _down(
    signal: Tensor,
    stages: Sequence[Stage],
    squares: Sequence[Support],
    switches: Sequence[Switches],
) -> Tensor:
    """Take signals down through all these stages.

    Small planes go all together, since each call rearranges the weights; large ones by a few, to
    stay in the processor's cache.
    """
    pooling = sum(not isinstance(stage, Convolution) for stage in stages)
    for place in reversed(range(len(stages))):
        stage, below, above = stages[place], squares[place], squares[place + 1]
        few = max(1, _TOGETHER // (signal.shape[1] * below.side**2))
        if len(signal) > few:
            return torch.cat(
                [
                    _down(
                        signal[first : first + few],
                        stages[: place + 1],
                        [square.part(first, few) for square in squares[: place + 2]],
                        switches[first : first + few],
                    )
                    for first in range(0, len(signal), few)
                ]
            )
        signal = signal.relu_()  # before unpooling the same as after: what is zero stays zero
        if isinstance(stage, Convolution):
            signal = _filter_down(signal, stage, above, below)
        else:
            pooling -= 1
            signal = unpool(signal, crops(switches, pooling, above.starts, above.side))
    return signal


def _filter(signal: Tensor, stage: Convolution, below: Support, above: Support) -> Tensor:
    """Convolve: from the square below to the square above."""
    if above.side == above.plane:
        return convolve(signal, stage)
    around = _around(above)
    if around != below:  # an edge of the plane is near: beyond it the filter sees zeros
        signal = _moved(signal, below, around)
    return convolve(signal, stage, padding=0)


def _filter_down(signal: Tensor, stage: Convolution, above: Support, below: Support) -> Tensor:
    """Transposed convolution: from the square above to the square below."""
    if above.side == above.plane:
        return F.conv_transpose2d(signal, stage.weight, padding=1)
    return _on_the_plane(F.conv_transpose2d(signal, stage.weight), above, below)


def _on_the_plane(signal: Tensor, above: Support, below: Support) -> Tensor:
    """What was filtered down, without the part beyond the plane."""
    around = _around(above)
    return signal if around == below else _moved(signal, around, below)


def _around(support: Support) -> Support:
    """One step wider on every side, also beyond the plane."""
    starts = tuple((row - 1, column - 1) for row, column in support.starts)
    return Support(support.plane, support.side + 2, starts)


def _moved(signal: Tensor, old: Support, new: Support) -> Tensor:
    """The same signal on other squares of the plane: zero where the old ones did not reach."""
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


def _cut(pixels: Sequence[Pixels], square: Support) -> Tensor:
    """The squares of pictures (H, W, 3) as uint8 (N, 3, side, side), contiguous."""
    cut = [
        image[row : row + square.side, column : column + square.side]
        for image, (row, column) in zip(pixels, square.starts, strict=True)
    ]
    return torch.from_numpy(np.stack(cut)).permute(0, 3, 1, 2).contiguous()
