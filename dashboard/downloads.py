"""What can be taken home: grids as PNG, the table as CSV, with names that say what they are."""

from __future__ import annotations

import re
from collections.abc import Sequence

import streamlit as st

from dashboard.resources import png_bytes
from dashboard.shell import Choice
from dashboard.wording import activation_text
from deconv_core.receptive_field import Layer

_ENLARGED = 400


def file_stem(choice: Choice, layer: str, channel: int | None, label: str | None) -> str:
    """For example "conv4_4_map171_dog_my-photos"."""
    parts = [layer, *([] if channel is None else [f"map{channel}"]), *([label] if label else [])]
    return "_".join(_plain(part) for part in [*parts, choice.dataset.name])


def _plain(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", text).strip("-.")[:60] or "unnamed"


def tile_side(layer: Layer, least: int = _ENLARGED) -> int:
    """Side of an enlarged tile: the smallest multiple of the receptive field that is enough."""
    size = layer.receptive_field.size
    return size * -(-least // size)


def downloads(
    pictures: Sequence[object],
    stem: str,
    layer: Layer,
    scale: object,
    key: str,
    title: str = "Download",
    heading: str = "",
) -> None:
    """Buttons for both grids, both side by side, and the table."""
    if not pictures:
        return
    with st.popover(title, icon=":material/download:"):
        enlarged = st.toggle(
            "Enlarged",
            key=f"{key}_enlarged",
            help=f"Off: one pixel for one pixel, tiles of {layer.receptive_field.size} pixels.",
        )
        side = tile_side(layer) if enlarged else None
        size = "_enlarged" if enlarged else ""
        _button(
            "Reconstructions",
            f"{stem}_feat{size}.png",
            key,
            lambda: grid(pictures, "reconstruction", scale, side),
        )
        _button(
            "Image patches",
            f"{stem}_im{size}.png",
            key,
            lambda: grid(pictures, "patch", scale, side),
        )
        _button(
            "Both, with captions",
            f"{stem}{size}.png",
            key,
            lambda: sheet(pictures, heading or stem, layer, scale, large=enlarged),
        )
        _button("Table (CSV)", f"{stem}.csv", key, lambda: _csv(pictures))


def _button(label: str, name: str, key: str, data: object) -> None:
    st.download_button(
        label,
        data,  # type: ignore[arg-type]
        file_name=name,
        mime="text/csv" if name.endswith("csv") else "image/png",
        key=f"{key}_{label}",
        on_click="ignore",
        icon=":material/table:" if name.endswith("csv") else ":material/image:",
        width="stretch",
    )


def grid(pictures: Sequence[object], kind: str, scale: object, side: int | None) -> bytes:
    """A grid as PNG; ``side`` None draws one pixel for one pixel."""
    from deconv_core.rendering import compose_grid

    return png_bytes(
        compose_grid(pictures, kind=kind, scale=scale, tile_size=side)  # type: ignore[arg-type]
    )


def _csv(pictures: Sequence[object]) -> bytes:
    from deconv_core.tables import activation_table, csv_file

    return csv_file(activation_table(pictures))  # type: ignore[arg-type]


def sheet(
    pictures: Sequence[object], title: str, layer: Layer, scale: object, *, large: bool
) -> bytes:
    """Both grids side by side on white, a caption under every tile."""
    from PIL import Image, ImageDraw, ImageFont

    from deconv_core.rendering import tile

    side = tile_side(layer, 300 if large else 150)
    columns, line, gap, head = 3, 14, 8, 44
    rows = -(-len(pictures) // columns)
    cell, height = side + gap, side + 2 * line + gap + 6
    paper = Image.new("RGB", (2 * columns * cell + 4 * gap, head + rows * height + gap), "white")
    draw, font = ImageDraw.Draw(paper), ImageFont.load_default(11)
    draw.text((gap, 6), title, "black", ImageFont.load_default(15))
    draw.text((gap, 26), f"{layer.name}, {scale.caption}", "#555555", font)  # type: ignore[attr-defined]
    for place, picture in enumerate(pictures):
        row, column = divmod(place, columns)
        activation = picture.activation  # type: ignore[attr-defined]
        words = (
            (f"{place + 1}. map {activation.unit.channel}", activation_text(activation.value)),
            (
                f"{place + 1}. {activation.image_id.rpartition('/')[0]}",
                shortened(activation.image_id.rpartition("/")[2], max(12, side // 7)),
            ),
        )
        for half, kind in enumerate(("reconstruction", "patch")):
            left = gap + half * (columns * cell + 2 * gap) + column * cell
            top = head + row * height
            paper.paste(tile(picture, kind, scale, side), (left, top))  # type: ignore[arg-type]
            for number, text in enumerate(words[half]):
                draw.text((left, top + side + 2 + number * line), text, "black", font)
    return png_bytes(paper)


def shortened(name: str, most: int = 36) -> str:
    """A long file name without its middle: its beginning and its number stay readable."""
    if len(name) <= most:
        return name
    tail = max(most // 2, 8)
    return f"{name[: most - tail - 1]}…{name[-tail:]}"
