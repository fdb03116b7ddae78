"""Background jobs of one data folder: started, seen, cancelled and ended from every session.

They take turns in the order in which they were started, whichever server started them. No process
looks after the queue: each job is a process that waits for its own turn (``worker``), and
everything else is read from files (``files``).
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import msgspec
import psutil

from deconv_core.errors import MAKE_ROOM, DeconvError
from deconv_core.whole_files import remove_parts, write_whole
from deconv_dashboard.folder_rules import folder_size
from deconv_dashboard.limits import JobLimits, job_limits
from deconv_dashboard.queue.files import JobFiles, JobRecord, process_of, to_json
from deconv_dashboard.queue.state import JobState
from deconv_dashboard.wording import counted, file_size
from deconv_dashboard.writing import why_not_written

_PROJECT = Path(__file__).parents[2]
_NICENESS = 5
_PATIENCE = 10.0  # seconds
_LEAVING = 3.0  # seconds


@dataclass(frozen=True)
class NewJob:
    """A job to be started.

    Attributes:
        kind: "scan", "export", "weights" or "caltech256".
        key: names the work: while a job of this key is active, no other one is started.
        module: does it (see ``worker``).
        order: what to do, a dataclass.
        dataset: id of the dataset it reads, or "".
        network: id of the network it uses, or "".
        name: of the file it makes, or "".
        disk: bytes it may add to the data folder, at most.
    """

    kind: str
    key: str
    module: str
    order: object
    dataset: str = ""
    network: str = ""
    name: str = ""
    disk: int = 0


class JobQueue:
    """The jobs of one data folder."""

    def __init__(self, home: Path) -> None:
        """Name the data folder; nothing is read or made yet."""
        self._files = JobFiles(home)

    def states(self) -> list[JobState]:
        """Every job that was not forgotten, in the order in which they were started."""
        _children[:] = [child for child in _children if child.poll() is None]  # buries the dead
        return self._files.states()

    def active(self) -> list[JobState]:
        """Those that wait or run, the next to end first."""
        return [state for state in self.states() if state.active]

    def find(self, key: str) -> JobState:
        """The newest job of a key; its status is "none" if there is none."""
        found = [state for state in self.states() if state.key == key]
        return found[-1] if found else JobState()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """No job is started meanwhile, by no process.

        Raises:
            DeconvError: another process keeps the lock, or the data folder cannot be written to.
        """
        folder = self._files.folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(folder / ".lock", timeout=_PATIENCE)
            lock.acquire()
        except filelock.Timeout:
            raise DeconvError("other jobs are being started or deleted; try again") from None
        except OSError as error:
            raise DeconvError(why_not_written(error)) from error
        try:
            yield
        finally:
            lock.release()

    def start(self, new: NewJob, check: Callable[[], object] = lambda: None) -> str:
        """Put a job at the end of the queue; nothing happens if one of its key is active.

        Args:
            new: the job.
            check: raises a DeconvError if what the job needs is gone; nothing is deleted between
                this look and the start.

        Returns:
            The id of the job that is active now.

        Raises:
            DeconvError: ``check`` did, the queue or the disk is full, or no process can start.
        """
        limits = job_limits()
        with self.locked():
            check()
            records = self._files.records()
            active = [record for record in records if self._files.active(record)]
            for record in active:
                if record.key == new.key:
                    return record.job_id
            _check_waiting(len(active) - limits.at_once, limits)
            _check_room(new.disk, self.room(), limits)
            started = self._begin(new, 1 + max((record.number for record in records), default=0))
            for record in records:
                if record.key == new.key:
                    self._forget(record.job_id)
        return started

    def room(self) -> int | None:
        """Bytes that may be added to the data folder; None if only the disk limits them.

        What active jobs may still add is set aside for them, as a whole: what they have written of
        it counts twice until they end.

        Raises:
            DeconvError: ``$DECONV_DATA_MB`` is no number.
        """
        limit = job_limits().data
        if limit is None:
            return None
        active = (record for record in self._files.records() if self._files.active(record))
        return limit - folder_size(self._files.home) - sum(record.disk for record in active)

    def cancel(self, job_id: str) -> None:
        """Ask a job to stop; one that still waits leaves the queue."""
        if process := self._asked_to_stop(job_id):
            with suppress(psutil.Error):
                process.terminate()

    def end(self, job_id: str) -> None:
        """Kill a job that does not stop when it is asked to. What it has finished is kept."""
        if process := self._asked_to_stop(job_id):
            with suppress(psutil.Error):
                family = [*process.children(recursive=True), process]
                for member in family:
                    with suppress(psutil.Error):
                        member.kill()
                psutil.wait_procs(family, timeout=_LEAVING)

    def _asked_to_stop(self, job_id: str) -> psutil.Process | None:
        """The process of an active job, after it was noted that somebody wants it to stop."""
        record = self._files.record(job_id)
        if record is None or not self._files.active(record):
            return None
        with suppress(OSError):  # a full disk must not keep it from being stopped
            self._files.file(job_id, "cancel").touch()
        return process_of(record)

    def using(self, *, dataset: str = "", network: str = "") -> list[JobState]:
        """Active jobs that read this dataset and use this network; "" is any."""
        return [
            state
            for state in self.active()
            if dataset in ("", state.dataset) and network in ("", state.network)
        ]

    @contextmanager
    def unused(self, *, dataset: str = "", network: str = "") -> Iterator[None]:
        """No active job reads this dataset and uses this network, and none is started meanwhile.

        Raises:
            DeconvError: a job does, waiting or running.
        """
        with self.locked():
            for state in self.using(dataset=dataset, network=network):
                how = "waits for its turn" if state.status == "waiting" else "is running"
                what = "an export" if state.kind == "export" else "a scan"
                raise DeconvError(f"{what} {how} that needs it; cancel that first")
            yield

    def forget(self, *, key: str = "", dataset: str = "") -> None:
        """Delete what is left of ended jobs of a key, or of a dataset."""
        for record in self._files.records():
            meant = record.key == key if key else record.dataset == dataset
            if meant and not self._files.active(record):
                self._forget(record.job_id)

    def _begin(self, new: NewJob, number: int) -> str:
        """Start a process and note it; with no room for the note there is no process."""
        job_id = secrets.token_hex(8)
        remove_parts(self._files.folder, _is_record)  # of a server that was killed while it wrote
        process = None
        try:
            process = self._spawn(new.module, job_id)
            order = msgspec.to_builtins(new.order, enc_hook=str)
            record = JobRecord(
                *(job_id, number, process.pid, new.kind, new.key),
                *(new.dataset, new.network, new.name, new.disk, order),
            )
            write_whole(self._files.file(job_id, "job.json"), to_json(record).encode())
        except OSError as error:
            if process is not None:
                process.kill()
                process.wait()
            self._forget(job_id)
            raise DeconvError(f"could not start a process: {why_not_written(error)}") from error
        return job_id

    def _spawn(self, module: str, job_id: str) -> subprocess.Popen[bytes]:
        home = str(self._files.home)
        paths = [str(_PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {"DECONV_HOME": home, "PYTHONPATH": os.pathsep.join(paths)}
        detached: dict[str, Any] = {"start_new_session": True}
        if os.name == "nt":
            detached = {"creationflags": 0x00000008 | 0x00000200}  # no console, own group
        progress, log = (self._files.file(job_id, ending) for ending in ("progress", "log"))
        with progress.open("wb") as out, log.open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "deconv_dashboard.queue.worker", home, job_id, module],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                env={**os.environ, **environment},
                **detached,
            )
        if hasattr(os, "setpriority"):  # the pages come first
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, process.pid, _NICENESS)
        _children.append(process)
        return process

    def _forget(self, job_id: str) -> None:
        for ending in ("job.json", "progress", "log", "cancel"):
            with suppress(OSError):
                self._files.file(job_id, ending).unlink(missing_ok=True)


_children: list[subprocess.Popen[bytes]] = []
"""Processes this server started: kept so that they can be waited for when they have ended."""


def _check_waiting(waiting: int, limits: JobLimits) -> None:
    if waiting >= limits.waiting:
        raise DeconvError(
            f"{counted(limits.waiting, 'job')} may wait for a turn here, and as many do; cancel "
            "one, or try again when one has ended"
        )


def _check_room(wanted: int, room: int | None, limits: JobLimits) -> None:
    if room is not None and wanted > room:
        raise DeconvError(
            f"it may take {file_size(wanted)}, and there is room for {file_size(room)}: the data "
            f"folder may hold {file_size(limits.data or 0)}. To {MAKE_ROOM}, delete datasets, "
            "scans or exports that nobody needs, or ask whoever runs the server"
        )


def _is_record(name: str) -> bool:
    return name.endswith(".job.json")
