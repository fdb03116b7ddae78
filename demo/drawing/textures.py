"""Woven cloth: checks and stripes that fill most of the picture."""

import math

import numpy as np

from .canvas import SIZE, Canvas
from .palette import BRIGHTS, GROUNDS, Colour, light, mix, pick, pick_apart, shadow
from .shapes import Frame, Points, ellipse, smooth, wobbled


def paint_checks(canvas: Canvas, frame: Frame) -> None:
    """A chequered or gingham cloth."""
    chance = canvas.chance
    first = pick(chance, BRIGHTS + GROUNDS)
    second = pick_apart(chance, BRIGHTS + GROUNDS, first, 130)
    step, gingham = chance.between(14, 38), chance.yes(0.4)
    cloth = Frame(112, 112, 1, chance.between(0, math.pi / 2))
    with canvas.inside(frame, _cloth(canvas)):
        canvas.fill(cloth, _square(-170, -170, 340), first, "checks")
        count = math.ceil(340 / step)
        for row in range(count):
            for column in range(count):
                colour = _check_colour(row, column, first, second, gingham)
                if colour is not None:
                    corner = (column * step - 170, row * step - 170)
                    canvas.fill(cloth, _square(*corner, step), colour, "checks")
        _paint_folds(canvas, first)


def _check_colour(
    row: int, column: int, first: Colour, second: Colour, gingham: bool
) -> Colour | None:
    if not gingham:
        return second if (row + column) % 2 else None
    return (None, mix(first, second, 0.5), second)[row % 2 + column % 2]


def paint_stripes(canvas: Canvas, frame: Frame) -> None:
    """A striped cloth: even, uneven or waving stripes."""
    chance = canvas.chance
    first = pick(chance, BRIGHTS + GROUNDS)
    others = [pick_apart(chance, BRIGHTS + GROUNDS, first, 110) for _ in range(chance.whole(1, 3))]
    step, wave = chance.between(14, 40), chance.pick((0.0, 0.0, chance.between(3, 12)))
    share, length = chance.between(0.3, 0.65), chance.between(60, 140)
    cloth = Frame(112, 112, 1, chance.between(0, math.pi))
    along = np.linspace(-180, 180, 28)
    with canvas.inside(frame, _cloth(canvas)):
        canvas.fill(cloth, _square(-180, -180, 360), first, "stripes")
        for k in range(math.ceil(360 / step)):
            across = -180 + k * step + wave * np.sin(along * 2 * math.pi / length)
            edge = np.stack([along, across], axis=1)
            band = np.concatenate([edge, (edge + [0, step * share])[::-1]])
            canvas.fill(cloth, band, others[k % len(others)], "stripes")
        _paint_folds(canvas, first)


def _square(left: float, top: float, side: float) -> Points:
    return np.array(
        [(left, top), (left + side, top), (left + side, top + side), (left, top + side)]
    )


def _cloth(canvas: Canvas) -> Points:
    """The cloth's outline in units of half its size: nearly square, or a round cushion."""
    chance = canvas.chance
    power = chance.pick((2.0, 4.0, 9.0, 9.0))
    return wobbled(ellipse(0, 0, 1, 1, power=power, count=60), 0.03, chance.generator)


def _paint_folds(canvas: Canvas, colour: Colour) -> None:
    chance = canvas.chance
    page = Frame(0, 0, 1)
    for _ in range(chance.whole(1, 4)):
        x, y, lean = chance.between(0, SIZE), chance.between(0, SIZE), chance.about(0, 90)
        fold = smooth((x - lean, y - 120), (x + 14, y), (x + lean, y + 120), (x - 14, y))
        tint = shadow(colour, 0.6) if chance.yes(0.6) else light(colour, 0.8)
        canvas.glow(page, fold, tint, chance.between(0.2, 0.5), chance.between(6, 14))
