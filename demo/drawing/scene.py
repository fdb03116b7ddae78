"""Makes a drawing from a label and a seed: background, subject, last effects."""

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from . import backdrop
from .birds import paint_bird, paint_owl
from .canvas import SIZE, Canvas
from .cats import paint_cat
from .chance import Chance
from .creatures import paint_butterfly, paint_fish
from .dogs import paint_dog
from .finish import finish
from .houses import paint_house
from .letters import paint_letters
from .palette import BRIGHTS, GREENS, GROUNDS, light, mix, pick, shadow
from .people import paint_person
from .plants import paint_flower, paint_tree
from .shapes import Frame, smooth
from .textures import paint_checks, paint_stripes
from .vehicles import paint_bicycle, paint_boat, paint_car


@dataclass(frozen=True)
class Drawing:
    """A picture, its label, and the masks of its parts (visible pixels only)."""

    image: Image.Image
    label: str
    parts: dict[str, NDArray[np.bool_]]


@dataclass(frozen=True)
class Subject:
    """How a label is painted: its background, and its size in pixels per unit."""

    paint: Callable[[Canvas, Frame], None]
    ground: str
    smallest: float
    largest: float
    turn: float = 0.2
    rise: float = 0.0
    mirrors: bool = False


SUBJECTS: dict[str, Subject] = {
    "bicycle": Subject(paint_bicycle, "outdoors", 72, 104, 0.1, 0.16, True),
    "bird": Subject(paint_bird, "wall", 48, 76, 0.25, 0, True),
    "boat": Subject(paint_boat, "sea", 58, 88, 0.12, 0.1, True),
    "butterfly": Subject(paint_butterfly, "wall", 62, 104, 0.5),
    "car": Subject(paint_car, "outdoors", 78, 108, 0.06, 0.16, True),
    "cat": Subject(paint_cat, "wall", 58, 88, 0.3),
    "checks": Subject(paint_checks, "wall", 90, 170, 0.6),
    "dog": Subject(paint_dog, "wall", 58, 88, 0.3),
    "fish": Subject(paint_fish, "water", 72, 106, 0.35, 0, True),
    "flower": Subject(paint_flower, "wall", 50, 82, 0.5, -0.15),
    "house": Subject(paint_house, "outdoors", 70, 100, 0.04, 0.0),
    "letters": Subject(paint_letters, "paper", 100, 100, 0.15),
    "owl": Subject(paint_owl, "wall", 62, 92, 0.25),
    "people": Subject(paint_person, "wall", 56, 82, 0.25, 0.03),
    "stripes": Subject(paint_stripes, "wall", 90, 170, 0.6),
    "tree": Subject(paint_tree, "outdoors", 84, 116, 0.06),
}
LABELS: tuple[str, ...] = tuple(SUBJECTS)


def draw(label: str, seed: int) -> Drawing:
    """The drawing for a label and a seed; always the same pixels."""
    subject = SUBJECTS[label]
    chance = Chance(zlib.crc32(label.encode()), seed)
    canvas = Canvas(chance, pick(chance, GROUNDS))
    _paint_ground(canvas, subject.ground)
    backdrop.paint_clutter(canvas, chance.pick((0, 1, 2, 3, 5)))
    subject.paint(canvas, _standing(chance, subject))
    backdrop.paint_foreground(canvas)
    pixels, parts = canvas.finished()
    return Drawing(finish(pixels, chance), label, parts)


def _standing(chance: Chance, subject: Subject) -> Frame:
    """A random place near the middle; small subjects may be farther away from it."""
    unit = chance.between(subject.smallest, subject.largest)
    freedom = max(10.0, 112 - unit) * 0.45
    x = SIZE / 2 + chance.about(0, freedom)
    y = SIZE * (0.5 + subject.rise) + chance.about(0, freedom * 0.7)
    mirror = chance.sign() if subject.mirrors else 1
    return Frame(x, y, unit, chance.about(0, subject.turn), mirror * chance.about(1, 0.08))


def _paint_ground(canvas: Canvas, kind: str) -> None:
    chance = canvas.chance
    if chance.yes({"outdoors": 0.75, "wall": 0.2}.get(kind, 0)):
        sky = backdrop.paint_sky(canvas)
        canvas.ground = sky
        backdrop.paint_hills(canvas, chance.between(120, 180), sky)
    elif kind == "sea" and chance.yes(0.85):
        canvas.ground = backdrop.paint_sky(canvas)
        _paint_waves(canvas, chance.between(110, 160), mix((60, 120, 150), canvas.ground, 0.3))
    elif kind == "water" and chance.yes(0.7):
        _paint_depths(canvas)
    elif kind == "paper" and chance.yes(0.6):
        canvas.ground = light(canvas.ground, chance.between(0.4, 0.9))
        canvas.fill(
            backdrop.PAGE, np.array([(0, 0), (SIZE, 0), (SIZE, SIZE), (0, SIZE)]), canvas.ground
        )
    else:
        backdrop.paint_wall(canvas)


def _paint_waves(canvas: Canvas, horizon: float, sea: tuple[int, int, int]) -> None:
    for row in range(7):
        y = horizon + row * row * 3 + row * 6
        tone = shadow(sea, row * 0.05) if row % 2 else light(sea, 0.15)
        crests = [(x, y + canvas.chance.about(0, 2 + row)) for x in range(-40, 290, 24)]
        canvas.fill(backdrop.PAGE, smooth((-40, 400), *crests, (290, 400)), tone)


def _paint_depths(canvas: Canvas) -> None:
    chance = canvas.chance
    water = mix(chance.pick(GROUNDS[:3] + BRIGHTS[4:6]), (70, 150, 170), 0.4)
    canvas.ground = water
    for k in range(9):
        canvas.fill(
            backdrop.PAGE,
            np.array([(0, k * 25), (SIZE, k * 25), (SIZE, SIZE), (0, SIZE)]),
            mix(light(water, 0.3), shadow(water, 0.25), k / 8),
        )
    for _ in range(chance.whole(2, 6)):
        x, lean = chance.between(0, SIZE), chance.about(0, 20)
        weed = smooth((x, 230), (x + lean, 190), (x - lean, 160), (x + lean, 130), closed=False)
        canvas.stroke(
            backdrop.PAGE, weed, chance.between(6, 12), pick(chance, GREENS), ends=(1, 0.1)
        )
    for _ in range(chance.whole(0, 6)):
        frame = Frame(chance.between(0, SIZE), chance.between(0, 160), chance.between(4, 10))
        angle = np.linspace(0, 2 * math.pi, 22)
        canvas.bar(frame, np.stack([np.cos(angle), np.sin(angle)], axis=1), 0.25, light(water, 0.6))
