"""The process of a background job: it waits for its turn, works, and reports its progress.

It is started as ``python -m deconv_dashboard.queue.worker HOME JOB_ID MODULE``. A waiting job loads
almost no modules. It needs no server: it begins as soon as fewer than ``$DECONV_JOBS`` active jobs
are before it in the queue. A job before it may end in any way: done, cancelled, failed or killed.

The module of a kind of job has a dataclass ``Order`` and a function ``work(order, tell, cancel)``.
``work`` raises ``CancelledError`` after ``cancel`` was set, and ``DeconvError`` or ``OSError`` if
it cannot do what the order says.
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

from deconv_core.errors import FULL_DISK, CancelledError, DeconvError
from deconv_dashboard.limits import job_limits
from deconv_dashboard.queue.files import JobFiles, JobRecord, Line, from_json, to_json
from deconv_dashboard.queue.state import Progress
from deconv_dashboard.writing import not_written

Tell = Callable[[Progress], None]
_PAUSE = 0.2
_NOT_NOTED = 60.0
_OUTPUT = 1
STARTING = Progress("Starting")


class Cancel:
    """A flag that SIGTERM sets. An ``Event`` could deadlock if the signal interrupts its lock."""

    def __init__(self) -> None:
        """Start with the flag not set."""
        self._set = False

    def set(self, *_: object) -> None:
        """Ask the work to stop."""
        self._set = True

    def is_set(self) -> bool:
        """True once the work should stop."""
        return self._set


def main(home: str, job_id: str, module: str) -> int:
    """Wait, work, report; returns the exit status: 0 done, 1 failed, 130 cancelled."""
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
        if isinstance(error, OSError):
            error = not_written(error) if error.errno in FULL_DISK else DeconvError(str(error))
        say(Line(None, "failed", error.what, type(error).__name__, error.remedies))
        return 1
    say(Line(end="done"))
    return 0


def _wait_for_turn(files: JobFiles, job_id: str, cancel: Cancel) -> JobRecord:
    """Wait until this job may begin; returns its record.

    Raises:
        CancelledError: ``cancel`` was set before that.
        DeconvError: the server ended before it wrote the record, or a limit is not a number.
    """
    at_once = job_limits().at_once
    record = _noted(files, job_id)
    before = files.before(record)
    while len(before) >= at_once:
        _rest(cancel)
        if record.gives_way:  # others may have come before it
            before = files.before(record)
        else:
            before = [other for other in before if files.active(other)]
    _rest(cancel, 0.0)
    return record


def _noted(files: JobFiles, job_id: str) -> JobRecord:
    """Wait for this job's record, which the server writes after it started this process."""
    until = time.monotonic() + _NOT_NOTED
    while (record := files.record(job_id)) is None:
        if time.monotonic() > until:
            raise DeconvError("the server ended before it had stored this job; start it again")
        time.sleep(_PAUSE)
    return record


def _rest(cancel: Cancel, seconds: float = _PAUSE) -> None:
    if cancel.is_set():
        raise CancelledError("cancelled before its turn came")
    time.sleep(seconds)


def tell(progress: Progress) -> None:
    """Report progress."""
    say(Line(progress))


def say(line: Line) -> None:
    """Write one line of progress; on a full disk it replaces the earlier lines, if it can."""
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
