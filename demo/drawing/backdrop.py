"""Backgrounds: walls, skies, papers, and clutter that makes detection harder."""

import math
from collections.abc import Callable

from .canvas import SIZE, Canvas
from .palette import (
    BRIGHTS,
    GREENS,
    GROUNDS,
    SKIES,
    Colour,
    light,
    mix,
    pick,
    shadow,
    vary,
)
from .shapes import Frame, arc, box, ellipse, points, smooth, wobbled

PAGE = Frame(0, 0, 1)


def paint_wall(canvas: Canvas) -> None:
    """An indoor or studio ground of a random kind, for heads and single things."""
    ground = canvas.ground
    kind: Callable[[Canvas, Colour], None] = canvas.chance.pick(
        (
            _paint_strokes,
            _paint_strokes,
            _paint_dots,
            _paint_bands,
            _paint_leaves,
            _paint_room,
            _paint_sunburst,
            _paint_blobs,
        )
    )
    kind(canvas, ground)


def paint_sky(canvas: Canvas) -> Colour:
    """A sky with clouds or a sun; returns its colour."""
    chance, sky = canvas.chance, pick(canvas.chance, SKIES)
    for k in range(16):
        tone = mix(sky, WARM_HORIZON, k / 24)
        canvas.fill(PAGE, box(0, k * 14, SIZE, SIZE), tone)
    if chance.yes(0.5):
        x, y, r = chance.between(10, 214), chance.between(10, 70), chance.between(10, 24)
        canvas.dot(PAGE, x, y, r, light((250, 214, 120), chance.between(0, 0.6)))
    for _ in range(chance.whole(0, 4)):
        x, y, r = chance.between(0, SIZE), chance.between(5, 90), chance.between(8, 20)
        pale = light(sky, chance.between(0.4, 0.8))
        for dx, dy, s in ((-1.3, 0.3, 0.8), (0, 0, 1), (1.3, 0.25, 0.85), (0.3, 0.5, 1)):
            canvas.fill(PAGE, ellipse(x + dx * r, y + dy * r, r * s * 1.3, r * s * 0.7), pale)
    return sky


def paint_hills(canvas: Canvas, horizon: float, sky: Colour) -> Colour:
    """Hills down to a meadow or a road that starts at the horizon; returns its colour."""
    chance = canvas.chance
    for k in range(chance.whole(1, 2)):
        tone = mix(pick(chance, GREENS + GROUNDS[:4]), sky, 0.5 - 0.2 * k)
        tops = [(x, horizon - chance.between(0, 44) + 14 * k) for x in range(-60, 330, 48)]
        canvas.fill(PAGE, smooth((-60, 300), *tops, (330, 300)), tone)
    ground = pick(chance, GREENS)
    tops = [(x, horizon + chance.about(0, 4)) for x in range(-60, 330, 60)]
    canvas.fill(PAGE, smooth((-60, 400), *tops, (330, 400)), ground)
    for _ in range(30):
        x, y = chance.between(0, SIZE), chance.between(horizon + 6, SIZE)
        blade = smooth((x, y), (x + chance.about(0, 4), y - chance.between(4, 10)), closed=False)
        canvas.stroke(PAGE, blade, 2.4, vary(chance, shadow(ground, 0.12)), ends=(1, 0.1))
    return ground


def paint_clutter(canvas: Canvas, count: int) -> None:
    """Small things (discs, rings, bars, leaves) that look like parts of other things."""
    chance = canvas.chance
    for _ in range(count):
        frame = Frame(
            chance.between(0, SIZE),
            chance.between(0, SIZE),
            chance.between(5, 20),
            chance.between(0, 2 * math.pi),
        )
        _paint_oddment(canvas, frame, pick(chance, BRIGHTS + GROUNDS))


def paint_foreground(canvas: Canvas) -> None:
    """Sometimes draw something small in front of the subject, near the border of the picture."""
    chance = canvas.chance
    for _ in range(chance.pick((0, 0, 0, 1, 2))):
        angle, far = chance.between(0, 2 * math.pi), chance.between(100, 140)
        frame = Frame(
            112 + far * math.cos(angle), 112 + far * math.sin(angle), chance.between(7, 16), angle
        )
        _paint_oddment(canvas, frame, pick(chance, BRIGHTS))


def _paint_oddment(canvas: Canvas, frame: Frame, colour: Colour) -> None:
    kind = canvas.chance.whole(0, 7)
    if kind == 0:
        canvas.fill(frame, ellipse(0, 0, 1, 1), colour, shade=0.3)
    elif kind == 1:
        canvas.bar(frame, arc(0, 0, 1, 1, 0, 1.02, 24), 0.4, colour)
    elif kind == 2:
        canvas.fill(frame, points((-1, 0.8), (0, -1), (1, 0.8)), colour, shade=0.3)
    elif kind == 3:
        canvas.stroke(frame, smooth((-1.5, 0.4), (0, -0.3), (1.5, 0.3), closed=False), 0.5, colour)
    elif kind == 4:
        leaf = smooth((-1, 0), (0, -0.5), (1, 0), (0, 0.5))
        canvas.fill(frame, leaf, pick(canvas.chance, GREENS))
        canvas.bar(frame, points((-1, 0), (1, 0)), 0.1, shadow(colour))
    elif kind == 5:
        canvas.fill(frame, box(-0.8, -0.8, 0.8, 0.8), colour, shade=0.3)
    elif kind == 6:
        canvas.bar(frame, points((-1, 0), (1, 0)), 0.35, colour)
        canvas.bar(frame, points((0, -1), (0, 1)), 0.35, colour)
    else:
        canvas.dot(frame, 0, 0, 0.9, light(colour, 0.8))
        canvas.dot(frame, 0.1, 0, 0.4, shadow(colour, 0.7))


WARM_HORIZON: Colour = (250, 232, 206)


def _paint_strokes(canvas: Canvas, ground: Colour) -> None:
    chance = canvas.chance
    slope = chance.about(0, 1.2)
    for _ in range(34):
        x, y, length = chance.between(-20, 244), chance.between(-10, 234), chance.between(30, 90)
        dx, dy = length * math.cos(slope), length * math.sin(slope)
        line = smooth(
            (x - dx / 2, y - dy / 2),
            (x, y + chance.about(0, 6)),
            (x + dx / 2, y + dy / 2),
            closed=False,
        )
        canvas.stroke(
            PAGE, line, chance.between(10, 26), vary(chance, ground, 0.7), ends=(0.7, 0.5)
        )


def _paint_dots(canvas: Canvas, ground: Colour) -> None:
    chance = canvas.chance
    step, size = chance.between(20, 36), chance.between(3, 7)
    tone = mix(ground, pick(chance, GROUNDS), 0.6)
    for row in range(-1, int(SIZE / step) + 2):
        for column in range(-1, int(SIZE / step) + 2):
            canvas.dot(PAGE, (column + row % 2 / 2) * step, row * step, size, tone)


def _paint_bands(canvas: Canvas, ground: Colour) -> None:
    chance = canvas.chance
    tone, step = mix(ground, pick(chance, GROUNDS), 0.4), chance.between(22, 44)
    frame = Frame(112, 112, 1, chance.pick((0.0, math.pi / 2, math.pi / 4, -math.pi / 4)))
    for k in range(-9, 10):
        canvas.fill(frame, box(-180, k * step, 180, k * step + step * 0.5), tone)


def _paint_leaves(canvas: Canvas, ground: Colour) -> None:
    chance = canvas.chance
    tone = mix(ground, pick(chance, GREENS), 0.6)
    for _ in range(16):
        frame = Frame(
            chance.between(0, SIZE),
            chance.between(0, SIZE),
            chance.between(14, 26),
            chance.between(0, 6.3),
        )
        canvas.fill(frame, smooth((-1, 0), (0, -0.42), (1, 0), (0, 0.42)), vary(chance, tone, 0.6))
        canvas.stroke(frame, points((-1, 0), (0, 0.02), (1, 0)), 0.09, light(tone, 0.25))


def _paint_room(canvas: Canvas, ground: Colour) -> None:
    chance = canvas.chance
    floor = chance.between(150, 200)
    canvas.fill(PAGE, box(0, floor, SIZE, SIZE), shadow(ground, 0.3))
    canvas.fill(PAGE, box(0, floor - 5, SIZE, floor), light(ground, 0.5))
    left, top = chance.between(-10, 150), chance.between(-10, 60)
    right, bottom = left + chance.between(40, 80), top + chance.between(40, 70)
    canvas.fill(PAGE, box(left, top, right, bottom), pick(chance, BRIGHTS))
    canvas.fill(PAGE, box(left + 5, top + 5, right - 5, bottom - 5), pick(chance, SKIES))


def _paint_sunburst(canvas: Canvas, ground: Colour) -> None:
    chance = canvas.chance
    rays, x, y = chance.whole(7, 13), chance.between(60, 164), chance.between(60, 200)
    for k in range(rays):
        a, b = (2 * math.pi * (k + d) / rays for d in (0, 0.5))
        canvas.fill(
            PAGE,
            points(
                (x, y),
                (x + 320 * math.cos(a), y + 320 * math.sin(a)),
                (x + 320 * math.cos(b), y + 320 * math.sin(b)),
            ),
            light(ground, 0.2),
        )


def _paint_blobs(canvas: Canvas, ground: Colour) -> None:
    chance = canvas.chance
    for _ in range(7):
        x, y, r = chance.between(0, SIZE), chance.between(0, SIZE), chance.between(20, 60)
        outline = wobbled(ellipse(x, y, r, r), 0.15, chance.generator)
        canvas.fill(PAGE, outline, mix(ground, pick(chance, GROUNDS), 0.35), shade=0.15)
