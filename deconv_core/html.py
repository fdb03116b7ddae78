"""HTML that notebooks show of a network, a folder of images, an index and reconstructions.

The names of files may come from anyone. Every text is escaped, and MathJax leaves it alone.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence

from deconv_core.names import visible

MOST_ROWS = 500
"""So many rows of a table are shown."""
_NO_FORMULAS = "tex2jax_ignore mathjax_ignore"


def escaped(text: object) -> str:
    """A text from files as HTML, on one line."""
    return html.escape(visible(str(text)))


def block(heading: str, *parts: str) -> str:
    """A heading in plain text, and parts in HTML below it."""
    return f'<div class="{_NO_FORMULAS}"><p><b>{escaped(heading)}</b></p>{"".join(parts)}</div>'


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table that scrolls: the first column of texts on the left, the others on the right."""
    head = "".join(_cell("th", place, name) for place, name in enumerate(columns))
    body = "".join(
        f"<tr>{''.join(_cell('td', place, value) for place, value in enumerate(row))}</tr>"
        for row in rows[:MOST_ROWS]
    )
    more = f"<p>and {len(rows) - MOST_ROWS:,} more</p>" if len(rows) > MOST_ROWS else ""
    return (
        '<div style="max-height: 26em; overflow: auto; width: fit-content"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{more}"
    )


def picture(png: bytes, alt: str, width: int) -> str:
    """A PNG file as a picture of this width in pixels; small ones are enlarged without blur."""
    data = base64.b64encode(png).decode()
    return (
        f'<img alt="{escaped(alt)}" width="{width}" style="image-rendering: pixelated; margin: 1px"'
        f' src="data:image/png;base64,{data}">'
    )


def _cell(tag: str, place: int, value: object) -> str:
    side = "right" if place else "left"
    shown = f"{value:,}" if isinstance(value, int) else escaped(value)
    return f'<{tag} style="text-align: {side}">{shown}</{tag}>'
