"""What each location depends on: the receptive fields of all layers, and supports below a location.

Both are the same arithmetic. On one axis, ``n`` neighbouring locations of what a step puts out
need ``(n - 1) * stride + extent`` locations of what it takes, from ``first * stride - padding`` on.
Where a value has several consumers, what they need is united.

The **support** of an activation is the rectangle of locations of each value below that it depends
on; its reconstruction is zero everywhere else::

                 side of the support          up               down
      conv4_2            1                    the value   ->   the value
      conv4_1            3                       ^                |
      pool3              5                       |   switches     |
      conv3_4           10                       |  - - - - ->    |
      conv3_3           12                       |                v
      ...                                     pixels          signed pixels

All activations of a batch have supports of the same size. Near a border a rectangle is shifted
into the plane, so that its size stays the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deconv_core.graph.steps import (
    AveragePooling,
    Convolution,
    Graph,
    MaxPooling,
    Node,
    Pair,
    Rectification,
    Step,
    ZeroPadding,
    kept_with_graph,
)
from deconv_core.layers import Layer, ReceptiveField

Place = tuple[int, int]
"""Row and column."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Which locations a step takes for one location of its output, on (rows, columns)."""

    extent: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)


def reach_of(step: Step) -> Reach:
    """The reach of a step; that of most is one location at the same place."""
    match step:
        case Convolution() | MaxPooling():
            down, across = (
                d * (k - 1) + 1 for k, d in zip(step.kernel, step.dilation, strict=True)
            )
            return Reach((down, across), step.stride, step.padding)
        case AveragePooling():
            return Reach(step.kernel, step.stride, step.padding)
        case ZeroPadding():
            return Reach(padding=(step.top, step.left))
    return Reach()


@dataclass(frozen=True, slots=True)
class Axis:
    """Along one axis, location ``c`` sees the pixels [c * stride + offset, + size)."""

    size: int
    stride: int
    offset: int

    def through(self, extent: int, stride: int, padding: int) -> Axis:
        """What the output of a step sees that takes ``extent`` of these locations."""
        return Axis(
            self.size + (extent - 1) * self.stride,
            self.stride * stride,
            self.offset - padding * self.stride,
        )

    def union(self, other: Axis) -> Axis | None:
        """What both see together; None if their strides differ."""
        if self.stride != other.stride:
            return None
        offset = min(self.offset, other.offset)
        end = max(self.offset + self.size, other.offset + other.size)
        return Axis(end - offset, self.stride, offset)


Field = tuple[Axis, Axis] | None
"""Along the rows and along the columns; None where there is no such rule."""


def fields(graph: Graph) -> list[Field]:
    """The receptive field of every value, by its number: the union over all paths."""
    found: list[Field] = [(Axis(1, 1, 0), Axis(1, 1, 0))]
    for node in graph.nodes:
        below = [_through(node, found[value]) for value in node.inputs]
        field = below[0]
        for other in below[1:]:
            field = _union(field, other)
        found.append(field)
    return found


def _union(first: Field, second: Field) -> Field:
    if first is None or second is None:
        return None
    rows, columns = first[0].union(second[0]), first[1].union(second[1])
    return None if rows is None or columns is None else (rows, columns)


def _through(node: Node, field: Field) -> Field:
    if field is None:
        return None
    reach = reach_of(node.step)
    rows, columns = (
        axis.through(extent, stride, padding)
        for axis, extent, stride, padding in zip(
            field, reach.extent, reach.stride, reach.padding, strict=True
        )
    )
    return rows, columns


def layers_of(graph: Graph) -> dict[str, Layer]:
    """The layers of a graph, in order, without those behind a step that has no deconvnet."""
    seen = fields(graph)
    blocked = graph.blocked
    layers = {}
    for name, value in graph.layers.items():
        if value in blocked:
            continue
        node = graph.nodes[value - 1]
        is_pool = isinstance(node.step, MaxPooling | AveragePooling)
        field = _receptive_field(seen[value], graph.input_shape[1:], node.shape[1:])
        shared = _pooled_from(graph, node)
        layers[name] = Layer(name, *node.shape, field, is_pool, shared, graph.plane(0))
    return layers


def _receptive_field(field: Field, image: Pair, plane: Pair) -> ReceptiveField:
    """The field of a layer; the whole image where there is no rule or only one location."""
    if field is None or plane == (1, 1):
        rows, columns = (Axis(size, 0, 0) for size in image)
    else:
        rows, columns = field
    across = None if rows == columns else (columns.size, columns.stride, columns.offset)
    return ReceptiveField(rows.size, rows.stride, rows.offset, across)


def _pooled_from(graph: Graph, node: Node) -> str:
    """The layer that shares its peaks with a pooling: each is in just one window of 2x2 cells."""
    step = node.step
    if not isinstance(step, MaxPooling) or (step.kernel, step.stride) != ((2, 2), (2, 2)):
        return ""
    below = graph.nodes[node.inputs[0] - 1] if node.inputs[0] else None
    if below is None or not isinstance(below.step, Rectification):
        return ""
    whole = all(b == 2 * a for b, a in zip(below.shape[1:], node.shape[1:], strict=True))
    plain = (step.padding, step.dilation) == ((0, 0), (1, 1))
    return below.layer if whole and plain else ""


@dataclass(frozen=True, slots=True)
class Support:
    """A rectangle of locations of one value for each item of a batch.

    Attributes:
        plane: height and width of the value's planes.
        height: of the rectangle.
        width: of the rectangle.
        starts: first row and column of the rectangle, for each item; they may be outside the plane.
    """

    plane: Pair
    height: int
    width: int
    starts: tuple[Place, ...]

    @property
    def whole(self) -> bool:
        """True if the rectangle is the whole plane."""
        return (self.height, self.width) == self.plane

    @property
    def area(self) -> int:
        """Locations in it."""
        return self.height * self.width

    def part(self, items: slice) -> Support:
        """The rectangles of some items."""
        return Support(self.plane, self.height, self.width, self.starts[items])

    def inside(self) -> Support:
        """The rectangles shifted into the plane, and cut to its size."""
        height, width = min(self.height, self.plane[0]), min(self.width, self.plane[1])
        rows, columns = self.plane[0] - height, self.plane[1] - width
        starts = tuple((min(max(r, 0), rows), min(max(c, 0), columns)) for r, c in self.starts)
        return Support(self.plane, height, width, starts)

    def union(self, other: Support) -> Support:
        """Rectangles inside the plane that hold both."""
        starts = [
            (min(mine[0], its[0]), min(mine[1], its[1]))
            for mine, its in zip(self.starts, other.starts, strict=True)
        ]
        height = max(
            max(mine[0] + self.height, its[0] + other.height) - start[0]
            for mine, its, start in zip(self.starts, other.starts, starts, strict=True)
        )
        width = max(
            max(mine[1] + self.width, its[1] + other.width) - start[1]
            for mine, its, start in zip(self.starts, other.starts, starts, strict=True)
        )
        return Support(self.plane, height, width, tuple(starts)).inside()


def whole_plane(plane: Pair, items: int) -> Support:
    """The whole plane of each item."""
    return Support(plane, *plane, ((0, 0),) * items)


def reached(step: Step, above: Support, plane: Pair) -> Support:
    """What a step takes for these locations of its output, also beyond the plane below."""
    reach = reach_of(step)
    starts = tuple(
        (
            row * reach.stride[0] - reach.padding[0],
            column * reach.stride[1] - reach.padding[1],
        )
        for row, column in above.starts
    )
    height = (above.height - 1) * reach.stride[0] + reach.extent[0]
    width = (above.width - 1) * reach.stride[1] + reach.extent[1]
    return Support(plane, height, width, starts)


def supports(graph: Graph, value: int, places: Sequence[Place]) -> dict[int, Support]:
    """Value -> the support of locations of one value, one for each item of a batch."""
    found = {value: Support(graph.plane(value), 1, 1, tuple(places))}
    for node_place in reversed(graph.needed(value)):
        node, above = graph.nodes[node_place], found[node_place + 1]
        for taken in node.inputs:
            plane = graph.plane(taken)
            if above.whole:
                below = whole_plane(plane, len(places))
            else:
                below = reached(node.step, above, plane).inside()
            found[taken] = found[taken].union(below) if taken in found else below
    return found


@kept_with_graph
def share_of_work(graph: Graph, value: int) -> float:
    """Multiplications to compute one location of a value, as a share of the whole plane's."""
    height, width = graph.plane(value)
    lies = supports(graph, value, [(height // 2, width // 2)])
    seen = whole = 0
    for place in graph.needed(value):
        step, above = graph.nodes[place].step, lies[place + 1]
        if isinstance(step, Convolution):
            seen += step.weight.numel() * above.area
            whole += step.weight.numel() * above.plane[0] * above.plane[1]
    return seen / whole if whole else 1.0
