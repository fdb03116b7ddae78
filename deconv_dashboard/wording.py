"""Texts for people: counts, sizes, durations, activations, shortened names."""

from __future__ import annotations

from deconv_core.layers import Layer, frame_of
from deconv_core.network.preprocessing import PREPROCESSINGS

CHOOSE_TAB = "Choose images"
"""Name of the tab of Start where a person chooses images."""
DATASETS_TAB = "Datasets and scans"
"""Name of the tab of Start where a person can delete datasets and scans."""
NETWORKS_TAB = "Networks"
"""Name of the tab of Start where a person adds weight files."""


def counted(number: int, noun: str) -> str:
    """For example "1 image", "1,200 images"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def ordinal(number: int) -> str:
    """For example "1st", "2nd", "3rd", "11th", "22nd"."""
    teen = 10 <= number % 100 < 20
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{'th' if teen else ending}"


def percentile_text(share: float) -> str:
    """The share of images with a smaller peak, rounded down: "50 %", "99.6 %"."""
    whole = int(share * 100)
    return f"{int(share * 1000) / 10:g} %" if whole >= 99 else f"{whole} %"


def file_size(size: int) -> str:
    """For example "640 kB", "12 MB", "1.2 GB"; 1 kB is 1,000 bytes."""
    if size < 1_000_000:
        return f"{max(size, 0) / 1e3:,.0f} kB"
    return f"{size / 1e6:,.0f} MB" if size < 1_000_000_000 else f"{size / 1e9:,.1f} GB"


def duration(seconds: float) -> str:
    """For example "under 5 s", "40 s", "3 min", "2 h 10 min"; rounded for estimates."""
    if seconds < 5:
        return "under 5 s"
    if seconds < 90:
        return f"{5 * round(seconds / 5)} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def activation_text(value: float, *, approximate: bool = False) -> str:
    """An activation in four digits, so that columns line up: "23.20", "1234", "≈ 8.490"."""
    return f"{'≈ ' if approximate else ''}{value:#.4g}".rstrip(".")


def preprocessing_text(name: str, reason: str) -> str:
    """A preprocessing in words, and why it is used; without a full stop."""
    words = PREPROCESSINGS[name].words if name in PREPROCESSINGS else ""
    because = f", because {reason}" if reason else ""
    return f"{name} ({words}){because}" if words else f"{name}{because}"


def label_name(label: str) -> str:
    """A label for people; "(no folder)" for the empty label of images in the root folder."""
    return label or "(no folder)"


def shortened(name: str, most: int = 36) -> str:
    """A file name of at most ``most`` characters: a long one loses its middle."""
    if len(name) <= most:
        return name
    tail = max(most // 2, 8)
    return f"{name[: most - tail - 1]}…{name[-tail:]}"


def field_text(layer: Layer) -> str:
    """The receptive field of a layer: "116 × 116 of 224 × 224 pixels", "the whole image"."""
    field, (height, width) = layer.receptive_field, layer.input_size
    if field.sees_all:
        return "the whole image"
    if field.size >= height and field.width >= width:
        return f"{field.size} × {field.width} pixels, more than the whole image"
    return f"{field.size} × {field.width} of {height} × {width} pixels"


def native_side(layer: Layer) -> int:
    """Side of a tile that is not enlarged: that of the receptive field, or of the image."""
    frame = frame_of(layer.receptive_field.box(0, 0), layer.input_size)
    return max(frame.height, frame.width)


def field_short(layer: Layer) -> str:
    """The receptive field of a layer in a few letters: "427", "427×363", "all"."""
    field = layer.receptive_field
    if field.sees_all:
        return "all"
    return str(field.size) if field.width == field.size else f"{field.size}×{field.width}"
