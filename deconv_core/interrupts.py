"""Ctrl-C on the command line: a command ends within about a second, quietly, with status 130.

Where nothing is being written the process ends at once, also while torch is imported or weights are
read. Where something is (``leaving_in_order``), the work is asked to stop; what does not stop by
itself is interrupted, so that it tidies up; what does not even do that is ended. A second Ctrl-C
ends it at once in any case: what is written is whole or absent, and a scan goes on from there.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

CANCELLED = 130
_ASKED = 0.8
_INTERRUPTED = 1.0
"""Seconds until the next step."""


class Interrupts:
    """What SIGINT and SIGTERM do to this process; only the main thread may make one.

    Attributes:
        cancel: set once the work should stop.
    """

    def __init__(self) -> None:
        """Take the signals over."""
        self.cancel = threading.Event()
        self._in_order = False
        self._interrupting = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._arrived)

    @contextmanager
    def leaving_in_order(self) -> Iterator[None]:
        """While something is written, which wants to be finished or tidied up."""
        self._in_order = True
        try:
            yield
        finally:
            self._in_order = False

    def _arrived(self, number: int, _: FrameType | None) -> None:
        if self._interrupting:
            self._interrupting = False
            raise KeyboardInterrupt
        if not self._in_order or self.cancel.is_set():
            end_now()
        self.cancel.set()
        if number == signal.SIGINT:  # who sends SIGTERM decides how long to wait
            threading.Thread(target=self._hurry, daemon=True).start()

    def _hurry(self) -> None:
        time.sleep(_ASKED)
        if self._in_order:
            self._interrupting = True
            _wake_main_thread()
        time.sleep(_INTERRUPTED)
        end_now()


def end_now() -> None:
    """End this process as cancelled, without tidying up; nothing that is half done gets a name."""
    with suppress(OSError):
        os.write(2, b"\ncancelled\n" if os.isatty(2) else b"cancelled\n")
    os._exit(CANCELLED)


def _wake_main_thread() -> None:
    """Send SIGINT to the main thread, so that it also leaves a call that waits."""
    main = threading.main_thread().ident
    if sys.platform == "win32" or main is None:
        _thread.interrupt_main()
    else:
        signal.pthread_kill(main, signal.SIGINT)
