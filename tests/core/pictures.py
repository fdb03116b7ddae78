"""Pictures of one activation of any graph, by both walks: on whole planes and on supports."""

from __future__ import annotations

import torch
from torch import Tensor

from deconv_core.deconvnet import ConvnetPass, convnet_pass, deconvnet_pass, walk_down
from deconv_core.graph.geometry import supports
from deconv_core.graph.steps import Graph
from deconv_core.pictures import Rule


def ascend(graph: Graph, images: Tensor, layer: str, rule: Rule = "deconvnet") -> ConvnetPass:
    """The way up, with what a rule needs on the way down."""
    return convnet_pass(graph, images, layer, masks=rule != "deconvnet")


def whole_picture(
    graph: Graph,
    passed: ConvnetPass,
    layer: str,
    channel: int,
    row: int,
    column: int,
    rule: Rule = "deconvnet",
) -> Tensor:
    """The picture (N, 3, H, W) of one activation, on whole planes."""
    signal = torch.zeros_like(passed.feature_maps)
    signal[:, channel, row, column] = passed.feature_maps[:, channel, row, column]
    return deconvnet_pass(graph, signal, passed.switches, layer, rule)


@torch.inference_mode()
def windowed_picture(
    graph: Graph,
    passed: ConvnetPass,
    layer: str,
    channel: int,
    row: int,
    column: int,
    rule: Rule = "deconvnet",
) -> Tensor:
    """The same from its support, zero elsewhere."""
    value = graph.layers[layer]
    activation = passed.feature_maps[:, channel, row, column]
    lies = supports(graph, value, [(row, column)] * len(activation))
    signal = activation.new_zeros(len(activation), graph.shape(value)[0], 1, 1)
    signal[:, channel, 0, 0] = activation

    def switches(place: int) -> Tensor:
        where = lies[place + 1]
        (top, left), height, width = where.starts[0], where.height, where.width
        return passed.switches[place][:, top : top + height, left : left + width]

    found = walk_down(graph, graph.needed(value), {value: signal}, lies, switches, rule)[0]
    picture = activation.new_zeros(len(activation), *graph.shape(0))
    (top, left), height, width = lies[0].starts[0], lies[0].height, lies[0].width
    picture[:, :, top : top + height, left : left + width] = found
    return picture


def strongest(maps: Tensor) -> tuple[int, int, int]:
    """Channel, row and column of the largest value of the first image."""
    place = int(maps[0].flatten().argmax())
    channel, place = divmod(place, maps[0, 0].numel())
    return channel, *divmod(place, maps.shape[-1])
