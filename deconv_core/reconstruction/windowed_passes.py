"""Both passes, only on the support of one activation.

``ascend`` and ``descend`` are ``convnet_pass`` and ``deconvnet_pass`` on the squares of
``windows``, with the same steps. Beyond the borders of the image, filters see zeros.

The way up is the reference path (float32, NCHW), which makes the switches; it gives the same bits
as the whole image. The way down has channels last in memory: it is faster, and differs only by
rounding.

Small planes pass for all items of a batch together, because every call rearranges the weights.
Large planes pass for a few items at a time, so that they stay in the processor's cache.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import Tensor

from deconv_core.deconvnet import (
    deconvnet_pass,
    filter_down,
    filter_one_down,
    filter_up,
    pool,
    rectify,
    unpool,
)
from deconv_core.images.decoding import Pixels
from deconv_core.layers import Layer
from deconv_core.network.network import Convolution, Network, Pooling, Stage
from deconv_core.reconstruction.switches import Switches, crops, pack
from deconv_core.reconstruction.windows import Place, Support, cut, move, supports

_TOGETHER = 2**21
"""Largest signal, in numbers of all items together, that passes in one call."""


@torch.inference_mode()
def ascend(
    network: Network, layer: Layer, pixels: Sequence[Pixels], places: Sequence[Place]
) -> tuple[Tensor, list[Switches]]:
    """Compute one location of a layer in each of several images.

    Args:
        network: the network.
        layer: the layer.
        pixels: uint8 (224, 224, 3) of each image.
        places: the location in each image.

    Returns:
        All activations (N, C) at those locations, and the switches of each item's support.
    """
    stages = network.stages_to(layer.name)
    squares = supports(stages, layer, places)
    signal, codes = _up(network, stages, squares, pixels)
    poolings = [
        (stage, above)
        for stage, above in zip(stages, squares[1:], strict=True)
        if isinstance(stage, Pooling)
    ]
    channels = tuple(network.layer(stage.name).channels for stage, _ in poolings)
    switches = [
        Switches(
            tuple(packed[item] for packed in codes),
            channels,
            tuple(above.starts[item] for _, above in poolings),
        )
        for item in range(len(places))
    ]
    return signal[..., 0, 0], switches


def _up(
    network: Network, stages: Sequence[Stage], squares: Sequence[Support], pixels: Sequence[Pixels]
) -> tuple[Tensor, list[Tensor]]:
    """Walk pictures up through these stages: feature maps, and packed codes of each pooling."""
    large = len(stages)  # the first ``large`` stages take a few items at a time
    while large and len(pixels) <= _few(network, stages[large - 1], squares[large - 1]):
        large -= 1
    if large:
        parts = [
            _up(network, stages[:large], [s.part(some) for s in squares[: large + 1]], pixels[some])
            for some in _parts(len(pixels), _few(network, stages[large - 1], squares[large - 1]))
        ]
        signal = torch.cat([part for part, _ in parts])
        recorded = [torch.cat(codes) for codes in zip(*(c for _, c in parts), strict=True)]
    else:
        signal, recorded = network.normalise(cut(pixels, squares[0])), []
    sides = itertools.pairwise(squares[large:])
    for stage, (below, above) in zip(stages[large:], sides, strict=True):
        if isinstance(stage, Convolution):
            signal = rectify(_filter_up(signal, stage, below, above))
        else:
            signal, codes = pool(signal)
            recorded.append(pack(codes))
    return signal, recorded


@torch.inference_mode()
def descend(
    network: Network,
    layer: Layer,
    channels: Sequence[int],
    places: Sequence[Place],
    values: Sequence[float],
    switches: Sequence[Switches],
) -> tuple[Tensor, Support]:
    """Walk one activation of each of several images down to pixels.

    Args:
        network: the network.
        layer: the layer of the activations.
        channels: the feature map of each activation.
        places: the location of each activation.
        values: the activations.
        switches: the switches of each item, for its support or for the whole image.

    Returns:
        Signed pixels (N, 3, side, side), and their square of the input.
    """
    stages = network.stages_to(layer.name)
    squares = supports(stages, layer, places)
    signal = torch.tensor(values).view(-1, 1, 1, 1)
    top = stages[-1]
    if isinstance(top, Convolution):
        filtered = filter_one_down(signal, channels, top)
        signal = _on_the_plane(filtered, squares[-1], squares[-2])
        stages, squares = stages[:-1], squares[:-1]
    else:
        signal = signal * F.one_hot(torch.tensor(channels), layer.channels)[..., None, None]
    signal = signal.contiguous(memory_format=torch.channels_last)
    return _down(network, signal, stages, squares, switches), squares[0]


def _down(
    network: Network,
    signal: Tensor,
    stages: Sequence[Stage],
    squares: Sequence[Support],
    switches: Sequence[Switches],
) -> Tensor:
    """Walk signals down through these stages; where they fill the plane, one image at a time."""
    pooled = [
        above
        for stage, above in zip(stages, squares[1:], strict=True)
        if isinstance(stage, Pooling)
    ]
    for place in reversed(range(len(stages))):
        stage, below, above = stages[place], squares[place], squares[place + 1]
        few = 1 if above.whole else _few(network, stage, below)
        if len(signal) > few:
            left, sides = stages[: place + 1], squares[: place + 2]
            parts = [
                _down(network, signal[some], left, [s.part(some) for s in sides], switches[some])
                for some in _parts(len(signal), few)
            ]
            return torch.cat(parts)
        if above.whole:
            codes = [crops(switches, n, at.starts, at.side) for n, at in enumerate(pooled)]
            return deconvnet_pass(network, signal, codes, stage.name)
        signal = rectify(signal)
        if isinstance(stage, Convolution):
            signal = _on_the_plane(filter_down(signal, stage, padding=0), above, below)
        else:
            pooled.pop()
            signal = unpool(signal, crops(switches, len(pooled), above.starts, above.side))
    return signal


def _few(network: Network, stage: Stage, below: Support) -> int:
    """The number of items that pass a stage at a time."""
    return max(1, _TOGETHER // (network.layer(stage.name).channels * below.side**2))


def _parts(count: int, few: int) -> Iterator[slice]:
    return (slice(first, first + few) for first in range(0, count, few))


def _filter_up(signal: Tensor, stage: Convolution, below: Support, above: Support) -> Tensor:
    """Filter from the square below to the square above."""
    if above.whole:
        return filter_up(signal, stage)
    around = above.around()
    if around != below:  # an edge of the plane is near: beyond it the filter sees zeros
        signal = move(signal, below, around)
    return filter_up(signal, stage, padding=0)


def _on_the_plane(signal: Tensor, above: Support, below: Support) -> Tensor:
    """A filtered signal without the part beyond the plane."""
    around = above.around()
    return signal if around == below else move(signal, around, below)
