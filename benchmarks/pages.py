"""Measures how long a person waits for a feature map of the demo in a browser.

    python -m benchmarks.pages                    # needs Chromium, or $CHROMIUM

Starts a server with an empty data folder, and headless Chromium. The time ends when all eighteen
pictures of the two grids are decoded in the page.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import SWITCHES, chromium
from tests.browser.server import Server

_PAINTED = """() => {
  const seen = [...document.querySelectorAll('*')].filter((node) => node.shadowRoot)
    .flatMap((node) => [...node.shadowRoot.querySelectorAll('.tile img')]);
  return seen.length >= 18 && seen.every((image) => image.complete && image.naturalWidth > 0);
}"""
_HEADED = "(name) => document.querySelector('h1')?.textContent.includes(name)"


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        server = Server(Path(home))
        server.start()
        browser = playwright.chromium.launch(executable_path=chromium(), args=SWITCHES)
        try:
            _opened(browser, server, 0)  # loads torch and the network
            print(f"{'seconds until the two grids of a feature map are there':58s}median  longest")
            for what, times in {
                "a link in a new tab, pictures not yet made": _links(browser, server, rounds),
                "the same links again": _links(browser, server, rounds),
                "next map, by a click, pictures not yet made": _clicks(browser, server, rounds),
            }.items():
                print(f"{what:58s}{np.median(times):6.2f}  {max(times):7.2f}")
        finally:
            browser.close()
            server.stop()


def _links(browser: Browser, server: Server, rounds: int) -> list[float]:
    return [_opened(browser, server, 1 + number) for number in range(rounds)]


def _opened(browser: Browser, server: Server, channel: int) -> float:
    """A new tab of a browser that has the app in its cache."""
    context = browser.contexts[0] if browser.contexts else browser.new_context()
    page = context.new_page()
    begun = time.perf_counter()
    page.goto(_address(server, channel), wait_until="commit")
    _wait(page, channel)
    taken = time.perf_counter() - begun
    page.close()
    return taken


def _clicks(browser: Browser, server: Server, rounds: int) -> list[float]:
    page = browser.contexts[0].new_page()
    page.goto(_address(server, 63))
    _wait(page, 63)
    page.wait_for_timeout(1500)
    taken = []
    for channel in range(64, 64 + rounds):
        begun = time.perf_counter()
        page.get_by_role("button", name="Next").click()
        _wait(page, channel)
        taken.append(time.perf_counter() - begun)
        page.wait_for_timeout(1000)
    page.close()
    return taken


def _wait(page: Page, channel: int) -> None:
    page.wait_for_function(_HEADED, arg=f"Feature map {channel} of", polling=10)
    page.wait_for_function(_PAINTED, polling=10)


def _address(server: Server, channel: int) -> str:
    return server.url(
        "feature_map", network="demo", dataset="demo", layer="conv4_4", map=str(channel)
    )


if __name__ == "__main__":
    main()
