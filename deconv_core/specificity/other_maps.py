"""Other maps of the same layer, to compare a picture with."""

from __future__ import annotations

import numpy as np

from deconv_core.units import Unit

OTHER_MAPS = 31
"""How many other maps a picture is compared with; all of them if the layer has fewer."""


def other_maps(
    unit: Unit, channels: int, count: int = OTHER_MAPS, seed: int = 0
) -> tuple[int, ...]:
    """Channels of some other maps of a layer of this many; the same choice for the same seed."""
    others = [channel for channel in range(channels) if channel != unit.channel]
    generator = np.random.default_rng([seed, unit.channel])
    chosen = generator.choice(others, min(count, len(others)), replace=False)
    return tuple(sorted(chosen.tolist()))
