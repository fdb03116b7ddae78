"""The names and pages that a server accepts: the rules, and a running server."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import streamlit as st

from deconv_dashboard.server.own_pages import LOOPBACK, OwnNames, own_names
from tests.browser.server import ROOT, Server

LOCAL = OwnNames(frozenset(LOOPBACK))
LISTED = frozenset({"photos.example.org", "*.lab.example", *LOOPBACK})
SHARED = OwnNames(LISTED, addresses=True, shared=True)

FOREIGN_NAMES = [
    *("evil.example", "evil.example:PORT", "localhost.evil.example:PORT", "127.0.0.1.evil.example"),
    *("evil.example:PORT:PORT", "localhost:PORT@evil.example", "evil.example@localhost", "", " "),
    *("localhost/evil.example", "localhost:port", "127.0.0.2:PORT", "0.0.0.0:PORT", "[::2]:PORT"),
    *(
        "2130706433:PORT",
        "127.1:PORT",
        "0x7f.0.0.1",
        "[::ffff:127.0.0.1]",
        "localhost,evil",
    ),
    *("LOCALHOST.evil.example", "xn--lcalhost-03a", "::1", "[::1", "localhost:99999"),
]
OWN_NAMES = [
    *("localhost:PORT", "127.0.0.1:PORT", "[::1]:PORT", "localhost", "LocalHost:PORT"),
    *("localhost:9000", "127.0.0.1", "localhost.:PORT"),
]
FOREIGN_ORIGINS = [
    *("http://localhost:3000", "http://127.0.0.1:3000", "http://evil.example", "null", ""),
    *("http://evil.example:PORT", "https://localhost:1", "file://", "http://localhost:PORT/path"),
    *("chrome-extension://abcdef", "http://localhost:PORT@evil.example", "localhost:PORT", "*"),
    *("http://localhost:PORT evil", "http://localhost", "ftp://localhost:PORT", "//localhost:PORT"),
]


@pytest.mark.parametrize("host", OWN_NAMES)
def test_loopback_answers_to_its_names(host: str) -> None:
    assert LOCAL.may_ask(host.replace("PORT", "8501"), None)


@pytest.mark.parametrize("host", FOREIGN_NAMES)
def test_loopback_answers_to_no_other(host: str) -> None:
    assert not LOCAL.may_ask(host.replace("PORT", "8501"), None)


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
@pytest.mark.parametrize("names", [LOCAL, SHARED], ids=["local", "shared"])
def test_pages_of_others_may_not_ask(names: OwnNames, origin: str) -> None:
    assert not names.may_ask("localhost:8501", origin.replace("PORT", "8501"))


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8501", "http://localhost:8501"),
        ("localhost", "http://localhost"),
        ("localhost:80", "http://localhost"),
        ("localhost", "https://localhost"),  # behind something that speaks TLS
        ("[::1]:8501", "http://[::1]:8501"),
    ],
)
def test_own_pages_may(host: str, origin: str) -> None:
    assert LOCAL.may_ask(host, origin)


@pytest.mark.parametrize(
    ("host", "origin", "may"),
    [
        ("photos.example.org", "https://photos.example.org", True),
        ("photos.example.org", "https://photos.example.org:8443", True),  # nginx's $host
        ("photos.example.org:8443", "https://photos.example.org:9443", False),
        ("PHOTOS.example.org", "https://photos.example.org", True),
        ("a.lab.example:8501", "http://a.lab.example:8501", True),
        ("a.lab.example:8501", "http://b.lab.example:8501", False),
        ("lab.example:8501", None, False),
        ("evil.example", "http://evil.example", False),
        ("192.168.1.7:8501", "http://192.168.1.7:8501", True),  # nobody can let it lead elsewhere
        ("[fd00::7]:8501", "http://[fd00::7]:8501", True),
        ("192.168.1.7:8501", "http://evil.example", False),
        ("localhost:8501", None, True),
    ],
)
def test_a_server_for_others(host: str, origin: str | None, may: bool) -> None:
    assert SHARED.may_ask(host, origin) == may


def test_the_star_takes_every_name_but_no_page_of_others() -> None:
    anything = OwnNames(frozenset({"*"}), shared=True)
    assert anything.may_ask("any.example:1", "http://any.example:1")
    assert not anything.may_ask("any.example:1", "http://other.example:1")


def test_a_page_that_is_listed_may_ask() -> None:
    listed = OwnNames(frozenset(LOOPBACK), origins=frozenset({"https://portal.example"}))
    assert listed.may_ask("localhost:8501", "https://portal.example")
    assert not listed.may_ask("evil.example:8501", "https://portal.example")


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "::1", "0.0.0.0", None])
@pytest.mark.parametrize("listed", [[], [" Photos.example. "]])
def test_names_by_the_settings(
    address: str | None, listed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"server.address": address, "server.allowedHosts": listed}
    monkeypatch.setattr(st, "get_option", lambda name: options.get(name, []))
    names, shared = own_names(), address not in LOOPBACK
    assert names.shared is shared
    assert names.addresses is (shared and not listed)
    computer = {socket.gethostname().lower()} if shared and not listed else set()
    assert names.names == {*LOOPBACK, *computer, *(["photos.example"] if listed else [])}


# -- a running server ------------------------------------------------------------------------------

ROUTES = (
    *("/", "/layer", "/_stcore/health", "/_stcore/host-config", "/_stcore/metrics"),
    *("/static/js/index.js", "/media/0123.png", "/component/x/index.html", "/app/static/x.png"),
)
UPGRADE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec-WebSocket-Protocol: streamlit",
)


def status(port: int, path: str, *headers: str, method: str = "GET") -> int:
    """What a request with just these headers is answered."""
    lines = (f"{method} {path} HTTP/1.1", *headers, "Content-Length: 0", "", "")
    with socket.create_connection(("127.0.0.1", port), timeout=240) as connection:
        connection.sendall("\r\n".join(lines).encode("latin-1"))
        answer = b""
        while b"\r\n" not in answer and (piece := connection.recv(4096)):
            answer += piece
    return int(answer.split(b" ", 2)[1])


@pytest.fixture(scope="module", params=["in the clone", "in another folder"])
def port(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    home = tmp_path_factory.mktemp("home")
    folder = ROOT if request.param == "in the clone" else tmp_path_factory.mktemp("elsewhere")
    server = Server(home, started_in=folder)
    server.start()
    yield server.port
    server.stop()
    server.assert_no_error_of_ours()


def test_every_route_is_refused_under_other_names(port: int) -> None:
    for path in ROUTES:
        for host in ("evil.example", f"evil.example:{port}", f"127.0.0.2:{port}"):
            assert status(port, path, f"Host: {host}") == 403, (path, host)
        assert status(port, path, f"Host: localhost:{port}") in (200, 404), path
        assert status(port, path, "Host: localhost:3000") in (200, 404), "a forwarded port"
    for method in ("PUT", "POST", "DELETE", "OPTIONS", "HEAD"):
        path = "/_stcore/upload_file/session/file"
        assert status(port, path, f"Host: evil.example:{port}", method=method) == 403


def test_every_route_is_refused_to_pages_of_others(port: int) -> None:
    for path in ROUTES:
        for origin in ("http://localhost:3000", f"http://evil.example:{port}", "null"):
            headers = f"Host: localhost:{port}", f"Origin: {origin}"
            assert status(port, path, *headers) == 403, (path, origin)
        headers = f"Host: localhost:{port}", f"Origin: http://localhost:{port}"
        assert status(port, path, *headers) in (200, 404)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]"])
def test_the_websocket_is_opened_by_own_pages_alone(port: int, name: str) -> None:
    path, own = "/_stcore/stream", f"Host: {name}:{port}"
    assert status(port, path, *UPGRADE, own, f"Origin: http://{name}:{port}") == 101
    assert status(port, path, *UPGRADE, own) == 101, "a program, not a page"
    for origin in FOREIGN_ORIGINS:
        foreign = f"Origin: {origin}".replace("PORT", str(port))
        if foreign != f"Origin: http://{name}":
            assert status(port, path, *UPGRADE, own, foreign) == 403, origin


def test_the_websocket_is_refused_under_other_names(port: int) -> None:
    path = "/_stcore/stream"
    for host in FOREIGN_NAMES:
        named = host.replace("PORT", str(port))
        headers = f"Host: {named}", f"Origin: http://{named}"
        assert status(port, path, *UPGRADE, *headers) in (400, 403), host
        assert status(port, path, *UPGRADE, headers[0]) in (400, 403), host


def test_two_names_at_once_and_none(port: int) -> None:
    own = f"Host: localhost:{port}"
    assert status(port, "/", own, "Host: evil.example") in (400, 403)
    assert status(port, "/", "Host: evil.example", own) in (400, 403)
    assert status(port, "/", own, f"Origin: http://localhost:{port}", "Origin: null") == 403
    assert status(port, "/") in (400, 403)


def test_it_listens_on_loopback_alone(port: int) -> None:
    """Also where it is started from another folder: its settings lie beside the script."""
    with suppress(OSError):
        socket.create_connection(("127.0.0.2", port), timeout=5).close()
        raise AssertionError("it listens on every address")


@pytest.mark.parametrize(
    ("options", "environment"),
    [
        (("--server.allowedHosts", "photos.example", "--server.allowedHosts", "*.lab.example"), {}),
        ((), {"STREAMLIT_SERVER_ALLOWED_HOSTS": "photos.example *.lab.example"}),
    ],
    ids=["option", "environment"],
)
def test_a_shared_server_names_its_hosts(
    tmp_path: Path, options: tuple[str, ...], environment: dict[str, str]
) -> None:
    server = Server(tmp_path, host="0.0.0.0", options=options, environment=environment)
    server.start()
    try:
        for host in ("photos.example", "a.lab.example:8501"):
            own = f"Host: {host}", f"Origin: http://{host}"
            assert status(server.port, "/", *own) == 200
            assert status(server.port, "/_stcore/stream", *UPGRADE, *own) == 101
        assert status(server.port, "/_stcore/health", "Host: 127.0.0.1:8501") == 200
        for host in ("evil.example", "lab.example", "photos.example.evil.example", "10.0.0.1"):
            foreign = f"Host: {host}", f"Origin: http://{host}"
            assert status(server.port, "/", *foreign) == 403
            assert status(server.port, "/_stcore/stream", *UPGRADE, *foreign) == 403
    finally:
        server.stop()


def test_a_shared_server_without_a_list_answers_to_addresses(tmp_path: Path) -> None:
    server = Server(tmp_path, host="0.0.0.0")
    server.start()
    try:
        for host in ("10.0.0.1:8501", f"127.0.0.1:{server.port}", socket.gethostname()):
            own = f"Host: {host}", f"Origin: http://{host}"
            assert status(server.port, "/_stcore/stream", *UPGRADE, *own) == 101
        foreign = "Host: evil.example", "Origin: http://evil.example"
        assert status(server.port, "/_stcore/stream", *UPGRADE, *foreign) == 403
    finally:
        server.stop()
