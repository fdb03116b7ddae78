"""Flowers and trees."""

import math

from .canvas import Canvas
from .palette import BRIGHTS, GREENS, Colour, light, pick, pick_apart, shadow, vary
from .shapes import Frame, Points, ellipse, points, smooth, wobbled

CENTRES: tuple[Colour, ...] = ((240, 190, 70), (120, 76, 52), (226, 140, 60), (92, 60, 60))
TRUNKS: tuple[Colour, ...] = ((120, 84, 62), (96, 70, 62), (150, 112, 84), (214, 206, 194))


def paint_flower(canvas: Canvas, frame: Frame) -> None:
    """A flower on its stem; one unit is the radius of its petals."""
    chance = canvas.chance
    green, bend = pick(chance, GREENS), chance.about(0, 0.6)
    stem = smooth((0, 0), (bend * 0.5, 1.2), (bend, 3.2), closed=False)
    canvas.stroke(frame, stem, 0.14, green, "stem", ends=(1, 1))
    for side in (-1, 1):
        if chance.yes(0.8):
            _paint_leaf(
                canvas,
                frame.at(bend * 0.4, chance.between(1.2, 1.7), 1, -side * 0.5),
                side,
                vary(chance, green),
            )
    petal = pick_apart(chance, BRIGHTS[:-2], canvas.ground)
    centre = pick_apart(chance, CENTRES, petal, 70)
    count, width, tip = chance.whole(5, 12), chance.between(0.85, 1.25), chance.between(0.2, 0.9)
    outline = _petal(math.pi / count * width, tip)
    for ring in (1.0, 0.68) if chance.yes(0.35) else (1.0,):
        for k in range(count):
            leaf = frame.at(0, 0, ring, 2 * math.pi * (k + 1 - ring) / count)
            canvas.fill(
                leaf,
                outline,
                vary(chance, light(petal, (1 - ring) * 0.6), 0.5),
                "petals",
                shade=0.35,
            )
            canvas.stroke(
                leaf, points((0.3, 0), (0.55, 0), (0.8, 0)), 0.04, shadow(petal, 0.25), "petals"
            )
    radius = chance.between(0.24, 0.36)
    canvas.fill(frame, ellipse(0, 0, radius, radius), centre, "centre", shade=0.5)
    for k in range(18):
        far, angle = radius * math.sqrt(k / 18) * 0.9, k * 2.4
        canvas.dot(
            frame,
            far * math.cos(angle),
            far * math.sin(angle),
            0.035,
            light(centre, 0.45),
            "centre",
        )


def _petal(width: float, tip: float) -> Points:
    return smooth(
        (0.1, 0),
        (0.5, -width * 0.5),
        (0.85, -width * tip * 0.6),
        (1.0, 0),
        (0.85, width * tip * 0.6),
        (0.5, width * 0.5),
    )


def _paint_leaf(canvas: Canvas, frame: Frame, side: int, green: Colour) -> None:
    size = canvas.chance.between(0.7, 1.1) * side
    outline = smooth((0, 0), (size * 0.4, -0.24), (size, -0.1), (size * 0.5, 0.14))
    canvas.fill(frame, outline, green, "leaf", shade=0.4)
    canvas.stroke(
        frame,
        points((0, 0), (size * 0.5, -0.05), (size * 0.95, -0.09)),
        0.05,
        light(green, 0.4),
        "leaf",
    )


def paint_tree(canvas: Canvas, frame: Frame) -> None:
    """A fir or a broad tree; one unit is half its height."""
    chance = canvas.chance
    bark, green = (
        pick(chance, TRUNKS),
        pick_apart(chance, GREENS + ((206, 120, 60), (222, 170, 80)), canvas.ground, 60),
    )
    canvas.glow(frame, ellipse(0, 1.0, 0.6, 0.07), (40, 32, 56), 0.5, 0.1)
    width = chance.between(0.08, 0.15)
    trunk = smooth(
        (-width, -0.2),
        (width, -0.2),
        (width, 0.6),
        (width * 1.9, 1.0),
        (-width * 1.9, 1.0),
        (-width, 0.6),
    )
    canvas.fill(frame, trunk, bark, "trunk", shade=0.5)
    for k in range(4):
        y = 0.25 + 0.18 * k
        canvas.stroke(
            frame,
            points((-width * 0.6, y), (0, y + 0.02), (width * 0.5, y)),
            0.03,
            shadow(bark, 0.4),
            "trunk",
        )
    if chance.yes(0.35):
        _paint_fir(canvas, frame, green)
    else:
        _paint_crown(canvas, frame, green, bark)


def _paint_fir(canvas: Canvas, frame: Frame, green: Colour) -> None:
    tiers = canvas.chance.whole(3, 5)
    for k in range(tiers):
        y, half = 0.5 - k * 1.1 / tiers, 0.72 - k * 0.5 / tiers
        tier = smooth(
            (0, y - 0.75),
            (half * 0.5, y - 0.25),
            (half, y + 0.06),
            (half * 0.4, y),
            (0, y + 0.1),
            (-half * 0.4, y),
            (-half, y + 0.06),
            (-half * 0.5, y - 0.25),
        )
        canvas.fill(frame, tier, light(green, k * 0.06), "crown", shade=0.5)


def _paint_crown(canvas: Canvas, frame: Frame, green: Colour, bark: Colour) -> None:
    chance = canvas.chance
    fruit = pick_apart(chance, BRIGHTS[:3], green) if chance.yes(0.45) else None
    for side in (-1, 1):
        branch = smooth((0, 0.3), (side * 0.2, 0.0), (side * 0.42, -0.2), closed=False)
        canvas.stroke(frame, branch, 0.09, bark, "trunk", ends=(1, 0.5))
    for _ in range(chance.whole(6, 10)):
        angle, far, size = (
            chance.between(0, 6.3),
            chance.between(0.1, 0.42),
            chance.between(0.26, 0.42),
        )
        blob = ellipse(
            far * math.cos(angle), -0.42 + far * 0.85 * math.sin(angle), size, size * 0.9
        )
        canvas.fill(
            frame,
            wobbled(blob, 0.06, chance.generator),
            vary(chance, green, 0.6),
            "crown",
            shade=0.45,
        )
    for _ in range(26):
        x, y = chance.about(0, 0.55), chance.about(-0.45, 0.5)
        dab = light if chance.yes(0.5) else shadow
        if (x / 0.6) ** 2 + ((y + 0.42) / 0.55) ** 2 < 1:
            canvas.fill(
                frame, ellipse(x, y, 0.06, 0.035, chance.between(0, 3)), dab(green, 0.3), "crown"
            )
            if fruit and chance.yes(0.3):
                canvas.fill(frame, ellipse(x, y, 0.085, 0.085, count=16), fruit, "fruit", shade=0.5)
