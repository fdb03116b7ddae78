"""Any visitor can clear Streamlit's caches: pages and computations must survive it."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import streamlit as st
from streamlit.proto.BackMsg_pb2 import BackMsg

from deconv_core.errors import CancelledError
from deconv_dashboard.server import resources
from tests.browser.server import Server
from tests.conftest import Popen
from tests.faults.page_session import PageSession


def test_there_is_one_lock_around_computing_however_often_caches_are_cleared() -> None:
    given_up = threading.Event()
    given_up.set()
    with resources.turn().taken(threading.Event()):
        st.cache_data.clear()
        st.cache_resource.clear()
        with pytest.raises(CancelledError), resources.turn().taken(given_up):
            pass


def test_a_visitor_clears_the_caches_while_others_look(popen: Popen, tmp_path: Path) -> None:
    server = Server(tmp_path, popen=popen)
    server.start()

    async def look() -> None:
        clear = BackMsg()
        clear.clear_cache = True
        async with PageSession(server.port) as visitor, PageSession(server.port) as other:
            first = await other.open("layer", {"layer": "conv2_2"})
            assert first.galleries
            for _ in range(3):
                await visitor._socket.send(clear.SerializeToString())
                again = await other.open("layer", {"layer": "conv2_2"})
                assert list(again.galleries) == list(first.galleries)
                assert not again.exceptions
                assert not again.errors

    try:
        with ThreadPoolExecutor(1) as thread:  # a browser's event loop may run in this one
            thread.submit(asyncio.run, look()).result()
    finally:
        server.stop()
    server.assert_no_error_of_ours()
