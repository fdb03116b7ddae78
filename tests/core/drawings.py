"""Pictures made by the tests: flat ones, tied ones, equal ones, noisy ones."""

from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 224


def flat(red: int, green: int, blue: int) -> np.ndarray:
    return np.broadcast_to(np.array([red, green, blue], np.uint8), (SIDE, SIDE, 3)).copy()


def noise(seed: int, grain: int = 1) -> np.ndarray:
    cells = -(-SIDE // grain)
    values = np.random.default_rng(seed).integers(0, 256, (cells, cells, 3), np.uint8)
    return values.repeat(grain, 0).repeat(grain, 1)[:SIDE, :SIDE].copy()


def checks(period: int) -> np.ndarray:
    rows, columns = np.indices((SIDE, SIDE))
    light = ((rows // period + columns // period) % 2).astype(np.uint8)
    return (light * 200 + 20)[..., None].repeat(3, axis=2)


def stripes(period: int) -> np.ndarray:
    light = (np.arange(SIDE) // period % 2).astype(np.uint8) * 255
    return np.broadcast_to(light[None, :, None], (SIDE, SIDE, 3)).copy()


def square(top: int, left: int, side: int) -> np.ndarray:
    pixels = flat(30, 90, 60)
    pixels[top : top + side, left : left + side] = (250, 180, 20)
    return pixels


def slope() -> np.ndarray:
    return np.arange(SIDE, dtype=np.uint8)[:, None, None].repeat(SIDE, 1).repeat(3, 2)


def drawn() -> dict[str, np.ndarray]:
    """image_id -> pixels, in the order of the ids; in the root and in three folders."""
    pictures = {
        "a.png": noise(1),
        "dog/grey.png": flat(128, 128, 128),
        "dog/grey again.png": flat(128, 128, 128),
        "dog/noise.png": noise(2),
        "dog/noise again.png": noise(2),
        "dog/square.png": square(40, 60, 50),
        "dog/coarse.png": noise(3, 16),
        "other/checks 4.png": checks(4),
        "other/checks 32.png": checks(32),
        "other/stripes.png": stripes(8),
        "other/black.png": flat(0, 0, 0),
        "other/white.png": flat(255, 255, 255),
        "other/slope.png": slope(),
        "other/corner.png": square(0, 0, 30),
        "people/far corner.png": square(200, 200, 24),
        "people/coarse.png": noise(4, 7),
        "people/red.png": flat(255, 0, 0),
        "people/red again.png": flat(255, 0, 0),
        "people/noise.png": noise(5, 2),
        "z.png": noise(6, 40),
    }
    return dict(sorted(pictures.items()))


def save(folder: Path, pictures: dict[str, np.ndarray]) -> Path:
    for image_id, pixels in pictures.items():
        path = folder / image_id
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, compress_level=1)
    return folder
