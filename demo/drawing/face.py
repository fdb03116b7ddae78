"""The parts of a face: eyes with brows, nose and mouth, each chosen independently."""

from dataclasses import dataclass

from .canvas import Canvas
from .palette import INK, Colour, light, mix, pick, shadow
from .shapes import Frame, arc, box, ellipse, smooth

LIPS: tuple[Colour, ...] = ((196, 78, 72), (172, 66, 78), (214, 106, 100), (150, 60, 56))
IRISES: tuple[Colour, ...] = ((92, 62, 44), (60, 44, 38), (74, 120, 150), (90, 132, 88))


@dataclass(frozen=True)
class Face:
    """Values that all parts of one face share."""

    skin: Colour
    hair: Colour
    eye_line: float
    eye_gap: float
    nose_line: float
    mouth_line: float
    jaw: float


def paint_nose(canvas: Canvas, frame: Frame, face: Face) -> None:
    chance = canvas.chance
    width, y = chance.between(0.13, 0.2), face.nose_line
    dark, red = shadow(face.skin, 0.42), mix(face.skin, (214, 96, 80), 0.4)
    bridge = smooth(
        (-0.05, y - 0.3),
        (0.05, y - 0.3),
        (width, y),
        (width * 0.8, y + 0.09),
        (0, y + 0.12),
        (-width * 0.8, y + 0.09),
        (-width, y),
    )
    canvas.fill(frame, bridge, red, "nose", shade=0.45)
    kind = chance.whole(0, 2)
    if kind == 0:
        canvas.stroke(frame, arc(0, y, width, 0.12, 0.02, 0.48), 0.07, dark, "nose")
    elif kind == 1:
        for side in (-1, 1):
            canvas.fill(frame, ellipse(side * width * 0.5, y + 0.06, 0.055, 0.035), dark, "nose")
    else:
        side = chance.sign()
        line = smooth(
            (side * 0.05, y - 0.3),
            (side * width, y + 0.02),
            (side * width * 0.5, y + 0.1),
            (-side * width * 0.6, y + 0.09),
            closed=False,
        )
        canvas.stroke(frame, line, 0.06, dark, "nose")


def paint_mouth(canvas: Canvas, frame: Frame, face: Face) -> None:
    chance = canvas.chance
    y, width, lip = face.mouth_line, chance.between(0.2, 0.34), pick(chance, LIPS)
    kind = chance.whole(0, 3)
    if kind == 0:
        canvas.stroke(
            frame,
            arc(0, y - 0.1, width, 0.16, 0.03, 0.47),
            0.09,
            shadow(lip, 0.3),
            "mouth",
            ends=(0.5, 0.5),
        )
    elif kind == 1:
        smile = smooth(
            (-width, y - 0.08),
            (0, y - 0.03),
            (width, y - 0.08),
            (width * 0.6, y + 0.13),
            (0, y + 0.19),
            (-width * 0.6, y + 0.13),
        )
        canvas.fill(frame, smile, shadow(lip, 0.6), "mouth")
        with canvas.inside(frame, smile):
            canvas.fill(frame, box(-width, y - 0.1, width, y + 0.035), (250, 246, 238), "mouth")
            canvas.fill(frame, ellipse(0, y + 0.2, width * 0.6, 0.1), light(lip, 0.15), "mouth")
    else:
        open_by = 0.03 if kind == 2 else 0.1
        upper = smooth(
            (-width, y),
            (-width * 0.4, y - 0.1),
            (0, y - 0.06),
            (width * 0.4, y - 0.1),
            (width, y),
            (width * 0.5, y + 0.1 + open_by),
            (0, y + 0.13 + open_by),
            (-width * 0.5, y + 0.1 + open_by),
        )
        canvas.fill(frame, upper, lip, "mouth", shade=0.3)
        canvas.fill(frame, ellipse(0, y + 0.015, width * 0.8, open_by), shadow(lip, 0.65), "mouth")


def paint_eyes(canvas: Canvas, frame: Frame, face: Face) -> None:
    chance = canvas.chance
    width, height = chance.between(0.15, 0.2), chance.between(0.09, 0.15)
    look, iris = chance.about(0, 0.05), pick(chance, IRISES)
    brow_lift, brow_turn = chance.between(0.17, 0.27), chance.about(0, 0.06)
    asleep = chance.yes(0.06)
    for side in (-1, 1):
        x, y = side * face.eye_gap, face.eye_line
        canvas.glow(
            frame, ellipse(x, y, width * 1.3, height * 1.6), shadow(face.skin, 0.35), 0.5, 0.06
        )
        if asleep:
            canvas.stroke(frame, arc(x, y, width, height, 0.03, 0.47), 0.07, INK, "eye")
        else:
            _paint_open_eye(canvas, frame.at(x, y), (width, height), look, iris)
        brow = smooth(
            (x - side * 0.17, y - brow_lift + brow_turn),
            (x, y - brow_lift - 0.06),
            (x + side * 0.2, y - brow_lift + 0.02),
            closed=False,
        )
        canvas.stroke(frame, brow, 0.09, shadow(face.hair, 0.25), "brow", ends=(0.7, 0.2))


def _paint_open_eye(
    canvas: Canvas, frame: Frame, size: tuple[float, float], look: float, iris: Colour
) -> None:
    width, height = size
    white = smooth(
        (-width, 0.01),
        (-width * 0.4, -height),
        (width * 0.4, -height),
        (width, 0.01),
        (width * 0.4, height * 0.9),
        (-width * 0.4, height * 0.9),
    )
    canvas.fill(frame, white, (250, 248, 242), "eye")
    with canvas.inside(frame, white):
        canvas.dot(frame, look, 0, 0.105, iris, "eye")
        canvas.dot(frame, look, 0, 0.06, (24, 20, 26), "eye")
        canvas.dot(frame, look + 0.035, -0.04, 0.028, (255, 255, 255), "eye")
    lid = smooth(
        (-width * 1.1, 0.02),
        (-width * 0.4, -height),
        (width * 0.4, -height),
        (width * 1.1, 0.02),
        closed=False,
    )
    canvas.stroke(frame, lid, 0.055, INK, "eye", ends=(0.4, 0.4))
