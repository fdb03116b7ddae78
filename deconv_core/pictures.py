"""A reconstruction: one activation mapped back to pixels, with its image patch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deconv_core.units import Activation, Box


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """One activation mapped back to pixels.

    Attributes:
        activation: the activation.
        window: the receptive field in the 224x224 input, unclipped.
        box: the part of ``window`` inside the input.
        pixels: float32 (3, box.height, box.width), RGB, signed, unscaled, in input units.
        patch: uint8 (box.height, box.width, 3), RGB: the image inside ``box``.
    """

    activation: Activation
    window: Box
    box: Box
    pixels: npt.NDArray[np.float32]
    patch: npt.NDArray[np.uint8]
