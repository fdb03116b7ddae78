"""The convnet and the deconvnet: every kind of step, up and down, and the two walks over a graph.

Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, section 2.1 and
figure 1. A chain such as VGG: up on the left, down on the right; each step on the right undoes the
one beside it::

              convnet_pass                              deconvnet_pass

    feature maps (N, C, H/2, W/2)                 one activation, zero elsewhere
              |  ^                                             |
              |  |  max pooling 2x2  -- switches -->  unpooling: each value goes back
              |  |                     (where each     to where the maximum was, the
              |  |                      maximum was)   other three places get zero
        (N, C, H, W)                                      (N, C, H, W)
              ^                                                |
              |  rectification: max(x, 0)             rectification: max(x, 0)
              |                                                |   (of the signal coming down,
              |  filtering: 3x3, plus bias            filtering: the same weights transposed,
              |                                                |   no bias)
        (N, 3, H, W)                                      (N, 3, H, W)
       normalised image                            reconstruction: signed, in input units

A residual block: what is added up is copied down, and signals that meet are summed before they are
rectified::

          rectification                             rectification
              ^                                          |
          addition                                  copied to both
           ^     ^                                   |       |
           |     filtering                           |       filtering, transposed
           |     ^                                   |       v
           |     rectification                       |       rectification
           |     ^                                   |       v
           |     filtering                           |       filtering, transposed
           |     ^                                   v       v
            value                                   sum, and only then rectified

Nothing is rectified below the first filtering, so the reconstruction keeps its sign. All steps of
the way down are positively homogeneous: twice the activation gives exactly twice the picture. No
hooks, no gradients, no state: all of it may run in many threads at once.

The walks serve whole images, or only the rectangles of each plane on which some locations depend
(``graph.geometry.supports``): the steps do not know where in the plane their signal is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import Tensor

from deconv_core.errors import DeconvError
from deconv_core.graph.geometry import Support, reach_of, reached, whole_plane
from deconv_core.graph.steps import (
    Addition,
    Affine,
    AveragePooling,
    ChannelSlice,
    Concatenation,
    Convolution,
    Graph,
    MaxPooling,
    Node,
    Pair,
    Rectification,
    ResponseNormalisation,
    Step,
    ZeroPadding,
)
from deconv_core.pictures import Rule

_ALONE = 20_480
"""Largest single input, in numbers, for which torch does not call oneDNN."""
Windows = Mapping[int, Support]
"""Value -> where its signal is."""


# Every kind of step: its way up, and below it its way down ----------------------------------------


def filter_up(signal: Tensor, step: Convolution, padding: Pair | None = None) -> Tensor:
    """Filter (N, C, H, W) with the weights and bias of a convolution.

    For a single small input torch uses another kernel, which rounds differently. So such an input
    is doubled: then the bits do not depend on the size of the window. ``padding`` is (0, 0) for a
    signal that already has its margin.
    """
    alone = signal.shape[0] == 1 and signal.numel() <= _ALONE
    inputs = signal.expand(2, -1, -1, -1) if alone else signal
    padding = step.padding if padding is None else padding
    filtered = F.conv2d(
        *(inputs, step.weight, step.bias, step.stride, padding, step.dilation, step.groups)
    )
    return filtered[: len(signal)]


def filter_down(
    signal: Tensor, step: Convolution, padding: Pair = (0, 0), extra: Pair = (0, 0)
) -> Tensor:
    """Filter with the same weights transposed, without bias.

    ``padding`` rows and columns are cut off at each border, and ``extra`` added at the end.
    """
    if step.kernel == (1, 1) and step.stride != (1, 1) and padding == (0, 0):
        return _spread(F.conv_transpose2d(signal, step.weight, groups=step.groups), step, extra)
    return F.conv_transpose2d(
        *(signal, step.weight, None, step.stride, padding, extra, step.groups, step.dilation)
    )


def _spread(signal: Tensor, step: Convolution, extra: Pair) -> Tensor:
    """The same numbers ``stride`` locations apart, zero between: much faster than torch's own."""
    count, channels, height, width = signal.shape
    tall = (height - 1) * step.stride[0] + 1 + extra[0]
    wide = (width - 1) * step.stride[1] + 1 + extra[1]
    layout = torch.contiguous_format if signal.is_contiguous() else torch.channels_last
    spread = torch.empty(
        (count, channels, tall, wide), dtype=signal.dtype, memory_format=layout
    ).zero_()
    spread[:, :, :: step.stride[0], :: step.stride[1]] = signal
    return spread


def filter_one_down(values: Tensor, channels: Sequence[int], step: Convolution) -> Tensor:
    """``filter_down`` of one activation (N, 1, 1, 1) of each item: the filter, as strong as it."""
    filters = values * step.weight[list(channels)]
    if step.groups == 1:
        return filters
    spread = filters.new_zeros(len(filters), step.groups, *filters.shape[1:])
    size = len(step.weight) // step.groups
    spread[range(len(filters)), [channel // size for channel in channels]] = filters
    return spread.flatten(1, 2)


def scale_up(signal: Tensor, step: Affine) -> Tensor:
    """Multiply each channel by its scale, and add its shift."""
    return signal * step.scale.view(1, -1, 1, 1) + step.shift.view(1, -1, 1, 1)


def scale_down(signal: Tensor, step: Affine) -> Tensor:
    """Multiply each channel by its scale."""
    return signal * step.scale.view(1, -1, 1, 1)


def rectify(signal: Tensor, ceiling: float | None = None) -> Tensor:
    """Set negative values to 0, on the way up and down; changes the signal itself.

    The ceiling of ReLU6 holds on the way up only.
    """
    return signal.relu_() if ceiling is None else signal.clamp_(0, ceiling)


def rectify_down(signal: Tensor, rule: Rule, opened: Tensor | None) -> Tensor:
    """Undo a rectification by a rule; changes the signal itself.

    - deconvnet: negative values become 0 (Zeiler & Fergus 2014, section 2.1).
    - gradient: values become 0 where the rectification was closed on the way up; this is the
      gradient (Simonyan et al. 2014).
    - guided: both (guided backpropagation, Springenberg et al. 2015, section 3.4).

    ``opened`` (N, h, w, C) is what ``opened`` returned on the way up; deconvnet needs none.
    """
    if rule != "gradient":
        signal = signal.relu_()
    return signal if opened is None else signal.mul_(opened.permute(0, 3, 1, 2))


def opened(signal: Tensor, step: Rectification) -> Tensor:
    """Where a rectification that put out ``signal`` (N, C, h, w) was open: uint8 (N, h, w, C).

    It was open where the output changes with the input: above 0, and below the ceiling.
    """
    found = signal > 0
    if step.ceiling is not None:
        found &= signal < step.ceiling
    return found.permute(0, 2, 3, 1).contiguous().view(torch.uint8)


def pool(signal: Tensor, step: MaxPooling, *, margin: bool = False) -> tuple[Tensor, Tensor]:
    """Max pooling of feature maps (N, C, H, W).

    Args:
        signal: the feature maps.
        step: which cells are pooled.
        margin: True if the signal already has its padding, with -inf.

    Returns:
        The pooled maps (N, C, h, w), contiguous, and the switches: which cell of its window held
        the maximum, counted from 0 in reading order, uint8 (N, h, w, C). Of equal values, the first
        in reading order counts, as in torch.

    With channels last in memory torch pools several times faster; the result is the same.
    """
    last = signal.contiguous(memory_format=torch.channels_last)
    padding, ceil_mode = ((0, 0), False) if margin else (step.padding, step.ceil_mode)
    pooled, where = F.max_pool2d(
        *(last, step.kernel, step.stride, padding, step.dilation),
        ceil_mode=ceil_mode,
        return_indices=True,
    )
    where = where.permute(0, 2, 3, 1)
    even = signal.shape[-1] % 2 == 0 and (padding, step.dilation) == ((0, 0), (1, 1))
    if step.kernel == step.stride == (2, 2) and even:
        codes = _codes_of_four(where, signal.shape[-1])
    else:
        codes = _codes(where, step, padding, signal.shape[-1])
    return pooled.contiguous(), codes


def _codes_of_four(where: Tensor, width: int) -> Tensor:
    """``_codes`` for cells of 2x2 in a plane of even width, without a division."""
    lower = (2 * torch.arange(where.shape[1]) + 1).view(-1, 1, 1) * width
    return torch.add((where & 1).byte(), (where >= lower).byte(), alpha=2)


def _codes(where: Tensor, step: MaxPooling, padding: Pair, width: int) -> Tensor:
    """Flat indices (N, h, w, C) in a plane of this width, as numbers of cells of each window."""
    tops = torch.arange(where.shape[1]).view(-1, 1, 1) * step.stride[0] - padding[0]
    lefts = torch.arange(where.shape[2]).view(-1, 1) * step.stride[1] - padding[1]
    rows = (where // width - tops) // step.dilation[0]
    columns = (where % width - lefts) // step.dilation[1]
    return (rows * step.kernel[1] + columns).byte()


def unpool(signal: Tensor, switches: Tensor, step: MaxPooling) -> Tensor:
    """Add each value (N, C, h, w) where its maximum was: windows that overlap may share one.

    ``max_unpool2d`` would keep only one of the values that meet.

    Returns:
        (N, C, H, W) for all locations that the pooling takes, also those beyond the plane, with
        channels last in memory; zero where no maximum was.
    """
    if step.kernel == step.stride == (2, 2) and step.dilation == (1, 1):
        return _unpool_four(signal, switches)
    reach, (height, width) = reach_of(step), signal.shape[2:]
    tall = (height - 1) * reach.stride[0] + reach.extent[0]
    wide = (width - 1) * reach.stride[1] + reach.extent[1]
    rows = torch.arange(height).view(-1, 1, 1) * step.stride[0]
    columns = torch.arange(width).view(-1, 1) * step.stride[1]
    codes = switches.long()
    rows = rows + (codes // step.kernel[1]) * step.dilation[0]
    columns = columns + (codes % step.kernel[1]) * step.dilation[1]
    values = signal.permute(0, 2, 3, 1).flatten(1, 2)
    placed = values.new_zeros(len(values), tall * wide, values.shape[2])
    placed.scatter_add_(1, (rows * wide + columns).flatten(1, 2), values)
    return placed.view(len(values), tall, wide, -1).permute(0, 3, 1, 2)


def _unpool_four(signal: Tensor, switches: Tensor) -> Tensor:
    """``unpool`` for cells of 2x2, which do not overlap: (N, C, 2h, 2w)."""
    values, numbers = signal.permute(0, 2, 3, 1), switches.float()
    count, height, width, channels = values.shape
    placed = values.new_empty((count, height, 2, width, 2, channels))
    for code in range(4):  # all in float32: with mixed types torch is three times slower
        cell = placed[:, :, code >> 1, :, code & 1]
        torch.eq(numbers, code, out=cell).mul_(values)
    return placed.view(count, 2 * height, 2 * width, channels).permute(0, 3, 1, 2)


def average_up(signal: Tensor, step: AveragePooling, counts: Tensor) -> Tensor:
    """Average pooling of a signal that has its margin: sums, divided by ``counts``."""
    return F.avg_pool2d(signal, step.kernel, step.stride, divisor_override=1) / counts


def average_down(signal: Tensor, step: AveragePooling, counts: Tensor) -> Tensor:
    """Spread each value evenly over the locations whose mean it was."""
    channels = signal.shape[1]
    ones = signal.new_ones(channels, 1, *step.kernel)
    return F.conv_transpose2d(signal / counts, ones, stride=step.stride, groups=channels)


def average_counts(step: AveragePooling, below: Pair, above: Pair) -> Tensor:
    """How many locations each mean is taken over: float (h, w)."""
    counts = []
    for size, number, kernel, stride, padding in zip(
        *(below, above, step.kernel, step.stride, step.padding), strict=True
    ):
        begin = torch.arange(number) * stride - padding
        end = (begin + kernel).clamp(max=size + padding)
        if not step.count_padding:
            begin, end = begin.clamp(min=0), end.clamp(max=size)
        counts.append(end - begin)
    return torch.outer(*counts).float()


def add_up(signals: Sequence[Tensor]) -> Tensor:
    """The sum of several signals."""
    first, second, *others = signals
    total = first + second
    for other in others:
        total += other
    return total


def add_down(signal: Tensor, inputs: int) -> list[Tensor]:
    """A copy for each input."""
    return [signal, *(signal.clone() for _ in range(inputs - 1))]


def concatenate_up(signals: Sequence[Tensor]) -> Tensor:
    """The channels of several signals, one after the other."""
    return torch.cat(list(signals), 1)


def concatenate_down(signal: Tensor, channels: Sequence[int]) -> list[Tensor]:
    """The channels of each input."""
    return list(torch.split(signal, list(channels), 1))


def slice_up(signal: Tensor, step: ChannelSlice) -> Tensor:
    """Some of the channels."""
    return signal[:, step.first : step.end].clone()


def slice_down(signal: Tensor, step: ChannelSlice, channels: int) -> Tensor:
    """The channels at their places among all, zero elsewhere."""
    return F.pad(signal, (0, 0, 0, 0, step.first, channels - step.end))


def normalise_up(signal: Tensor, step: ResponseNormalisation) -> Tensor:
    """Local response normalisation; on the way down it is passed through unchanged."""
    return F.local_response_norm(signal, step.size, step.alpha, step.beta, step.k)


def up(step: Step, signals: Sequence[Tensor]) -> Tensor:  # noqa: PLR0911  (a table)
    """Any step on whole planes, without switches, on any device and in any precision.

    Raises:
        DeconvError: the step is of an unknown kind.
    """
    signal = signals[0]
    match step:
        case Convolution():
            return F.conv2d(
                *(signal, step.weight, step.bias, step.stride),
                *(step.padding, step.dilation, step.groups),
            )
        case Affine():
            return scale_up(signal, step)
        case Rectification():
            return rectify(signal, step.ceiling)
        case MaxPooling():
            return F.max_pool2d(
                *(signal, step.kernel, step.stride, step.padding, step.dilation, step.ceil_mode)
            )
        case AveragePooling():
            return F.avg_pool2d(
                *(signal, step.kernel, step.stride, step.padding),
                *(step.ceil_mode, step.count_padding),
            )
        case Addition():
            return add_up(signals)
        case Concatenation():
            return concatenate_up(signals)
        case ChannelSlice():
            return slice_up(signal, step)
        case ZeroPadding():
            return F.pad(signal, (step.left, step.right, step.top, step.bottom))
        case ResponseNormalisation():
            return normalise_up(signal, step)
    raise DeconvError(f"the step {step.name!r} has no deconvnet")


# The two walks ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class ConvnetPass:
    """The result of the way up.

    Attributes:
        feature_maps: float32 (N, C, H, W), the activations of the requested layer, after ReLU.
        switches: node of each max pooling on the way -> its switches, as ``pool`` returns them;
            on request also node of each rectification -> where it was open.
    """

    feature_maps: Tensor
    switches: dict[int, Tensor]


@torch.inference_mode()
def convnet_pass(
    graph: Graph,
    inputs: Tensor,
    layer: str,
    watch: Callable[[str, Tensor], None] | None = None,
    *,
    masks: bool = False,
) -> ConvnetPass:
    """Walk up from normalised images (N, 3, H, W) to a layer, recording the switches.

    ``watch`` is called with the name and the feature maps of every layer on the way. ``masks`` also
    records where rectifications were open, for rules other than deconvnet.

    Raises:
        DeconvError: the network has no such layer, or it lies behind a step without a deconvnet.
    """
    value = graph.value_of(layer)
    switches: dict[int, Tensor] = {}

    def watch_node(place: int, signal: Tensor, codes: Tensor | None) -> None:
        name, step = graph.nodes[place].layer, graph.nodes[place].step
        if codes is not None:
            switches[place] = codes
        elif masks and isinstance(step, Rectification):
            switches[place] = opened(signal, step)
        if watch is not None and name:
            watch(name, signal)

    places = graph.needed(value)
    whole = {v: whole_plane(graph.plane(v), len(inputs)) for v in range(value + 1)}
    values = walk_up(graph, places, {0: inputs}, whole, graph.last_use(value), watch_node)
    return ConvnetPass(values[value], switches)


@torch.inference_mode()
def deconvnet_pass(
    graph: Graph,
    activations: Tensor,
    switches: Mapping[int, Tensor],
    layer: str,
    rule: Rule = "deconvnet",
) -> Tensor:
    """Walk down from activations (N, C, H, W) of a layer to signed pixels (N, 3, H', W').

    ``switches`` are those of the same images from ``convnet_pass``, with masks unless the rule is
    deconvnet. The pixels are RGB, in the
    units of the normalised input, not scaled.

    Raises:
        DeconvError: the network has no such layer, or it lies behind a step without a deconvnet.
    """
    value = graph.value_of(layer)
    whole = {v: whole_plane(graph.plane(v), len(activations)) for v in range(value + 1)}
    signals = {value: activations.clone()}
    return walk_down(graph, graph.needed(value), signals, whole, switches.__getitem__, rule)[0]


def walk_up(
    graph: Graph,
    places: Sequence[int],
    values: dict[int, Tensor],
    lies: Windows,
    last_use: Mapping[int, int],
    watch: Callable[[int, Tensor, Tensor | None], None],
) -> dict[int, Tensor]:
    """Compute nodes one after the other.

    Args:
        graph: the network.
        places: of the nodes, in order.
        values: the signal of each value that they take from below; left empty.
        lies: where each signal is.
        last_use: value -> the last node that takes it; then its signal is let go.
        watch: called with a node's place, what it puts out, and the switches of a max pooling.

    Returns:
        The signals that are left.
    """
    for place in places:
        node = graph.nodes[place]
        signals = []
        for taken in node.inputs:
            free = last_use[taken] == place and node.inputs.count(taken) == 1
            signals.append(values.pop(taken) if free else values[taken])
        shared = node.inputs[0] in values or node.inputs[0] == 0
        if isinstance(node.step, Rectification) and shared:
            signals = [signals[0].clone()]  # others take it as it is
        values[place + 1], codes = _one_up(graph, place, signals, lies)
        for taken in node.inputs:
            if last_use[taken] == place:
                values.pop(taken, None)
        watch(place, values[place + 1], codes)
    return values


def _one_up(
    graph: Graph, place: int, signals: Sequence[Tensor], lies: Windows
) -> tuple[Tensor, Tensor | None]:
    """What a node puts out, and the switches if it is a max pooling."""
    node, above = graph.nodes[place], lies[place + 1]
    step = node.step
    margin = not (above.whole and all(lies[taken].whole for taken in node.inputs))
    averages = isinstance(step, AveragePooling)
    if margin or averages:
        beyond = float("-inf") if isinstance(step, MaxPooling) else 0.0
        signals = [
            move(signal, lies[taken], reached(step, above, graph.plane(taken)), beyond)
            for signal, taken in zip(signals, node.inputs, strict=True)
        ]
    match step:
        case Convolution():
            return filter_up(signals[0], step, (0, 0) if margin else None), None
        case MaxPooling():
            return pool(signals[0], step, margin=margin)
        case AveragePooling():
            return average_up(signals[0], step, _counts(graph, node, above)), None
        case ZeroPadding() if margin:
            return signals[0], None
    return up(step, signals), None


def walk_down(
    graph: Graph,
    places: Sequence[int],
    signals: dict[int, Tensor],
    lies: Windows,
    switches: Callable[[int], Tensor],
    rule: Rule = "deconvnet",
) -> dict[int, Tensor]:
    """Take signals down through nodes, the last one first.

    Args:
        graph: the network.
        places: of the nodes, in the order of the way up.
        signals: value -> the signal that came down to it so far, on its own memory; left empty.
        lies: where each signal is.
        switches: of a max pooling, by its node's place, on the window of what it puts out; for
            other rules than deconvnet also where a rectification was open.
        rule: how rectifications are undone.

    Returns:
        The signals of the values below.
    """
    rectified: set[int] = set()
    for place in reversed(places):
        node = graph.nodes[place]
        signal = signals.pop(place + 1)  # summed: all that take this value come later in the graph
        if rule == "deconvnet" and _rectifies_below(graph, node, signals):
            signal = rectify(signal)
            rectified.add(node.inputs[0])
        if isinstance(node.step, Rectification) and place + 1 not in rectified:
            signal = rectify_down(signal, rule, None if rule == "deconvnet" else switches(place))
        parts = _one_down(graph, place, signal, lies, switches)
        for taken, part in zip(node.inputs, parts, strict=True):
            if taken in signals:
                rectified.discard(taken)
                signals[taken].add_(part)
            else:
                signals[taken] = part
    return signals


def _rectifies_below(graph: Graph, node: Node, signals: Mapping[int, Tensor]) -> bool:
    """True for a pooling whose signal can as well be rectified before it is unpooled.

    It is smaller then; where cells do not overlap, the result is the same.
    """
    step, taken = node.step, node.inputs[0]
    if not isinstance(step, MaxPooling) or taken in signals:
        return False
    if step.kernel != step.stride or step.dilation != (1, 1):
        return False
    return taken > 0 and isinstance(graph.nodes[taken - 1].step, Rectification)


def _one_down(
    graph: Graph, place: int, signal: Tensor, lies: Windows, switches: Callable[[int], Tensor]
) -> list[Tensor]:
    """The signal that a node sends to each value that it takes, where that value's signal is.

    A rectification passes it on: ``walk_down`` has rectified it.
    """
    node, above = graph.nodes[place], lies[place + 1]
    step, taken = node.step, node.inputs[0]
    shapes = [graph.shape(value) for value in node.inputs]
    match step:
        case Convolution():
            if above.whole and lies[taken].whole:
                return [filter_down(signal, step, step.padding, _extra(step, node, shapes[0]))]
            parts = [filter_down(signal, step)]
        case Affine():
            parts = [scale_down(signal, step)]
        case MaxPooling():
            parts = [unpool(signal, switches(place), step)]
        case AveragePooling():
            parts = [average_down(signal, step, _counts(graph, node, above))]
        case Addition():
            parts = add_down(signal, len(node.inputs))
        case Concatenation():
            parts = concatenate_down(signal, [shape[0] for shape in shapes])
        case ChannelSlice():
            parts = [slice_down(signal, step, shapes[0][0])]
        case Rectification() | ZeroPadding() | ResponseNormalisation():
            parts = [signal]
        case _:
            raise DeconvError(f"the step {step.name!r} has no deconvnet")
    return [
        move(part, reached(step, above, graph.plane(value)), lies[value])
        for part, value in zip(parts, node.inputs, strict=True)
    ]


def _extra(step: Convolution, node: Node, below: Sequence[int]) -> Pair:
    """Rows and columns at the end of the plane below that no filter took."""
    rows, columns = (
        below[1 + axis]
        - ((node.shape[1 + axis] - 1) * step.stride[axis] + reach_of(step).extent[axis])
        + 2 * step.padding[axis]
        for axis in range(2)
    )
    return rows, columns


def _counts(graph: Graph, node: Node, above: Support) -> Tensor:
    """``average_counts`` on a window of what a pooling puts out: (N, 1, h, w)."""
    assert isinstance(node.step, AveragePooling)
    counts = average_counts(node.step, graph.plane(node.inputs[0]), node.shape[1:])
    cut = [
        counts[row : row + above.height, column : column + above.width]
        for row, column in above.starts
    ]
    return torch.stack(cut).unsqueeze(1)


def move(signal: Tensor, old: Support, new: Support, beyond: float = 0.0) -> Tensor:
    """The signal on other rectangles of the plane; ``beyond`` outside the old ones."""
    if (old.starts, old.height, old.width) == (new.starts, new.height, new.width):
        return signal
    layout = torch.contiguous_format if signal.is_contiguous() else torch.channels_last
    shape = (*signal.shape[:2], new.height, new.width)
    moved = torch.empty(shape, dtype=signal.dtype, memory_format=layout).fill_(beyond)
    for item, (before, after) in enumerate(zip(old.starts, new.starts, strict=True)):
        source, target = [], []
        for was, now, size, room in zip(
            *(before, after, (old.height, old.width), (new.height, new.width)), strict=True
        ):
            first, last = max(was, now), min(was + size, now + room)
            source.append(slice(first - was, max(last - was, first - was)))
            target.append(slice(first - now, max(last - now, first - now)))
        moved[item, :, target[0], target[1]] = signal[item, :, source[0], source[1]]
    return moved
