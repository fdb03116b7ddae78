"""Reads the files of background jobs.

Each job has a few files below ``jobs/`` in the data folder::

    x.job.json    the job: its place in the queue, its process, its order; written once
    x.progress    its standard output: one JSON object a line, the newest at the end
    x.log         its standard error
    x.cancel      exists if somebody asked the job to stop

Reading needs no lock and no clock. A process is recognised by its command line, which contains the
job's id. A process id alone is not enough: another program may have it by now. The creation time of
a process is not used: it changes when the system's clock is set.
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

from deconv_core.errors import Remedy
from deconv_dashboard.queue.state import ENDS, JobState, Progress

_TAIL = 8192
_T = TypeVar("_T")


@dataclass(frozen=True)
class JobRecord:
    """A job as its ``job.json`` describes it.

    Attributes:
        job_id: 16 hex digits, also on the command line of its process.
        number: place in the queue; jobs run in the order of their numbers.
        pid: id of its process.
        kind: "scan", "export", "specificity", "pictures", "weights" or "caltech256".
        key: names the work; only one job of a key is active at a time.
        dataset: id of the dataset it reads, or "".
        network: id of the network it uses, or "".
        name: name of the file it writes, or "".
        disk: bytes it may add to the data folder.
        order: what to do; its fields depend on ``kind``.
        gives_way: True puts it behind every job that does not give way.
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
    gives_way: bool = False

    @property
    def place(self) -> tuple[bool, int, str]:
        """Sorts records into the order of the queue."""
        return self.gives_way, self.number, self.job_id


@dataclass(frozen=True)
class Line:
    """One line of a job's progress file.

    Attributes:
        progress: the progress; None in the last line.
        end: "done", "cancelled" or "failed" in the last line, else "".
        message: why the job failed, or "".
        error: name of the error's class, or "".
    """

    progress: Progress | None = None
    end: str = ""
    message: str = ""
    error: str = ""
    remedies: tuple[Remedy, ...] = ()


def to_json(value: object) -> str:
    """A dataclass as JSON; paths become texts."""
    return json.dumps(msgspec.to_builtins(value, enc_hook=str))


def from_json(content: object, kind: type[_T]) -> _T:
    """The content of a JSON file as a dataclass.

    Raises:
        ValueError: a field is missing or has a wrong type.
    """
    return msgspec.convert(content, kind, dec_hook=lambda wanted, value: wanted(value))


class JobFiles:
    """Reads the jobs of one data folder."""

    def __init__(self, home: Path) -> None:
        """Use the data folder ``home``; nothing is read or created yet."""
        self.home = home
        self.folder = home / "jobs"

    def file(self, job_id: str, ending: str) -> Path:
        """The path of one file of a job."""
        return self.folder / f"{job_id}.{ending}"

    def record(self, job_id: str) -> JobRecord | None:
        """The record of a job; None if it is missing or cannot be read."""
        try:
            content = json.loads(self.file(job_id, "job.json").read_text("utf-8"))
            record = from_json(content, JobRecord)
        except (OSError, ValueError):
            return None
        return record if record.job_id == job_id else None

    def records(self) -> list[JobRecord]:
        """The records of all jobs, in the order of the queue."""
        names = (path.name.removesuffix(".job.json") for path in self.folder.glob("*.job.json"))
        found = [record for name in names if (record := self.record(name))]
        return sorted(found, key=lambda record: record.place)

    def before(self, record: JobRecord) -> list[JobRecord]:
        """The active jobs before this one in the queue."""
        earlier = (other for other in self.records() if other.place < record.place)
        return [other for other in earlier if self.active(other)]

    def active(self, record: JobRecord) -> bool:
        """True while a job waits or works; False from its last line of progress on."""
        return self._line(record).end == "" and process_of(record) is not None

    def states(self) -> list[JobState]:
        """The states of all jobs, in the order of the queue."""
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
            line = self._line(record)  # the job may have ended between the two checks
        asked = self.file(record.job_id, "cancel").exists()
        status, message = line.end, line.message
        if alive:
            status = "cancelling" if asked else "running" if line.progress else "waiting"
        elif not status:
            status = "cancelled" if asked else "failed"
            message = "" if asked else f"it stopped too early: {self._last_words(record)}"
        return JobState(
            *(status, record.kind, record.key, record.job_id),
            *(record.dataset, record.network, record.name),
            progress=self._last_progress(record) if line.end else line.progress or Progress(),
            message=message,
            error=line.error,
            remedies=line.remedies,
        )

    def _line(self, record: JobRecord) -> Line:
        """The newest complete line of a job's progress."""
        return next(self._lines(record), Line())

    def _last_progress(self, record: JobRecord) -> Progress:
        return next((line.progress for line in self._lines(record) if line.progress), Progress())

    def _lines(self, record: JobRecord) -> Iterator[Line]:
        """The last lines of a job's progress, the newest first; other text is skipped."""
        for text in reversed(self._tail(record, "progress").splitlines()):
            with suppress(ValueError):
                line = from_json(json.loads(text), Line)
                if line.progress or line.end in ENDS:
                    yield line

    def _last_words(self, record: JobRecord) -> str:
        """The last line of a job's standard error, or a text for an empty one."""
        lines = self._tail(record, "log").strip().splitlines()
        return lines[-1].strip() if lines else "something outside this program ended it"

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
        arguments = process.cmdline()
        # Linux shows none for a moment while a program starts, and never any of a kernel's thread.
        if record.job_id in arguments or (not arguments and process.exe()):
            return process
    return None
