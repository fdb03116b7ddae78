"""The drawing of the Method page, as SVG for light and dark pages."""

from __future__ import annotations

_UP = ("image 224 × 224", "filtering 3 × 3, plus bias", "rectification", "max pooling 2 × 2")
_DOWN = ("reconstruction, signed", "filtering, transposed", "rectification", "unpooling")
_LINE, _ACCENT = "#7d8894", "#d9480f"


def _box(x: int, y: int, text: str, fill: str) -> str:
    return (
        f'<rect x="{x}" y="{y}" width="200" height="40" rx="6" fill="{fill}" fill-opacity=".16" '
        f'stroke="{fill}" stroke-width="1.5"/>'
        f'<text x="{x + 100}" y="{y + 25}" text-anchor="middle" class="t">{text}</text>'
    )


def _arrow(x: int, start: int, end: int) -> str:
    head = 7 if end > start else -7
    return (
        f'<path d="M {x} {start} V {end} m -5 {-head} l 5 {head} l 5 {-head}" fill="none" '
        f'stroke="{_LINE}" stroke-width="1.5"/>'
    )


def method_drawing(*, dark: bool) -> str:
    """The convnet up on the left, the deconvnet down on the right; ``dark`` is for dark pages."""
    text = "#d5dbe0" if dark else "#39424b"
    parts = [
        '<text x="130" y="20" text-anchor="middle" class="h">convnet, up</text>',
        '<text x="450" y="20" text-anchor="middle" class="h">deconvnet, down</text>',
        _box(30, 36, "feature maps", _LINE),
        _box(350, 36, "one activation, else zero", _ACCENT),
        f'<path d="M 230 56 H 346 m -7 -5 l 7 5 l -7 5" fill="none" stroke="{_ACCENT}" '
        'stroke-width="1.5"/>',
        '<text x="288" y="48" text-anchor="middle" class="s">keep the peak</text>',
    ]
    for place, (up, down) in enumerate(zip(reversed(_UP), reversed(_DOWN), strict=True)):
        y = 112 + place * 70
        parts += [
            _arrow(130, y - 2, y - 27),
            _arrow(450, y - 28, y - 3),
            _box(30, y, up, _LINE),
            _box(350, y, down, _ACCENT if place == 3 else _LINE),
        ]
    parts += [
        f'<path d="M 230 132 H 346 m -7 -5 l 7 5 l -7 5" fill="none" stroke="{_LINE}" '
        'stroke-width="1.5" stroke-dasharray="5 4"/>',
        '<text x="288" y="124" text-anchor="middle" class="s">switches</text>',
        '<text x="290" y="227" text-anchor="middle" class="s">repeated for</text>',
        '<text x="290" y="243" text-anchor="middle" class="s">every layer below</text>',
    ]
    style = (
        f"text{{font-family:Source Sans,Segoe UI,Helvetica,Arial,sans-serif;fill:{text}}}"
        ".t{font-size:14px}.h{font-size:14px;font-weight:600}.s{font-size:12.5px}"
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 580 370" width="580" height="370">'
        f"<style>{style}</style>{''.join(parts)}</svg>"
    )
