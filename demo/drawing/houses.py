"""Houses: walls, roof, windows with panes, a door, sometimes a chimney."""

from .canvas import Canvas
from .palette import BRIGHTS, COATS, GROUNDS, Colour, light, pick, pick_apart, shadow
from .shapes import Frame, arc, box, ellipse, points, smooth


def paint_house(canvas: Canvas, frame: Frame) -> None:
    """A house from the front; one unit is half its width."""
    chance = canvas.chance
    wall = light(pick(chance, GROUNDS + COATS), chance.between(0, 0.5))
    roof = pick_apart(chance, BRIGHTS, wall)
    top, peak = -chance.between(0.05, 0.5), chance.between(0.5, 0.85)
    canvas.glow(frame, ellipse(0.1, 0.95, 1.1, 0.12), (40, 32, 56), 0.5, 0.1)
    if chance.yes(0.6):
        _paint_chimney(canvas, frame, chance.sign() * chance.between(0.35, 0.55), top, peak)
    canvas.fill(frame, box(-0.86, top, 0.86, 0.95), wall, shade=0.35)
    if chance.yes(0.4):
        for k in range(9):
            y = top + 0.14 * k
            canvas.bar(frame, points((-0.85, y), (0.85, y)), 0.015, shadow(wall, 0.2))
    _paint_roof(canvas, frame, roof, top, peak)
    trim = pick_apart(chance, BRIGHTS, wall)
    door = chance.pick((-0.5, 0.0, 0.5))
    _paint_door(canvas, frame.at(door, 0.95), trim)
    style = chance.whole(0, 3)
    for x in (-0.5, 0.0, 0.5):
        if x != door:
            paint_window(canvas, frame.at(x, 0.45), style, trim)
    if top < -0.25:
        for x in (-0.48, 0.48) if chance.yes(0.6) else (-0.5, 0.0, 0.5):
            paint_window(canvas, frame.at(x, -0.05), style, trim)
    if peak > 0.65 and chance.yes(0.6):
        canvas.dot(frame, 0, top - peak * 0.42, 0.15, light(trim, 0.6), "window")
        canvas.dot(frame, 0, top - peak * 0.42, 0.1, (96, 120, 140), "window")


def paint_window(canvas: Canvas, frame: Frame, style: int, trim: Colour) -> None:
    """A window with a cross of bars, lit or dark, with or without shutters."""
    lit = (252, 216, 128) if style in (1, 3) else (126, 160, 178)
    outer, pane = box(-0.19, -0.21, 0.19, 0.21), box(-0.15, -0.17, 0.15, 0.17)
    if style == 3:
        outer = smooth((-0.19, 0.21), (-0.19, -0.12), (0, -0.28), (0.19, -0.12), (0.19, 0.21))
    if style == 2:
        for side in (-1, 1):
            canvas.fill(frame, box(side * 0.2, -0.21, side * 0.29, 0.21), trim, "shutter")
    white = (246, 240, 226)
    canvas.fill(frame, outer, white, "window")
    canvas.fill(frame, pane, lit, "window", shade=0.3)
    canvas.bar(frame, points((0, -0.18), (0, 0.18)), 0.045, white, "window")
    canvas.bar(frame, points((-0.15, 0), (0.15, 0)), 0.045, white, "window")
    canvas.fill(frame, box(-0.22, 0.2, 0.22, 0.25), shadow(white, 0.25), "window")


def _paint_door(canvas: Canvas, frame: Frame, colour: Colour) -> None:
    chance = canvas.chance
    if chance.yes(0.5):
        outline = smooth((-0.19, 0), (-0.19, -0.5), (0, -0.7), (0.19, -0.5), (0.19, 0))
    else:
        outline = box(-0.19, -0.64, 0.19, 0)
    canvas.fill(frame, outline * 1.14, light(colour, 0.6), "door")
    canvas.fill(frame, outline, colour, "door", shade=0.4)
    for y in (-0.5, -0.24):
        canvas.fill(frame, box(-0.11, y, 0.11, y + 0.17), shadow(colour, 0.2), "door")
    canvas.dot(frame, 0.13, -0.28, 0.035, (246, 214, 120), "door")


def _paint_roof(canvas: Canvas, frame: Frame, roof: Colour, top: float, peak: float) -> None:
    chance = canvas.chance
    ridge = chance.pick((0.0, 0.0, 0.4, 0.6))
    outline = points(
        (-1.05, top + 0.06), (-ridge, top - peak), (ridge, top - peak), (1.05, top + 0.06)
    )
    canvas.fill(frame, outline, roof, "roof", shade=0.4)
    if chance.yes(0.7):
        with canvas.inside(frame, outline):
            for row in range(6):
                y = top - 0.02 - row * 0.15
                for column in range(-6, 7):
                    x = (column + row % 2 / 2) * 0.18
                    canvas.stroke(
                        frame,
                        arc(x, y - 0.06, 0.09, 0.08, 0, 0.5, 7),
                        0.03,
                        shadow(roof, 0.35),
                        "roof",
                        ends=(1, 1),
                    )


def _paint_chimney(canvas: Canvas, frame: Frame, x: float, top: float, peak: float) -> None:
    chance = canvas.chance
    brick, high = (176, 98, 78), top - peak
    canvas.fill(frame, box(x - 0.1, high, x + 0.1, top), brick, "chimney", shade=0.3)
    canvas.fill(frame, box(x - 0.13, high - 0.06, x + 0.13, high + 0.02), shadow(brick), "chimney")
    for k in range(chance.whole(0, 4)):
        canvas.glow(
            frame,
            ellipse(x + 0.1 * k, high - 0.18 - 0.16 * k, 0.1 + 0.03 * k, 0.09),
            (244, 240, 236),
            0.7,
            0.04,
        )
