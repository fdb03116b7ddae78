"""The process of a background job: it waits for its turn, works, and says how far it is.

Started as ``python -m deconv_dashboard.queue.worker HOME JOB_ID MODULE``. While it waits it has
loaded next to nothing. It waits by itself, so that no server has to be there when its turn comes: a
job may begin as soon as fewer jobs than ``$DECONV_JOBS`` are active before it in the queue.
Whatever ends those, a cancel, an error or a kill, is the end of their turn.

A module that does a kind of job has a dataclass ``Order`` and a function ``work(order, tell,
cancel)``, which raises ``CancelledError`` after ``cancel`` was set, and ``DeconvError`` or
``OSError`` when it cannot do what the order says.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from deconv_core.errors import CancelledError, DeconvError
from deconv_dashboard.limits import job_limits
from deconv_dashboard.queue.files import JobFiles, JobRecord, Line, from_json, to_json
from deconv_dashboard.queue.state import Progress
from deconv_dashboard.writing import is_full, why_not_written

Tell = Callable[[Progress], None]
_PAUSE = 0.2
_NOT_NOTED = 60.0
_OUTPUT = 1
STARTING = Progress("Starting")


class Cancel:
    """Set by SIGTERM; unlike an ``Event``, it cannot lock up the thread that the signal finds."""

    def __init__(self) -> None:
        """Begin unset."""
        self._set = False

    def set(self, *_: object) -> None:
        """Ask the work to stop."""
        self._set = True

    def is_set(self) -> bool:
        """True once the work should stop."""
        return self._set


def main(home: str, job_id: str, module: str) -> int:
    """Wait, work, and tell; returns the exit status: 0 done, 1 an error, 130 cancelled."""
    cancel = Cancel()
    signal.signal(signal.SIGTERM, cancel.set)
    try:
        record = _wait_for_turn(JobFiles(Path(home)), job_id, cancel)
        say(Line(STARTING))
        kind = importlib.import_module(module)
        kind.work(from_json(record.order, kind.Order), tell, cancel)
    except CancelledError:
        say(Line(end="cancelled"))
        return 130
    except (DeconvError, OSError) as error:
        message = str(error)
        if isinstance(error, OSError) and is_full(error):
            message = why_not_written(error)
        say(Line(end="failed", message=message, error=type(error).__name__))
        return 1
    say(Line(end="done"))
    return 0


def _wait_for_turn(files: JobFiles, job_id: str, cancel: Cancel) -> JobRecord:
    """What this job is for, once it may begin.

    Raises:
        CancelledError: ``cancel`` was set meanwhile.
        DeconvError: the server ended before it noted this job, or a limit is no number.
    """
    at_once = job_limits().at_once
    record = _noted(files, job_id)
    before = [other for other in files.records() if other.number < record.number]
    while len(before := [other for other in before if files.active(other)]) >= at_once:
        _rest(cancel)
    _rest(cancel, 0.0)
    return record


def _noted(files: JobFiles, job_id: str) -> JobRecord:
    """This job's own record: the server writes it right after it has started this process."""
    until = time.monotonic() + _NOT_NOTED
    while (record := files.record(job_id)) is None:
        if time.monotonic() > until:
            raise DeconvError("the server ended before it had noted this job; start it again")
        time.sleep(_PAUSE)
    return record


def _rest(cancel: Cancel, seconds: float = _PAUSE) -> None:
    if cancel.is_set():
        raise CancelledError("cancelled before its turn came")
    time.sleep(seconds)


def tell(progress: Progress) -> None:
    """Say how far the work is."""
    say(Line(progress))


def say(line: Line) -> None:
    """Write one line of progress; on a full disk in the place of those before it, or not at all."""
    text = f"{to_json(line)}\n".encode()
    with suppress(OSError):
        if os.write(_OUTPUT, text) == len(text):
            return
    with suppress(OSError):
        os.ftruncate(_OUTPUT, 0)
        os.lseek(_OUTPUT, 0, os.SEEK_SET)
        os.write(_OUTPUT, text)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
