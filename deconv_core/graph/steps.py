"""A convolutional network as a graph of steps, from the normalised image up.

Values are numbered: value 0 is the normalised image (3, H, W), value ``i + 1`` is what node ``i``
puts out. Every node names the values that it takes, all of them earlier: the order of the nodes is
the order in which they are computed, and no circle can be written down. A residual block::

    value 4 ----------------------------.
       |                                 |
    node 4  Convolution   -> value 5     |
    node 5  Rectification -> value 6     |
    node 6  Convolution   -> value 7     |
       |                                 |
    node 7  Addition (value 7, value 4) -> value 8
       |
    node 8  Rectification -> value 9      a layer: "layer1.0"

The steps are data. What they do on the way up and on the way down stands in ``deconvnet``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any, TypeVar, cast

from torch import Tensor

from deconv_core.arguments import shown
from deconv_core.errors import DeconvError

Pair = tuple[int, int]
"""Along the rows and along the columns."""
Shape = tuple[int, int, int]
"""Channels, height, width."""


@dataclass(frozen=True, eq=False)
class Convolution:
    """Filters: weight (out, in / groups, rows, columns), bias (out,)."""

    weight: Tensor
    bias: Tensor
    stride: Pair = (1, 1)
    padding: Pair = (1, 1)
    dilation: Pair = (1, 1)
    groups: int = 1

    @property
    def kernel(self) -> Pair:
        """Height and width of the filters."""
        return int(self.weight.shape[2]), int(self.weight.shape[3])


@dataclass(frozen=True, eq=False)
class Affine:
    """Each channel times its scale, plus its shift: batch normalisation at rest. Both (C,)."""

    scale: Tensor
    shift: Tensor


@dataclass(frozen=True, slots=True)
class Rectification:
    """ReLU; with a ceiling, ReLU6 and its like."""

    ceiling: float | None = None


@dataclass(frozen=True, slots=True)
class MaxPooling:
    """The maximum of each window of the plane; windows may overlap."""

    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    ceil_mode: bool = False


@dataclass(frozen=True, slots=True)
class AveragePooling:
    """The mean of each window of the plane."""

    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)
    ceil_mode: bool = False
    count_padding: bool = True


@dataclass(frozen=True, slots=True)
class Addition:
    """The sum of several values."""


@dataclass(frozen=True, slots=True)
class Concatenation:
    """The channels of several values, one after the other."""


@dataclass(frozen=True, slots=True)
class ChannelSlice:
    """Some neighbouring channels: from ``first`` up to and without ``end``."""

    first: int
    end: int


@dataclass(frozen=True, slots=True)
class ZeroPadding:
    """Zeros around the plane; negative numbers cut off."""

    left: int
    right: int
    top: int
    bottom: int


@dataclass(frozen=True, slots=True)
class ResponseNormalisation:
    """Local response normalisation across channels (AlexNet of 2012)."""

    size: int
    alpha: float
    beta: float
    k: float


@dataclass(frozen=True, slots=True)
class Unknown:
    """A step without a deconvnet, by its name: for example "silu"."""

    name: str


Step = (
    Convolution
    | Affine
    | Rectification
    | MaxPooling
    | AveragePooling
    | Addition
    | Concatenation
    | ChannelSlice
    | ZeroPadding
    | ResponseNormalisation
    | Unknown
)


@dataclass(frozen=True, eq=False)
class Node:
    """One step of a graph.

    Attributes:
        step: what is computed.
        inputs: the values that it takes.
        shape: channels, height and width of what it puts out.
        path: of the module that computes it, for example "layer2.0.conv1"; "" for the whole.
        layer: name of the layer that its output is, or "".
    """

    step: Step
    inputs: tuple[int, ...]
    shape: Shape
    path: str = ""
    layer: str = ""


_Answer = TypeVar("_Answer", bound=Callable[..., Any])


def kept_with_graph(answer: _Answer) -> _Answer:
    """Keep a function's answers about some values of a graph with the graph, which never changes.

    The answers are shared: do not change them.
    """

    @wraps(answer)
    def kept(graph: Graph, *values: int) -> Any:
        key = (answer.__qualname__, *values)
        if key not in graph.answers:
            graph.answers[key] = answer(graph, *values)
        return graph.answers[key]

    return cast("_Answer", kept)


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes in the order of computing, read-only and safe to share between threads.

    Attributes:
        nodes: of the whole network, without its classifier.
        input_shape: of value 0: (3, height, width).
    """

    nodes: tuple[Node, ...]
    input_shape: Shape

    def shape(self, value: int) -> Shape:
        """Channels, height and width of a value."""
        return self.nodes[value - 1].shape if value else self.input_shape

    def plane(self, value: int) -> Pair:
        """Height and width of a value."""
        return self.shape(value)[1:]

    @cached_property
    def layers(self) -> dict[str, int]:
        """Name of each layer -> the value that it is."""
        return {node.layer: place + 1 for place, node in enumerate(self.nodes) if node.layer}

    @cached_property
    def answers(self) -> dict[Any, Any]:
        """For ``kept_with_graph``."""
        return {}

    def value_of(self, layer: str) -> int:
        """The value that a layer is.

        Raises:
            DeconvError: there is no such layer, or it depends on a step without a deconvnet.
        """
        if isinstance(layer, str) and layer in self.layers and not self.blocked:
            return self.layers[layer]
        usable = [name for name, value in self.layers.items() if value not in self.blocked]
        if not isinstance(layer, str) or layer not in self.layers:
            raise DeconvError(
                f"{shown(layer)} is not a layer of this network; choose one of {', '.join(usable)}"
            )
        if step := self.blocked.get(self.layers[layer]):
            raise DeconvError(
                f"{layer} lies behind the step {step!r}, which has no deconvnet; layers before it: "
                f"{', '.join(usable) or 'none'}"
            )
        return self.layers[layer]

    @kept_with_graph
    def needed(self, *values: int) -> tuple[int, ...]:
        """The nodes that some values depend on, in the order of computing."""
        wanted = set(values)
        for place in range(max(values) - 1, -1, -1):
            if place + 1 in wanted:
                wanted.update(self.nodes[place].inputs)
        return tuple(place for place in range(max(values)) if place + 1 in wanted)

    @kept_with_graph
    def last_use(self, *values: int) -> dict[int, int]:
        """Value -> the last node that takes it on the way to some values."""
        places = self.needed(*values)
        return {taken: place for place in places for taken in self.nodes[place].inputs}

    @cached_property
    def blocked(self) -> dict[int, str]:
        """Value -> the first step without a deconvnet that it depends on, for those that do."""
        found: dict[int, str] = {}
        for place, node in enumerate(self.nodes):
            if isinstance(node.step, Unknown):
                found[place + 1] = node.step.name
            elif names := [found[value] for value in node.inputs if value in found]:
                found[place + 1] = names[0]
        return found


def is_chain(nodes: Sequence[Node]) -> bool:
    """True if every node takes just what the one before puts out."""
    return all(node.inputs == (place,) for place, node in enumerate(nodes))
