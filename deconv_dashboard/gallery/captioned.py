"""A picture to download: both grids side by side, with a caption under every tile.

Captions use a font that comes with the program (DejaVu Sans: Latin, Greek, Cyrillic, signs and
more), so a picture is the same on every computer. Letters that the font lacks are drawn as �.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from deconv_core.index.copies import and_copies
from deconv_core.layers import Layer
from deconv_core.names import visible
from deconv_core.output.provenance import Provenance
from deconv_core.output.rendering import Kind, Scale, tile
from deconv_core.pictures import Reconstruction
from deconv_dashboard.png import png_bytes
from deconv_dashboard.wording import activation_text, native_side

_FONT = Path(__file__).parent / "fonts" / "DejaVuSans.ttf"
_KINDS: tuple[Kind, Kind] = ("reconstruction", "patch")
_UNKNOWN = "\N{REPLACEMENT CHARACTER}"
_COLUMNS, _LINE = 3, 14
GAP = 8
"""Pixels between tiles and around them."""
HEAD = 44
"""Height of the two lines at the top."""


def tile_side(layer: Layer, least: int) -> int:
    """Side of an enlarged tile: a multiple of the receptive field, at least ``least`` pixels."""
    size = native_side(layer)
    return size * -(-least // size)


def sheet(
    pictures: Sequence[Reconstruction],
    title: str,
    layer: Layer,
    scale: Scale,
    made: Provenance,
    *,
    large: bool,
    copies: Mapping[str, Sequence[str]] | None = None,
) -> bytes:
    """Both grids side by side on white as PNG, a caption under every tile.

    Two lines above say what they show and what they were made from.
    """
    side = tile_side(layer, 300 if large else 150)
    height = HEAD + grids_height(len(pictures), side, copies)
    paper = new_paper(side, height, title, f"{made.line} · {scale.caption}")
    draw_grids(paper, HEAD, pictures, side, scale, copies)
    return png_bytes(paper, about=made.png_info(title))


def new_paper(side: int, height: int, title: str, under: str) -> Image.Image:
    """White paper for both grids; at its top a title and a line under it."""
    width = 2 * _COLUMNS * (side + GAP) + 4 * GAP
    paper = Image.new("RGB", (width, height), "white")
    draw, small, large_font = ImageDraw.Draw(paper), font(11), font(15)
    draw.text((GAP, 6), fitted(title, large_font, width - 2 * GAP), "black", large_font)
    draw.text((GAP, 26), fitted(under, small, width - 2 * GAP), "#555555", small)
    return paper


def grids_height(
    pictures: int, side: int, copies: Mapping[str, Sequence[str]] | None = None
) -> int:
    """Height of both grids with captions and the gap below them."""
    return -(-pictures // _COLUMNS) * _row_height(side, copies) + GAP


def _row_height(side: int, copies: Mapping[str, Sequence[str]] | None) -> int:
    return side + (3 if copies else 2) * _LINE + GAP + 6


def draw_grids(
    paper: Image.Image,
    head: int,
    pictures: Sequence[Reconstruction],
    side: int,
    scale: Scale,
    copies: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Draw both grids side by side on a paper, ``head`` pixels below its top."""
    draw, small, cell = ImageDraw.Draw(paper), font(11), side + GAP
    for place, picture in enumerate(pictures):
        row, column = divmod(place, _COLUMNS)
        captions = zip(_KINDS, _captions(place + 1, picture, copies), strict=True)
        for half, (kind, lines) in enumerate(captions):
            left = GAP + half * (_COLUMNS * cell + 2 * GAP) + column * cell
            top = head + row * _row_height(side, copies)
            paper.paste(tile(picture, kind, scale, side), (left, top))
            for number, text in enumerate(lines):
                corner = (left, top + side + 2 + number * _LINE)
                draw.text(corner, fitted(text, small, side), "black", small)


def _captions(
    rank: int, picture: Reconstruction, copies: Mapping[str, Sequence[str]] | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Two lines under the reconstruction, and two or three under the patch."""
    activation = picture.activation
    others = (copies or {}).get(activation.image_id, ())
    folder, _, name = activation.image_id.rpartition("/")
    return (
        (f"{rank}. map {activation.unit.channel}", activation_text(activation.value)),
        (f"{rank}. {folder}", name, *([and_copies(len(others))] if others else [])),
    )


@lru_cache(16)
def font(size: int) -> ImageFont.FreeTypeFont:
    """The font of captions, ``size`` pixels high; the same layout on every computer."""
    # The other layout engine exists on some computers only, and spaces letters differently.
    return ImageFont.truetype(_FONT, size, layout_engine=ImageFont.Layout.BASIC)


def drawable(text: str) -> str:
    """A text in composed letters, with � for letters that the font cannot draw."""
    letters = unicodedata.normalize("NFC", visible(text))
    return "".join(letter if _has(letter) else _UNKNOWN for letter in letters)


def not_drawn(texts: Iterable[str]) -> str:
    """The letters of some texts that are drawn as �, each once, in order."""
    letters = unicodedata.normalize("NFC", visible("".join(texts)))
    return "".join(dict.fromkeys(letter for letter in letters if not _has(letter)))


@lru_cache(4096)
def _has(letter: str) -> bool:
    """True if the font has a letter, and the letter belongs to text from left to right.

    Text from right to left would be drawn in the wrong order with unjoined letters.
    """
    if unicodedata.bidirectional(letter) in ("R", "AL"):
        return False
    drawn, missing = (bytes(font(32).getmask(text)) for text in (letter, "\uffff"))
    return drawn != missing


def fitted(text: str, font: ImageFont.FreeTypeFont, width: float) -> str:
    """A drawable text that fits into ``width`` pixels; a long one loses its middle.

    A file name so keeps its beginning and its end, which holds its number.
    """
    whole = drawable(text)
    if font.getlength(whole) <= width:
        return whole
    shorter = whole
    for left in range(len(whole) - 1, -1, -1):
        tail = left // 2
        shorter = f"{whole[: left - tail]}…{whole[len(whole) - tail :]}"
        if font.getlength(shorter) <= width:
            break
    return shorter
