"""The page in an export: plain HTML and CSS, without scripts and without external files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape as escape_html

from deconv_core.index.copies import and_copies, names_text
from deconv_core.names import visible


@dataclass(frozen=True)
class PageTile:
    """The caption of one tile.

    ``copies`` are the ids of equal images that the image stands for. ``left_out`` says why there is
    no picture, or is "". ``name`` is the map's name for people, or "".
    """

    rank: int
    image_id: str
    channel: int
    value: float
    copies: tuple[str, ...] = ()
    left_out: str = ""
    name: str = ""


@dataclass(frozen=True)
class PageSection:
    """One map or layer on the page; ``folder`` in the archive holds its pictures.

    ``by_map`` is True for a layer: then each caption names the feature map.
    """

    title: str
    folder: str
    caption: str
    tiles: tuple[PageTile, ...]
    by_map: bool


_STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --soft: #60646c; --line: #d9dce1;
  --paper: #ffffff; --panel: #f6f7f9; --accent: #a63a08; }
@media (prefers-color-scheme: dark) { :root { --ink: #edeef0; --soft: #b0b4ba; --line: #363a3f;
  --paper: #111315; --panel: #191b1e; --accent: #ff9d66; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 32px 24px 64px; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 26px; margin: 0 0 12px; } h2 { font-size: 18px; margin: 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; margin: 0 0 16px; }
dt, .soft, figcaption { color: var(--soft); } dd { margin: 0; }
nav { display: flex; flex-wrap: wrap; gap: 4px 14px; border-block: 1px solid var(--line);
  padding: 10px 0; margin-bottom: 24px; }
a { color: var(--accent); text-decoration-thickness: 1px; text-underline-offset: 2px; }
section { border: 1px solid var(--line); border-radius: 8px; background: var(--panel);
  padding: 16px 20px 20px; margin: 0 0 20px; scroll-margin-top: 12px; }
section header { display: flex; flex-wrap: wrap; gap: 4px 16px; align-items: baseline; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 20px;
  margin: 12px 0; }
figure { margin: 0; } figure img { width: 100%; max-width: 440px; image-rendering: pixelated;
  border: 1px solid var(--line); display: block; }
figcaption { font-size: 13px; margin-top: 4px; }
ol { columns: 3 260px; margin: 0; padding-left: 26px; font-size: 13px; }
li { overflow-wrap: anywhere; break-inside: avoid; }
"""

_NOTE = (
    "Left: the reconstruction of each activation by the deconvnet; grey is zero. Right: the patch "
    "of the image in the same place. The tiles are ordered row by row, the strongest first."
)


def page_start(
    title: str, facts: Sequence[tuple[str, str]], links: Sequence[tuple[str, str]]
) -> str:
    """The page up to its sections; ``section_html`` of each section and ``PAGE_END`` follow.

    Names of files and datasets appear as plain text, in their own writing direction.

    Args:
        title: title of the page.
        facts: pairs (name, text) at the top of the page.
        links: pairs (folder, title), one for each section.
    """
    head = "".join(f"<dt>{escape(name)}</dt><dd>{_name(text)}</dd>" for name, text in facts)
    list_ = "".join(f'<a href="#{escape(folder)}">{_name(name)}</a>' for folder, name in links)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src 'self' file: data:; style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><h1>{_name(title)}</h1><dl>{head}</dl>"
        f'<p class="soft">{_NOTE}</p><nav aria-label="Feature maps">{list_}</nav>\n<main>'
    )


PAGE_END = "</main></body></html>\n"


def escape(text: str) -> str:
    """A text as safe HTML, without tags and without controls of the text direction."""
    return escape_html(visible(text))


def _name(text: str) -> str:
    """A text with its own direction, so that an Arabic name does not move the number after it."""
    return f"<bdi>{escape(text)}</bdi>"


def section_html(section: PageSection) -> str:
    """One map or layer as HTML: its pictures, and a caption for each tile."""
    title, folder = escape(section.title), escape(section.folder)
    start = (
        f'<section id="{folder}"><header><h2><bdi>{title}</bdi></h2>'
        f'<span class="soft">{escape(section.caption)}</span></header>'
    )
    if not section.tiles:
        return (
            start
            + "<p>No image activates this feature map, so there is nothing to draw.</p>"
            + ("</section>")
        )
    shown = [tile for tile in section.tiles if not tile.left_out]
    pictures = "".join(
        f'<figure><img src="{folder}/{file}.png" alt="{name} of {title}" loading="lazy">'
        f"<figcaption>{name}</figcaption></figure>"
        for file, name in (("reconstructions", "Reconstructions"), ("patches", "Image patches"))
    )
    pair = f'<div class="pair">{pictures}</div>' if shown else ""
    rows = "".join(_tile(tile, section.by_map) for tile in section.tiles)
    table = f'<p><a href="{folder}/table.csv">table.csv</a></p>'
    return f"{start}{pair}<ol>{rows}</ol>{table}</section>"


def left_out_html(left_out: Mapping[str, str]) -> str:
    """The last section as HTML: images without a picture, with the reason; "" without any."""
    if not left_out:
        return ""
    rows = "".join(
        f'<li>{_name(name)} <span class="soft">{escape(why)}</span></li>'
        for name, why in sorted(left_out.items())
    )
    return (
        '<section id="left-out"><header><h2>Left out</h2></header><p>These images changed after '
        "the scan or are missing, so they have no pictures here. After an update of the scan you "
        f'can build the export again.</p><ul>{rows}</ul><p><a href="left_out.csv">left_out.csv</a>'
        "</p></section>"
    )


def _tile(tile: PageTile, by_map: bool) -> str:
    called = f" {_name(tile.name)}" if tile.name else ""
    unit = f"map {tile.channel}{called}, " if by_map else ""
    copies = ""
    if tile.copies:
        names = escape_html(names_text([visible(image_id) for image_id in tile.copies]))
        copies = f', <span title="{names}">{and_copies(len(tile.copies))}</span>'
    digits = f"{tile.value:#.4g}".rstrip(".")  # as on the pages: 13.00, not 13
    said = f'<span class="soft">{unit}{digits}{copies}</span>'
    gone = f', <span class="soft">left out: {escape(tile.left_out)}</span>' if tile.left_out else ""
    return f"<li>{_name(tile.image_id)} {said}{gone}</li>"
