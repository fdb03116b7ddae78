"""Cars and bicycles: two things that share wheels; and boats."""

import math

from .canvas import Canvas
from .palette import BRIGHTS, INK, Colour, light, mix, pick, pick_apart, shadow
from .shapes import Frame, arc, box, ellipse, points, smooth

GLASS: Colour = (176, 210, 222)


def paint_car(canvas: Canvas, frame: Frame) -> None:
    """A car from the side; one unit is half its length."""
    chance = canvas.chance
    paint = pick_apart(chance, BRIGHTS, canvas.ground)
    radius, roof = chance.between(0.2, 0.27), chance.between(0.5, 0.72)
    front, rear = chance.between(0.5, 0.62), -chance.between(0.48, 0.62)
    wind, back = chance.between(0.25, 0.6), -chance.between(0.3, 0.95)
    canvas.glow(frame, ellipse(0, 0.4 + radius * 0.8, 1.0, 0.1), (40, 32, 56), 0.6, 0.08)
    cabin = smooth(
        (wind + 0.2, 0.02),
        (wind - 0.15, -roof + 0.06),
        (0, -roof),
        (back + 0.25, -roof + 0.03),
        (back, 0.02),
        (0, 0.1),
    )
    canvas.fill(frame, cabin, mix(paint, light(paint), chance.between(0, 1)), shade=0.3)
    _paint_windows(canvas, frame, (back + 0.14, wind - 0.02, roof - 0.1))
    body = smooth(
        (-0.98, 0.08),
        (-0.9, -0.02),
        (0, -0.06),
        (0.8, 0.02),
        (1.0, 0.14),
        (1.0, 0.38),
        (0.9, 0.42),
        (-0.92, 0.42),
        (-1.0, 0.34),
    )
    canvas.fill(frame, body, paint, shade=0.5)
    canvas.bar(frame, points((-0.96, 0.24), (0.96, 0.24)), 0.03, shadow(paint, 0.3))
    canvas.bar(frame, points((0.02, -0.02), (0.0, 0.38)), 0.018, shadow(paint, 0.4), "door")
    canvas.bar(frame, points((-0.14, 0.08), (-0.04, 0.08)), 0.03, light(paint, 0.6), "door")
    canvas.fill(frame, ellipse(0.94, 0.16, 0.07, 0.07), (252, 232, 160), "lamp", shade=0.2)
    canvas.fill(frame, box(-1.0, 0.12, -0.93, 0.24), (206, 62, 52), "lamp")
    spokes = chance.whole(4, 8)
    for x in (front, rear):
        canvas.fill(frame, ellipse(x, 0.4, radius * 1.2, radius * 1.2), shadow(paint, 0.6))
        paint_car_wheel(canvas, frame.at(x, 0.42, radius, chance.between(0, 1)), spokes)


def _paint_windows(canvas: Canvas, frame: Frame, size: tuple[float, float, float]) -> None:
    back, wind, height = size
    glass, middle = light(GLASS, canvas.chance.between(0, 0.5)), (back + wind) / 2 + 0.02
    rear = smooth(
        (back + 0.04, -0.08),
        (back + 0.16, -height),
        (middle - 0.04, -height - 0.03),
        (middle - 0.04, -0.07),
        steps=2,
    )
    front = smooth(
        (middle + 0.04, -0.07),
        (middle + 0.04, -height - 0.03),
        (wind - 0.12, -height),
        (wind + 0.04, -0.08),
        steps=2,
    )
    for pane in (rear, front):
        canvas.fill(frame, pane, glass, "window", shade=0.3)
        with canvas.inside(frame, pane):
            x = float(pane[:, 0].mean())
            canvas.bar(
                frame, points((x - 0.1, 0), (x + 0.12, -0.7)), 0.06, light(glass, 0.8), "window"
            )


def paint_car_wheel(canvas: Canvas, frame: Frame, spokes: int) -> None:
    """A tyre with a rim and spokes; the frame's unit is its radius."""
    metal = (206, 208, 212)
    canvas.dot(frame, 0, 0, 1, (46, 42, 52), "wheel")
    canvas.dot(frame, 0, 0, 0.64, metal, "wheel")
    canvas.dot(frame, 0, 0, 0.52, (104, 104, 116), "wheel")
    for k in range(spokes):
        angle = 2 * math.pi * k / spokes
        tip = (0.56 * math.cos(angle), 0.56 * math.sin(angle))
        canvas.bar(frame, points((0, 0), tip), 0.13, metal, "wheel")
    canvas.dot(frame, 0, 0, 0.18, (236, 234, 228), "wheel")


def paint_bicycle(canvas: Canvas, frame: Frame) -> None:
    """A bicycle from the side; one unit is half its length."""
    chance = canvas.chance
    paint = pick_apart(chance, BRIGHTS, canvas.ground, 120)
    radius, reach = chance.between(0.4, 0.46), chance.between(0.54, 0.6)
    canvas.glow(frame, ellipse(0, 0.3 + radius, 1.0, 0.06), (40, 32, 56), 0.5, 0.08)
    spokes, tyre = chance.whole(8, 14), chance.pick((INK, (120, 84, 62), (236, 228, 210)))
    for x in (-reach, reach):
        _paint_bicycle_wheel(canvas, frame.at(x, 0.3, radius), spokes, tyre)
    crank, seat, head = (-0.08, 0.32), (-0.24, -0.34), (0.4, -0.3)
    tubes = (((-reach, 0.3), crank, head, seat, (-reach, 0.3)), (crank, seat), (head, (reach, 0.3)))
    for tube in tubes:
        canvas.bar(frame, points(*tube), 0.06, paint, "frame")
    canvas.bar(frame, points(head, (0.36, -0.5)), 0.05, (190, 192, 198), "handlebar")
    bar = smooth((0.2, -0.5), (0.36, -0.54), (0.54, -0.46 + chance.about(0, 0.1)), closed=False)
    canvas.bar(frame, bar, 0.06, INK, "handlebar")
    canvas.bar(frame, points(seat, (-0.27, -0.46)), 0.05, (190, 192, 198), "frame")
    saddle = smooth((-0.46, -0.54), (-0.2, -0.54), (-0.06, -0.49), (-0.24, -0.44), (-0.44, -0.45))
    canvas.fill(frame, saddle, shadow((140, 84, 60), chance.between(0, 0.5)), "saddle", shade=0.3)
    canvas.dot(frame, *crank, 0.1, (170, 172, 180), "pedal")
    angle = chance.between(0, math.pi)
    for turn in (angle, angle + math.pi):
        end = (crank[0] + 0.2 * math.cos(turn), crank[1] + 0.2 * math.sin(turn))
        canvas.bar(frame, points(crank, end), 0.04, (90, 90, 100), "pedal")
    if chance.yes(0.35):
        _paint_basket(canvas, frame)


def _paint_bicycle_wheel(canvas: Canvas, frame: Frame, spokes: int, tyre: Colour) -> None:
    for k in range(spokes):
        angle = math.pi * k / spokes * 2
        canvas.bar(
            frame,
            points((0, 0), (0.9 * math.cos(angle), 0.9 * math.sin(angle))),
            0.045,
            (214, 214, 216),
            "wheel",
        )
    canvas.bar(frame, arc(0, 0, 0.93, 0.93, 0, 1.02, 40), 0.14, tyre, "wheel")
    canvas.bar(frame, arc(0, 0, 0.82, 0.82, 0, 1.02, 40), 0.05, (206, 208, 212), "wheel")
    canvas.dot(frame, 0, 0, 0.13, (150, 152, 160), "wheel")


def _paint_basket(canvas: Canvas, frame: Frame) -> None:
    weave = (190, 140, 86)
    canvas.fill(
        frame,
        points((0.42, -0.42), (0.84, -0.42), (0.78, -0.12), (0.48, -0.12)),
        weave,
        "basket",
        shade=0.3,
    )
    for k in range(3):
        y = -0.36 + 0.09 * k
        canvas.bar(frame, points((0.44, y), (0.82, y)), 0.02, shadow(weave, 0.35), "basket")


def paint_boat(canvas: Canvas, frame: Frame) -> None:
    """A sailing boat: hull with portholes, mast, sails, a pennant."""
    chance = canvas.chance
    hull, cloth = pick(chance, BRIGHTS), light(pick(chance, BRIGHTS), chance.between(0.2, 0.8))
    tall = chance.between(1.1, 1.5)
    canvas.bar(frame, points((0, 0.3), (0, -tall)), 0.06, (120, 84, 60), "mast")
    main = smooth((-0.06, -tall + 0.1), (-0.06, 0.12), (-0.8, 0.14), (-0.42, -0.4))
    jib = smooth((0.08, -tall + 0.25), (0.08, 0.14), (0.72, 0.14), (0.45, -0.35))
    canvas.fill(frame, main, cloth, "sail", shade=0.45)
    if chance.yes(0.7):
        canvas.fill(frame, jib, light(cloth, 0.3), "sail", shade=0.45)
    if chance.yes(0.4):
        with canvas.inside(frame, main):
            for k in range(4):
                canvas.bar(
                    frame,
                    points((-1, -1 + 0.3 * k), (0, -1.05 + 0.3 * k)),
                    0.1,
                    shadow(cloth, 0.35),
                    "sail",
                )
    flag = points((0, -tall), (chance.between(0.25, 0.4), -tall + 0.08), (0, -tall + 0.18))
    canvas.fill(frame, flag, pick(chance, BRIGHTS), "flag")
    outline = smooth(
        (-1.0, 0.22),
        (0, 0.28),
        (1.05, 0.16),
        (0.86, 0.56),
        (0.6, 0.74),
        (-0.62, 0.74),
        (-0.88, 0.52),
    )
    canvas.fill(frame, outline, hull, "hull", shade=0.5)
    canvas.bar(
        frame,
        smooth((-0.94, 0.34), (0, 0.4), (0.98, 0.28), closed=False),
        0.06,
        light(hull, 0.6),
        "hull",
    )
    for k in range(chance.whole(2, 4)):
        canvas.dot(frame, -0.55 + 0.36 * k, 0.54, 0.11, light(hull, 0.7), "window")
        canvas.dot(frame, -0.55 + 0.36 * k, 0.54, 0.075, (70, 96, 120), "window")
