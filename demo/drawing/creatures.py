"""Fish and butterflies."""

from .canvas import Canvas
from .palette import BRIGHTS, INK, Colour, light, mix, pick_apart, shadow
from .shapes import Frame, arc, ellipse, points, smooth


def paint_fish(canvas: Canvas, frame: Frame) -> None:
    """A fish from the side; one unit is half its length."""
    chance = canvas.chance
    coat = pick_apart(chance, BRIGHTS, canvas.ground)
    fin, height = pick_apart(chance, BRIGHTS, canvas.ground), chance.between(0.34, 0.6)
    fork = chance.between(0.25, 0.5)
    tail = smooth((-0.55, 0), (-1.0, -fork), (-0.9, 0), (-1.0, fork))
    canvas.fill(frame, tail, fin, "tail", shade=0.3)
    back = smooth(
        (0.3, -height * 0.8), (-0.1, -height - 0.28), (-0.45, -height * 0.7), (-0.1, -0.1)
    )
    belly = smooth((0.1, height * 0.7), (-0.2, height + 0.2), (-0.4, height * 0.5))
    for outline in (back, belly):
        canvas.fill(frame, outline, fin, "fin", shade=0.3)
    body = smooth(
        (0.92, 0.02),
        (0.6, -height * 0.7),
        (0.15, -height),
        (-0.35, -height * 0.6),
        (-0.68, -0.06),
        (-0.68, 0.06),
        (-0.35, height * 0.6),
        (0.15, height),
        (0.6, height * 0.7),
    )
    canvas.fill(frame, body, coat, shade=0.5)
    with canvas.inside(frame, body):
        _paint_scales(canvas, frame, coat)
    canvas.stroke(
        frame, arc(0.34, 0, 0.12, height * 0.7, -0.2, 0.2), 0.06, shadow(coat, 0.35), "gill"
    )
    canvas.fill(frame, smooth((0.2, 0.06), (-0.16, 0.02), (-0.2, 0.3)), fin, "fin", shade=0.3)
    canvas.stroke(frame, arc(0.9, 0.08, 0.13, 0.06, 0.3, 0.6), 0.06, shadow(coat, 0.6), "mouth")
    size = chance.between(0.11, 0.15)
    canvas.dot(frame, 0.58, -0.1, size, (250, 248, 240), "eye")
    canvas.dot(frame, 0.6, -0.1, size * 0.6, INK, "eye")
    canvas.dot(frame, 0.63, -0.13, size * 0.22, (255, 255, 255), "eye")


def _paint_scales(canvas: Canvas, frame: Frame, coat: Colour) -> None:
    chance = canvas.chance
    tone = mix(coat, pick_apart(chance, BRIGHTS, coat), chance.between(0.3, 0.8))
    if chance.yes(0.45):
        for k in range(chance.whole(2, 4)):
            x = 0.14 - 0.24 * k
            band = smooth((x, -0.8), (x + 0.06, 0), (x, 0.8), closed=False)
            canvas.stroke(frame, band, 0.1, tone, "scales", ends=(1, 1))
        return
    for row in range(-5, 6):
        for column in range(-6, 3):
            x, y = (column + row % 2 / 2) * 0.14, row * 0.1
            canvas.stroke(
                frame, arc(x, y, 0.07, 0.08, 0.25, 0.75, 7), 0.03, tone, "scales", ends=(1, 1)
            )


def paint_butterfly(canvas: Canvas, frame: Frame) -> None:
    """A butterfly with open wings; one unit is half its span."""
    chance = canvas.chance
    wing = pick_apart(chance, BRIGHTS, canvas.ground)
    spot, rim = pick_apart(chance, BRIGHTS, wing), shadow(wing, chance.between(0.3, 0.7))
    droop, size = chance.about(0, 0.12), chance.between(0.1, 0.17)
    for side in (-1, 1):
        lower = smooth(
            (0, 0.1),
            (side * 0.5, 0.1),
            (side * 0.76, 0.45 + droop),
            (side * 0.46, 0.85),
            (side * 0.12, 0.5),
        )
        upper = smooth(
            (0, 0.05),
            (side * 0.2, -0.4),
            (side * 0.8, -0.78 + droop),
            (side, -0.5),
            (side * 0.8, 0.0),
            (side * 0.4, 0.16),
        )
        for outline in (lower, upper):
            canvas.fill(frame, outline, rim, "wing")
            middle = outline.mean(axis=0)
            canvas.fill(frame, middle + (outline - middle) * 0.84, wing, "wing", shade=0.4)
        for x, y, scale in ((0.68, -0.4, 1.0), (0.45, 0.5, 0.8)):
            canvas.dot(frame, side * x, y + droop * 0.5, size * scale, light(spot, 0.5), "spots")
            canvas.dot(frame, side * x, y + droop * 0.5, size * scale * 0.6, spot, "spots")
        for k in range(3):
            vein = points(
                (0.06 * side, 0), (0.35 * side, -0.2 + 0.12 * k), (0.6 * side, -0.45 + 0.24 * k)
            )
            canvas.stroke(frame, vein, 0.025, rim, "wing")
        feeler = smooth((0, -0.35), (side * 0.12, -0.65), (side * 0.3, -0.8), closed=False)
        canvas.bar(frame, feeler, 0.03, INK, "antenna")
        canvas.dot(frame, side * 0.3, -0.8, 0.045, INK, "antenna")
    canvas.fill(frame, ellipse(0, 0.08, 0.08, 0.42), shadow(wing, 0.75), "body", shade=0.4)
    canvas.dot(frame, 0, -0.38, 0.1, shadow(wing, 0.75), "body")
