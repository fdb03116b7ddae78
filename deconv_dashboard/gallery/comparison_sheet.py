"""One picture to download of two labels compared: verdict, histograms, and the grids of both."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import streamlit as st
from PIL import Image, ImageDraw

from deconv_core.layers import Layer
from deconv_core.output.figures import GROUP_COLOURS, shared_bars
from deconv_core.output.provenance import Provenance
from deconv_core.output.rendering import Scale
from deconv_core.units import Unit
from deconv_dashboard import bands
from deconv_dashboard.gallery import answers
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
from deconv_dashboard.gallery.downloads import file_stem
from deconv_dashboard.server.drawn import png_bytes
from deconv_dashboard.values import Answer, Choice

_LETTER = 7  # pixels, the mean width of one in the sentence
_LINE, _NAME = 16, 24
_PLOT, _AXIS, _KEY = 110, 20, 130


def download_both(
    choice: Choice,
    compared: Comparison,
    shown: Sequence[Answer],
    layer: Layer,
    unit: Unit,
    band: str,
) -> None:
    """Draw the button that downloads the comparison as one picture."""
    names = " and ".join(compared.names)
    part = bands.BANDS.get(band, f"peaks {band}") if band != bands.TOP else ""
    words = [choice.title_of(unit), names, part, choice.dataset.name]
    title = " · ".join(filter(None, words))
    scale = answers.scale_for(choice.values.get("scale", "clipped"), shown)
    stem = file_stem(choice, layer.name, unit.channel, "-vs-".join(compared.names), band)
    st.download_button(
        "Download both",
        lambda: comparison_sheet(compared, shown, title, layer, scale, choice.made),
        file_name=f"{stem}.png",
        mime="image/png",
        key="download_both",
        on_click="ignore",
        icon=":material/compare:",
    )


def comparison_sheet(
    compared: Comparison,
    shown: Sequence[Answer],
    title: str,
    layer: Layer,
    scale: Scale,
    made: Provenance,
) -> bytes:
    """A comparison as PNG: its sentence, both histograms, and each answer's grids.

    Two lines above say what it shows and what it was made from.
    """
    side = tile_side(layer, 150)
    said = textwrap.wrap(compared.sentence, 6 * side // _LETTER)
    heights = [_NAME + grids_height(len(one.pictures.all), side, one.copies) for one in shown]
    top = HEAD + _LINE * len(said) + GAP
    plotted = top + _PLOT + _AXIS + GAP
    height = plotted + sum(heights)
    paper = new_paper(side, height, title, f"{made.line} · {scale.caption}")
    draw, room = ImageDraw.Draw(paper), paper.width - 2 * GAP
    for number, line in enumerate(said):
        text = fitted(line, font(12), room)
        draw.text((GAP, HEAD + number * _LINE), text, "black", font(12))
    _draw_histograms(paper, top, compared)
    for one, tall in zip(shown, heights, strict=True):
        name = fitted(one.label or "all images", font(15), room)
        draw.text((GAP, plotted), name, "black", font(15))
        draw_grids(paper, plotted + _NAME, one.pictures.all, side, scale, one.copies)
        plotted += tall
    return png_bytes(paper, about=made.png_info(title))


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
    words = f"largest activation in an image, 0 to {edges[-1]:.4g}; share of the images"
    draw.text((left + 3 * GAP, base + 3), words, "#555555", small)
