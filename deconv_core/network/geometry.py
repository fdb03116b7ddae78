"""Which pixels the locations of each layer see: the union over all paths through the graph."""

from __future__ import annotations

from dataclasses import dataclass

from deconv_core.network.graph import (
    AveragePooling,
    Convolution,
    Graph,
    MaxPooling,
    Node,
    ZeroPadding,
)


@dataclass(frozen=True, slots=True)
class Axis:
    """Along one axis, location ``c`` sees the pixels [c * stride + offset, + size)."""

    size: int
    stride: int
    offset: int

    def through(self, reach: int, stride: int, padding: int) -> Axis:
        """What a step sees whose locations take ``reach`` locations of these."""
        return Axis(
            self.size + (reach - 1) * self.stride,
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
"""Along the rows and along the columns; None where no such rule holds: the whole image."""


def fields(graph: Graph) -> list[Field]:
    """The receptive field of every value, by its number."""
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
    match node.step:
        case Convolution() | MaxPooling():
            reach = [
                d * (k - 1) + 1 for k, d in zip(node.step.kernel, node.step.dilation, strict=True)
            ]
            stride, padding = node.step.stride, node.step.padding
        case AveragePooling():
            reach, stride, padding = list(node.step.kernel), node.step.stride, node.step.padding
        case ZeroPadding():
            reach, stride, padding = [1, 1], (1, 1), (node.step.top, node.step.left)
        case _:
            return field
    rows, columns = field
    return (
        rows.through(reach[0], stride[0], padding[0]),
        columns.through(reach[1], stride[1], padding[1]),
    )
