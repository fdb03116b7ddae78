"""A location of a layer in one image: one pass up serves the pictures of all maps there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from deconv_core.graph.geometry import Place
from deconv_core.graph.steps import Rectification
from deconv_core.images.decoding import Pixels
from deconv_core.layers import Layer
from deconv_core.network.network import Network
from deconv_core.pictures import Rule
from deconv_core.reconstruction.switches import PackedCodes, Switches
from deconv_core.reconstruction.windowed_passes import ascend, descend
from deconv_core.units import Box

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Location:
    """One location of a layer in one image.

    Attributes:
        network: the network.
        layer: the layer.
        pixels: the image, uint8 (height, width, 3).
        place: row and column in the layer's maps.
        activations: of all maps there, (C,).
        switches: on the way up to it, with where rectifications were open.
    """

    network: Network
    layer: Layer
    pixels: Pixels
    place: Place
    activations: Floats
    switches: Switches

    @classmethod
    def of(cls, network: Network, layer: str, pixels: Pixels, place: Place) -> Location:
        """Pass up to a location, once."""
        found = network.layer(layer)
        values, switches = ascend(network, found, [pixels], [place], masks=True)
        return cls(network, found, pixels, place, values[0].numpy(), switches[0])

    @property
    def box(self) -> Box:
        """The part of the receptive field inside the image."""
        return self.layer.receptive_field.box(*self.place).clip(*self.network.input_size)

    def pictures(self, channels: Sequence[int], rule: Rule = "deconvnet") -> Floats:
        """Pictures (N, 3, box.height, box.width) of maps, all started here on the same switches.

        A map that is silent here starts from 1, as if its rectification were open.
        """
        loud = [bool(self.activations[channel] > 0) for channel in channels]
        values = [
            float(self.activations[channel]) if is_loud else 1.0
            for channel, is_loud in zip(channels, loud, strict=True)
        ]
        opened = self._opened()
        switches = [self.switches if is_loud else opened for is_loud in loud]
        places = [self.place] * len(channels)
        signal, where = descend(self.network, self.layer, channels, places, values, switches, rule)
        (top, left), box = where.starts[0], self.box
        rows = slice(box.top - top, box.bottom - top)
        return signal[:, :, rows, box.left - left : box.right - left].contiguous().numpy()

    def responses(self, images: Sequence[Pixels], channel: int) -> Floats:
        """The map's activation (N,) at this location of other images."""
        places = [self.place] * len(images)
        values, _ = ascend(self.network, self.layer, images, places)
        return values[:, channel].numpy()

    def _opened(self) -> Switches:
        """The switches with the layer's own rectification open."""
        last = self.network.value_of(self.layer.name) - 1
        if not isinstance(self.network.graph.nodes[last].step, Rectification):
            return self.switches
        codes = self.switches[last]
        packed = torch.full_like(codes.packed, 255)
        opened = PackedCodes(packed, codes.channels, codes.bits, codes.start)
        changed: Mapping[int, PackedCodes] = {**self.switches, last: opened}
        return changed
