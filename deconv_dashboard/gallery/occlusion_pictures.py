"""Occlusion as pictures: each map over the image, with the meaning of its colours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from deconv_core.images.decoding import Pixels
from deconv_core.output.provenance import Provenance
from deconv_core.output.rendering import MID_GREY, Scale
from deconv_core.pictures import RULE_NAMES, Reconstruction
from deconv_dashboard.gallery.captioned import fitted, font
from deconv_dashboard.png import png_bytes
from deconv_dashboard.server.overlays import enlarged, mixed
from deconv_dashboard.wording import activation_text, counted

if TYPE_CHECKING:
    from deconv_core.specificity.occlusion import Occlusion

_LOWER, _SAME, _HIGHER = "#ff7a1a", "#6b6b6b", "#4091ff"
_CLASSES = ("#ff7a1a", "#4091ff", "#f2cf3b", "#1fa37a", "#d673b3")
"""Of classes other than the image's, the most frequent first."""
_FURTHER = "#ffffff"
_COVERED = 0.9
_SIDE, _GAP, _LINE, _HEAD = 300, 12, 16, 70


@dataclass(frozen=True, eq=False)
class Captioned:
    """A picture, and the words under it.

    Attributes:
        image: the picture.
        title: what it shows.
        text: the unit of its numbers.
        legend: what its colours mean: (colour, words).
    """

    image: Image.Image
    title: str
    text: str
    legend: tuple[tuple[str, str], ...] = ()


def occlusion_pictures(
    found: Occlusion,
    pixels: Pixels,
    picture: Reconstruction | None,
    class_name: Callable[[int], str],
) -> list[Captioned]:
    """The reconstruction in its place, the map, the layer's strongest map, and two of classes.

    Args:
        found: what is known of the positions.
        pixels: the image without a square.
        picture: the map's reconstruction; None if it does not respond there.
        class_name: from the number of a class.
    """
    made, without = found.found, found.without
    drawn = [] if picture is None else [_in_its_place(picture, pixels)]
    drawn += [
        _change(
            *(found, pixels, made.activations, without.activations, activation_text),
            *(f"Map {found.unit.channel}", "activation there"),
        ),
        _change(
            *(found, pixels, made.sums, without.sums, activation_text),
            *(f"Strongest map, {found.strongest}", "sum of activations"),
        ),
    ]
    if made.classes is not None and without.classes is not None:
        best = int(without.classes)
        drawn += [
            _change(
                *(found, pixels, made.probabilities, without.probabilities, _percent),
                *(f"Class: {class_name(best)}", "probability"),
            ),
            _most_probable(found, pixels, made.classes, best, class_name),
        ]
    return drawn


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _in_its_place(picture: Reconstruction, pixels: Pixels) -> Captioned:
    """A reconstruction at its place in the image, with mid-grey around it."""
    box, canvas = picture.box, np.full(pixels.shape, MID_GREY, np.uint8)
    colours = Scale.percentile(99).to_rgb(picture.pixels)
    canvas[box.top : box.bottom, box.left : box.right] = colours
    title = f"Map {picture.activation.unit.channel}, reconstruction"
    return Captioned(enlarged(canvas), title, RULE_NAMES[picture.rule])


def _change(
    found: Occlusion,
    pixels: Pixels,
    values: Any,
    without: Any,
    said: Callable[[float], str],
    title: str,
    unit: str,
) -> Captioned:
    """Values over the image: orange where they are lower than without a square, blue if higher."""
    change = values - without
    largest = float(np.abs(change).max())
    shares = _of_pixels(found, change / largest if largest > 0 else change, pixels)
    colours = np.where((shares < 0)[..., None], _rgb(_LOWER), _rgb(_HIGHER))
    legend = [(_SAME, f"{said(float(without))} without")]
    if change.min() < 0:
        legend.insert(0, (_LOWER, f"{said(float(values.min()))} lowest"))
    if change.max() > 0:
        legend.append((_HIGHER, f"{said(float(values.max()))} highest"))
    over = _over(found, pixels, np.abs(shares) * _COVERED, colours)
    return Captioned(over, title, unit, tuple(legend))


def _most_probable(
    found: Occlusion,
    pixels: Pixels,
    classes: npt.NDArray[np.int64],
    best: int,
    class_name: Callable[[int], str],
) -> Captioned:
    """A colour for each class that the square makes the most probable one."""
    counts = Counter(classes.ravel().tolist())
    others = [number for number, _ in counts.most_common() if number != best]
    colour_of = dict(zip(others, _CLASSES, strict=False))
    drawn = _of_pixels(found, classes, pixels)
    colours = np.full((*drawn.shape, 3), _rgb(_FURTHER))
    for number, colour in colour_of.items():
        colours[drawn == number] = _rgb(colour)
    legend = [
        (colour, f"{class_name(number)}, {counted(counts[number], 'position')}")
        for number, colour in ((best, _SAME), *colour_of.items())
    ]
    if further := others[len(_CLASSES) :]:
        legend.append((_FURTHER, f"{len(further)} others"))
    over = _over(found, pixels, (drawn != best) * 0.7, colours)
    return Captioned(over, "Most probable class", "with the square there", tuple(legend))


def _of_pixels(found: Occlusion, values: npt.NDArray[Any], pixels: Pixels) -> npt.NDArray[Any]:
    """For each pixel (height, width) the value of the square that is centred nearest to it."""
    return values[np.ix_(*(far.argmin(1) for far in _distances(found, pixels)))]


def _distances(found: Occlusion, pixels: Pixels) -> list[npt.NDArray[np.float64]]:
    """Of each row of pixels from the middle of each square, and the same for columns."""
    return [
        np.abs(np.arange(length)[:, None] + 0.5 - (np.array(starts) + found.size / 2))
        for length, starts in zip(pixels.shape[:2], (found.tops, found.lefts), strict=True)
    ]


def _over(
    found: Occlusion,
    pixels: Pixels,
    cover: npt.NDArray[np.floating[Any]],
    colours: npt.NDArray[np.float64],
) -> Image.Image:
    """The image covered with colours; its margin is dark, where no square has its middle."""
    over = mixed(pixels, cover, colours)
    middle = np.ix_(*(far.min(1) <= found.stride / 2 for far in _distances(found, pixels)))
    margin = np.ones(pixels.shape[:2], bool)
    margin[middle] = False
    over[margin] = mixed(pixels, np.zeros(margin.shape), colours)[margin] // 2
    return enlarged(over)


def _rgb(colour: str) -> npt.NDArray[np.float64]:
    return np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)], np.float64)


def occlusion_sheet(drawn: Sequence[Captioned], title: str, under: str, made: Provenance) -> bytes:
    """All pictures in a row on white as PNG, with captions and legends.

    Three lines above say what they show, how to read them and what they were made from.
    """
    lines = 2 + max(len(picture.legend) for picture in drawn)
    width = _GAP + len(drawn) * (_SIDE + _GAP)
    paper = Image.new("RGB", (width, _HEAD + _SIDE + lines * _LINE + 2 * _GAP), "white")
    draw, small, large = ImageDraw.Draw(paper), font(12), font(16)
    draw.text((_GAP, 8), fitted(title, large, width - 2 * _GAP), "black", large)
    for top, line in ((30, under), (46, made.line)):
        draw.text((_GAP, top), fitted(line, small, width - 2 * _GAP), "#555555", small)
    for place, picture in enumerate(drawn):
        left, top = _GAP + place * (_SIDE + _GAP), _HEAD
        image = picture.image.copy()
        image.thumbnail((_SIDE, _SIDE))
        paper.paste(image, (left, top))
        top += _SIDE + 4
        for number, text in enumerate((picture.title, picture.text)):
            line = fitted(text, small, _SIDE)
            draw.text(
                (left, top + number * _LINE), line, "black" if number == 0 else "#555555", small
            )
        for number, (colour, text) in enumerate(picture.legend, 2):
            corner = top + number * _LINE
            draw.rectangle((left, corner + 2, left + 10, corner + 12), colour, "#888888")
            draw.text((left + 16, corner), fitted(text, small, _SIDE - 16), "black", small)
    return png_bytes(paper, about=made.png_info(title))
