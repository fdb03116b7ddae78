"""A reconstruction: one activation mapped back to pixels, with its image patch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from deconv_core.layers import frame_of
from deconv_core.units import Activation, Box

Rule = Literal["deconvnet", "guided", "gradient"]
"""How rectifications are undone: see ``deconvnet.rectify_down``."""
RULES: tuple[Rule, ...] = ("deconvnet", "guided", "gradient")
RULE_NAMES: dict[Rule, str] = {
    "deconvnet": "deconvnet",
    "guided": "guided backpropagation",
    "gradient": "gradient",
}
"""Rule -> its name in the literature."""
METHOD = 1
"""Raise this when ``reconstruct`` makes other pixels from the same network, image and activation:
pictures that were kept before are then made again."""


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """One activation mapped back to pixels.

    Attributes:
        activation: the activation.
        window: the receptive field in the input, unclipped.
        box: the part of ``window`` inside the input.
        pixels: float32 (3, box.height, box.width), RGB, signed, unscaled, in input units.
        patch: uint8 (box.height, box.width, 3), RGB: the image inside ``box``.
        input_size: height and width of the input, in pixels; None if unknown.
        rule: how rectifications were undone: "deconvnet", "guided" or "gradient".
    """

    activation: Activation
    window: Box
    box: Box
    pixels: npt.NDArray[np.float32]
    patch: npt.NDArray[np.uint8]
    input_size: tuple[int, int] | None = None
    rule: Rule = "deconvnet"

    @property
    def frame(self) -> Box:
        """What a tile shows: the receptive field, or the image where the field is much larger."""
        return self.window if self.input_size is None else frame_of(self.window, self.input_size)
