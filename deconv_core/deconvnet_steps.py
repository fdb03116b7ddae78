"""Each kind of step with its way up and its way down, and the two walks over a graph.

Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, section 2.1 and
figure 1, on any graph of steps. On the left the way up, on the right the way down::

      feature maps                             one activation, zero elsewhere
          ^                                          |
      rectification: max(x, 0)                 rectification: max(s, 0)
          ^                                          v
      addition                                 copied to both
          ^   ^                                      |   |
          |   filtering: weights, plus bias          |   filtering: the same weights, transposed
          |   ^                                      |   v
          |   rectification                          |   rectification
          |   ^                                      |   v
          |   filtering                              |   filtering
          |   |                                      |   |
          value 4, taken by two steps              sum of what comes down both ways,
          ^                                        only then rectified
      max pooling   ---- switches ---->        unpooling: each value is added where the
          ^                                          |   maximum was
      normalised image                         signed picture, in units of the input

Nothing is rectified below the first filtering, so the picture keeps its sign. Every way down is
positively homogeneous: twice the activation gives exactly twice the picture. No hooks, no
gradients, no state.

A signal need not be a whole plane. It lies on a ``Window`` of it, and the same functions serve the
window of one activation and the whole image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import Tensor

from deconv_core.errors import DeconvError
from deconv_core.network.graph import (
    Addition,
    Affine,
    AveragePooling,
    ChannelSlice,
    Concatenation,
    Convolution,
    Graph,
    MaxPooling,
    Pair,
    Rectification,
    ResponseNormalisation,
    Step,
    ZeroPadding,
)

Rule = Literal["deconvnet", "guided", "gradient"]


@dataclass(frozen=True, slots=True)
class Window:
    """Locations of a plane: rows [top, top + height), columns [left, left + width)."""

    top: int
    left: int
    height: int
    width: int

    def union(self, other: Window) -> Window:
        """The smallest window that holds both."""
        top, left = min(self.top, other.top), min(self.left, other.left)
        bottom = max(self.top + self.height, other.top + other.height)
        right = max(self.left + self.width, other.left + other.width)
        return Window(top, left, bottom - top, right - left)

    def clip(self, height: int, width: int) -> Window:
        """The part of it inside a plane."""
        top, left = max(self.top, 0), max(self.left, 0)
        bottom = max(min(self.top + self.height, height), top)
        right = max(min(self.left + self.width, width), left)
        return Window(top, left, bottom - top, right - left)


@dataclass(frozen=True, slots=True)
class Trace:
    """What the way up leaves for the way down.

    Attributes:
        feature_maps: (N, C, H, W) of the value that was asked for.
        switches: node of each max pooling -> int64 (N, C, h, w): the flat index, in the whole plane
            below, of the maximum.
        open: node of each rectification -> bool (N, C, h, w): what passed it; empty unless asked
            for ("deconvnet" does not need it).
    """

    feature_maps: Tensor
    switches: Mapping[int, Tensor]
    open: Mapping[int, Tensor] = field(default_factory=dict)


# The way up ---------------------------------------------------------------------------------------


def up(step: Step, *signals: Tensor) -> Tensor:  # noqa: PLR0911  (a table)
    """One step on whole planes, (N, C, H, W).

    Raises:
        DeconvError: the step is of an unknown kind.
    """
    signal = signals[0]
    match step:
        case Convolution():
            return F.conv2d(
                *(signal, step.weight, step.bias, step.stride, step.padding, step.dilation),
                groups=step.groups,
            )
        case Affine():
            return signal * _by_channel(step.scale) + _by_channel(step.shift)
        case Rectification():
            return signal.clamp(0, step.ceiling)
        case MaxPooling():
            return max_pool(step, signal)[0]
        case AveragePooling():
            return F.avg_pool2d(
                *(signal, step.kernel, step.stride, step.padding),
                ceil_mode=step.ceil_mode,
                count_include_pad=step.count_padding,
            )
        case Addition():
            return torch.stack(signals).sum(0) if len(signals) > 2 else signals[0] + signals[1]
        case Concatenation():
            return torch.cat(signals, 1)
        case ChannelSlice():
            return signal[:, step.first : step.end]
        case ZeroPadding():
            return F.pad(signal, (step.left, step.right, step.top, step.bottom))
        case ResponseNormalisation():
            return F.local_response_norm(signal, step.size, step.alpha, step.beta, step.k)
    raise DeconvError(f"the step {step.name!r} has no deconvnet")


def max_pool(step: MaxPooling, signal: Tensor) -> tuple[Tensor, Tensor]:
    """Pooled maps and switches: flat indices in the plane below."""
    pooled, switches = F.max_pool2d(
        *(signal, step.kernel, step.stride, step.padding, step.dilation),
        ceil_mode=step.ceil_mode,
        return_indices=True,
    )
    return pooled, switches


@torch.inference_mode()
def ascend(
    graph: Graph,
    inputs: Tensor,
    value: int,
    watch: Callable[[int, Tensor], None] | None = None,
    *,
    rectified: bool = False,
) -> Trace:
    """Walk up from normalised images (N, 3, H, W) to a value, recording the switches.

    ``watch`` is shown every value on the way. ``rectified`` records also what each rectification
    let pass.

    Raises:
        DeconvError: a step on the way has no deconvnet.
    """
    if blocker := graph.in_the_way(value):
        raise DeconvError(f"this layer lies behind the step {blocker!r}, which has no deconvnet")
    places = graph.needed(value)
    last_use = {taken: place for place in places for taken in graph.nodes[place].inputs}
    values, switches, passed = {0: inputs}, {}, {}
    for place in places:
        node = graph.nodes[place]
        signals = [values[taken] for taken in node.inputs]
        if isinstance(node.step, MaxPooling):
            made, switches[place] = max_pool(node.step, signals[0])
        else:
            made = up(node.step, *signals)
        if rectified and isinstance(node.step, Rectification):
            passed[place] = _passes(node.step, signals[0])
        if watch is not None:
            watch(place + 1, made)
        values[place + 1] = made
        for taken in set(node.inputs):
            if last_use[taken] == place:  # nothing needs it any more
                del values[taken]
    return Trace(values[value], switches, passed)


def _passes(step: Rectification, signal: Tensor) -> Tensor:
    """Where a rectification changes its output with its input."""
    passed = signal > 0
    return passed if step.ceiling is None else passed & (signal < step.ceiling)


# The way down -------------------------------------------------------------------------------------


def below(step: Step, above: Window) -> Window:
    """The locations that a step takes for some of its output; they may reach past the plane."""
    match step:
        case Convolution() | MaxPooling():
            return _below(above, step.kernel, step.stride, step.padding, step.dilation)
        case AveragePooling():
            return _below(above, step.kernel, step.stride, step.padding, (1, 1))
        case ZeroPadding():
            return Window(above.top - step.top, above.left - step.left, above.height, above.width)
    return above


def _below(above: Window, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Window:
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    return Window(
        above.top * stride[0] - padding[0],
        above.left * stride[1] - padding[1],
        (above.height - 1) * stride[0] + reach[0],
        (above.width - 1) * stride[1] + reach[1],
    )


def move(signal: Tensor, old: Window, new: Window) -> Tensor:
    """The same signal on another window of the plane: zero where the old one did not reach."""
    if old == new:
        return signal
    left, top = old.left - new.left, old.top - new.top
    right = new.width - old.width - left
    bottom = new.height - old.height - top
    return F.pad(signal, (left, right, top, bottom))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a signal lies above and below a step on its way down.

    Attributes:
        above: the window of what the step puts out.
        below: the window of what it takes, inside the plane.
        plane: height and width of the whole plane below.
        channels: of each of its inputs.
    """

    above: Window
    below: Window
    plane: Pair
    channels: tuple[int, ...]


def down(  # noqa: PLR0911  (a table)
    step: Step, signal: Tensor, at: Place, switches: Tensor | None = None
) -> tuple[Tensor, ...]:
    """One step down: the signal for each input, on the window below.

    Args:
        step: not a rectification: that is ``rectify``.
        signal: (N, C, h, w), on the window above.
        at: the windows.
        switches: of a max pooling, on the window above.

    Raises:
        DeconvError: the step is of an unknown kind.
    """
    match step:
        case Convolution():
            filtered = F.conv_transpose2d(
                *(signal, step.weight, None, step.stride),
                groups=step.groups,
                dilation=step.dilation,
            )
            return (move(filtered, below(step, at.above), at.below),)
        case Affine():
            return (signal * _by_channel(step.scale),)
        case MaxPooling():
            if switches is None:
                raise DeconvError("unpooling needs the switches of the way up")
            return (unpool(signal, switches, at),)
        case AveragePooling():
            return (_spread(step, signal, at),)
        case Addition():
            return (signal,) * len(at.channels)
        case Concatenation():
            return torch.split(signal, list(at.channels), 1)
        case ChannelSlice():
            after = at.channels[0] - step.end
            return (F.pad(signal, (0, 0, 0, 0, step.first, after)),)
        case ZeroPadding():
            return (move(signal, below(step, at.above), at.below),)
        case ResponseNormalisation():
            return (signal,)
    raise DeconvError(f"the step {type(step).__name__} has no way down")


def unpool(signal: Tensor, switches: Tensor, at: Place) -> Tensor:
    """Add every value where its switch points: windows that overlap may share a maximum.

    ``max_unpool2d`` would keep only one of the values that meet.
    """
    rows = switches // at.plane[1] - at.below.top
    columns = switches % at.plane[1] - at.below.left
    target = (rows * at.below.width + columns).flatten(2)
    size = at.below.height * at.below.width
    plane = signal.new_zeros(*signal.shape[:2], size)
    plane.scatter_add_(2, target, signal.flatten(2))
    return plane.view(*signal.shape[:2], at.below.height, at.below.width)


def _spread(step: AveragePooling, signal: Tensor, at: Place) -> Tensor:
    """Every value evenly over the window whose mean it was."""
    counts = [
        _counts(first, number, kernel, stride, padding, size, step.count_padding)
        for first, number, kernel, stride, padding, size in zip(
            (at.above.top, at.above.left),
            (at.above.height, at.above.width),
            *(step.kernel, step.stride, step.padding, at.plane),
            strict=True,
        )
    ]
    shares = signal / torch.outer(*counts).to(signal)
    channels = signal.shape[1]
    ones = signal.new_ones(channels, 1, *step.kernel)
    spread = F.conv_transpose2d(shares, ones, stride=step.stride, groups=channels)
    return move(spread, below(step, at.above), at.below)


def _counts(
    first: int, number: int, kernel: int, stride: int, padding: int, size: int, padded: bool
) -> Tensor:
    """How many locations of an axis each mean was taken over."""
    begin = torch.arange(first, first + number) * stride - padding
    end = (begin + kernel).clamp(max=size + padding)
    if not padded:
        begin, end = begin.clamp(min=0), end.clamp(max=size)
    return end - begin


def rectify(signal: Tensor, rule: Rule, passed: Tensor | None) -> Tensor:
    """Undo a rectification: "deconvnet" max(s, 0), "gradient" s where x > 0, "guided" both.

    ``passed`` says where x > 0; "deconvnet" does not ask.
    """
    if rule != "gradient":
        signal = signal.relu()
    if rule != "deconvnet":
        if passed is None:
            raise DeconvError(f"the rule {rule!r} needs what each rectification let pass")
        signal = signal * passed
    return signal


def windows(graph: Graph, value: int, wanted: Window) -> dict[int, Window]:
    """Value -> the locations that some locations of a value depend on: the union over all paths."""
    found = {value: wanted}
    for place in reversed(graph.needed(value)):
        node = graph.nodes[place]
        for taken in node.inputs:
            _, height, width = graph.shape(taken)
            window = below(node.step, found[place + 1]).clip(height, width)
            found[taken] = found[taken].union(window) if taken in found else window
    return found


@torch.inference_mode()
def descend(
    graph: Graph,
    signal: Tensor,
    value: int,
    trace: Trace,
    *,
    rule: Rule = "deconvnet",
    window: Window | None = None,
) -> tuple[Tensor, Window]:
    """Walk down from activations of a value to signed pixels.

    Args:
        graph: with whose weights.
        signal: (N, C, h, w), on the window.
        value: whose activations they are.
        trace: of the same images, whole planes, from ``ascend``.
        rule: how rectification is undone.
        window: where in the plane the signal lies; None for the whole.

    Returns:
        Pixels (N, 3, h', w') in units of the normalised input, unscaled, and the window of the
        input that they are; outside it the picture is zero.
    """
    _, height, width = graph.shape(value)
    lies = windows(graph, value, window or Window(0, 0, height, width))
    coming: dict[int, Tensor] = {value: signal}
    for place in reversed(graph.needed(value)):
        node, above = graph.nodes[place], lies[place + 1]
        arrived = coming.pop(place + 1)  # summed over all consumers: they come later in the graph
        if isinstance(node.step, Rectification):
            parts: Sequence[Tensor] = (rectify(arrived, rule, _cut(trace.open.get(place), above)),)
        else:
            shapes = [graph.shape(taken) for taken in node.inputs]
            inside = below(node.step, above).clip(*shapes[0][1:])
            at = Place(above, inside, shapes[0][1:], tuple(shape[0] for shape in shapes))
            parts = down(node.step, arrived, at, _cut(trace.switches.get(place), above))
        inside = below(node.step, above)
        for taken, part in zip(node.inputs, parts, strict=True):
            at_input = inside.clip(*graph.shape(taken)[1:])
            moved = move(part, at_input, lies[taken])
            coming[taken] = coming[taken] + moved if taken in coming else moved
    return coming[0], lies[0]


def _cut(plane: Tensor | None, window: Window) -> Tensor | None:
    if plane is None:
        return None
    rows = slice(window.top, window.top + window.height)
    return plane[:, :, rows, window.left : window.left + window.width]


def _by_channel(numbers: Tensor) -> Tensor:
    return numbers.view(1, -1, 1, 1)
