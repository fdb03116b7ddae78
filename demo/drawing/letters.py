"""Letters painted with a brush: some O's among others, on a sheet of paper."""

import numpy as np

from .canvas import SIZE, Canvas
from .palette import BRIGHTS, INK, Colour, pick_apart
from .shapes import Frame, Points, arc, points

# Each letter is a few lines in a box from -1 to 1 (x: -0.7 to 0.7), y down.
LETTERS: dict[str, tuple[Points, ...]] = {
    "A": (points((-0.7, 1), (0, -1), (0.7, 1)), points((-0.42, 0.3), (0.42, 0.3))),
    "B": (
        points((-0.6, -1), (-0.6, 1)),
        np.concatenate(
            [
                points((-0.6, -1)),
                arc(-0.1, -0.5, 0.6, 0.5, -0.25, 0.25),
                points((-0.6, 0)),
                arc(-0.1, 0.5, 0.7, 0.5, -0.25, 0.25),
                points((-0.6, 1)),
            ]
        ),
    ),
    "C": (arc(0.1, 0, 0.75, 1, 0.12, 0.88),),
    "E": (points((0.6, -1), (-0.6, -1), (-0.6, 1), (0.6, 1)), points((-0.6, 0), (0.4, 0))),
    "F": (points((0.6, -1), (-0.6, -1), (-0.6, 1)), points((-0.6, 0), (0.4, 0))),
    "H": (points((-0.6, -1), (-0.6, 1)), points((0.6, -1), (0.6, 1)), points((-0.6, 0), (0.6, 0))),
    "I": (points((0, -1), (0, 1)),),
    "K": (points((-0.6, -1), (-0.6, 1)), points((0.6, -1), (-0.6, 0.1), (0.7, 1))),
    "L": (points((-0.6, -1), (-0.6, 1), (0.6, 1)),),
    "M": (points((-0.8, 1), (-0.7, -1), (0, 0.4), (0.7, -1), (0.8, 1)),),
    "N": (points((-0.6, 1), (-0.6, -1), (0.6, 1), (0.6, -1)),),
    "O": (arc(0, 0, 0.78, 1, 0, 1.03, 32),),
    "P": (
        points((-0.6, 1), (-0.6, -1)),
        np.concatenate(
            [points((-0.6, -1)), arc(0, -0.45, 0.6, 0.55, -0.25, 0.25), points((-0.6, 0.1))]
        ),
    ),
    "S": (
        np.concatenate([arc(0, -0.5, 0.6, 0.5, 0.95, 0.25)[:], arc(0, 0.5, 0.6, 0.5, 0.75, 1.45)]),
    ),
    "T": (points((-0.7, -1), (0.7, -1)), points((0, -1), (0, 1))),
    "U": (
        np.concatenate([points((-0.6, -1)), arc(0, 0.4, 0.6, 0.6, 0.5, 0.0), points((0.6, -1))]),
    ),
    "V": (points((-0.7, -1), (0, 1), (0.7, -1)),),
    "X": (points((-0.6, -1), (0.6, 1)), points((0.6, -1), (-0.6, 1))),
    "Z": (points((-0.6, -1), (0.6, -1), (-0.6, 1), (0.6, 1)),),
}
OTHERS = tuple(letter for letter in LETTERS if letter != "O")


def paint_letters(canvas: Canvas, frame: Frame) -> None:
    """Rows of letters; about a third of them are O's. The frame gives the sheet's rotation."""
    chance = canvas.chance
    rows, columns = chance.pick(((2, 2), (2, 3), (3, 3), (3, 4)))
    step, ink = (
        SIZE * 0.94 / max(rows, columns * 0.9),
        pick_apart(chance, BRIGHTS + (INK,), canvas.ground, 150),
    )
    one_colour, weight = chance.yes(0.6), chance.between(0.26, 0.5)
    surely_o = chance.whole(0, rows * columns - 1)
    for place in range(rows * columns):
        letter = "O" if place == surely_o or chance.yes(0.3) else chance.pick(OTHERS)
        row, column = divmod(place, columns)
        x = (column - (columns - 1) / 2) * step * 0.9 + chance.about(0, step * 0.06)
        y = (row - (rows - 1) / 2) * step + chance.about(0, step * 0.06)
        size = step * chance.between(0.32, 0.4)
        sheet = Frame(frame.x, frame.y, 1, frame.turn)
        colour = ink if one_colour else pick_apart(chance, BRIGHTS, canvas.ground, 120)
        paint_letter(canvas, sheet.at(x, y, size, chance.about(0, 0.14)), letter, weight, colour)


def paint_letter(canvas: Canvas, frame: Frame, letter: str, weight: float, colour: Colour) -> None:
    """One letter, as even lines."""
    for line in LETTERS[letter]:
        canvas.bar(frame, line, weight, colour, "o" if letter == "O" else "letter")
