"""Occlusion on the Image page: a grey square slides over the image, on request."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.delta_generator import DeltaGenerator as Place

import deconv_core
from deconv_core.names import visible
from deconv_core.output.provenance import Provenance
from deconv_core.output.tables import csv_file
from deconv_core.pictures import Reconstruction
from deconv_core.specificity.table import occlusion_table
from deconv_core.units import Activation
from deconv_dashboard.gallery.choose_one import Shown
from deconv_dashboard.gallery.downloads import file_stem, plain_name
from deconv_dashboard.gallery.occlusion_pictures import (
    Captioned,
    occlusion_pictures,
    occlusion_sheet,
)
from deconv_dashboard.gallery.tiles import Panel, Tile, gallery
from deconv_dashboard.png import png_bytes
from deconv_dashboard.server import reconstructing, resources
from deconv_dashboard.values import Choice
from deconv_dashboard.wording import counted

if TYPE_CHECKING:
    from deconv_core.specificity.occlusion import Occlusion

_SIZES, _STRIDES = (28, 14, 7, 4, 2), (56, 28, 14, 7)
"""Parts of the image's shorter side."""


@dataclass(frozen=True, eq=False)
class _Asked:
    """What the square is slid over, and for which map.

    Attributes:
        network: the network.
        shown: the image.
        activation: the map, and its location; the activation may be 0.
        size: side of the square, in pixels.
        stride: pixels from one position to the next.
        picture: the map's reconstruction; None if it does not respond there.
    """

    network: deconv_core.Network
    shown: Shown
    activation: Activation
    size: int
    stride: int
    picture: Reconstruction | None

    @property
    def key(self) -> resources.OcclusionKey:
        found = self.activation
        where = str(found.unit), found.row, found.column, self.size, self.stride
        return self.network.fingerprint, self.shown.seen.content, where


def occlusion_panel(
    choice: Choice, network: deconv_core.Network, shown: Shown, activation: Activation
) -> None:
    """Draw what the square changes, or the button that lets it slide.

    Args:
        choice: of the page.
        network: the network.
        shown: the image.
        activation: the chosen map at its location; the activation may be 0.
    """
    with st.expander("What a grey square over the image changes", icon=":material/select:"):
        st.caption(
            "Occlusion (Zeiler & Fergus 2014, figure 7): a grey square slides over the image, and "
            "the network looks at it each time. Where the square lowers the activation, the map "
            f"needs what it hides. {_about_classes(network)}"
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            size, stride = _pick(min(network.input_size))
            row, said = st.empty(), st.empty()
        picture = _reconstruction(choice, network, shown, activation)
        asked = _Asked(network, shown, activation, size, stride, picture)
        found, place = resources.occlusions().get(asked.key), st.empty()
        if found is None:
            if not row.button("Slide the square", icon=":material/play_arrow:", key="occlude"):
                said.caption("Anything that you click meanwhile cancels it.")
                return
            found = _slide(asked, place, said)
            resources.occlusions().put(asked.key, found)
            row.empty(), said.empty()
        _draw(_pictures(asked, found), place, "occlusion")
        _under(choice, asked, found)


def _about_classes(network: deconv_core.Network) -> str:
    """Why there are no class probabilities; "" if there are."""
    if network.head is None:
        return "These weights came without a classifier, so there is no probability of a class."
    if network.head.value in network.graph.blocked:
        step = network.graph.blocked[network.head.value]
        return f"The classifier lies behind a step without a deconvnet ({step}): no classes."
    return ""


def _pick(side: int) -> tuple[int, int]:
    """Draw the lists of sizes and strides for an image of this shorter side."""
    sizes, strides = (
        sorted({max(1, side // part) for part in parts}) for parts in (_SIZES, _STRIDES)
    )
    size = st.selectbox(
        "Square",
        sizes,
        index=sizes.index(max(1, side // 7)),
        format_func=lambda pixels: f"{pixels} × {pixels} px",
        key=f"occlusion_size_{side}",
        width=140,
    )
    stride = st.selectbox(
        "Every",
        strides,
        index=strides.index(max(1, side // 14)),
        format_func=lambda pixels: f"{pixels} px",
        key=f"occlusion_stride_{side}",
        width=110,
    )
    return size, stride


def _reconstruction(
    choice: Choice, network: deconv_core.Network, shown: Shown, activation: Activation
) -> Reconstruction | None:
    if activation.value <= 0:
        return None
    made = reconstructing.watched_in(
        network, shown.folder, [activation], "occlusion", 240, choice.rule
    )
    return made.found.get(1)


def _slide(asked: _Asked, place: Place, said: Place) -> Occlusion:
    """Let the square slide, and draw what is known so far."""

    def progress(done: int, of: int) -> None:
        said.caption(f"{done} of {counted(of, 'position')}")

    def work(cancel: threading.Event) -> Occlusion:
        from deconv_core.specificity.occlusion import occlusions  # loads torch

        found = asked.activation
        parts = occlusions(
            *(asked.network, asked.shown.seen.pixels, found.unit, (found.row, found.column)),
            *(asked.size, asked.stride, progress, cancel),
        )
        for number, known in enumerate(parts):
            if number < 2:  # the last part is drawn below
                _draw(_pictures(asked, known), place, f"occlusion {number}")
        return known

    found: Occlusion = reconstructing.compute(work)
    return found


def _pictures(asked: _Asked, found: Occlusion) -> list[Captioned]:
    pixels, head = asked.shown.seen.pixels, asked.network.head

    def class_name(number: int) -> str:
        return visible(head.class_name(number)) if head else str(number)

    return occlusion_pictures(found, pixels, asked.picture, class_name)


def _draw(pictures: Sequence[Captioned], place: Place, key: str) -> None:
    tiles = [
        Tile(
            png_bytes(picture.image, compress_level=1),
            f"{picture.title}, over the image",
            picture.title,
            picture.text,
            legend=picture.legend,
        )
        for picture in pictures
    ]
    with place.container():
        gallery([Panel("", tiles, columns=5, kind="few")], key=key, panel_columns=1)


def _under(choice: Choice, asked: _Asked, found: Occlusion) -> None:
    """Draw the sentence that says the scale, and the downloads."""
    count, activation = len(found.tops) * len(found.lefts), asked.activation
    under = (
        f"{counted(count, 'position')}; each place shows the value with the square centred there. "
        f"Map {activation.unit.channel} at row {activation.row}, column {activation.column}. "
        "Orange: lower than without a square; blue: higher. Each map has its own scale. "
        "No square has its middle in a dark margin."
    )
    st.caption(under)
    title = f"{asked.shown.name}, {activation.unit}, grey square of {asked.size} pixels"
    made, stem = _made(choice, asked), _file_stem(choice, asked)
    with st.container(horizontal=True):
        _download(
            "Maps as PNG",
            f"{stem}.png",
            lambda: occlusion_sheet(_pictures(asked, found), title, under, made),
        )
        _download(
            "Table as CSV",
            f"{stem}.csv",
            lambda: csv_file(made.in_table(occlusion_table(found, asked.network.head))),
        )


def _made(choice: Choice, asked: _Asked) -> Provenance:
    """What the pictures are made from; the index is not needed."""
    network, shown = asked.network, asked.shown
    return replace(
        choice.made,
        fingerprint=network.fingerprint,
        preprocessing=network.preprocessing.name,
        input_size=network.input_size,
        dataset="uploaded" if shown.uploaded else choice.dataset.name,
    )


def _file_stem(choice: Choice, asked: _Asked) -> str:
    unit, name = asked.activation.unit, asked.shown.name
    stem = file_stem(choice, unit.layer, unit.channel, None)
    return f"occlusion_{plain_name(name)}_{stem}"


def _download(label: str, name: str, data: object) -> None:
    is_table = name.endswith("csv")
    st.download_button(
        label,
        data,  # type: ignore[arg-type]
        file_name=name,
        mime="text/csv" if is_table else "image/png",
        key=f"occlusion_{'csv' if is_table else 'png'}",
        on_click="ignore",
        type="tertiary",
        icon=":material/table:" if is_table else ":material/image:",
    )
