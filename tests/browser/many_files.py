"""How long it takes until many files are uploaded in Chromium, one by one and as a zip.

    python -m tests.browser.many_files 1100

From the moment they are given to the moment the page has them all, and until they are stored.
"""

import sys
import tempfile
import time
import zipfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import SWITCHES, chromium
from tests.browser.server import Server
from tests.core import drawings

ALL_THERE = "!!document.querySelector('.st-key-use_upload')"  # asks for no layout, so costs nothing


def main(count: int) -> None:
    """Upload ``count`` small pictures both ways and print a table."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "home").mkdir()
        files = {f"{n:05}.png": drawings.noise(n, 16) for n in range(count)}
        pictures = sorted(drawings.save(place / "files", files).iterdir())
        with zipfile.ZipFile(place / "all.zip", "w") as archive:
            for picture in pictures:
                archive.write(picture, picture.name)
        server = Server(place / "home")
        server.start()
        try:
            with sync_playwright() as playwright:
                opened = playwright.chromium.launch(executable_path=chromium(), args=SWITCHES)
                print("| way | files | seconds until all are there | until stored |")
                print("| --- | --: | --: | --: |", flush=True)
                _upload(opened, server, "files", pictures)
                _upload(opened, server, "a zip", [place / "all.zip"])
                opened.close()
        finally:
            server.stop()


def _upload(browser: Browser, server: Server, way: str, files: list[Path]) -> None:
    page = browser.new_page()
    page.set_default_timeout(900_000)
    page.goto(server.url())
    page.get_by_text("Upload", exact=True).first.click()
    page.locator("input[type=file]").wait_for(state="attached")
    page.wait_for_load_state("networkidle")
    started = time.perf_counter()
    page.locator("input[type=file]").set_input_files(files)
    while not page.evaluate(ALL_THERE):
        time.sleep(0.1)
    there = time.perf_counter() - started
    page.get_by_role("button", name="Use this upload").click()
    page.locator(".st-key-start_scan").wait_for()
    stored = time.perf_counter() - started
    print(f"| {way} | {len(files):,} | {there:.1f} | {stored:.1f} |", flush=True)
    page.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
