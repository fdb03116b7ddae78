"""Long work in a child process that any session, and the next server, can find again.

A job is a few files with one stem::

    x.job.json    what was started: process id, when, and whether someone cancelled it
    x.progress    its standard output: one JSON object a line, the newest at the end
    x.log         its standard error
    x.alive       locked for as long as the process lives

The child inherits the lock, so the system lets go of it however the child ends; a process id alone
could belong to another program by now. (Windows has no such locks; there the id has to do.)
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from deconv_core.errors import DeconvError
from deconv_core.whole_files import remove_parts, write_whole

_PROJECT = Path(__file__).parent.parent
_TAIL = 8192
_NICENESS = 5
_PATIENCE = 10.0
ENDINGS = ("end", "error")
"""The events after which a process has nothing more to say."""


class ChildProcess:
    """The job of one stem: running, ended or never begun."""

    def __init__(self, stem: Path) -> None:
        """Name the job; nothing is read or made yet."""
        self._stem = stem

    def _file(self, ending: str) -> Path:
        return self._stem.with_name(f"{self._stem.name}.{ending}")

    @property
    def began(self) -> bool:
        """True if the job was ever started, running or not."""
        return self._file("job.json").is_file()

    @property
    def cancelled(self) -> bool:
        """True if someone asked it to stop."""
        return bool(self._job().get("cancelled"))

    @property
    def started(self) -> float:
        """When it was started, in seconds since 1970; 0 if never."""
        return float(self._job().get("started", 0.0))

    def start(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start ``python`` with these arguments, detached; if it already runs, do nothing.

        Raises:
            DeconvError: the process cannot be started.
        """
        if self.running:
            return
        try:
            self._stem.parent.mkdir(parents=True, exist_ok=True)
            with self._file("alive").open("ab") as alive:
                if _take(alive.fileno()):
                    self._begin(arguments, environment, alive.fileno())
        except OSError as error:
            raise DeconvError(
                f"could not start a process in {self._stem.parent}: {error.strerror or error}"
            ) from error

    def _begin(self, arguments: Sequence[str], environment: Mapping[str, str], lock: int) -> None:
        """Start the process and note it; with no room for the note there is no process."""
        job_file = self._file("job.json")
        remove_parts(job_file.parent, job_file.name.__eq__)  # of a server killed while it wrote
        process = self._spawn(arguments, environment, lock)
        try:
            self._write_job({"pid": process.pid, "started": time.time(), "cancelled": False})
        except OSError:
            process.kill()
            process.wait()
            raise

    def _spawn(
        self, arguments: Sequence[str], environment: Mapping[str, str], lock: int
    ) -> subprocess.Popen[bytes]:
        paths = [str(_PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
        variables = {**os.environ, **environment, "PYTHONPATH": os.pathsep.join(paths)}
        detached: dict[str, Any] = {"start_new_session": True, "pass_fds": (lock,)}
        if os.name == "nt":
            detached = {"creationflags": 0x00000008 | 0x00000200}  # no console, own group
        with self._file("progress").open("wb") as out, self._file("log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                env=variables,
                **detached,
            )
        if hasattr(os, "setpriority"):  # the pages come first
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, process.pid, _NICENESS)
        _children.append(process)
        return process

    @property
    def running(self) -> bool:
        """True while the process works; one that has said its end only has to leave."""
        _children[:] = [child for child in _children if child.poll() is None]  # buries the dead
        if self.last_event().get("event") in ENDINGS:
            return False
        if os.name == "nt":
            return _runs_on_windows(int(self._job().get("pid", 0)))
        try:
            with self._file("alive").open("rb") as alive:
                return not _take(alive.fileno(), shared=True)
        except OSError:
            return False

    def cancel(self, *, kill: bool = False) -> None:
        """Ask the process to stop, or end it; a job that is not running is left as it is."""
        job = self._job()
        if not self.running or not job:
            return
        with suppress(OSError):  # a full disk must not keep it from being stopped
            self._write_job({**job, "cancelled": True})
        forced = getattr(signal, "SIGKILL", signal.SIGTERM)
        with suppress(OSError):
            os.kill(int(job["pid"]), forced if kill else signal.SIGTERM)

    def last_event(self) -> dict[str, Any]:
        """The newest whole line of progress, or {}."""
        for line in reversed(self._tail("progress").splitlines()):
            with suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict):
                    return event
        return {}

    def last_words(self) -> str:
        """The last line of its standard error, or ""."""
        lines = self._tail("log").strip().splitlines()
        return lines[-1].strip() if lines else ""

    def forget(self) -> None:
        """Delete the job's files. Not while it runs."""
        for ending in ("job.json", "progress", "log", "alive"):
            self._file(ending).unlink(missing_ok=True)

    def _tail(self, ending: str) -> str:
        try:
            with self._file(ending).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
                return file.read().decode("utf-8", "replace")
        except OSError:
            return ""

    def _job(self) -> dict[str, Any]:
        try:
            content = json.loads(self._file("job.json").read_text("utf-8"))
            return content if isinstance(content, dict) else {}
        except (OSError, ValueError):
            return {}

    def _write_job(self, job: dict[str, Any]) -> None:
        write_whole(self._file("job.json"), json.dumps(job).encode())


_children: list[subprocess.Popen[bytes]] = []
"""Processes this server started: kept so that they can be waited for when they have ended."""


if sys.platform == "win32":

    def _take(lock: int, *, shared: bool = False) -> bool:
        return True

    def _runs_on_windows(pid: int) -> bool:
        import ctypes

        kernel = ctypes.windll.kernel32
        handle = kernel.OpenProcess(0x00100000, False, pid) if pid else 0  # SYNCHRONIZE
        if not handle:
            return False
        timed_out = kernel.WaitForSingleObject(handle, 0) == 0x102
        kernel.CloseHandle(handle)
        return bool(timed_out)

else:
    import fcntl

    def _take(lock: int, *, shared: bool = False) -> bool:
        """Lock an open file; False if another process holds it. Looking needs only a share."""
        until = time.monotonic() + (0.0 if shared else _PATIENCE)  # to leave takes a moment
        while True:
            try:
                fcntl.flock(lock, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except OSError:
                if time.monotonic() >= until:
                    return False
                time.sleep(0.02)
            else:
                return True

    def _runs_on_windows(pid: int) -> bool:
        raise NotImplementedError
