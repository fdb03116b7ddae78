"""Owls' heads (ring eyes, beak, feathers) and small birds."""

from .canvas import Canvas
from .palette import BRIGHTS, COATS, FURS, INK, Colour, light, pick, pick_apart, shadow
from .shapes import Frame, arc, ellipse, points, smooth

IRISES: tuple[Colour, ...] = ((244, 184, 52), (236, 130, 44), (248, 220, 110), (120, 80, 44))


def paint_owl(canvas: Canvas, frame: Frame) -> None:
    """A round head with tufts, two great ringed eyes and a beak."""
    chance = canvas.chance
    coat = pick(chance, COATS + FURS)
    disc = light(coat, chance.between(0.3, 0.6))
    body = smooth(
        (-0.9, 0.2), (0, 0), (0.9, 0.2), (1.15, 1.4), (1.0, 2.4), (-1.0, 2.4), (-1.15, 1.4)
    )
    canvas.fill(frame, body, shadow(coat, 0.15), shade=0.4)
    _paint_feathers(canvas, frame, shadow(coat, 0.15))
    for side in (-1, 1):
        tuft = points((side * 0.25, -0.72), (side * 0.88, -1.3), (side * 0.94, -0.3))
        canvas.fill(frame, tuft, shadow(coat, 0.25), "ear", shade=0.3)
    canvas.fill(frame, ellipse(0, 0, 1.0, 0.88, power=2.3), coat, shade=0.45)
    for _ in range(30):
        x, y = chance.about(0, 0.8), chance.about(0, 0.7)
        fleck = smooth((x, y), (x, y + 0.12), closed=False)
        canvas.stroke(
            frame, fleck, 0.05, light(coat, 0.4) if chance.yes(0.5) else shadow(coat, 0.3)
        )
    gap, y, size = chance.about(0.42, 0.04), chance.about(-0.08, 0.05), chance.between(0.2, 0.27)
    for side in (-1, 1):
        canvas.fill(frame, ellipse(side * gap, y, 0.43, 0.45), disc, shade=0.2)
    _paint_eyes(canvas, frame, gap, y, size)
    beak = smooth(
        (-0.14, y + 0.18), (0, y + 0.1), (0.14, y + 0.18), (0.03, y + 0.52), (-0.03, y + 0.52)
    )
    canvas.fill(
        frame,
        beak,
        pick(chance, ((236, 170, 60), (120, 104, 96), (226, 140, 66))),
        "beak",
        shade=0.5,
    )


def _paint_eyes(canvas: Canvas, frame: Frame, gap: float, y: float, size: float) -> None:
    chance = canvas.chance
    iris, pupil = pick(chance, IRISES), chance.between(0.45, 0.7)
    look = chance.about(0, 0.03)
    for side in (-1, 1):
        canvas.dot(frame, side * gap, y, size * 1.14, INK, "eye")
        canvas.dot(frame, side * gap, y, size, iris, "eye")
        canvas.dot(frame, side * gap + look, y, size * pupil, (20, 18, 24), "eye")
        canvas.dot(frame, side * gap + look + 0.06, y - 0.07, size * 0.2, (255, 255, 255), "eye")


def _paint_feathers(canvas: Canvas, frame: Frame, coat: Colour) -> None:
    for row in range(4):
        for column in range(-4, 5):
            x, y = (column + row % 2 / 2) * 0.26, 0.9 + row * 0.22
            canvas.stroke(frame, arc(x, y, 0.12, 0.13, 0, 0.5), 0.06, light(coat, 0.35), "feathers")


def paint_bird(canvas: Canvas, frame: Frame) -> None:
    """A small bird in profile: round body, wing, tail, beak, one eye."""
    chance = canvas.chance
    coat = pick_apart(chance, BRIGHTS + COATS, canvas.ground)
    belly = light(pick_apart(chance, BRIGHTS, coat), 0.35)
    tail = smooth((-0.6, 0.15), (-1.5, 0.3 + chance.about(0, 0.2)), (-1.6, 0.5), (-0.6, 0.5))
    canvas.fill(frame, tail, shadow(coat, 0.25), "tail", shade=0.3)
    for x in (-0.05, 0.2):
        canvas.bar(
            frame, points((x, 0.7), (x + 0.05, 1.15), (x + 0.2, 1.18)), 0.06, (150, 92, 60), "leg"
        )
    body = smooth(
        (-0.9, 0.2),
        (-0.3, -0.3),
        (0.2, -0.62),
        (0.56, -0.86),
        (0.92, -0.62),
        (0.88, -0.2),
        (0.7, 0.5),
        (0, 0.82),
        (-0.6, 0.6),
    )
    canvas.fill(frame, body, coat, shade=0.5)
    with canvas.inside(frame, body):
        canvas.fill(frame, ellipse(0.55, 0.4, 0.6, 0.5), belly, shade=0.2)
    _paint_wing(canvas, frame, shadow(coat, 0.2))
    x, y = 0.94, chance.about(-0.55, 0.04)
    beak = points(
        (x - 0.06, y - 0.1), (x + chance.between(0.24, 0.42), y + 0.06), (x - 0.08, y + 0.16)
    )
    canvas.fill(frame, beak, (236, 160, 58), "beak", shade=0.4)
    canvas.dot(frame, 0.64, -0.56, 0.14, (250, 248, 242), "eye")
    canvas.dot(frame, 0.67, -0.56, 0.09, INK, "eye")
    canvas.dot(frame, 0.7, -0.6, 0.035, (255, 255, 255), "eye")


def _paint_wing(canvas: Canvas, frame: Frame, coat: Colour) -> None:
    turn = canvas.chance.about(0.2, 0.4)
    wing = frame.at(0.1, 0.0, 1, turn)
    outline = smooth((0.3, -0.2), (0.34, 0.25), (-0.3, 0.42), (-0.95, 0.3), (-0.4, -0.12))
    canvas.fill(wing, outline, coat, "wing", shade=0.4)
    for k in range(4):
        feather = smooth((0.1, 0.02 + 0.08 * k), (-0.7 + 0.08 * k, 0.22 + 0.05 * k), closed=False)
        canvas.stroke(wing, feather, 0.06, light(coat, 0.45), "wing")
