"""A server of its own for each test, and pages that notice what should not happen in them."""

import os
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from playwright.sync_api import Error as BrowserError

from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from tests.browser.server import Scanned, Server, filled, serving
from tests.conftest import Popen

_OWN_404 = ("/_stcore/health", "/_stcore/host-config")  # Streamlit asks for these on deep links
expect.set_options(timeout=90_000)
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
DESKTOP = {"width": 1280, "height": 800}
OPENED: list[Page] = []
"""The pages of the test that runs."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, Any]:
    """Tell what the pages said when a test failed."""
    report = yield
    for page in OPENED if report.failed and report.when == "call" else ():
        with suppress(BrowserError):
            report.sections.append((f"page {page.url}", page.inner_text("body", timeout=5000)))
    return report


def chromium() -> str | None:
    given = os.environ.get("CHROMIUM", "")
    names = [given, "/usr/bin/chromium", "chromium", "google-chrome"]
    return next((found for name in names if name and (found := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        reason = "no Chromium: install it, or name it in $CHROMIUM"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=SWITCHES)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def context(browser: Browser) -> BrowserContext:
    """What the pages of all tests share, so that Streamlit's scripts are loaded once."""
    return browser.new_context(viewport=DESKTOP)


@pytest.fixture
def server(tmp_path: Path, popen: Popen) -> Iterator[Server]:
    """A fresh server, a fork of a warm process; its data folder is empty."""
    home = tmp_path / "home"
    home.mkdir()
    started = Server(home, popen=popen)
    started.start()
    yield started
    started.stop()
    for state in started.registry.jobs.active():  # what the test left running
        started.registry.jobs.end(state.job_id)
    started.assert_no_error_of_ours()


@pytest.fixture
def scanned(
    server: Server, images: ImageFolder, index: ActivationIndex, weight_file: Path
) -> Scanned:
    """A server of its own, with the drawn images scanned, that was asked nothing yet."""
    return filled(server, images, index, weight_file)


@pytest.fixture(scope="session")
def shared(
    popen: Popen,
    images: ImageFolder,
    index: ActivationIndex,
    weight_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Scanned]:
    """One such server for all tests that change nothing on it."""
    home = tmp_path_factory.mktemp("home")
    with serving(home, images, index, weight_file, popen) as found:
        yield found


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, context: BrowserContext) -> Iterator[OpenPage]:
    """Open an address in a tab of its own; with ``another_browser`` nothing else is shared either.

    At the end of the test no page may have logged an error (but Streamlit's own two), and none may
    have asked another computer for anything.
    """
    others: list[BrowserContext] = []
    troubles: list[str] = []

    def open_(url: str, *, another_browser: bool = False, **settings: object) -> Page:
        if another_browser or settings:
            others.append(browser.new_context(**{"viewport": DESKTOP, **settings}))
        page = (others[-1] if another_browser or settings else context).new_page()
        OPENED.append(page)
        page.set_default_timeout(90_000)
        page.on("console", lambda message: troubles.extend(_errors(message)))
        page.on("pageerror", lambda error: troubles.append(f"script: {error}"))
        page.on("request", lambda request: troubles.extend(_leaving(request.url)))
        page.goto(url)
        return page

    yield open_
    for page in OPENED:
        with suppress(BrowserError):
            page.evaluate("localStorage.clear()")
        with suppress(BrowserError):
            page.close()
    OPENED.clear()
    context.clear_cookies()
    for other in others:
        with suppress(BrowserError):
            other.close()
    assert not troubles, troubles


def _errors(message: object) -> list[str]:
    place = message.location.get("url", "")  # type: ignore[attr-defined]
    if message.type != "error" or place.endswith(_OWN_404):  # type: ignore[attr-defined]
        return []
    return [f"console: {message.text} ({place})"]  # type: ignore[attr-defined]


def _leaving(url: str) -> list[str]:
    parts = urlsplit(url)
    stays = parts.scheme in ("data", "blob") or str(parts.hostname).startswith(
        ("127.", "localhost")
    )
    return [] if stays else [f"asked for {url}"]
