"""Dogs' heads: muzzle, big nose, eyes, ears that hang or stand, tongue, patches, collar."""

from .canvas import Canvas
from .palette import BRIGHTS, COATS, FURS, Colour, light, pick, pick_apart, shadow, vary
from .shapes import Frame, Points, arc, box, ellipse, smooth

NOSES: tuple[Colour, ...] = ((40, 34, 40), (62, 44, 44), (34, 38, 52), (120, 70, 66))
EYES: tuple[Colour, ...] = ((84, 54, 36), (120, 76, 40), (50, 38, 36), (140, 170, 190))


def paint_dog(canvas: Canvas, frame: Frame) -> None:
    """From the neck forward to the nose."""
    chance = canvas.chance
    coat = pick(chance, COATS if chance.yes(0.6) else FURS)
    second = pick_apart(chance, COATS + FURS, coat, 60)
    kind = chance.pick(("hang", "hang", "stand", "fold"))
    _paint_neck(canvas, frame, coat)
    for side in (-1, 1):
        if kind != "fold":
            _paint_ear(canvas, frame, kind, side, second if chance.yes(0.5) else shadow(coat, 0.2))
    _paint_skull(canvas, frame, coat, second)
    if kind == "fold":
        for side in (-1, 1):
            _paint_ear(canvas, frame, kind, side, shadow(coat, 0.25))
    muzzle_line = chance.about(0.42, 0.06)
    _paint_mouth(canvas, frame, muzzle_line)
    _paint_muzzle(canvas, frame, light(coat, chance.between(0.15, 0.6)), muzzle_line)
    _paint_eyes(canvas, frame, coat)
    _paint_nose(canvas, frame, muzzle_line - chance.between(0.12, 0.22))


def _paint_neck(canvas: Canvas, frame: Frame, coat: Colour) -> None:
    chance = canvas.chance
    neck = smooth((-0.6, 0.5), (0.6, 0.5), (1.0, 2.4), (-1.0, 2.4))
    canvas.fill(frame, neck, shadow(coat, 0.12), shade=0.4)
    if chance.yes(0.5):
        strap = pick_apart(chance, BRIGHTS, coat)
        with canvas.inside(frame, neck):
            canvas.bar(
                frame, smooth((-1.1, 1.0), (0, 1.3), (1.1, 1.0), closed=False), 0.2, strap, "collar"
            )
        canvas.dot(frame, 0, 1.46, 0.13, (232, 190, 88), "collar")


def _ear_outline(kind: str, side: int, length: float) -> Points:
    if kind == "hang":
        return smooth(
            (0.42 * side, -0.82),
            (0.85 * side, -0.74),
            (1.12 * side, -0.1),
            (1.08 * side, length),
            (0.86 * side, length + 0.1),
            (0.7 * side, 0.1),
        )
    if kind == "stand":
        return smooth(
            (0.24 * side, -0.72),
            (0.5 * side, -1.3 - length * 0.3),
            (0.68 * side, -1.38 - length * 0.3),
            (0.84 * side, -0.8),
            (0.76 * side, -0.3),
        )
    return smooth(
        (0.3 * side, -0.86),
        (0.66 * side, -1.06),
        (0.92 * side, -0.66),
        (0.98 * side, -0.14),
        (0.78 * side, -0.3),
        (0.6 * side, -0.56),
    )


def _paint_ear(canvas: Canvas, frame: Frame, kind: str, side: int, colour: Colour) -> None:
    chance = canvas.chance
    outline = _ear_outline(kind, side, chance.between(0.2, 0.7))
    canvas.fill(frame, outline, colour, "ear", shade=0.5)
    if kind == "stand":
        inner = outline.mean(axis=0) + (outline - outline.mean(axis=0)) * 0.55
        canvas.fill(frame, inner, light((206, 136, 124), 0.2), "ear")
        return
    with canvas.inside(frame, outline):
        for _ in range(8):
            x, y = chance.between(0.6, 1.1), chance.between(-0.7, 0.4)
            line = smooth((x * side, y), ((x + 0.05) * side, y + 0.3), closed=False)
            canvas.stroke(frame, line, 0.05, shadow(colour, chance.between(0, 0.35)), "ear")


def _paint_skull(canvas: Canvas, frame: Frame, coat: Colour, second: Colour) -> None:
    chance = canvas.chance
    width = chance.about(0.74, 0.06)
    outline = smooth(
        (0, -0.92),
        (0.45, -0.88),
        (width, -0.4),
        (width - 0.06, 0.1),
        (0.55, 0.55),
        (0.3, 0.85),
        (-0.3, 0.85),
        (-0.55, 0.55),
        (0.06 - width, 0.1),
        (-width, -0.4),
        (-0.45, -0.88),
    )
    canvas.fill(frame, outline, coat, shade=0.5)
    with canvas.inside(frame, outline):
        if chance.yes(0.35):
            side = chance.sign()
            canvas.fill(frame, ellipse(side * 0.38, -0.2, 0.36, 0.42), second)
        if chance.yes(0.35):
            blaze = smooth(
                (0, -1), (0.14, -0.6), (0.1, 0), (0.3, 0.5), (-0.3, 0.5), (-0.1, 0), (-0.14, -0.6)
            )
            canvas.fill(frame, blaze, light(coat, 0.7))
        for _ in range(46):
            x, y = chance.about(0, 0.75), chance.about(-0.1, 0.8)
            hair = smooth((x, y), (x * 1.06, y + 0.15), closed=False)
            tone = light(coat, 0.3) if chance.yes(0.5) else shadow(coat, 0.2)
            canvas.stroke(frame, hair, 0.035, tone)


def _paint_muzzle(canvas: Canvas, frame: Frame, pale: Colour, y: float) -> None:
    chance = canvas.chance
    width = chance.about(0.46, 0.07)
    outline = smooth(
        (0, y - 0.42),
        (0.3, y - 0.26),
        (width, y + 0.06),
        (0.3, y + 0.3),
        (0, y + 0.2),
        (-0.3, y + 0.3),
        (-width, y + 0.06),
        (-0.3, y - 0.26),
    )
    canvas.fill(frame, outline, pale, "muzzle", shade=0.45)
    dark = shadow(pale, 0.55)
    canvas.stroke(frame, smooth((0, y - 0.1), (0, y + 0.2), closed=False), 0.045, dark, "mouth")
    for side in (-1, 1):
        lip = smooth(
            (0, y + 0.2),
            (side * 0.16, y + 0.31),
            (side * 0.36, y + 0.22),
            (side * 0.45, y + 0.08),
            closed=False,
        )
        canvas.stroke(frame, lip, 0.06, dark, "mouth")
        for _ in range(4):
            canvas.dot(
                frame,
                side * chance.between(0.16, 0.34),
                y + chance.about(0.08, 0.08),
                0.018,
                dark,
                "muzzle",
            )


def _paint_mouth(canvas: Canvas, frame: Frame, y: float) -> None:
    """The open mouth below the muzzle, with its tongue."""
    chance = canvas.chance
    canvas.fill(frame, ellipse(0, y + 0.3, 0.34, 0.2), (86, 40, 46), "mouth")
    if chance.yes(0.45):
        length, x = chance.between(0.2, 0.45), chance.about(0, 0.1)
        tongue = smooth(
            (x - 0.17, y + 0.2),
            (x + 0.17, y + 0.2),
            (x + 0.19, y + 0.2 + length),
            (x, y + 0.34 + length),
            (x - 0.19, y + 0.2 + length),
        )
        canvas.fill(frame, tongue, vary(chance, (226, 112, 116)), "tongue", shade=0.4)
        canvas.stroke(
            frame,
            smooth((x, y + 0.2), (x, y + 0.2 + length), closed=False),
            0.04,
            (180, 72, 84),
            "tongue",
        )


def _paint_eyes(canvas: Canvas, frame: Frame, coat: Colour) -> None:
    chance = canvas.chance
    gap, y, size = chance.about(0.36, 0.05), chance.about(-0.22, 0.07), chance.between(0.12, 0.16)
    iris, look = pick(chance, EYES), chance.about(0, 0.03)
    brows = chance.yes(0.4)
    for side in (-1, 1):
        eye = ellipse(side * gap, y, size, size * 0.95)
        canvas.glow(
            frame, ellipse(side * gap, y, size * 1.5, size * 1.4), shadow(coat, 0.5), 0.6, 0.05
        )
        canvas.fill(frame, eye, (30, 24, 28), "eye")
        canvas.dot(frame, side * gap + look, y, size * 0.72, iris, "eye")
        canvas.dot(frame, side * gap + look, y, size * 0.42, (20, 16, 20), "eye")
        canvas.dot(frame, side * gap + 0.04, y - 0.05, size * 0.26, (255, 255, 255), "eye")
        if brows:
            canvas.fill(
                frame,
                ellipse(side * gap * 0.95, y - 0.27, 0.1, 0.06, turn=side * 0.4),
                light(coat, 0.45),
                "brow",
            )


def _paint_nose(canvas: Canvas, frame: Frame, y: float) -> None:
    chance = canvas.chance
    colour, width = vary(chance, chance.pick(NOSES), 0.6), chance.between(0.19, 0.26)
    outline = smooth(
        (-width, -0.08),
        (-width * 0.5, -0.17),
        (width * 0.5, -0.17),
        (width, -0.08),
        (width * 0.5, 0.1),
        (0, 0.17),
        (-width * 0.5, 0.1),
    )
    nose = frame.at(0, y)
    canvas.fill(nose, outline, colour, "nose", shade=0.3)
    for side in (-1, 1):
        canvas.stroke(
            nose,
            arc(side * width * 0.5, 0.02, 0.06, 0.06, 0.3, 1.0),
            0.05,
            shadow(colour, 0.6),
            "nose",
        )
    canvas.fill(nose, ellipse(-0.04, -0.1, width * 0.4, 0.035), light(colour, 0.6), "nose")
    if chance.yes(0.3):
        canvas.fill(nose, box(-0.012, 0.02, 0.012, 0.16), shadow(colour, 0.6), "nose")
