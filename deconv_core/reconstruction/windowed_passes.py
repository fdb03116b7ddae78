"""Both passes, only on the support of one activation.

``ascend`` and ``descend`` are ``convnet_pass`` and ``deconvnet_pass`` on the rectangles of
``graph.geometry.supports``, with the same walks. Beyond the borders of the image, filters see
zeros.

The way up is the reference path (float32, NCHW), which makes the switches; it gives the same bits
as the whole image (``windows_keep_bits``). The way down has channels last in memory: it is faster,
and differs only by rounding.

Small planes pass for all items of a batch together, because every call rearranges the weights.
Large planes pass for a few items at a time, so that they stay in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from deconv_core.deconvnet import (
    Windows,
    filter_one_down,
    move,
    opened,
    walk_down,
    walk_up,
)
from deconv_core.graph.geometry import Place, Support, reached, supports
from deconv_core.graph.steps import (
    Convolution,
    Graph,
    MaxPooling,
    Rectification,
    kept_with_graph,
)
from deconv_core.images.decoding import Pixels
from deconv_core.layers import Layer
from deconv_core.network.network import Network
from deconv_core.pictures import Rule
from deconv_core.reconstruction.switches import PackedCodes, Switches, bits_of, crops, pack

_TOGETHER = 2**21
"""Largest signal, in numbers of all items together, that passes in one call."""
_LOCATIONS = 9 * 7 * 7
"""Most locations of whole planes of all items together that pass down in one call."""


@kept_with_graph
def windows_keep_bits(graph: Graph, value: int) -> bool:
    """True if a window of the way up gives the same bits as the whole image.

    torch chooses the kernel of a 1x1 convolution by the size of its input.
    """
    steps = (graph.nodes[place].step for place in graph.needed(value))
    return not any(isinstance(step, Convolution) and step.kernel == (1, 1) for step in steps)


@torch.inference_mode()
def ascend(
    network: Network,
    layer: Layer,
    pixels: Sequence[Pixels],
    places: Sequence[Place],
    *,
    masks: bool = False,
) -> tuple[Tensor, list[Switches]]:
    """Compute one location of a layer in each of several images.

    Args:
        network: the network.
        layer: the layer.
        pixels: uint8 (H, W, 3) of each image.
        places: the location in each image.
        masks: also record where rectifications were open.

    Returns:
        All activations (N, C) at those locations, and the switches of each item's support.
    """
    graph, value = network.graph, network.value_of(layer.name)
    lies = supports(graph, value, places)
    values, packed = _up(network, value, graph.needed(value), lies, pixels, masks=masks)
    steps = [graph.nodes[place].step for place in packed]
    bits = {
        place: bits_of(step)
        for place, step in zip(packed, steps, strict=True)
        if isinstance(step, MaxPooling | Rectification)
    }
    switches: list[Switches] = [
        {
            place: PackedCodes(
                codes[item], graph.shape(place + 1)[0], bits[place], lies[place + 1].starts[item]
            )
            for place, codes in packed.items()
        }
        for item in range(len(places))
    ]
    return values[value][..., 0, 0], switches


def _up(
    network: Network,
    value: int,
    places: Sequence[int],
    lies: Windows,
    pixels: Sequence[Pixels],
    *,
    masks: bool,
) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
    """Walk pictures up through these nodes: the signals left, and packed codes of each pooling."""
    graph = network.graph
    large = len(places)  # the first ``large`` nodes take a few items at a time
    while large and len(pixels) <= _few(graph, places[large - 1], lies):
        large -= 1
    packed: dict[int, Tensor] = {}
    if large:
        parts = [
            _up(network, value, places[:large], _part(lies, some), pixels[some], masks=masks)
            for some in _parts(len(pixels), _few(graph, places[large - 1], lies))
        ]
        values = _together([signals for signals, _ in parts])
        packed |= _together([codes for _, codes in parts])
    else:
        values = {0: network.normalise(cut(pixels, lies[0]))}

    def watch(place: int, signal: Tensor, codes: Tensor | None) -> None:
        step = graph.nodes[place].step
        if codes is not None and isinstance(step, MaxPooling):
            packed[place] = pack(codes, bits_of(step))
        elif masks and isinstance(step, Rectification):
            packed[place] = pack(opened(signal, step), bits_of(step))

    return walk_up(graph, places[large:], values, lies, graph.last_use(value), watch), packed


@torch.inference_mode()
def descend(
    network: Network,
    layer: Layer,
    channels: Sequence[int],
    places: Sequence[Place],
    values: Sequence[float],
    switches: Sequence[Switches],
    rule: Rule = "deconvnet",
) -> tuple[Tensor, Support]:
    """Walk one activation of each of several images down to pixels.

    Args:
        network: the network.
        layer: the layer of the activations.
        channels: the feature map of each activation.
        places: the location of each activation.
        values: the activations.
        switches: the switches of each item, for its support or for the whole image; with masks
            unless the rule is deconvnet.
        rule: how rectifications are undone.

    Returns:
        Signed pixels (N, 3, height, width), and their rectangle of the input.
    """
    graph, value = network.graph, network.value_of(layer.name)
    lies = supports(graph, value, places)
    signal = torch.tensor(values).view(-1, 1, 1, 1)
    nodes = graph.needed(value)
    top = graph.nodes[value - 1]
    below = graph.nodes[top.inputs[0] - 1] if top.inputs[0] else top
    is_open = isinstance(top.step, Rectification) and (
        rule == "deconvnet" or top.step.ceiling is None  # an activation above 0
    )
    if is_open and isinstance(below.step, Convolution):
        taken = below.inputs[0]
        filtered = filter_one_down(signal, channels, below.step)
        around = reached(below.step, lies[top.inputs[0]], graph.plane(taken))
        signal, value = move(filtered, around, lies[taken]), taken
        nodes = tuple(place for place in nodes if place < value)
    else:
        chosen = torch.nn.functional.one_hot(torch.tensor(channels), layer.channels)
        signal = signal * chosen[..., None, None]
    signal = signal.contiguous(memory_format=torch.channels_last)
    return _down(graph, nodes, {value: signal}, lies, switches, rule), lies[0]


def _down(
    graph: Graph,
    places: Sequence[int],
    signals: dict[int, Tensor],
    lies: Windows,
    switches: Sequence[Switches],
    rule: Rule,
) -> Tensor:
    """Walk signals down through these nodes; where they fill the plane, one image at a time."""
    left = len(places)
    while left and len(switches) <= _few_down(graph, places[left - 1], lies):
        left -= 1
    signals = walk_down(
        *(graph, places[left:], signals, lies),
        lambda place: crops(switches, place, lies[place + 1]),
        rule,
    )
    if not left:
        return signals[0]
    parts = []
    for some in _parts(len(switches), _few_down(graph, places[left - 1], lies)):
        cut_out = {value: signal[some] for value, signal in signals.items()}
        parts.append(_down(graph, places[:left], cut_out, _part(lies, some), switches[some], rule))
    return torch.cat(parts)


def _few(graph: Graph, place: int, lies: Windows) -> int:
    """The number of items that pass a node at a time."""
    node = graph.nodes[place]
    return max(1, _TOGETHER // (node.shape[0] * lies[node.inputs[0]].area))


def _few_down(graph: Graph, place: int, lies: Windows) -> int:
    """The same on the way down: whole planes pass one by one, but small ones share the weights."""
    above = lies[place + 1]
    return max(1, _LOCATIONS // above.area) if above.whole else _few(graph, place, lies)


def _parts(count: int, few: int) -> Iterator[slice]:
    return (slice(first, first + few) for first in range(0, count, few))


def _part(lies: Windows, items: slice) -> Windows:
    return {value: support.part(items) for value, support in lies.items()}


def _together(parts: Sequence[dict[int, Tensor]]) -> dict[int, Tensor]:
    return {key: torch.cat([part[key] for part in parts]) for key in parts[0]}


def cut(pixels: Sequence[Pixels], where: Support) -> Tensor:
    """The rectangles of pictures (H, W, 3) as uint8 (N, 3, height, width), contiguous."""
    found = np.empty((len(pixels), 3, where.height, where.width), np.uint8)
    for item, (image, (row, column)) in enumerate(zip(pixels, where.starts, strict=True)):
        window = image[row : row + where.height, column : column + where.width]
        found[item] = window.transpose(2, 0, 1)
    return torch.from_numpy(found)
