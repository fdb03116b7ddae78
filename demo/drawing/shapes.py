"""Outlines as arrays of points (n, 2), x to the right and y down, in an object's own units."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Frame:
    """The place of an object in the picture: origin, unit length, rotation and stretch in x."""

    x: float
    y: float
    unit: float
    turn: float = 0.0
    stretch: float = 1.0

    def place(self, points: Points) -> Points:
        """The points in pixels of the picture."""
        cosine, sine = math.cos(self.turn) * self.unit, math.sin(self.turn) * self.unit
        x, y = points[:, 0] * self.stretch, points[:, 1]
        return np.stack([self.x + cosine * x - sine * y, self.y + sine * x + cosine * y], axis=1)

    def at(self, x: float, y: float, unit: float = 1.0, turn: float = 0.0) -> "Frame":
        """A frame inside this one; lengths and rotation are relative to it, mirroring is kept."""
        origin = self.place(np.array([[x, y]]))[0]
        turn = self.turn + math.copysign(turn, turn * self.stretch)
        return Frame(origin[0], origin[1], self.unit * unit, turn, self.stretch)

    def mirrored(self) -> "Frame":
        """The same place seen in a mirror."""
        return Frame(self.x, self.y, self.unit, self.turn, -self.stretch)


def points(*pairs: tuple[float, float]) -> Points:
    """An outline from corners."""
    return np.array(pairs, dtype=float)


def ellipse(
    x: float, y: float, rx: float, ry: float, turn: float = 0.0, power: float = 2.0, count: int = 36
) -> Points:
    """An ellipse; a power above 2 makes it more like a box, below 2 more like a diamond."""
    angle = np.linspace(0, 2 * math.pi, count, endpoint=False)
    cosine, sine = np.cos(angle), np.sin(angle)
    if power != 2.0:
        cosine = np.sign(cosine) * np.abs(cosine) ** (2 / power)
        sine = np.sign(sine) * np.abs(sine) ** (2 / power)
    u, v = rx * cosine, ry * sine
    c, s = math.cos(turn), math.sin(turn)
    return np.stack([x + c * u - s * v, y + s * u + c * v], axis=1)


def arc(
    x: float, y: float, rx: float, ry: float, start: float, end: float, count: int = 14
) -> Points:
    """Part of an ellipse's line, in turns of a clock: 0 is right, 0.25 down, 0.5 left."""
    angle = np.linspace(start, end, count) * 2 * math.pi
    return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], axis=1)


def box(left: float, top: float, right: float, bottom: float) -> Points:
    """An upright rectangle."""
    return points((left, top), (right, top), (right, bottom), (left, bottom))


def smooth(*pairs: tuple[float, float], closed: bool = True, steps: int = 6) -> Points:
    """A soft curve through the given points (Catmull-Rom)."""
    knots = np.array(pairs, dtype=float)
    if not closed:
        knots = np.concatenate([knots[:1], knots, knots[-1:]])
        before, start, end, after = knots[:-3], knots[1:-2], knots[2:-1], knots[3:]
    else:
        before, start = np.roll(knots, 1, axis=0), knots
        end, after = np.roll(knots, -1, axis=0), np.roll(knots, -2, axis=0)
    t = (np.arange(steps) / steps)[None, :, None]
    p0, p1, p2, p3 = (p[:, None, :] for p in (before, start, end, after))
    curve = 0.5 * (
        2 * p1
        + (p2 - p0) * t
        + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2
        + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    )
    line = curve.reshape(-1, 2)
    return line if closed else np.concatenate([line, knots[-1:]])


def brush(line: Points, width: float, start: float = 0.2, end: float = 0.2) -> Points:
    """The outline of one stroke along a line: full width in its middle, thinner at its ends."""
    direction = np.gradient(line, axis=0)
    length = np.maximum(np.hypot(direction[:, 0], direction[:, 1]), 1e-9)
    normal = np.stack([-direction[:, 1], direction[:, 0]], axis=1) / length[:, None]
    t = np.linspace(0, 1, len(line))
    ends = start + (end - start) * t
    half = 0.5 * width * (ends + (1 - ends) * np.sin(math.pi * t))
    return np.concatenate([line + normal * half[:, None], (line - normal * half[:, None])[::-1]])


def wobbled(outline: Points, amount: float, generator: np.random.Generator) -> Points:
    """The outline with three slow random waves, as if drawn by hand."""
    centre = outline.mean(axis=0)
    angle = np.linspace(0, 2 * math.pi, len(outline), endpoint=False)
    phase, size = generator.random(3) * 2 * math.pi, generator.random(3) * amount
    radius = 1 + sum(size[k] * np.sin((k + 2) * angle + phase[k]) for k in range(3))
    moved: Points = centre + (outline - centre) * radius[:, None]
    return moved
