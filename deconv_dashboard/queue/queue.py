"""The queue of background jobs of one data folder; every session can start, see and stop jobs.

Jobs run in the order in which they were started, by any server; those that give way run when there
are no others. No process manages the queue: each job is a process that waits for its own turn
(``worker``). All other information comes from files (``files``).
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

from deconv_core.errors import DeconvError, NoRoomError
from deconv_core.whole_files import remove_parts, write_whole
from deconv_dashboard.folder_rules import folder_size
from deconv_dashboard.limits import PICTURES, JobLimits, job_limits
from deconv_dashboard.queue.files import JobFiles, JobRecord, process_of, to_json
from deconv_dashboard.queue.state import JobState
from deconv_dashboard.wording import counted, file_size
from deconv_dashboard.writing import not_written

_PROJECT = Path(__file__).parents[2]
_NICENESS = 10
_PATIENCE = 10.0  # seconds
_NEEDING = {
    "export": "an export",
    "specificity": "a measurement",
    "pictures": "the preparation of pictures",
}
_LEAVING = 3.0  # seconds


@dataclass(frozen=True)
class NewJob:
    """A job to start.

    Attributes:
        kind: "scan", "export", "specificity", "pictures", "weights" or "caltech256".
        key: names the work; only one job of a key is active at a time.
        module: the module that does the work (see ``worker``).
        order: what to do, a dataclass.
        dataset: id of the dataset it reads, or "".
        network: id of the network it uses, or "".
        name: name of the file it writes, or "".
        disk: the most bytes it may add to the data folder.
        gives_way: True puts it behind every job that does not give way, also behind later ones.
    """

    kind: str
    key: str
    module: str
    order: object
    dataset: str = ""
    network: str = ""
    name: str = ""
    disk: int = 0
    gives_way: bool = False


class JobQueue:
    """The jobs of one data folder."""

    def __init__(self, home: Path) -> None:
        """Use the data folder ``home``; nothing is read or created yet."""
        self._files = JobFiles(home)

    def states(self) -> list[JobState]:
        """The states of all jobs, in the order in which they were started."""
        _children[:] = [child for child in _children if child.poll() is None]  # reaps zombies
        return self._files.states()

    def active(self) -> list[JobState]:
        """The states of waiting and running jobs, in the order of the queue."""
        return [state for state in self.states() if state.active]

    def find(self, key: str) -> JobState:
        """The state of the newest job of a key; its status is "none" if there is no job."""
        found = [state for state in self.states() if state.key == key]
        return found[-1] if found else JobState()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the queue's lock: no process can start a job meanwhile.

        Raises:
            DeconvError: another process holds the lock, or the data folder cannot be written to.
        """
        folder = self._files.folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(folder / ".lock", timeout=_PATIENCE)
            lock.acquire()
        except filelock.Timeout:
            raise DeconvError("other jobs are being started or deleted; try again") from None
        except OSError as error:
            raise not_written(error) from error
        try:
            yield
        finally:
            lock.release()

    def start(self, new: NewJob, check: Callable[[], object] = lambda: None) -> str:
        """Put a job at the end of the queue; nothing happens if a job of its key is active.

        Args:
            new: the job.
            check: raises a DeconvError if the job's dataset or network is gone. Nothing is deleted
                between this check and the start.

        Returns:
            The id of the active job.

        Raises:
            DeconvError: raised by ``check``, the queue or the disk is full, or no process can
                start.
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
        """Bytes that new jobs may add to the data folder; None without a limit.

        Kept pictures do not count: they have a limit of their own.
        The full ``disk`` of each active job is subtracted. So bytes that an active job has already
        written count twice until it ends.

        Raises:
            DeconvError: ``$DECONV_DATA_MB`` is not a whole number.
        """
        limit = job_limits().data
        if limit is None:
            return None
        active = (record for record in self._files.records() if self._files.active(record))
        used = folder_size(self._files.home) - folder_size(self._files.home / PICTURES)
        return limit - used - sum(record.disk for record in active)

    def cancel(self, job_id: str) -> None:
        """Ask a job to stop; a waiting job leaves the queue."""
        if process := self._asked_to_stop(job_id):
            with suppress(psutil.Error):
                process.terminate()

    def end(self, job_id: str) -> None:
        """Kill the processes of a job that does not stop; its finished parts are kept."""
        if process := self._asked_to_stop(job_id):
            with suppress(psutil.Error):
                family = [*process.children(recursive=True), process]
                for member in family:
                    with suppress(psutil.Error):
                        member.kill()
                psutil.wait_procs(family, timeout=_LEAVING)

    def _asked_to_stop(self, job_id: str) -> psutil.Process | None:
        """Record that an active job should stop; returns its process, or None."""
        record = self._files.record(job_id)
        if record is None or not self._files.active(record):
            return None
        with suppress(OSError):  # a job must stop even if the disk is full
            self._files.file(job_id, "cancel").touch()
        return process_of(record)

    def using(self, *, dataset: str = "", network: str = "") -> list[JobState]:
        """The active jobs that read this dataset and use this network; "" means any."""
        return [
            state
            for state in self.active()
            if dataset in ("", state.dataset) and network in ("", state.network)
        ]

    @contextmanager
    def unused(self, *, dataset: str = "", network: str = "") -> Iterator[None]:
        """Hold the queue's lock while no job uses a dataset and network ("" means any).

        Raises:
            DeconvError: a waiting or running job uses them.
        """
        with self.locked():
            for state in self.using(dataset=dataset, network=network):
                how = "waits for its turn" if state.status == "waiting" else "is running"
                what = _NEEDING.get(state.kind, "a scan")
                raise DeconvError(f"{what} that needs it {how}; pause or cancel that first")
            yield

    def forget(self, *, key: str = "", dataset: str = "") -> None:
        """Delete the files of ended jobs of a key, or of a dataset."""
        for record in self._files.records():
            meant = record.key == key if key else record.dataset == dataset
            if meant and not self._files.active(record):
                self._forget(record.job_id)

    def _begin(self, new: NewJob, number: int) -> str:
        """Start the process of a job and write its record; without a record, kill the process."""
        job_id = secrets.token_hex(8)
        remove_parts(self._files.folder, _is_record)  # partial records of killed servers
        process = None
        try:
            process = self._spawn(new.module, job_id)
            order = msgspec.to_builtins(new.order, enc_hook=str)
            record = JobRecord(
                *(job_id, number, process.pid, new.kind, new.key),
                *(new.dataset, new.network, new.name, new.disk, order),
                gives_way=new.gives_way,
            )
            write_whole(self._files.file(job_id, "job.json"), to_json(record).encode())
        except OSError as error:
            if process is not None:
                process.kill()
                process.wait()
            self._forget(job_id)
            raise not_written(error, "could not start a process: ") from error
        return job_id

    def _spawn(self, module: str, job_id: str) -> subprocess.Popen[bytes]:
        home = str(self._files.home)
        paths = [str(_PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {
            **{"DECONV_HOME": home, "PYTHONPATH": os.pathsep.join(paths)},
            "PYTHONSAFEPATH": "1",  # no modules from the folder in which the server was started
        }
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
        if hasattr(os, "setpriority"):  # jobs must not slow the pages down
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, process.pid, _NICENESS)
        _children.append(process)
        return process

    def _forget(self, job_id: str) -> None:
        for ending in ("job.json", "progress", "log", "cancel"):
            with suppress(OSError):
                self._files.file(job_id, ending).unlink(missing_ok=True)


_children: list[subprocess.Popen[bytes]] = []
"""The processes that this server started; ``states`` reaps those that have ended."""


def _check_waiting(waiting: int, limits: JobLimits) -> None:
    if waiting >= limits.waiting:
        raise DeconvError(
            f"the queue is full: {counted(limits.waiting, 'job')} may wait in it; cancel one, or "
            "try again when a job has ended"
        )


def _check_room(wanted: int, room: int | None, limits: JobLimits) -> None:
    if room is not None and wanted > room:
        raise NoRoomError(
            f"it may need {file_size(wanted)}, but there is room for {file_size(room)}: the data "
            f"folder may hold {file_size(limits.data or 0)}",
            "delete datasets, scans or exports that nobody needs",
            "ask whoever runs the server",
        )


def _is_record(name: str) -> bool:
    return name.endswith(".job.json")
