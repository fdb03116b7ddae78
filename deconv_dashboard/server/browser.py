"""Opens the browser when the server has started; Streamlit does so only without an app object."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import streamlit as st
from streamlit import cli_util
from streamlit.web.server.server_util import get_display_address, get_url

from deconv_dashboard.first_view import first_view


@asynccontextmanager
async def opened_in_browser(_: object) -> AsyncIterator[dict[str, object]]:
    """A lifespan for the app: opens the browser once, unless ``server.headless`` is set."""
    opening = None if st.get_option("server.headless") else asyncio.create_task(_open())
    yield {}
    if opening is not None:
        opening.cancel()


async def _open() -> None:
    address = str(st.get_option("server.address") or "localhost")
    shown = get_display_address(address)
    while True:  # this task starts before the server listens
        with suppress(OSError):
            _, writer = await asyncio.open_connection(shown, st.get_option("server.port"))
            writer.close()
            break
        await asyncio.sleep(0.05)
    cli_util.open_browser(f"{get_url(shown)}/{first_view().query}")
