"""Hair and hats, in a head's units: first the part behind the face, then the part in front."""

import math

from .canvas import Canvas
from .palette import BRIGHTS, Colour, light, pick_apart, shadow
from .shapes import Frame, Points, arc, ellipse, smooth


def paint_back_hair(canvas: Canvas, frame: Frame, style: str, hair: Colour) -> None:
    """The hair that falls behind the face and the ears."""
    chance = canvas.chance
    if style == "long":
        length = chance.between(1.2, 1.9)
        fall = smooth(
            (0, -1.2),
            (0.8, -0.95),
            (1.08, -0.2),
            (1.0, 0.7),
            (1.1, length),
            (0, length - 0.1),
            (-1.1, length),
            (-1.0, 0.7),
            (-1.08, -0.2),
            (-0.8, -0.95),
        )
        canvas.fill(frame, fall, hair, "hair", shade=0.35)
        with canvas.inside(frame, fall):
            for k in range(-6, 7):
                strand = smooth((k * 0.12, -0.4), (k * 0.17, 0.6), (k * 0.16, length), closed=False)
                canvas.stroke(frame, strand, 0.05, _tone(canvas, hair), "hair")
    elif style == "bob":
        canvas.fill(frame, ellipse(0, -0.05, 1.06, 1.16, power=2.8), hair, "hair", shade=0.35)
    elif style == "afro":
        _paint_curls(canvas, frame, hair, 1.15, range(-9, 10), 0.28)
    elif style == "bun":
        for side in (-1, 1) if chance.yes(0.4) else (0,):
            bun = ellipse(side * 0.62, -1.25 + abs(side) * 0.2, 0.36, 0.36)
            canvas.fill(frame, bun, hair, "hair", shade=0.5)
            canvas.stroke(
                frame,
                arc(side * 0.62, -1.25 + abs(side) * 0.2, 0.2, 0.2, 0, 0.7),
                0.06,
                _tone(canvas, hair),
                "hair",
            )


def paint_front_hair(canvas: Canvas, frame: Frame, style: str, hair: Colour) -> None:
    """The hair over the forehead, or a hat."""
    if style == "cap":
        _paint_cap(canvas, frame)
    elif style == "curly":
        _paint_curls(canvas, frame, hair, 0.9, range(-6, 7), 0.24)
    elif style == "afro":
        _paint_curls(canvas, frame, hair, 0.96, range(-5, 6), 0.2)
    elif style != "bald":
        outline = _hairline(canvas, style)
        canvas.fill(frame, outline, hair, "hair", shade=0.45)
        with canvas.inside(frame, outline):
            _paint_strands(canvas, frame, hair)


def _hairline(canvas: Canvas, style: str) -> Points:
    chance = canvas.chance
    low = chance.between(-0.55, -0.38)
    if style == "fringe":
        side = chance.sign()
        return smooth(
            (-0.86, 0.05),
            (-0.98, -0.55),
            (-0.6, -1.08),
            (0, -1.2),
            (0.6, -1.08),
            (0.98, -0.55),
            (0.86, 0.05),
            (0.72, low),
            (side * 0.3, low + 0.08),
            (-side * 0.2, low),
            (-0.72, low),
        )
    part = chance.about(0, 0.4)
    down = 0.65 if style in ("bob", "long") else 0.0
    return smooth(
        (-0.84, down),
        (-1.0, -0.5),
        (-0.62, -1.07),
        (0, -1.2),
        (0.62, -1.07),
        (1.0, -0.5),
        (0.84, down),
        (0.74, -0.3),
        (0.45, -0.56),
        (part, -0.8),
        (-0.45, -0.56),
        (-0.74, -0.3),
    )


def _paint_strands(canvas: Canvas, frame: Frame, hair: Colour) -> None:
    root = canvas.chance.about(0, 0.5)
    for k in range(14):
        tip = -1.0 + k * 2.0 / 13
        strand = smooth(
            (root, -1.15), ((root + tip) / 2, -0.95), (tip, -0.35), (tip * 1.0, 0.4), closed=False
        )
        canvas.stroke(frame, strand, 0.05, _tone(canvas, hair), "hair")


def _paint_curls(
    canvas: Canvas, frame: Frame, hair: Colour, radius: float, steps: range, size: float
) -> None:
    span = max(abs(step) for step in steps)
    for step in steps:
        angle = step / span * 1.75
        curl = size * canvas.chance.about(1, 0.15)
        x, y = radius * math.sin(angle), -radius * math.cos(angle) * 0.95 - 0.05
        canvas.fill(frame, ellipse(x, y, curl, curl), _tone(canvas, hair, 0.12), "hair", shade=0.4)
        canvas.stroke(
            frame, arc(x, y, curl * 0.55, curl * 0.55, 0.1, 0.8), 0.04, shadow(hair, 0.35), "hair"
        )


def _paint_cap(canvas: Canvas, frame: Frame) -> None:
    chance = canvas.chance
    cloth = pick_apart(chance, BRIGHTS, canvas.ground)
    dome = smooth(
        (-0.94, -0.4),
        (-0.9, -0.95),
        (-0.45, -1.3),
        (0.45, -1.3),
        (0.9, -0.95),
        (0.94, -0.4),
        (0, -0.52),
    )
    canvas.fill(frame, dome, cloth, "hat", shade=0.5)
    if chance.yes(0.5):
        canvas.dot(frame, 0, -1.34, 0.18, light(cloth, 0.5), "hat")
        band = smooth(
            (-0.98, -0.58), (0, -0.76), (0.98, -0.58), (0.98, -0.3), (0, -0.46), (-0.98, -0.3)
        )
        canvas.fill(frame, band, light(cloth, 0.3), "hat")
        for k in range(-8, 9):
            y = -0.62 + 0.16 * (k / 8) ** 2
            canvas.stroke(
                frame,
                smooth((k * 0.115, y - 0.08), (k * 0.115, y + 0.14), closed=False),
                0.03,
                shadow(cloth, 0.2),
                "hat",
            )
    else:
        side = chance.sign()
        peak = smooth(
            (-side * 0.3, -0.5), (side * 0.7, -0.62), (side * 1.45, -0.4), (side * 0.9, -0.34)
        )
        canvas.fill(frame, peak, shadow(cloth, 0.25), "hat")


def _tone(canvas: Canvas, hair: Colour, amount: float = 0.3) -> Colour:
    """A lighter or darker neighbour of a hair colour."""
    change = light if canvas.chance.yes(0.5) else shadow
    return change(hair, canvas.chance.between(0, amount))
