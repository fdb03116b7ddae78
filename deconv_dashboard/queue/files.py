"""The files of background jobs, as the pages and the jobs themselves read them.

Below ``jobs/`` in the data folder, a few files a job::

    x.job.json    what was started, written once: its place in the queue, its process, its order
    x.progress    its standard output: one JSON object a line, the newest at the end
    x.log         its standard error
    x.cancel      somebody asked it to stop

Nothing here needs a lock or a clock. A process is known by its command line, which holds the job's
id: a process id alone may belong to another program by now, and the time at which a process was
created, as systems tell it, moves with the clock.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import psutil

from deconv_dashboard.queue.state import ENDS, JobState, Progress

_TAIL = 8192
_T = TypeVar("_T")


@dataclass(frozen=True)
class JobRecord:
    """What was started.

    Attributes:
        job_id: 16 hex digits, also on the command line of its process.
        number: jobs take turns in the order of their numbers.
        pid: its process.
        kind: "scan", "export", "weights" or "caltech256".
        key: names the work; two jobs of one key are never active together.
        dataset: id of the dataset it reads, or "".
        network: id of the network it uses, or "".
        name: of the file it makes, or "".
        disk: bytes it may add to the data folder.
        order: what to do, in the words of its kind.
    """

    job_id: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]
    number: Annotated[int, msgspec.Meta(ge=1)]
    pid: Annotated[int, msgspec.Meta(ge=1, lt=2**31)]
    kind: str
    key: str
    dataset: str = ""
    network: str = ""
    name: str = ""
    disk: int = 0
    order: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Line:
    """One line of a job's progress: how far it is, or its end and why."""

    progress: Progress | None = None
    end: str = ""
    message: str = ""
    error: str = ""


def to_json(value: object) -> str:
    """A dataclass as JSON; paths become texts."""
    return json.dumps(msgspec.to_builtins(value, enc_hook=str))


def from_json(content: object, kind: type[_T]) -> _T:
    """What was read from JSON, as a dataclass.

    Raises:
        ValueError: something is missing or of another type.
    """
    return msgspec.convert(content, kind, dec_hook=lambda wanted, value: wanted(value))


class JobFiles:
    """Reads the jobs of one data folder."""

    def __init__(self, home: Path) -> None:
        """Name the data folder; nothing is read or made yet."""
        self.home = home
        self.folder = home / "jobs"

    def file(self, job_id: str, ending: str) -> Path:
        """One file of a job."""
        return self.folder / f"{job_id}.{ending}"

    def record(self, job_id: str) -> JobRecord | None:
        """What was started under this id; None if there is none, or it cannot be read."""
        try:
            content = json.loads(self.file(job_id, "job.json").read_text("utf-8"))
            record = from_json(content, JobRecord)
        except (OSError, ValueError):
            return None
        return record if record.job_id == job_id else None

    def records(self) -> list[JobRecord]:
        """Every job that was started and not forgotten, in the order of the queue."""
        names = (path.name.removesuffix(".job.json") for path in self.folder.glob("*.job.json"))
        found = [record for name in names if (record := self.record(name))]
        return sorted(found, key=lambda record: (record.number, record.job_id))

    def active(self, record: JobRecord) -> bool:
        """True while a job waits or works; one that has said its end only has to leave."""
        return self._line(record).end == "" and process_of(record) is not None

    def states(self) -> list[JobState]:
        """Every job, in the order of the queue."""
        states: list[JobState] = []
        before: list[JobState] = []
        for record in self.records():
            state = self._state(record)
            if state.active:
                after = before[-1] if before else None
                state = replace(state, place=len(before), after=after)
                before.append(replace(state, after=None))
            states.append(state)
        return states

    def _state(self, record: JobRecord) -> JobState:
        line = self._line(record)
        alive = not line.end and process_of(record) is not None
        if not line.end and not alive:
            line = self._line(record)  # it may have ended between the two looks
        asked = self.file(record.job_id, "cancel").exists()
        status, message = line.end, line.message
        if alive:
            status = "cancelling" if asked else "running" if line.progress else "waiting"
        elif not status:
            status = "cancelled" if asked else "failed"
            message = "" if asked else f"it stopped before its end: {self._last_words(record)}"
        return JobState(
            *(status, record.kind, record.key, record.job_id),
            *(record.dataset, record.network, record.name),
            progress=self._last_progress(record) if line.end else line.progress or Progress(),
            message=message,
            error=line.error,
        )

    def _line(self, record: JobRecord) -> Line:
        """The newest whole line of its progress."""
        return next(self._lines(record), Line())

    def _last_progress(self, record: JobRecord) -> Progress:
        return next((line.progress for line in self._lines(record) if line.progress), Progress())

    def _lines(self, record: JobRecord) -> Iterator[Line]:
        """The last lines of its progress, the newest first; what is no such line is passed over."""
        for text in reversed(self._tail(record, "progress").splitlines()):
            with suppress(ValueError):
                line = from_json(json.loads(text), Line)
                if line.progress or line.end in ENDS:
                    yield line

    def _last_words(self, record: JobRecord) -> str:
        """The last line of its standard error, or that there is none."""
        lines = self._tail(record, "log").strip().splitlines()
        return lines[-1].strip() if lines else "it was ended from outside"

    def _tail(self, record: JobRecord, ending: str) -> str:
        try:
            with self.file(record.job_id, ending).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
                return file.read().decode("utf-8", "replace")
        except OSError:
            return ""


def process_of(record: JobRecord) -> psutil.Process | None:
    """The process of a job; None if it has ended."""
    with suppress(psutil.Error):
        process = psutil.Process(record.pid)
        if record.job_id in process.cmdline():
            return process
    return None
