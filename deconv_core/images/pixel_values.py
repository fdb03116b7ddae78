"""Converts pictures with more than 8 bits a value, or with floats, to 8 bits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from PIL import Image

ValueRange = Literal["type", "file"]
Alpha = Literal["", "straight", "multiplied"]

_BAND = 256  # rows converted at once, so that a large picture is never a whole copy of floats
_MOST = 0.99  # share of the values that makes a picture "nearly" black or white
_OUTSIDE = 0.25  # share of the values outside the range that makes a picture "cut off"
_DARK, _LIGHT = 64, 191  # of 255


@dataclass(frozen=True, eq=False)
class Values:
    """The values of a picture as its file stores them.

    Attributes:
        stored: (height, width, colours and perhaps alpha), numbers of any type.
        colours: number of colours: 1 grey, 3 RGB, 4 CMYK.
        white: the value of white, and of opaque alpha; black is 0.
        alpha: "" without alpha, "straight", or "multiplied" if the colours are multiplied by it.
        inverted: True if 0 is white.
        missing: the value that marks missing pixels, or None.
        ranged: False if the values cannot be stretched: colours of a palette, CMYK.
    """

    stored: np.ndarray
    colours: int
    white: float
    alpha: Alpha = ""
    inverted: bool = False
    missing: float | None = None
    ranged: bool = True


def white_of(stored: np.ndarray, bits: int | None = None) -> float:
    """The value of white for a type of number.

    Whole numbers: the largest value of the type, or of ``bits`` bits. Signed 32 bits: 65,535 unless
    there are larger values, because they often hold 16-bit pictures. Floats: 1, or 255 if there are
    values above 1.
    """
    if stored.dtype.kind == "f":
        highest = np.max(stored, initial=0.0, where=np.isfinite(stored))
        return 1.0 if highest <= 1.0 else 255.0
    if stored.dtype == np.int32 and stored.max(initial=0) <= 65_535:
        return 65_535.0
    return float(2**bits - 1 if bits else np.iinfo(stored.dtype).max)


def as_image(values: Values, value_range: ValueRange) -> tuple[Image.Image, str]:
    """A picture's values as an 8-bit image.

    Args:
        values: the values of the picture.
        value_range: "type": 0 is black and ``values.white`` is white; "file": the smallest value of
            the picture is black and the largest is white.

    Returns:
        The image, of mode L, LA, La, RGB, RGBA, RGBa or CMYK; and a warning, for example that the
        picture is nearly black in this range, or "".
    """
    lowest, highest = _extremes(values)
    low, high = 0.0, values.white
    stretched = value_range == "file" and values.ranged and lowest < highest
    if stretched:
        low, high = lowest, highest
    eight = _eight_bits(values, low, high)
    mode = {1: "L", 3: "RGB", 4: "CMYK"}[values.colours]
    mode += {"": "", "straight": "A", "multiplied": "a"}[values.alpha]
    height, width = eight.shape[:2]
    image = Image.frombytes(mode, (width, height), eight.tobytes())
    odd = "" if stretched or not values.ranged else _oddity(values, eight, lowest, highest)
    return image, odd


def _colours(values: Values) -> np.ndarray:
    return values.stored[..., : values.colours]


def _extremes(values: Values) -> tuple[float, float]:
    """The smallest and the largest finite colour value; 0 and 0 without any."""
    colours = _colours(values)
    if values.stored.dtype.kind != "f" and values.missing is None:
        return float(colours.min()), float(colours.max())
    lowest, highest = np.inf, -np.inf
    for top in range(0, len(colours), _BAND):
        band = colours[top : top + _BAND]
        counted = np.isfinite(band) & (band != values.missing)
        if counted.any():
            lowest = min(lowest, float(band.min(initial=np.inf, where=counted)))
            highest = max(highest, float(band.max(initial=-np.inf, where=counted)))
    return (lowest, highest) if lowest <= highest else (0.0, 0.0)


def _eight_bits(values: Values, low: float, high: float) -> np.ndarray:
    """All values as 0 to 255: ``low`` becomes 0 and ``high`` 255, except for alpha."""
    stored = values.stored
    eight = np.empty(stored.shape, np.uint8)
    for top in range(0, len(stored), _BAND):
        band = stored[top : top + _BAND].astype(np.float64)
        colours = band[..., : values.colours]
        if values.missing is not None:
            colours[colours == values.missing] = low
        colours -= low
        colours *= 255.0
        colours /= high - low
        if values.alpha:
            band[..., values.colours] *= 255.0 / values.white
        band = np.nan_to_num(band, copy=False, nan=0.0, posinf=255.0, neginf=0.0)
        eight[top : top + _BAND] = np.clip(np.rint(band), 0, 255)
    if values.inverted:
        part = eight[..., : values.colours]
        np.subtract(255, part, out=part)
    return eight


def _oddity(values: Values, eight: np.ndarray, lowest: float, highest: float) -> str:
    """A warning about a picture in the range of its type, or ""."""
    white = values.white
    outside = lowest < 0 or highest > white
    if lowest >= highest or (not outside and highest - lowest > 0.75 * white):
        return ""  # another range would change almost nothing
    share = np.bincount(eight[..., : values.colours].ravel(), minlength=256) / max(
        1, eight[..., : values.colours].size
    )
    if share[: _DARK + 1].sum() >= _MOST:
        looks = "nearly black"
    elif share[_LIGHT:].sum() >= _MOST:
        looks = "nearly white"
    elif outside and _share_outside(values) >= _OUTSIDE:
        looks = "cut off"
    else:
        return ""
    black = "white" if values.inverted else "black"
    other = "black" if values.inverted else "white"
    return (
        f"{looks}: its values go from {_number(lowest)} to {_number(highest)}; 0 is {black}, "
        f"{_number(white)} {other}"
    )


def _share_outside(values: Values) -> float:
    colours, found = _colours(values), 0
    for top in range(0, len(colours), _BAND):
        band = colours[top : top + _BAND]
        found += int(np.count_nonzero((band < 0) | (band > values.white)))
    return found / max(1, colours.size)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e15 else f"{value:.4g}"


def with_transparent(values: Values, colour: tuple[int, ...]) -> Values:
    """The values with an added alpha: 0 for pixels of this colour, opaque for all others."""
    stored = values.stored
    there = (stored == np.array(colour, stored.dtype)).all(axis=-1)
    alpha = np.where(there, 0, int(values.white)).astype(stored.dtype)
    return replace(values, stored=np.dstack([stored, alpha]), alpha="straight")
