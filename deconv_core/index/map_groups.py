"""``MapGroups``: the strongest images of a feature map, in groups that differ in all other maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deconv_core.statistics.groups import split
from deconv_core.units import Activation

STRONGEST = 100
"""How many of the strongest images are compared."""
LEAST = 40
"""With fewer images that activate the map, none are compared."""


@dataclass(frozen=True, slots=True)
class MapGroups:
    """The strongest images of a feature map.

    Attributes:
        groups: the activations of each group, strongest first; the group with the strongest image
            is first. A single group if there is no stable split; none if too few images activate
            the map.
        stability: how equal the splits of different seeds are, 0.8 to 1; None without a split.
    """

    groups: tuple[tuple[Activation, ...], ...]
    stability: float | None = None

    @property
    def several(self) -> bool:
        """True if there is more than one group."""
        return len(self.groups) > 1


def grouped(top: Sequence[Activation], others: np.ndarray) -> MapGroups:
    """Split the strongest images of a map.

    Args:
        top: the activations, strongest first.
        others: the peaks (C, n) of the other maps of the layer in these images.
    """
    found = split(others)
    if found is None:
        return MapGroups((tuple(top),))
    groups: dict[int, list[Activation]] = {}
    for activation, code in zip(top, found.codes.tolist(), strict=True):
        groups.setdefault(code, []).append(activation)
    return MapGroups(tuple(map(tuple, groups.values())), found.stability)
