"""Handles Ctrl-C on the command line: a command ends within about two seconds, with status 130.

If nothing is being written, the process ends at once, also while torch is imported or weights are
read. While files are written (``leaving_in_order``), three steps follow each other: the work is
asked to stop, then interrupted so that it can clean up, then the process ends. A second Ctrl-C ends
the process at once. Every file is complete or absent, so a scan can be resumed.
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
_SECONDS_TO_STOP = 0.8  # from the request to stop to the interrupt
_SECONDS_TO_CLEAN_UP = 1.0  # from the interrupt to the end of the process


class Interrupts:
    """Handles SIGINT and SIGTERM of this process; create it in the main thread.

    Attributes:
        cancel: is set when the work should stop.
    """

    def __init__(self) -> None:
        """Install the signal handlers."""
        self.cancel = threading.Event()
        self._in_order = False
        self._interrupting = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._arrived)

    @contextmanager
    def leaving_in_order(self) -> Iterator[None]:
        """A block that writes files: Ctrl-C lets it finish or clean up first."""
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
        if number == signal.SIGINT:  # the sender of SIGTERM decides how long to wait
            threading.Thread(target=self._hurry, daemon=True).start()

    def _hurry(self) -> None:
        time.sleep(_SECONDS_TO_STOP)
        if self._in_order:
            self._interrupting = True
            _wake_main_thread()
        time.sleep(_SECONDS_TO_CLEAN_UP)
        end_now()


def end_now() -> None:
    """End this process as cancelled, without cleaning up; no partial file has its final name."""
    with suppress(OSError):
        os.write(2, b"\ncancelled\n" if os.isatty(2) else b"cancelled\n")
    os._exit(CANCELLED)


def _wake_main_thread() -> None:
    """Send SIGINT to the main thread, which also interrupts a waiting call."""
    main = threading.main_thread().ident
    if sys.platform == "win32" or main is None:
        _thread.interrupt_main()
    else:
        signal.pthread_kill(main, signal.SIGINT)
