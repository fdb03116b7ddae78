"""The download buttons: grids as PNG and the table as CSV, with names that tell the content."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import streamlit as st
from PIL.PngImagePlugin import PngInfo

from deconv_core.index.ranked_peaks import Rank
from deconv_core.layers import Layer
from deconv_core.output.provenance import Provenance
from deconv_core.output.rendering import Kind, Scale, compose_grid
from deconv_core.output.tables import activation_table, csv_file
from deconv_core.pictures import Reconstruction
from deconv_dashboard import bands
from deconv_dashboard.frame.shell import escape, short_name
from deconv_dashboard.gallery.captioned import not_drawn, sheet, tile_side
from deconv_dashboard.png import png_bytes
from deconv_dashboard.values import Choice
from deconv_dashboard.wording import native_side

_ENLARGED = 400


def file_stem(
    choice: Choice, layer: str, channel: int | None, label: str | None, band: str = bands.TOP
) -> str:
    """The name of a download without its ending: "conv4_4_map171_dog_Demo-network_my-photos".

    It contains "copies" if every copy counts, and the band, the rule and the resizing if they are
    not the usual.
    """
    parts = [layer, *([] if channel is None else [f"map{channel}"]), *([label] if label else [])]
    parts += [] if band == bands.TOP else [f"band-{band}"]
    parts += ["each-map-once"] if channel is None and choice.maps_once else []
    parts += ["copies"] if choice.copies else []
    parts += [] if choice.rule == "deconvnet" else [choice.rule]
    parts += [short_name(choice.network), choice.dataset.name]
    parts += [] if choice.dataset.resize == "stretch" else [choice.dataset.resize]
    return "_".join(plain_name(part) for part in parts)


def stem_of_sides(choice: Choice, band: str = bands.TOP) -> str:
    """``file_stem`` of the chosen map, with both sides of a comparison."""
    label = choice.label
    if choice.second is not None:
        both = "-vs-".join(side.called or "all" for side in choice.sides)
        label = f"{label}-{both}" if choice.side and label else both
    return file_stem(choice, choice.unit.layer, choice.unit.channel, label, band)


def plain_name(text: str) -> str:
    """A text as a part of a file name."""
    return re.sub(r"[^\w.-]+", "-", text).strip("-.")[:60] or "unnamed"


def downloads(
    pictures: Sequence[Reconstruction],
    stem: str,
    layer: Layer,
    scale: Scale,
    made: Provenance,
    key: str,
    title: str = "Download",
    heading: str = "",
    copies: Mapping[str, Sequence[str]] | None = None,
    names: Mapping[str, str] | None = None,
    ranks: Mapping[str, Rank] | None = None,
) -> None:
    """Draw buttons for each grid, for both grids side by side, and for the table."""
    if not pictures:
        return
    with st.popover(title, icon=":material/download:"):
        enlarged = st.toggle(
            "Enlarged",
            key=f"{key}_enlarged",
            help=f"Off: tiles are {native_side(layer)} pixels wide, as wide as the "
            "receptive field or the image.",
        )
        side = tile_side(layer, _ENLARGED) if enlarged else None
        size = "_enlarged" if enlarged else ""
        _button(
            "Reconstructions",
            f"{stem}_feat{size}.png",
            key,
            lambda: grid(pictures, "reconstruction", scale, side, made.png_info(heading or stem)),
        )
        _button(
            "Image patches",
            f"{stem}_im{size}.png",
            key,
            lambda: grid(pictures, "patch", scale, side, made.png_info(heading or stem)),
        )
        _button(
            "Both, with captions",
            f"{stem}{size}.png",
            key,
            lambda: sheet(
                *(pictures, heading or stem, layer, scale, made), large=enlarged, copies=copies
            ),
        )
        _button(
            "Table (CSV)", f"{stem}.csv", key, lambda: _csv(made, pictures, copies, names, ranks)
        )
        written = [heading, *(picture.activation.image_id for picture in pictures)]
        if missing := not_drawn(written):
            some = f"{missing[:9]}…" if len(missing) > 9 else missing
            st.caption(
                f"The font of the captions does not have {escape(some)}. The pictures show � "
                "instead; the table holds the full names."
            )


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


def grid(
    pictures: Sequence[Reconstruction],
    kind: Kind,
    scale: Scale,
    side: int | None,
    about: PngInfo | None = None,
) -> bytes:
    """A grid as PNG; ``side`` None draws tiles as large as the receptive field."""
    return png_bytes(compose_grid(pictures, kind, scale=scale, tile_size=side), about=about)


def _csv(
    made: Provenance,
    pictures: Sequence[Reconstruction],
    copies: Mapping[str, Sequence[str]] | None,
    names: Mapping[str, str] | None,
    ranks: Mapping[str, Rank] | None,
) -> bytes:
    table = activation_table(pictures, copies=copies, names=names, ranks=ranks)
    return csv_file(made.in_table(table))
