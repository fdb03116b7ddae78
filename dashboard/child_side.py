"""A child process at its own end: it says how far it is, and how it ended."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable

from deconv_core.errors import CancelledError, DeconvError


def say(event: str, **fields: object) -> None:
    """One line of progress, for :class:`dashboard.child_process.ChildProcess`."""
    print(json.dumps({"event": event, **fields}), flush=True)


def run(work: Callable[[threading.Event], object]) -> int:
    """Run ``work(cancel)``; SIGTERM sets ``cancel``.

    Args:
        work: raises ``DeconvError`` or ``OSError`` when it cannot be done.

    Returns:
        The exit status: 0, 1 after an error was told, 130 if it was stopped.
    """
    cancel = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: cancel.set())
    try:
        work(cancel)
    except CancelledError:
        return 130
    except (DeconvError, OSError) as error:
        say("error", message=str(error))
        return 1
    say("end")
    return 0
