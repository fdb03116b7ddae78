"""The drawing of one network in stages, and notes about its steps, for the Method page."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deconv_core.layers import Layer
from deconv_dashboard.wording import counted

if TYPE_CHECKING:
    from deconv_core.graph.steps import Graph, Node  # loads torch

_LINE, _ACCENT = "#7d8894", "#d9480f"
_UP = {
    "Convolution": "convolution",
    "Affine": "scaling",
    "Rectification": "rectification",
    "MaxPooling": "max pooling",
    "AveragePooling": "average pooling",
    "Addition": "addition",
    "Concatenation": "concatenation",
    "ResponseNormalisation": "response normalisation",
}
_DOWN = {
    "Concatenation": "to each branch its maps",
    "Addition": "the same to every branch",
    "Rectification": "rectification",
    "Affine": "scaling",
    "ResponseNormalisation": "passing through",
    "AveragePooling": "spreading",
    "MaxPooling": "unpooling",
    "Convolution": "filtering, transposed",
}
_MOST = 9
"""The most stages that are drawn; further ones are left out."""


@dataclass(frozen=True, slots=True)
class Part:
    """The steps whose maps have one size.

    Attributes:
        size: height and width of the maps.
        layers: how many layers it has.
        steps: class of step -> how many; empty if only the layers are known.
    """

    size: tuple[int, int]
    layers: int
    steps: Counter[str]


def parts_of(graph: Graph) -> list[Part]:
    """The stages of a graph, from the image up."""
    found: dict[tuple[int, int], Part] = {}
    for node in graph.nodes:
        size = node.shape[1], node.shape[2]
        part = found.setdefault(size, Part(size, 0, Counter()))
        part.steps[type(node.step).__name__] += 1
        found[size] = Part(size, part.layers + bool(node.layer), part.steps)
    return list(found.values())


def parts_of_layers(layers: Iterable[Layer]) -> list[Part]:
    """The stages as far as an index knows them: sizes and numbers of layers."""
    sizes = Counter((layer.height, layer.width) for layer in layers)
    return [Part(size, many, Counter()) for size, many in sizes.items()]


def network_drawing(parts: Sequence[Part], input_size: tuple[int, int], *, dark: bool) -> str:
    """The stages from the image below to the last one above, with the way down beside each."""
    shown = list(parts[:_MOST])
    text = "#d5dbe0" if dark else "#39424b"
    drawn = [_heading(140, "convnet, up"), _heading(460, "deconvnet, down")]
    y = 34
    for part in reversed(shown):
        up, down = _words(part)
        height = 36 + 17 * max(len(up), len(down))
        many = f" · {counted(part.layers, 'layer')}" if part.layers else ""
        title = f"{part.size[0]} × {part.size[1]}{many}"
        drawn += [_box(20, y, height, title, up, _LINE), _box(340, y, height, "", down, _LINE)]
        if "MaxPooling" in part.steps:
            drawn.append(_switches(y + height // 2))
        y += height
        drawn += [_arrow(140, y + 20, y + 3), _arrow(460, y + 2, y + 19)]
        y += 22
    image = f"image {input_size[0]} × {input_size[1]}"
    drawn += [_box(20, y, 34, image, (), _LINE), _box(340, y, 34, "reconstruction", (), _ACCENT)]
    return _svg(drawn, 600, y + 46, text)


def _words(part: Part) -> tuple[list[str], list[str]]:
    up = [counted(part.steps[kind], word) for kind, word in _UP.items() if part.steps[kind]]
    if part.steps["Unknown"]:
        up.append(counted(part.steps["Unknown"], "step") + " without a deconvnet")
    return up, [word for kind, word in _DOWN.items() if part.steps[kind]]


def block_drawing(kinds: Iterable[str], *, dark: bool) -> str:
    """A residual block or branches, with the way down; "" for a network that has neither."""
    text = "#d5dbe0" if dark else "#39424b"
    there = set(kinds)
    if "Addition" in there:
        middle, name, down = "+", "block with an addition", "the same signal goes to both"
    elif "Concatenation" in there:
        middle, name, down = "maps side by side", "block with branches", "each gets its own maps"
    else:
        return ""
    drawn = []
    for left, heading in ((20, f"{name}, up"), (340, "down")):
        drawn += [_heading(left + 120, heading)]
        top, side = (middle, "steps") if left == 20 else (down, "steps, transposed")
        bottom = "values" if left == 20 else "signals are added, then rectified"
        drawn += [
            _box(left, 34, 34, top, (), _LINE),
            _box(left + 70, 92, 34, side, (), _LINE, 170),
            _box(left, 150, 34, bottom, (), _LINE),
        ]
        for x in (left + 30, left + 155):
            long = x == left + 30
            spans = [(148, 71)] if long else [(148, 129), (90, 71)]
            drawn += [_arrow(x, *(span if left == 20 else span[::-1])) for span in spans]
    return _svg(drawn, 600, 196, text)


def _heading(x: int, text: str) -> str:
    return f'<text x="{x}" y="20" text-anchor="middle" class="h">{html.escape(text)}</text>'


def _box(
    x: int, y: int, height: int, title: str, lines: Sequence[str], colour: str, width: int = 240
) -> str:
    middle, rows = x + width // 2, []
    under = y + (26 if lines and title else 10)
    if title:
        at = y + (20 if lines else height // 2 + 5)
        rows.append(f'<text x="{middle}" y="{at}" text-anchor="middle" class="t">{title}</text>')
    rows += [
        f'<text x="{middle}" y="{under + 14 + 17 * n}" text-anchor="middle" class="s">'
        f"{html.escape(line)}</text>"
        for n, line in enumerate(lines)
    ]
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{colour}" '
        f'fill-opacity=".16" stroke="{colour}" stroke-width="1.5"/>{"".join(rows)}'
    )


def _arrow(x: int, start: int, end: int) -> str:
    head = 6 if end > start else -6
    return (
        f'<path d="M {x} {start} V {end} m -4 {-head} l 4 {head} l 4 {-head}" fill="none" '
        f'stroke="{_LINE}" stroke-width="1.5"/>'
    )


def _switches(y: int) -> str:
    return (
        f'<path d="M 260 {y} H 336 m -7 -5 l 7 5 l -7 5" fill="none" stroke="{_LINE}" '
        f'stroke-width="1.5" stroke-dasharray="5 4"/><text x="298" y="{y - 7}" '
        'text-anchor="middle" class="s">switches</text>'
    )


def _svg(drawn: Sequence[str], width: int, height: int, text: str) -> str:
    style = (
        f"text{{font-family:Source Sans,Segoe UI,Helvetica,Arial,sans-serif;fill:{text}}}"
        ".t{font-size:14px;font-weight:600}.h{font-size:14px;font-weight:600}.s{font-size:12.5px}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}"><style>{style}</style>{"".join(drawn)}</svg>'
    )


def notes_on(nodes: Sequence[Node]) -> list[str]:
    """What to know about the steps of a network, as Markdown."""
    kinds = {type(node.step).__name__ for node in nodes}
    notes = [text for kind, text in _NOTES.items() if kind in kinds]
    if any(_overlaps(node) for node in nodes):
        notes.append(
            "**Overlapping pools.** One value can be the largest of several windows. On the way "
            "down, what these windows send back is added."
        )
    if any(_checkered(node) for node in nodes):
        notes.append(
            "**A grid that is not in the image.** Filters with a stride do not reach all pixels "
            "equally often. So reconstructions can show a checkerboard (Odena et al. 2016, "
            "*Deconvolution and Checkerboard Artifacts*). Do not take it for what a map looks for."
        )
    if _has_linear_bottlenecks(nodes):
        notes.append(
            "**Depthwise filters between linear bottlenecks.** Each filter sees one map, and "
            "between blocks nothing is rectified. Reconstructions of deep layers then show little "
            "but the grid. Compare with the patches."
        )
    return notes


_NOTES = {
    "Addition": "**Additions.** On the way down, each branch of a sum gets the same signal. Where "
    "branches meet again, their signals are added before they are rectified.",
    "Concatenation": "**Branches.** Their maps lie side by side. On the way down each branch gets "
    "the signal of its own maps.",
    "Affine": "**Batch normalisation** is a scale and a shift of each map. On the way down only "
    "the scale counts, as filters have no bias there.",
    "AveragePooling": "**Average pooling** spreads a value evenly over its window on the way down.",
    "ResponseNormalisation": "**Response normalisation** is passed through on the way down.",
}


def _overlaps(node: Node) -> bool:
    step = node.step
    if type(step).__name__ != "MaxPooling":
        return False
    return any(size > by for size, by in zip(step.kernel, step.stride, strict=True))  # type: ignore[union-attr]


def _checkered(node: Node) -> bool:
    step = node.step
    if type(step).__name__ != "Convolution":
        return False
    return any(size % by for size, by in zip(step.kernel, step.stride, strict=True))  # type: ignore[union-attr]


def _has_linear_bottlenecks(nodes: Sequence[Node]) -> bool:
    """True if there are depthwise filters, and convolutions whose output is not rectified."""
    convolutions = {n + 1: node for n, node in enumerate(nodes) if _is(node, "Convolution")}
    depthwise = any(
        1 < node.step.groups == node.shape[0]  # type: ignore[union-attr]
        for node in convolutions.values()
    )
    rectified = {value for node in nodes if _is(node, "Rectification") for value in node.inputs}
    linear = sum(value not in rectified for value in convolutions)
    return depthwise and 4 * linear >= len(convolutions)


def _is(node: Node, kind: str) -> bool:
    return type(node.step).__name__ == kind
