"""In a real browser: a website with a name that points to this computer, and foreign pages."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import SWITCHES, chromium
from tests.browser.server import Scanned

pytestmark = pytest.mark.browser

ASK = """async (port) => {
  const socket = (name) => new Promise((done) => {
    const opened = new WebSocket(`ws://${name}:${port}/_stcore/stream`, ["streamlit"]);
    opened.onopen = () => done("opened");
    opened.onerror = () => done("refused");
  });
  const read = (name, path) =>
    fetch(`http://${name}:${port}${path}`).then((answer) => answer.text(), () => "refused");
  const names = ["localhost", "127.0.0.1", "evil.example"];
  return {
    sockets: await Promise.all(names.map(socket)),
    read: await Promise.all(names.map((name) => read(name, "/_stcore/host-config"))),
  };
}"""
"""What a page finds out when it asks another server."""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def other_program(tmp_path: Path) -> Iterator[int]:
    """The port of another program of this computer that shows a page."""
    (tmp_path / "index.html").write_text("<title>other</title>")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def misled(browser: Browser) -> Iterator[Browser]:
    """A browser for which a website's name leads to this computer."""
    switches = [*SWITCHES, "--host-resolver-rules=MAP evil.example 127.0.0.1"]
    opened = browser.browser_type.launch(executable_path=chromium(), args=switches)
    yield opened
    opened.close()


def test_no_page_is_shown_under_the_name_of_a_website(shared: Scanned, misled: Browser) -> None:
    page, sockets = misled.new_page(), []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    for place in ("", "layer", "image"):
        answer = page.goto(f"http://evil.example:{shared.server.port}/{place}")
        assert answer is not None
        assert answer.status == 403
        expect(page.locator("body")).to_contain_text("does not accept this name")
    assert not sockets
    page.goto(f"http://localhost:{shared.server.port}/")
    expect(page.get_by_test_id("stSidebar")).to_be_visible()
    assert sockets


@pytest.mark.parametrize("name", ["evil.example", "localhost", "127.0.0.1"])
def test_no_other_page_may_ask(
    shared: Scanned, misled: Browser, other_program: int, name: str
) -> None:
    page = misled.new_page()
    page.goto(f"http://{name}:{other_program}/")
    found = page.evaluate(ASK, shared.server.port)
    assert found == {"sockets": ["refused"] * 3, "read": ["refused"] * 3}
