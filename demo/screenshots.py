"""Take the screenshots of the README: `python -m demo.screenshots`. It needs Chromium.

    python -m demo.screenshots [--dark] [--width 1280] [--all] [--out docs]

A server with an empty data folder shows the demo. The program opens each page by its address and
takes the picture when the page is complete.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.conftest import SWITCHES, chromium
from tests.browser.server import Server


@dataclass(frozen=True)
class View:
    """One screenshot.

    Attributes:
        page: address of the page.
        height: height of the screenshot in pixels.
        tiles: number of pictures to wait for.
        asked: query parameters.
        button: a button to press first.
    """

    page: str
    height: int
    tiles: int = 0
    asked: tuple[tuple[str, str], ...] = ()
    button: str = ""


PLACE = (("image", "dog/dog_2000006.jpg"), ("layer", "conv4_4"), ("position", "104,96"))
VIEWS = {
    "start": View("", 860, 18),
    "feature-map": View("feature_map", 1215, 27, (("layer", "conv4_4"), ("map", "37"))),
    "layer": View("layer", 1230, 146, (("layer", "conv4_4"),), "Draw the contact sheet"),
    "image": View("image", 800, 12, PLACE),
}
"""Name of the file in docs -> the screenshot."""
PAGES = {"export": View("export", 1300), "method": View("method", 1300)}
"""Screenshots of pages that the README does not show, to check changes of these pages."""


def main() -> None:
    """Start a server, take every screenshot and save it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument(
        "--all", action="store_true", help="also the pages that the README does not show"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        server = Server(Path(home))
        server.start()
        browser = playwright.chromium.launch(executable_path=chromium(), args=SWITCHES)
        try:
            for name, view in (VIEWS | PAGES if options.all else VIEWS).items():
                page = browser.new_page(
                    viewport={"width": options.width, "height": view.height},
                    color_scheme="dark" if options.dark else "light",
                )
                page.goto(server.url(view.page, **dict(view.asked)))
                if view.button:
                    page.get_by_role("button", name=view.button).click(timeout=120_000)
                    page.mouse.move(0, 0)  # points at no picture
                _wait(page, view)
                path = options.out / f"{name}.png"
                page.screenshot(path=path)
                with Image.open(path) as taken:
                    taken.convert("RGB").save(path, optimize=True)
                page.close()
        finally:
            browser.close()
            server.stop()


def _wait(page: Page, view: View) -> None:
    """Wait until every picture is loaded and no page run is active."""
    if view.tiles:
        tiles = page.locator("section .tile img")
        expect(tiles).to_have_count(view.tiles, timeout=120_000)
    expect(page.get_by_test_id("stSidebar")).to_be_attached(timeout=120_000)
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0, timeout=120_000)
    expect(page.locator("[data-testid=stSkeleton]")).to_have_count(0, timeout=120_000)
    page.wait_for_function("[...document.images].every((image) => image.complete)")
    page.wait_for_timeout(1_500)  # wait for elements that fade in


if __name__ == "__main__":
    main()
