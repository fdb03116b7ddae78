"""What the strip of layers shows: stages of one size of map, which open and close.

Networks like VGG, and small ones, are shown whole. Of a larger one the stage of the chosen layer is
open, and in it the block of the chosen layer; other stages and blocks are one button each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from deconv_core.layers import Layer
from deconv_dashboard.depths import named_like_vgg
from deconv_dashboard.wording import counted, field_short

_WHOLE = 21
"""The most layers that are shown whole: as many as VGG19 has."""
_ROOM = 24
"""Cells that have room side by side in a window of 1280 pixels."""
_BLOCK = 12
"""The most layers of a block; one with more is split by the next part of the path."""
_LEAST = 8
"""An open stage shows at least so many cells."""
_NARROW = 8
"""Letters that fit into a cell of the smallest width."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One button of the strip.

    Attributes:
        name: the layer that a click chooses.
        short: its name on the strip.
        title: its tooltip.
        field: what is said of its receptive field; of a closed block, how many layers it has.
        rows: height of the receptive field, as a share of the image.
        columns: width of it.
        closed: True for several layers behind one button.
    """

    name: str
    short: str
    title: str
    field: str
    rows: float = 0.0
    columns: float = 0.0
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Stage:
    """Neighbouring cells below one heading.

    Attributes:
        heading: the size of the maps.
        cells: its buttons; a closed stage has one.
    """

    heading: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class _Block:
    """Neighbouring layers of one stage that have one path."""

    path: str
    layers: tuple[Layer, ...]


def stages_of(layers: Iterable[Layer], chosen: str) -> list[Stage]:
    """The strip of a network, open at the chosen layer."""
    listed = list(layers)
    if named_like_vgg(layer.name for layer in listed):
        return _vgg_stages(listed)
    sizes: dict[tuple[int, int], list[Layer]] = {}
    for layer in listed:
        sizes.setdefault((layer.height, layer.width), []).append(layer)
    if len(listed) <= _WHOLE:
        return [_whole(group) for group in sizes.values()]
    room = max(_LEAST, _ROOM - 3 * (len(sizes) - 1) // 2)
    return [
        _open(group, chosen, room)
        if any(layer.name == chosen for layer in group)
        else _closed_stage(group)
        for group in sizes.values()
    ]


def _vgg_stages(layers: Sequence[Layer]) -> list[Stage]:
    """One stage a block; a pooling ends its block."""
    stages = []
    for _, members in groupby(layers, key=lambda layer: layer.name[4]):
        group = list(members)
        cells = tuple(
            _cell(layer, "pool" if layer.is_pool else layer.name.removeprefix("conv"))
            for layer in group
        )
        heading = f"{group[0].height} × {group[0].width} · {counted(group[0].channels, 'map')}"
        stages.append(Stage(heading, cells))
    return stages


def _whole(group: Sequence[Layer]) -> Stage:
    cells = [cell for block in _blocks(group) for cell in _cells(block)]
    return Stage(_size(group[0]), tuple(cells))


def _closed_stage(group: Sequence[Layer]) -> Stage:
    if len(group) == 1 and len(group[0].name) <= _NARROW:
        return _whole(group)
    cell = _closed(group, _size(group[0]), f"{group[0].name} to {group[-1].name}")
    return Stage("", (cell,))


def _open(group: Sequence[Layer], chosen: str, room: int) -> Stage:
    blocks = _blocks(group)
    here = next(n for n, block in enumerate(blocks) if _has(block, chosen))
    shorts = _told_apart([block.path for block in blocks])
    reach = max(1, (room - len(blocks[here].layers)) // 2 - 1)  # blocks on each side with a button
    first, last = max(0, here - reach), min(len(blocks) - 1, here + reach)
    cells: list[Cell] = []
    if first:
        cells.append(_run(blocks[:first], shorts[:first]))
    for block, short in zip(blocks[first : last + 1], shorts[first : last + 1], strict=True):
        if block is blocks[here] and len(block.layers) > 1:
            cells += _cells(block)
        elif len(block.layers) == 1:
            cells.append(_cell(block.layers[0], short))
        else:
            cells.append(_closed(block.layers, short, block.path))
    if last + 1 < len(blocks):
        cells.append(_run(blocks[last + 1 :], shorts[last + 1 :]))
    opened = blocks[here].path if len(blocks[here].layers) > 1 else ""
    heading = f"{_size(group[0])} · {opened or counted(len(group), 'layer')}"
    return Stage(heading, tuple(cells))


def _has(block: _Block, name: str) -> bool:
    return any(layer.name == name for layer in block.layers)


def _run(blocks: Sequence[_Block], shorts: Sequence[str]) -> Cell:
    """Several closed blocks as one button."""
    inside = [layer for block in blocks for layer in block.layers]
    if len(blocks) == 1:
        return _closed(inside, shorts[0], blocks[0].path)
    first, last = blocks[0].path, blocks[-1].path
    return _closed(inside, f"{shorts[0]} … {shorts[-1]}", f"{first} to {last}")


def _closed(layers: Sequence[Layer], short: str, title: str) -> Cell:
    many = counted(len(layers), "layer")
    return Cell(layers[0].name, short, f"{title}: {many}", many, closed=True)


def _blocks(group: Sequence[Layer]) -> list[_Block]:
    """Neighbours with the longest common path that holds at most ``_BLOCK`` layers."""
    paths = _split(group, 0)
    found = []
    for path, members in groupby(group, key=lambda layer: paths[layer.name]):
        inside = tuple(members)
        found.append(_Block(path if len(inside) > 1 else inside[0].name, inside))
    return found


def _split(group: Sequence[Layer], depth: int) -> dict[str, str]:
    """Name -> path of its block, for layers whose first ``depth`` parts agree."""
    paths: dict[str, list[Layer]] = {}
    for layer in group:
        parts = layer.name.split(".")
        paths.setdefault(".".join(parts[: depth + 1]), []).append(layer)
    found: dict[str, str] = {}
    for path, members in paths.items():
        if len(members) > _BLOCK:
            found |= _split(members, depth + 1)
        else:
            found |= dict.fromkeys((layer.name for layer in members), path)
    return found


def _cells(block: _Block) -> list[Cell]:
    """A cell a layer, named by what distinguishes it within its block."""
    if len(block.layers) == 1:
        return [_cell(block.layers[0], block.path)]
    names = [layer.name.removeprefix(block.path).lstrip(".") or "out" for layer in block.layers]
    return [
        _cell(layer, short)
        for layer, short in zip(block.layers, _without_word(_without_end(names)), strict=True)
    ]


def _without_end(names: Sequence[str]) -> list[str]:
    """Without the last part of most names, where they differ without it too."""
    ends = [name.rpartition(".")[2] for name in names if "." in name]
    usual = max(ends, key=ends.count, default="")
    cut = [name.removesuffix(f".{usual}") for name in names]
    most = 2 * ends.count(usual) > len(names)
    return cut if most and len(set(cut)) == len(names) else list(names)


def _without_word(names: Sequence[str]) -> list[str]:
    """Without the word that most begin with, where a number follows it."""
    words = [_word(name) for name in names]
    usual = max(words, key=words.count)
    cut = [
        name.removeprefix(usual) if name.removeprefix(usual)[:1].isdigit() else name
        for name in names
    ]
    shorter = sum(len(one) < len(name) for one, name in zip(cut, names, strict=True))
    clear = 2 * shorter > len(names) and len(set(cut)) == len(names)
    return cut if clear and "out" not in names else list(names)


def _word(name: str) -> str:
    found = re.match(r"[A-Za-z_]*", name)
    return found[0] if found else ""


def _told_apart(paths: Sequence[str]) -> list[str]:
    """Of each path, the part in which it differs from its neighbours."""
    same = [_common(first, second) for first, second in pairwise(paths)]
    shorts = []
    for place, path in enumerate(paths):
        beside = [*same[max(0, place - 1) : place], *same[place : place + 1]]
        length = max(beside, default=0)
        shorts.append(path[length:] or path)
    return shorts


def _common(first: str, second: str) -> int:
    """Letters that two paths begin with, up to a point, or up to a number."""
    length = 0
    for place, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            break
        if one == ".":
            length = place + 1
    rest, others = first[length:], second[length:]
    word = _word(rest)
    if word == _word(others) and rest[len(word) :][:1].isdigit():
        length += len(word)
    return length


def _size(layer: Layer) -> str:
    return f"{layer.height} × {layer.width}"


def _cell(layer: Layer, short: str) -> Cell:
    field = layer.receptive_field
    rows, columns = layer.input_size
    whole = field.sees_all
    sees = "the whole image" if whole else f"{field.size} × {field.width} pixels"
    return Cell(
        layer.name,
        short,
        f"{counted(layer.channels, 'map')} of {layer.height} × {layer.width}; "
        f"receptive field: {sees}",
        field_short(layer),
        1.0 if whole else field.size / rows,
        1.0 if whole else field.width / columns,
    )


def tabled(stages: Iterable[Stage]) -> list[Mapping[str, object]]:
    """The stages as the strip in the browser takes them."""
    return [
        {
            "heading": stage.heading,
            "cells": [
                {name: getattr(cell, name) for name in Cell.__slots__} for cell in stage.cells
            ],
        }
        for stage in stages
    ]
