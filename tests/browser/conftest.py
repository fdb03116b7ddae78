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
from tests.browser.server import Scanned, Server, filled, free_port, serving
from tests.conftest import Popen
from tests.warm import Warm

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


class Tabs:
    """A context of the browser whose first tab is kept from test to test.

    A tab that has compiled Streamlit's scripts once opens a page in a third of the time that a new
    one takes. Between tests it is at ``about:blank``, without cookies and storage.
    """

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self._kept: Page | None = None

    def open(self) -> Page:
        """The tab that is kept if no page of this test has it, or a new one."""
        if self._kept is None or self._kept.is_closed():
            self._kept = self.context.new_page()
            return self._kept
        return self.context.new_page() if self._kept in OPENED else self._kept

    def end(self) -> None:
        """Close the other tabs; leave nothing behind."""
        for page in self.context.pages:
            with suppress(BrowserError):
                page.evaluate("localStorage.clear(), sessionStorage.clear()")
                page.mouse.move(0, 0)
            with suppress(BrowserError):
                page.goto("about:blank") if page is self._kept else page.close()
        self.context.clear_cookies()


@pytest.fixture(scope="session")
def tabs(browser: Browser) -> Tabs:
    """What the pages of all tests share, so that Streamlit's scripts are loaded once."""
    return Tabs(browser.new_context(viewport=DESKTOP, reduced_motion="reduce"))


@pytest.fixture(scope="session")
def own_port() -> list[int]:
    """The port of the last fresh server: scripts from the same address are compiled already."""
    return [0]


@pytest.fixture
def server(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    warm: Warm | None,
    popen: Popen,
    own_port: list[int],
) -> Iterator[Server]:
    """A fresh server with an empty data folder; it and its jobs are forks of a warm process.

    In tests marked ``cold`` its jobs are processes that it starts itself.
    """
    home = tmp_path / "home"
    home.mkdir()
    cold = warm is None or request.node.get_closest_marker("cold")
    started = Server(home, popen=popen, warm_jobs=None if cold else warm.address)
    own_port[0] = started.port = free_port(own_port[0])
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
def open_page(browser: Browser, tabs: Tabs) -> Iterator[OpenPage]:
    """Open an address in a tab of its own; with ``another_browser`` nothing else is shared either.

    At the end of the test no page may have logged an error (but Streamlit's own two), and none may
    have asked another computer for anything.
    """
    others: list[BrowserContext] = []
    troubles: list[str] = []
    listeners = {
        "console": lambda message: troubles.extend(_errors(message)),
        "pageerror": lambda error: troubles.append(f"script: {error}"),
        "request": lambda request: troubles.extend(_leaving(request.url)),
    }

    def open_(url: str, *, another_browser: bool = False, **settings: object) -> Page:
        if another_browser or settings:
            others.append(browser.new_context(**{"viewport": DESKTOP, **settings}))
        page = others[-1].new_page() if another_browser or settings else tabs.open()
        OPENED.append(page)
        page.set_default_timeout(90_000)
        for event, listener in listeners.items():
            page.on(event, listener)
        page.goto(url)
        return page

    yield open_
    for page in OPENED:
        for event, listener in listeners.items():
            page.remove_listener(event, listener)
    OPENED.clear()
    tabs.end()
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
