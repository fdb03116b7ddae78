"""A server of its own for each test, and pages that notice what should not happen in them."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from playwright.sync_api import Error as BrowserError

from dashboard.registry import Registry

ROOT = Path(__file__).parents[2]
_OWN_404 = ("/_stcore/health", "/_stcore/host-config")  # Streamlit asks for these on deep links
expect.set_options(timeout=30_000)
_SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def _chromium() -> str | None:
    given = os.environ.get("CHROMIUM", "")
    names = [given, "/usr/bin/chromium", "chromium", "google-chrome"]
    return next((found for name in names if name and (found := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = _chromium()
    if path is None:
        reason = "no Chromium: install it, or name it in $CHROMIUM"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=_SWITCHES)
        yield opened
        opened.close()


@dataclass
class Server:
    """``streamlit run app.py`` on a free port, with a data folder of its own."""

    home: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def registry(self) -> Registry:
        return Registry(self.home)

    def url(self, page: str = "", **parameters: str) -> str:
        query = f"?{urlencode(parameters)}" if parameters else ""
        return f"http://127.0.0.1:{self.port}/{page}{query}"

    def start(self) -> None:
        self.port = self.port or _free_port()
        command = [sys.executable, "-m", "streamlit", "run", "app.py"]
        command += ["--server.port", str(self.port), "--server.headless", "true"]
        command += ["--server.fileWatcherType", "none"]
        environment = {**os.environ, **self.environment, "DECONV_HOME": str(self.home)}
        with (self.home / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=log, stderr=log
            )
        _wait_until_healthy(f"http://127.0.0.1:{self.port}/_stcore/health", self.process)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def log(self) -> str:
        return (self.home / "server.log").read_text("utf-8", "replace")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(0.1)
    raise AssertionError("the server did not start")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A fresh server; its data folder is empty."""
    home = tmp_path / "home"
    home.mkdir()
    started = Server(home)
    started.start()
    yield started
    started.stop()
    for job in home.rglob("*.job.json"):  # what the test left running
        _end_child(job)
    assert "Traceback" not in started.log(), started.log()[-3000:]


def _end_child(job: Path) -> None:
    from dashboard.child_process import ChildProcess

    ChildProcess(job.with_name(job.name.removesuffix(".job.json"))).cancel(kill=True)


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Open an address in a browser session of its own.

    At the end of the test no page may have logged an error (but Streamlit's own two), and none may
    have asked another computer for anything.
    """
    contexts: list[BrowserContext] = []
    troubles: list[str] = []

    def open_(url: str, **settings: object) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **settings})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("console", lambda message: troubles.extend(_errors(message)))
        page.on("pageerror", lambda error: troubles.append(f"script: {error}"))
        page.on("request", lambda request: troubles.extend(_leaving(request.url)))
        page.goto(url)
        return page

    yield open_
    for context in contexts:
        with suppress(BrowserError):
            context.close()
    assert not troubles, troubles


def _errors(message: object) -> list[str]:
    place = message.location.get("url", "")  # type: ignore[attr-defined]
    if message.type != "error" or place.endswith(_OWN_404):  # type: ignore[attr-defined]
        return []
    return [f"console: {message.text} ({place})"]  # type: ignore[attr-defined]


def _leaving(url: str) -> list[str]:
    parts = urlsplit(url)
    stays = parts.scheme in ("data", "blob") or parts.hostname in ("127.0.0.1", "localhost")
    return [] if stays else [f"asked for {url}"]
