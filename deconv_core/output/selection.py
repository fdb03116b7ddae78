"""Which feature maps and layers are wanted: chosen by strength, or typed as a list."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from deconv_core.errors import DeconvError
from deconv_core.index.activation_index import TOP, ActivationIndex
from deconv_core.layers import Layer, layer_named
from deconv_core.units import Unit

_RANGE = re.compile(r"(\w+)/(\d{1,6})\s*-\s*(\d{1,6})")


@dataclass(frozen=True)
class Selection:
    """What to export, and how it is drawn.

    Attributes:
        units: feature maps.
        layers: layers whose top over all maps is wanted too.
        k: how many activations of each.
        label: only images of this label.
        scale: a name for ``Scale.named``; one scale for the tiles of a map by default.
        tile_size: side of a tile in pixels, None for the receptive field's.
        single_tiles: also each tile as a file of its own.
        copies: count every copy of an image, not only the first.
    """

    units: tuple[Unit, ...] = ()
    layers: tuple[str, ...] = ()
    k: int = TOP
    label: str | None = None
    scale: str = "clipped"
    tile_size: int | None = None
    single_tiles: bool = True
    copies: bool = False


def strongest_maps(
    index: ActivationIndex, layer: str, count: int, label: str | None = None
) -> list[Unit]:
    """The maps of a layer with the largest activations, the strongest first; no dead ones."""
    maps = index.maps(layer, label)
    alive = maps[~maps["dead"]].sort_values(["max", "channel"], ascending=[False, True])
    return [Unit(layer, int(channel)) for channel in alive["channel"][:count]]


def parse_units(text: str, layers: Mapping[str, Layer]) -> list[Unit]:
    """Read "conv4_4/171, conv3_1/0-5": addresses and ranges, separated by commas or lines.

    Raises:
        DeconvError: an address has another form or does not exist.
    """
    units: list[Unit] = []
    for piece in filter(None, (piece.strip() for piece in re.split(r"[,;\n]", text))):
        match = _RANGE.fullmatch(piece)
        first = Unit.parse(f"{match[1]}/{match[2]}" if match else piece)
        last = int(match[3]) if match else first.channel
        layer = layer_named(layers, first.layer)
        if not first.channel <= last < layer.channels:
            raise DeconvError(
                f"{piece!r} is outside {layer.name}: its {layer.channels} maps count from 0 to "
                f"{layer.channels - 1}"
            )
        units += [Unit(layer.name, channel) for channel in range(first.channel, last + 1)]
    return list(dict.fromkeys(units))
