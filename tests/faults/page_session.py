"""A browser session without a browser: speaks Streamlit's own protocol with a running server.

It sees what a browser sees (every element of a page run, with the pictures in it) and does what a
browser does: opens addresses, presses buttons, keeps the address bar the server gives it. One
costs a few kilobytes, so there can be many.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

_PATIENCE = 600.0
_QUIET = 0.5


@dataclass
class PageRun:
    """What one run of a page drew.

    Attributes:
        galleries: key of a gallery -> its panels, as they were drawn last.
        buttons: label -> id, of those that can be pressed.
        exceptions: tracebacks drawn into the page.
        errors: error boxes.
        address: query parameters when it ended.
        seconds: from asking to the end of the run.
        finished: False if the run was given up for a newer one.
        whole: False if it was only a part of the page that asked again by itself.
    """

    galleries: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    buttons: dict[str, str] = field(default_factory=dict)
    exceptions: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    address: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    finished: bool = False
    whole: bool = True


class PageSession:
    """One session; ``async with PageSession(port) as session``."""

    def __init__(self, port: int) -> None:
        """Name the server; nothing is opened yet."""
        self._url = f"ws://127.0.0.1:{port}/_stcore/stream"
        self._page = ""
        self._query: dict[str, str] = {}
        self._script = ""
        self._running = False
        self._current = PageRun()
        self._timers: dict[str, float] = {}
        self.last = PageRun()
        self.received = 0

    async def __aenter__(self) -> Self:
        self._socket: ClientConnection = await connect(
            self._url,
            subprotocols=["streamlit"],
            max_size=None,
            open_timeout=600,
            ping_interval=None,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._socket.close()

    async def open(self, page: str, parameters: Mapping[str, str]) -> PageRun:
        """Follow a link to a page."""
        self._page, self._query = page, dict(parameters)
        began = time.perf_counter()
        await self._ask()
        return await self._run(began)

    async def press(self, label: str, *, twice: bool = False) -> PageRun:
        """Press a button of the page; ``twice`` does not wait for the first to be answered."""
        began = time.perf_counter()
        for _ in range(2 if twice else 1):
            await self._ask(pressed=self.last.buttons[label])
        run = await self._run(began)
        if twice:  # the server may have made one run of both, or two
            seconds, later = run.seconds, await self._until_quiet()
            run = later[-1] if later else run
            run.seconds = seconds
        return run

    @property
    def interval(self) -> float:
        """Seconds after which the page asks by itself."""
        return min(self._timers.values(), default=60.0)

    async def look(self) -> list[PageRun]:
        """Do what a page does by itself while somebody looks at it: its timers ask again.

        Returns:
            Runs of the whole page that this led to.
        """
        for fragment in list(self._timers):
            await self._ask(fragment=fragment)
        return await self._until_quiet()

    async def _ask(self, *, pressed: str = "", fragment: str = "") -> None:
        if not fragment:
            self._timers.clear()
        message = BackMsg()
        state = message.rerun_script
        state.query_string = urlencode(self._query)
        state.page_name = self._page
        if fragment:
            state.fragment_id, state.is_auto_rerun = fragment, True
            state.page_script_hash = self._script
        if pressed:
            widget = state.widget_states.widgets.add()
            widget.id, widget.trigger_value = pressed, True
        await self._socket.send(message.SerializeToString())

    async def _until_quiet(self) -> list[PageRun]:
        """Runs of the whole page that follow, until the server has nothing more to say."""
        runs, began = [], time.perf_counter()
        while True:
            try:
                run = await self._receive(_PATIENCE if self._running else _QUIET)
            except TimeoutError:
                assert not self._running, "a page run does not end"
                return runs
            if run is not None and run.whole:
                run.seconds = time.perf_counter() - began
                runs.append(run)

    async def _run(self, began: float) -> PageRun:
        """Everything up to the end of the next run of the whole page."""
        while True:
            run = await self._receive(_PATIENCE)
            if run is not None and run.whole:
                run.seconds = time.perf_counter() - began
                return run

    async def _receive(self, patience: float) -> PageRun | None:
        """Take one message; the run that it ends, or None."""
        content = await asyncio.wait_for(self._socket.recv(), patience)
        assert isinstance(content, bytes)
        self.received += len(content)
        message = ForwardMsg.FromString(content)
        kind = message.WhichOneof("type")
        assert kind != "ref_hash", "this client never says that it has kept a message"
        if kind == "new_session":
            self._current, self._running = PageRun(), True
        run = self._current
        self._note(run, message)
        if kind != "script_finished":
            return None
        self._running = False
        run.whole = message.script_finished != ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY
        run.finished = message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY
        run.address = dict(self._query)
        if run.whole:
            self.last = run
        return run

    def _note(self, run: PageRun, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "page_info_changed":
            asked = parse_qs(message.page_info_changed.query_string)
            self._query = {name: values[-1] for name, values in asked.items()}
        elif kind == "new_session":
            self._script = message.new_session.page_script_hash
        elif kind == "auto_rerun":
            self._timers[message.auto_rerun.fragment_id] = message.auto_rerun.interval
        elif kind == "stop_auto_rerun":
            self._timers.pop(message.stop_auto_rerun.fragment_id, None)
        elif kind == "session_event" and message.session_event.HasField(
            "script_compilation_exception"
        ):
            run.exceptions.append(str(message.session_event))
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            _note_element(run, message.delta.new_element)


def _note_element(run: PageRun, element: Any) -> None:
    match element.WhichOneof("type"):
        case "exception":
            run.exceptions.append(f"{element.exception.type}: {element.exception.message}")
        case "alert" if element.alert.format == element.alert.ERROR:
            run.errors.append(element.alert.body)
        case "button" if not element.button.disabled:
            run.buttons[element.button.label] = element.button.id
        case "bidi_component" if element.bidi_component.component_name.endswith("deconv_tiles"):
            data = json.loads(element.bidi_component.json)
            key = element.bidi_component.id.rpartition("-")[2]
            if data["mode"] == "gallery":
                run.galleries[key] = data["panels"]
