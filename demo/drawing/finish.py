"""The last effects on the whole picture: light, paper grain, blur, noise."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from .canvas import SIZE
from .chance import Chance


def finish(pixels: NDArray[np.uint8], chance: Chance) -> Image.Image:
    """The picture with random paper grain, light and blur."""
    sheet = Image.fromarray(pixels)
    if chance.yes(0.3):
        sheet = sheet.filter(ImageFilter.GaussianBlur(chance.between(0.3, 1.0)))
    values = np.asarray(sheet, dtype=np.float32)
    values = values * _lighting(chance)[..., None]
    values += _grain(chance, chance.between(1.0, 4.0))[..., None]
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def _lighting(chance: Chance) -> NDArray[np.float32]:
    """A slow change of brightness over the sheet, around one."""
    across = np.linspace(-1, 1, SIZE, dtype=np.float32)
    x, y = np.float32(chance.about(0, 0.13)), np.float32(chance.about(0, 0.13))
    dim = np.float32(chance.between(0, 0.09))
    level = np.float32(chance.about(1.02, 0.08))
    return (
        level
        + x * across[None]
        + y * across[:, None]
        - dim * (across[None] ** 2 + across[:, None] ** 2)
    )


def _grain(chance: Chance, strength: float) -> NDArray[np.float32]:
    """Paper: fine noise and the same noise again in coarse grains."""
    fine = chance.generator.standard_normal((SIZE, SIZE), dtype=np.float32)
    coarse = np.kron(fine[: SIZE // 2, : SIZE // 2], np.ones((2, 2), np.float32))
    return strength * (0.6 * fine + 0.7 * coarse)
