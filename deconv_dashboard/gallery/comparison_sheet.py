"""One picture to download of a comparison: verdict, histograms, and the grids of both sides."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace

import streamlit as st
from PIL import Image, ImageDraw

from deconv_core.layers import Layer
from deconv_core.output.figures import GROUP_COLOURS, shared_bars
from deconv_core.output.provenance import Provenance
from deconv_core.output.rendering import Scale
from deconv_dashboard import bands
from deconv_dashboard.gallery.captioned import (
    GAP,
    HEAD,
    draw_grids,
    fitted,
    font,
    grids_height,
    new_paper,
    tile_side,
)
from deconv_dashboard.gallery.comparison import Comparison
from deconv_dashboard.gallery.downloads import stem_of_sides
from deconv_dashboard.png import png_bytes
from deconv_dashboard.values import Answer, Choice

_LETTER = 7  # pixels, the mean width of one in the sentence
_LINE, _NAME = 16, 24
_PLOT, _AXIS, _KEY = 110, 20, 130


@dataclass(frozen=True)
class Half:
    """One side of a comparison as it is drawn.

    Attributes:
        answer: its pictures.
        layer: their layer.
        scale: of its reconstructions.
        made: what they were made from.
    """

    answer: Answer
    layer: Layer
    scale: Scale
    made: Provenance

    @property
    def side(self) -> int:
        """Side of a tile in pixels."""
        return tile_side(self.layer, 150)

    @property
    def height(self) -> int:
        """Height of its name and its grids."""
        return _NAME + grids_height(len(self.answer.pictures.all), self.side, self.answer.copies)


def download_both(
    choice: Choice,
    compared: Comparison,
    shown: Sequence[Answer],
    scales: Sequence[Scale],
    band: str,
) -> None:
    """Draw the button that downloads the comparison as one picture."""
    names = " and ".join(compared.names)
    part = bands.BANDS.get(band, f"peaks {band}") if band != bands.TOP else ""
    label = choice.label if choice.side else ""
    words = [choice.title_of(choice.unit), names, label, part, choice.dataset.name]
    title = " · ".join(filter(None, words))
    halves = [
        Half(answer, side.layers[side.unit.layer], scale, side.made)
        for side, answer, scale in zip(choice.sides, shown, scales, strict=True)
    ]
    st.download_button(
        "Both in one picture",
        lambda: comparison_sheet(compared, halves, title),
        file_name=f"{stem_of_sides(choice, band)}.png",
        mime="image/png",
        key="download_both",
        on_click="ignore",
        icon=":material/compare:",
    )


def comparison_sheet(compared: Comparison, halves: Sequence[Half], title: str) -> bytes:
    """A comparison as PNG: its sentence, both histograms, and each side's grids.

    Two lines above say what it shows and what it was made from.
    """
    widest = max(half.side for half in halves)
    said = textwrap.wrap(compared.sentence, 6 * widest // _LETTER)
    top = HEAD + _LINE * len(said) + GAP
    plotted = top + _PLOT + _AXIS + GAP
    height = plotted + sum(half.height for half in halves)
    networks = " and ".join(dict.fromkeys(half.made.network for half in halves))
    one_scale = len({half.scale for half in halves}) == 1
    under = [replace(halves[0].made, network=networks).line]
    under += [halves[0].scale.caption] if one_scale else []
    paper = new_paper(widest, height, title, " · ".join(under))
    draw, room = ImageDraw.Draw(paper), paper.width - 2 * GAP
    for number, line in enumerate(said):
        text = fitted(line, font(12), room)
        draw.text((GAP, HEAD + number * _LINE), text, "black", font(12))
    _draw_histograms(paper, top, compared)
    for half in halves:
        name = half.answer.called or "all images"
        _draw_half(paper, plotted, half, name if one_scale else f"{name} · {half.scale.caption}")
        plotted += half.height
    return png_bytes(paper, about=halves[0].made.png_info(title, halves[-1].made))


def _draw_half(paper: Image.Image, top: int, half: Half, name: str) -> None:
    text = fitted(name, font(15), paper.width - 2 * GAP)
    ImageDraw.Draw(paper).text((GAP, top), text, "black", font(15))
    answer = half.answer
    below = top + _NAME
    draw_grids(paper, below, answer.pictures.all, half.side, half.scale, answer.copies)


def _draw_histograms(paper: Image.Image, top: int, compared: Comparison) -> None:
    """Both histograms over each other, their names at the right, and the ends of the axes."""
    draw, small = ImageDraw.Draw(paper), font(11)
    edges, shares = shared_bars(compared.peaks)
    most = max(float(share.max()) for share in shares)
    left, width = 7 * GAP, paper.width - 7 * GAP - _KEY
    step = width / (len(edges) - 1)
    for number, (name, share, colour) in enumerate(
        zip(compared.names, shares, GROUP_COLOURS, strict=True)
    ):
        mask = Image.new("L", (width, _PLOT))
        bars = ImageDraw.Draw(mask)
        for place, part in enumerate(share):
            if part:
                across = place * step, (place + 1) * step - 1
                bars.rectangle((across[0], _PLOT * (1 - part / most), across[1], _PLOT), fill=153)
        paper.paste(colour, (left, top), mask)
        key = left + width + GAP, top + number * _LINE
        draw.rectangle((key[0], key[1] + 3, key[0] + 8, key[1] + 11), fill=colour)
        draw.text((key[0] + 14, key[1]), fitted(name, small, _KEY - 4 * GAP), "black", small)
    base = top + _PLOT
    draw.line((left, base, left + width, base), "#555555")
    draw.text((GAP, top), f"{100 * most:.3g} %", "#555555", small)
    draw.text((left, base + 3), "0", "#555555", small)
    largest = format(max(float(one.max()) for one in compared.peaks), compared.form)
    words = f"{compared.axis}, 0 to {largest.replace('%', ' %')}; share of the images"
    draw.text((left + 3 * GAP, base + 3), words, "#555555", small)
