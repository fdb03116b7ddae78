"""Heads of people: every part is chosen independently."""

from .canvas import Canvas
from .face import Face, paint_eyes, paint_mouth, paint_nose
from .hair import paint_back_hair, paint_front_hair
from .palette import BRIGHTS, COATS, HAIRS, light, mix, pick, pick_apart, shadow, vary
from .shapes import Frame, arc, ellipse, points, smooth


def paint_person(canvas: Canvas, frame: Frame) -> None:
    """Shoulders, then the head from back to front."""
    chance = canvas.chance
    skin = pick(chance, COATS)
    face = Face(
        skin,
        pick_apart(chance, HAIRS, skin, 70),
        chance.about(-0.1, 0.08),
        chance.about(0.35, 0.05),
        chance.about(0.24, 0.06),
        chance.about(0.6, 0.06),
        chance.about(0.5, 0.12),
    )
    style = chance.pick(("short", "fringe", "bob", "long", "curly", "bun", "bald", "cap", "afro"))
    _paint_shoulders(canvas, frame, face)
    paint_back_hair(canvas, frame, style, face.hair)
    for side in (-1, 1):
        _paint_ear(canvas, frame, face, side)
    _paint_skull(canvas, frame, face)
    paint_nose(canvas, frame, face)
    _paint_beard(canvas, frame, face, style)
    paint_mouth(canvas, frame, face)
    paint_eyes(canvas, frame, face)
    paint_front_hair(canvas, frame, style, face.hair)
    if chance.yes(0.18):
        _paint_glasses(canvas, frame, face)


def _paint_shoulders(canvas: Canvas, frame: Frame, face: Face) -> None:
    chance = canvas.chance
    cloth = pick_apart(chance, BRIGHTS, canvas.ground)
    shirt = smooth((-1.5, 2.4), (-1.25, 1.55), (-0.5, 1.25), (0.5, 1.25), (1.25, 1.55), (1.5, 2.4))
    canvas.fill(frame, shirt, cloth, "shirt", shade=0.35)
    if chance.yes(0.5):
        stripe = pick_apart(chance, BRIGHTS, cloth)
        with canvas.inside(frame, shirt):
            for k in range(5):
                line = smooth(
                    (-1.6, 1.65 + k * 0.22),
                    (0, 1.42 + k * 0.22),
                    (1.6, 1.65 + k * 0.22),
                    closed=False,
                )
                canvas.bar(frame, line, 0.07, stripe, "shirt")
    neck = smooth((-0.34, 0.6), (0.34, 0.6), (0.38, 1.28), (0, 1.5), (-0.38, 1.28))
    canvas.fill(frame, neck, shadow(face.skin, 0.22))


def _paint_ear(canvas: Canvas, frame: Frame, face: Face, side: int) -> None:
    chance = canvas.chance
    ear = smooth(
        (0.7 * side, -0.18),
        (0.9 * side, -0.22),
        (0.98 * side, 0.0),
        (0.86 * side, 0.26),
        (0.7 * side, 0.24),
    )
    canvas.fill(frame, ear, vary(chance, face.skin, 0.4), "ear", shade=0.3)
    canvas.stroke(
        frame, arc(0.83 * side, 0.02, 0.07, 0.13, 0.6, 1.3), 0.04, shadow(face.skin, 0.4), "ear"
    )
    if chance.yes(0.2):
        canvas.dot(frame, 0.87 * side, 0.3, 0.07, pick(chance, BRIGHTS), "earring")


def _paint_skull(canvas: Canvas, frame: Frame, face: Face) -> None:
    chance = canvas.chance
    cheek = chance.about(0.78, 0.05)
    outline = smooth(
        (0, -1),
        (0.55, -0.86),
        (cheek, -0.4),
        (cheek, 0.15),
        (face.jaw + 0.05, 0.72),
        (0, 1),
        (-face.jaw - 0.05, 0.72),
        (-cheek, 0.15),
        (-cheek, -0.4),
        (-0.55, -0.86),
    )
    canvas.fill(frame, outline, face.skin, shade=0.5)
    if chance.yes(0.7):
        for side in (-1, 1):
            canvas.glow(
                frame,
                ellipse(side * 0.47, 0.34, 0.2, 0.15),
                mix(face.skin, (226, 92, 84), 0.6),
                0.55,
                0.08,
            )
    if chance.yes(0.15):
        for _ in range(14):
            canvas.dot(
                frame,
                chance.sign() * chance.between(0.2, 0.6),
                chance.between(0.1, 0.4),
                0.022,
                shadow(face.skin, 0.35),
            )


def _paint_beard(canvas: Canvas, frame: Frame, face: Face, style: str) -> None:
    chance, y = canvas.chance, face.mouth_line
    if chance.yes(0.14):
        jaw = face.jaw + 0.08
        beard = smooth(
            (-0.77, 0.1),
            (-0.6, 0.36),
            (-0.3, y - 0.12),
            (0.3, y - 0.12),
            (0.6, 0.36),
            (0.77, 0.1),
            (jaw, 0.8),
            (0, 1.16),
            (-jaw, 0.8),
        )
        canvas.fill(frame, beard, face.hair, "beard", shade=0.35)
        for k in range(9):
            x = -0.48 + 0.12 * k
            canvas.stroke(
                frame,
                points((x, 0.75 + 0.1 * chance.between(0, 1)), (x * 0.9, 1.0)),
                0.035,
                light(face.hair, 0.25),
                "beard",
            )
    if style in ("short", "bald", "cap") and chance.yes(0.2):
        for side in (-1, 1):
            tache = smooth(
                (0, y - 0.16),
                (side * 0.2, y - 0.2),
                (side * 0.36, y - 0.06),
                (side * 0.16, y - 0.08),
            )
            canvas.fill(frame, tache, face.hair, "beard")


def _paint_glasses(canvas: Canvas, frame: Frame, face: Face) -> None:
    rim, power = pick(canvas.chance, BRIGHTS), canvas.chance.pick((2.0, 4.0))
    for side in (-1, 1):
        lens = ellipse(side * face.eye_gap, face.eye_line, 0.27, 0.24, power=power)
        closed = points(*lens.tolist(), tuple(lens[0]))
        canvas.bar(frame, closed, 0.05, rim, "glasses")
    bridge = arc(0, face.eye_line, face.eye_gap - 0.26, 0.06, 0.5, 1.0)
    canvas.bar(frame, bridge, 0.05, rim, "glasses")
