"""Accepts requests only from this server's own pages, and only under this server's names.

Two attacks are possible without this check. A website can point its name to 127.0.0.1 (DNS
rebinding), so a browser treats this server as part of that website. And a page of another program
on this computer can open our WebSocket. Two headers, which no page can change, reveal both:
``Host``, the requested name, and ``Origin``, the page that sends the request.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import streamlit as st
from starlette.types import ASGIApp, Receive, Scope, Send

from deconv_dashboard.server.serving import is_local

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_REFUSED = (
    b"This server does not accept this name, or the page of another server. On its own computer "
    b"open http://localhost. A server for other computers lists its names in server.allowedHosts: "
    b"see docs/serving.md.\n"
)


@dataclass(frozen=True, slots=True)
class OwnNames:
    """The names that requests to this server may use.

    Attributes:
        names: host names in lower case; "*.example.org" means every name that ends in
            ".example.org", "*" means every name.
        addresses: True accepts every IP address too: DNS cannot redirect one.
        shared: True if other computers reach the server, perhaps through a proxy that removes the
            port from ``Host``.
        origins: other pages that may send requests, for example "https://example.org".
    """

    names: frozenset[str]
    addresses: bool = False
    shared: bool = False
    origins: frozenset[str] = frozenset()

    def __contains__(self, name: str) -> bool:
        endings = ("*" + name[place:] for place, letter in enumerate(name) if letter == ".")
        named = not self.names.isdisjoint((name, "*", *endings))
        return named or (self.addresses and _is_address(name))

    def may_ask(self, host: str, origin: str | None) -> bool:
        """True if a request with these headers comes from one of this server's own pages.

        Args:
            host: the header ``Host``, for example "localhost:8501".
            origin: the header ``Origin``, for example "http://localhost:8501"; None without it.
        """
        asked, page = _parsed(f"//{host}"), None if origin is None else _parsed(origin)
        if asked is None or _name(asked) not in self:
            return False
        if origin is None or origin in self.origins:
            return True
        if page is None or page.scheme not in ("http", "https") or _name(page) != _name(asked):
            return False
        stripped = self.shared and asked.port is None
        usual = 443 if page.scheme == "https" else 80
        return stripped or (page.port or usual) == (asked.port or usual)


def own_names() -> OwnNames:
    """The names of this server, from its settings.

    They are localhost, 127.0.0.1, [::1] and the names in ``server.allowedHosts``. A server that
    other computers reach, without such a list, also accepts every IP address and the name of its
    computer.
    """
    shared, listed = not is_local(), st.get_option("server.allowedHosts")
    names = {str(name).strip().lower().rstrip(".") for name in listed} | set(LOOPBACK)
    unlisted = shared and not listed
    return OwnNames(
        frozenset(names | {socket.gethostname().lower()} if unlisted else names),
        addresses=unlisted,
        shared=shared,
        origins=frozenset(str(o).strip() for o in st.get_option("server.corsAllowedOrigins")),
    )


class OwnPagesOnly:
    """Middleware that refuses every request (also WebSockets) that is not from an own page."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an app."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the app, or refuse it."""
        if scope["type"] not in ("http", "websocket") or _is_own(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            headers = [(b"content-type", b"text/plain"), (b"x-content-type-options", b"nosniff")]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": _REFUSED})


def _is_own(scope: Scope) -> bool:
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    origins = [value for name, value in scope["headers"] if name == b"origin"]
    if len(hosts) != 1 or len(origins) > 1:
        return False
    origin = origins[0].decode("latin-1") if origins else None
    return own_names().may_ask(hosts[0].decode("latin-1"), origin)


def _parsed(address: str) -> SplitResult | None:
    """An address of only scheme, name and port, parsed; None if it has other parts."""
    try:
        parts = urlsplit(address)
        _ = parts.port  # raises if the port is not a number
    except ValueError:
        return None
    plain = f"{parts.scheme}{':' if parts.scheme else ''}//{parts.netloc}" == address
    return parts if plain and parts.hostname and "@" not in parts.netloc else None


def _name(parts: SplitResult) -> str:
    return (parts.hostname or "").lower().rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
