"""Names of layers: what people call them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

from deconv_core.graph.steps import (
    Addition,
    Affine,
    AveragePooling,
    Convolution,
    MaxPooling,
    Node,
    Rectification,
    is_chain,
)

_PLAIN = Convolution | Rectification | MaxPooling | AveragePooling


def name_layers(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """The same nodes, rectifications and poolings with the names of their layers.

    A chain that is built like VGG has ``conv1_1``, ``pool1``; another plain chain ``conv1``,
    ``pool1`` (after conv1), ``pool5`` (after conv5). Elsewhere a layer has the path of its
    convolution, what a block puts out that of the block, the others their own.
    """
    chain = is_chain(nodes) and all(isinstance(node.step, _PLAIN) for node in nodes)
    if is_like_vgg(nodes):
        names = _vgg_names(nodes)
    elif chain:
        names = _chain_names(nodes)
    else:
        names = _path_names(nodes)
    taken: set[str] = set()
    named = []
    for node, name in zip(nodes, names, strict=True):
        unique, number = name, 2
        while unique and unique in taken:
            unique, number = f"{name}_{number}", number + 1
        taken.add(unique)
        named.append(replace(node, layer=unique))
    return tuple(named)


def is_like_vgg(nodes: Sequence[Node]) -> bool:
    """True for a chain of 3x3 convolutions, each with its ReLU, and of 2x2 poolings."""
    kinds = [type(node.step) for node in nodes]
    pairs = all(
        (kind is Convolution) == (above is Rectification)
        for kind, above in itertools.pairwise([*kinds, None])
    )
    first = bool(kinds) and kinds[0] is not Rectification
    return first and pairs and is_chain(nodes) and all(map(_as_in_vgg, nodes))


def _as_in_vgg(node: Node) -> bool:
    step = node.step
    if isinstance(step, Convolution):
        shape = step.kernel, step.stride, step.padding, step.dilation, step.groups
        return shape == ((3, 3), (1, 1), (1, 1), (1, 1), 1)
    if isinstance(step, MaxPooling):
        return (step.kernel, step.stride, step.padding) == ((2, 2), (2, 2), (0, 0))
    return step == Rectification()


def _vgg_names(nodes: Sequence[Node]) -> Iterator[str]:
    block, place = 1, 0
    for node in nodes:
        if isinstance(node.step, MaxPooling):
            yield f"pool{block}"
            block, place = block + 1, 0
        else:
            place += isinstance(node.step, Convolution)
            yield f"conv{block}_{place}" if isinstance(node.step, Rectification) else ""


def _chain_names(nodes: Sequence[Node]) -> Iterator[str]:
    number = 0
    for node in nodes:
        number += isinstance(node.step, Convolution)
        if isinstance(node.step, MaxPooling | AveragePooling):
            yield f"pool{number}"
        else:
            yield f"conv{number}" if isinstance(node.step, Rectification) else ""


def _path_names(nodes: Sequence[Node]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node.step, MaxPooling | AveragePooling):
            yield node.path
        elif isinstance(node.step, Rectification):
            yield _rectified(nodes, node)
        else:
            yield ""


def _rectified(nodes: Sequence[Node], node: Node) -> str:
    """The path of what is rectified: a convolution, or the block whose sum it is."""
    value = node.inputs[0]
    while value and isinstance(nodes[value - 1].step, Affine):
        value = nodes[value - 1].inputs[0]
    if value and isinstance(nodes[value - 1].step, Convolution | Addition):
        return nodes[value - 1].path or node.path
    return node.path
