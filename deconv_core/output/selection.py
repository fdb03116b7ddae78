"""The selection of an export: feature maps chosen by strength or typed as a list, and settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from deconv_core.errors import DeconvError
from deconv_core.index.activation_index import TOP, ActivationIndex
from deconv_core.layers import Layer, layer_named
from deconv_core.pictures import Rule
from deconv_core.units import Unit

_RANGE = re.compile(r"([^\s/,;]+)/(\d{1,6})\s*-\s*(\d{1,6})")


@dataclass(frozen=True)
class Selection:
    """What to export, and how to draw it.

    Attributes:
        units: the feature maps.
        layers: layers to export as a whole (top activations over all maps).
        k: number of activations of each map or layer.
        label: only images of this label; None for all.
        scale: a name for ``Scale.named``; by default one scale for all tiles of a map.
        tile_size: side of a tile in pixels; None uses the receptive field.
        single_tiles: True saves each tile as a separate file too.
        copies: True counts every copy of an image, not only the first.
        names: address of a feature map, "conv4_4/171" -> its name for people.
        band: for each map, k images evenly spaced in this part of the distribution of its peaks,
            for example (0.25, 0.5), instead of the top k; see ``ActivationIndex.sample``. Whole
            layers keep their top k.
        rule: how rectifications are undone: "deconvnet", "guided" or "gradient".
        specificity: True measures how much of each picture is about its map, which takes seconds.
    """

    units: tuple[Unit, ...] = ()
    layers: tuple[str, ...] = ()
    k: int = TOP
    label: str | None = None
    scale: str = "clipped"
    tile_size: int | None = None
    single_tiles: bool = True
    copies: bool = False
    names: Mapping[str, str] = field(default_factory=dict)
    band: tuple[float, float] | None = None
    rule: Rule = "deconvnet"
    specificity: bool = False

    @property
    def sections(self) -> list[tuple[str, int | None]]:
        """(layer, channel) of every map, each once, in the order chosen; a layer has channel None.

        A whole layer comes before its first map, or at the end.
        """
        layers = dict.fromkeys(self.layers)
        found: list[tuple[str, int | None]] = []
        for unit in dict.fromkeys(self.units):
            if unit.layer in layers:
                del layers[unit.layer]
                found.append((unit.layer, None))
            found.append((unit.layer, unit.channel))
        return found + [(layer, None) for layer in layers]


def strongest_maps(
    index: ActivationIndex, layer: str, count: int, label: str | None = None
) -> list[Unit]:
    """The maps of a layer with the largest activations, the strongest first; without dead maps."""
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
                f"{piece!r} is outside {layer.name}: its maps have the numbers 0 to "
                f"{layer.channels - 1}"
            )
        units += [Unit(layer.name, channel) for channel in range(first.channel, last + 1)]
    return list(dict.fromkeys(units))
