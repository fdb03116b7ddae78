"""Cats' heads: slit eyes, pointed ears, small nose, whiskers, stripes."""

from .canvas import Canvas
from .palette import BRIGHTS, COATS, FURS, Colour, light, mix, pick, pick_apart, shadow
from .shapes import Frame, arc, ellipse, points, smooth

IRISES: tuple[Colour, ...] = ((170, 190, 80), (226, 186, 66), (110, 170, 110), (120, 176, 200))
NOSES: tuple[Colour, ...] = ((220, 128, 124), (198, 104, 104), (96, 60, 62), (232, 160, 148))


def paint_cat(canvas: Canvas, frame: Frame) -> None:
    """From the ears forward to the whiskers."""
    chance = canvas.chance
    coat = pick(chance, COATS if chance.yes(0.6) else FURS)
    marks = pick_apart(chance, COATS + FURS, coat, 60)
    _paint_neck(canvas, frame, coat)
    for side in (-1, 1):
        _paint_ear(canvas, frame, coat, side)
    _paint_skull(canvas, frame, coat, marks)
    _paint_eyes(canvas, frame, coat)
    _paint_snout(canvas, frame, coat)


def _paint_neck(canvas: Canvas, frame: Frame, coat: Colour) -> None:
    chance = canvas.chance
    neck = smooth((-0.6, 0.4), (0.6, 0.4), (1.05, 2.4), (-1.05, 2.4))
    canvas.fill(frame, neck, shadow(coat, 0.15), shade=0.4)
    if chance.yes(0.4):
        strap = pick_apart(chance, BRIGHTS, coat)
        with canvas.inside(frame, neck):
            canvas.bar(
                frame, smooth((-1, 0.85), (0, 1.1), (1, 0.85), closed=False), 0.14, strap, "collar"
            )
        canvas.dot(frame, 0, 1.18, 0.11, (240, 206, 110), "collar")


def _paint_ear(canvas: Canvas, frame: Frame, coat: Colour, side: int) -> None:
    chance = canvas.chance
    x, y = side * chance.between(0.66, 0.84), -chance.between(1.12, 1.4)
    outer = points(
        (side * 0.16, -0.66),
        (x - side * 0.06, y + 0.04),
        (x + side * 0.03, y + 0.03),
        (side * 0.9, -0.15),
    )
    canvas.fill(frame, outer, coat, "ear", shade=0.4)
    inner = points((side * 0.34, -0.62), (x - side * 0.03, y + 0.2), (side * 0.8, -0.34))
    canvas.fill(frame, inner, light((206, 128, 122), 0.25), "ear")
    for k in range(4):
        hair = smooth(
            (side * (0.42 + 0.1 * k), -0.5), (side * (0.5 + 0.07 * k), -0.8), closed=False
        )
        canvas.stroke(frame, hair, 0.05, light(coat, 0.35), "ear", ends=(0.8, 0.05))


def _paint_skull(canvas: Canvas, frame: Frame, coat: Colour, marks: Colour) -> None:
    chance = canvas.chance
    cheek = chance.about(0.96, 0.07)
    outline = smooth(
        (0, -0.76),
        (0.52, -0.72),
        (0.88, -0.25),
        (cheek, 0.25),
        (0.74, 0.58),
        (0.3, 0.82),
        (-0.3, 0.82),
        (-0.74, 0.58),
        (-cheek, 0.25),
        (-0.88, -0.25),
        (-0.52, -0.72),
    )
    for side in (-1, 1):
        for k in range(3):
            tuft = points(
                (side * 0.6, 0.2 + 0.1 * k),
                (side * (1.06 - 0.09 * k), 0.3 + 0.17 * k),
                (side * 0.6, 0.45 + 0.1 * k),
            )
            canvas.fill(frame, tuft, shadow(coat, 0.08))
    canvas.fill(frame, outline, coat, shade=0.5)
    with canvas.inside(frame, outline):
        if chance.yes(0.55):
            _paint_tabby(canvas, frame, marks)
        elif chance.yes(0.5):
            side = chance.sign()
            canvas.fill(frame, ellipse(side * 0.5, -0.3, 0.5, 0.6), marks)
        for _ in range(36):
            x, y = chance.about(0, 0.9), chance.about(0, 0.75)
            hair = smooth((x, y), (x * 1.08, y + 0.1), closed=False)
            canvas.stroke(
                frame, hair, 0.03, light(coat, 0.3) if chance.yes(0.7) else mix(coat, marks, 0.4)
            )


def _paint_tabby(canvas: Canvas, frame: Frame, marks: Colour) -> None:
    for x in (-0.24, 0.0, 0.24):
        canvas.stroke(
            frame,
            smooth((x * 1.1, -0.8), (x * 0.8, -0.36), closed=False),
            0.12,
            marks,
            "stripes",
            ends=(1, 0.1),
        )
    for side in (-1, 1):
        for k in range(2):
            y = 0.18 + 0.22 * k
            cheek = smooth((side, y - 0.05), (side * 0.6, y + 0.02), closed=False)
            canvas.stroke(frame, cheek, 0.1, marks, "stripes", ends=(1, 0.1))


def _paint_eyes(canvas: Canvas, frame: Frame, coat: Colour) -> None:
    chance = canvas.chance
    gap, y = chance.about(0.42, 0.05), chance.about(-0.12, 0.06)
    width, height = chance.between(0.18, 0.22), chance.between(0.13, 0.19)
    slit, iris, tilt = chance.between(0.025, 0.06), pick(chance, IRISES), chance.between(0.02, 0.07)
    for side in (-1, 1):
        eye = frame.at(side * gap, y)
        almond = smooth((-width * side, tilt), (0, -height), (width * side, -tilt), (0, height))
        canvas.fill(eye, almond * 1.18, shadow(coat, 0.75), "eye")
        canvas.fill(eye, almond, iris, "eye", shade=0.3)
        with canvas.inside(eye, almond):
            canvas.fill(eye, ellipse(0, 0, slit, height * 0.95), (22, 20, 26), "eye")
            canvas.dot(eye, 0.06, -0.06, 0.035, (255, 255, 255), "eye")


def _paint_snout(canvas: Canvas, frame: Frame, coat: Colour) -> None:
    chance = canvas.chance
    y, pale = chance.about(0.3, 0.05), light(coat, chance.between(0.3, 0.7))
    for side in (-1, 1):
        canvas.fill(frame, ellipse(side * 0.18, y + 0.22, 0.25, 0.19), pale, "muzzle", shade=0.3)
    canvas.fill(frame, ellipse(0, y + 0.4, 0.14, 0.1), shadow(pale, 0.1), "muzzle")
    dark, width = shadow(coat, 0.7), chance.between(0.12, 0.17)
    canvas.stroke(frame, smooth((0, y + 0.05), (0, y + 0.2), closed=False), 0.04, dark, "mouth")
    for side in (-1, 1):
        canvas.stroke(frame, arc(side * 0.12, y + 0.19, 0.12, 0.12, 0.0, 0.5), 0.05, dark, "mouth")
    nose = smooth(
        (-width, y - 0.06), (0, y - 0.1), (width, y - 0.06), (0.03, y + 0.11), (-0.03, y + 0.11)
    )
    canvas.fill(frame, nose, pick(chance, NOSES), "nose", shade=0.4)
    hair = (250, 248, 244) if sum(canvas.ground) < 480 or chance.yes(0.3) else (70, 60, 66)
    droop, length = chance.about(0, 0.12), chance.between(0.75, 1.0)
    for side in (-1, 1):
        for k in (-1, 0, 1):
            whisker = smooth(
                (side * 0.24, y + 0.2 + k * 0.06),
                (side * (0.3 + length * 0.5), y + 0.14 + k * 0.14 + droop * 0.4),
                (side * (0.3 + length), y + 0.2 + k * 0.24 + droop),
                closed=False,
            )
            canvas.stroke(frame, whisker, 0.03, hair, "whiskers", ends=(1, 0.4))
