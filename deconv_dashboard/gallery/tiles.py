"""Pictures to click: one inline component for galleries and for picking a position.

Names and labels from files reach the browser as data and are shown as text. They are never parsed
as HTML.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

_FILES = Path(__file__).parent / "components"


@dataclass(frozen=True)
class Tile:
    """One picture of a gallery.

    Attributes:
        png: PNG bytes; b"" draws an empty tile.
        alt: description of the picture in words.
        title: first line of the caption, for example "1 · map 171".
        text: second line of the caption.
        value: the text that a click sends.
        href: address of the link, for "open in a new tab"; a plain click only sends ``value``.
        chosen: True draws a frame.
        second: PNG bytes of a second picture, drawn beside the first in the same tile.
        copies: third part of the caption, for example "and 10 copies".
        names: names of the copies, one a line; the tooltip of ``copies``.
        legend: what colours in the picture mean: (colour, for example "#ff7a1a", words).
        photograph: text that asks for the photograph of an enlarged tile, from ``asking_for``.
    """

    png: bytes
    alt: str
    title: str = ""
    text: str = ""
    value: str = ""
    href: str = ""
    chosen: bool = False
    second: bytes = b""
    copies: str = ""
    names: str = ""
    legend: Sequence[tuple[str, str]] = ()
    photograph: str = ""


@dataclass(frozen=True)
class Panel:
    """A grid of tiles with a heading; ``columns`` 0 fits as many as there is room for."""

    heading: str
    tiles: Sequence[Tile]
    columns: int = 3
    kind: str = "reconstruction"


@dataclass(frozen=True)
class Mark:
    """A rectangle or a point on a picture, in pixels of the network's input."""

    left: float
    top: float
    width: float = 0
    height: float = 0


def _component() -> Callable[..., Any]:
    return st.components.v2.component(
        "deconv_tiles",
        css=(_FILES / "tiles.css").read_text("utf-8"),
        js=(_FILES / "tiles.js").read_text("utf-8"),
    )


_tiles = _component()


def gallery(
    panels: Sequence[Panel],
    key: str,
    *,
    panel_columns: int = 2,
    smallest: int = 72,
    on_pick: Callable[[str], None] | None = None,
) -> str | None:
    """Draw panels of tiles side by side; pointing at a tile also marks the tile of the same rank.

    Args:
        panels: the grids of pictures.
        key: key of the component, unique on the page.
        panel_columns: number of panels side by side.
        smallest: smallest width of a tile in pixels, if the number of columns depends on the room.
        on_pick: called with the value of a clicked tile before the page runs again.

    Returns:
        The value of the tile that was just clicked, or None.
    """
    data = {
        "mode": "gallery",
        "panelColumns": panel_columns,
        "smallest": smallest,
        "panels": [_panel(panel) for panel in panels],
    }
    return _mount(data, key, "picked", on_pick)


def pick_position(
    png: bytes,
    key: str,
    *,
    alt: str,
    size: tuple[int, int],
    marks: Sequence[Mark] = (),
    step: int = 8,
    pickable: bool = True,
    on_pick: Callable[[str], None] | None = None,
) -> tuple[int, int] | None:
    """Draw one picture of the network's input; a click picks a position.

    Args:
        png: PNG bytes, perhaps enlarged.
        key: key of the component, unique on the page.
        alt: description of the picture in words.
        size: height and width of the input; positions are in its pixels.
        marks: rectangles and points to draw on the picture.
        step: pixels that an arrow key moves the cross.
        pickable: False draws only.
        on_pick: called with "x,y" before the page runs again.

    Returns:
        The position (x, y) that was just picked, or None.
    """
    data = {
        "mode": "position",
        "src": _source(png),
        "alt": alt,
        "height": size[0],
        "width": size[1],
        "step": step,
        "pickable": pickable,
        "marks": [vars(mark) for mark in marks],
    }
    picked = _mount(data, key, "picked", on_pick)
    if not picked:
        return None
    x, _, y = picked.partition(",")
    return int(x), int(y)


def _mount(
    data: dict[str, Any], key: str, name: str, on_pick: Callable[[str], None] | None
) -> str | None:
    def changed() -> None:
        picked = st.session_state[key].get(name)
        if on_pick is not None and picked:
            on_pick(str(picked))

    result = _tiles(key=key, data=data, **{f"on_{name}_change": changed})
    picked = getattr(result, name, None)
    return str(picked) if picked else None


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "heading": panel.heading,
        "columns": panel.columns,
        "kind": panel.kind,
        "tiles": [
            {
                "src": _source(tile.png),
                "second": _source(tile.second),
                "alt": tile.alt,
                "title": tile.title,
                "text": tile.text,
                "value": tile.value,
                "href": tile.href,
                "chosen": tile.chosen,
                "copies": tile.copies,
                "names": tile.names,
                "legend": [list(row) for row in tile.legend],
                "photograph": tile.photograph,
            }
            for tile in panel.tiles
        ],
    }


def _source(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode() if png else ""
