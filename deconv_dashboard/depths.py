"""Some layers of a network from shallow to deep, and the one that pages show first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from deconv_core.layers import Layer

_LIKE_VGG = re.compile(r"conv\d+_\d+|pool\d+")
_OF_VGG19 = ("conv1_2", "conv2_2", "conv3_4", "conv4_4", "conv5_4")
_FIRST_OF_VGG19 = "conv4_4"
_MANY = 5
_AROUND = 2


def named_like_vgg(names: Iterable[str]) -> bool:
    """True for the layers of a network built like VGG: conv1_1, pool1."""
    return all(map(_LIKE_VGG.fullmatch, names))


def depths(layers: Mapping[str, Layer]) -> list[str]:
    """At most five layers from shallow to deep, evenly spread.

    Of neighbours the one with the shortest path is taken: what a block puts out.
    """
    if _FIRST_OF_VGG19 in layers:
        return [name for name in _OF_VGG19 if name in layers]
    if len(layers) <= _MANY:
        return list(layers)
    names = list(layers)
    found = []
    for place in range(_MANY):
        middle = (2 * place + 1) * len(names) // (2 * _MANY)
        around = names[max(0, middle - _AROUND) : middle + _AROUND + 1]
        near = sorted(around, key=lambda name: abs(names.index(name) - middle))
        found.append(min(near, key=lambda name: (layers[name].is_pool, name.count("."))))
    return list(dict.fromkeys(found))


def first_shown(layers: Mapping[str, Layer]) -> str:
    """The layer that a page shows unless its address says another."""
    if _FIRST_OF_VGG19 in layers:
        return _FIRST_OF_VGG19
    spread = depths(layers)
    return spread[-2] if len(spread) == _MANY else spread[-1]
