"""Python processes that begin with torch loaded, where that is not what is tested (Linux).

To import torch takes a process some two seconds of work, more than most scans in these tests. A
warm process imports it once, for all processes that run tests, and forks for each program: the fork
gets its own arguments, environment, files and session, and runs the program as ``python -m`` or
``python -c`` would. Its exit status and output are those of any Python. :meth:`Warm.popen` takes
the place of ``subprocess.Popen``. What is tested of a start or an end of Python itself uses the
real one.
"""

import array
import atexit
import contextlib
import ctypes
import gc
import importlib
import io
import json
import logging
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, NoReturn

import filelock

ROOT = Path(__file__).parents[1]
_STARTED: list[subprocess.Popen[bytes]] = []
_ROOM = "-" * 1500  # the forks write their own arguments here, where the system looks for them


class Child:
    """What of ``subprocess.Popen`` the tests and the dashboard use, for a fork."""

    def __init__(self, pid: int, end: socket.socket, *outputs: IO[Any] | None) -> None:
        """Name the process; the other side of ``end`` says its exit status."""
        self.pid, self.returncode = pid, None
        self.stdout, self.stderr = outputs
        self._end = end

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._look(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, when it has ended."""
        if self._look(timeout) is None:
            raise subprocess.TimeoutExpired("a warm process", timeout or 0.0)
        return self.returncode

    def _look(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            self._end.settimeout(timeout)
            with contextlib.suppress(BlockingIOError, TimeoutError):
                self.returncode = int(self._end.recv(100) or b"1")
                self._end.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[Any, Any]:
        """All that is left to read of both outputs, when it has ended."""
        found: list[Any] = [None, None]

        def read(place: int, output: IO[Any]) -> None:
            found[place] = output.read()
            output.close()

        outputs = [(place, out) for place, out in enumerate((self.stdout, self.stderr)) if out]
        readers = [threading.Thread(target=read, args=each, daemon=True) for each in outputs]
        for reader in readers:
            reader.start()
        self.wait(timeout)
        for reader in readers:
            reader.join()
        return found[0], found[1]

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        for output in (self.stdout, self.stderr):
            if output is not None:
                output.close()
        self.wait()


class Warm:
    """A process that has loaded the core and the dashboard and forks for each program."""

    def __init__(self, address: Path) -> None:
        """Begin to use the process that listens at a socket; it must be there."""
        self.address = address
        self._asking = socket.socket(socket.AF_UNIX)
        self._asking.connect(str(address))
        self._one_at_a_time = threading.Lock()

    @classmethod
    def in_folder(cls, folder: Path) -> "Warm":
        """Use the process of a folder, which is started if there is none.

        It ends when nobody uses it any more.
        """
        address = folder / "warm"
        with filelock.FileLock(folder / "warm.lock"):
            with contextlib.suppress(OSError):
                return cls(address)
            address.unlink(missing_ok=True)
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind(str(address))
                listening.listen()  # who connects now is answered when the imports are done
                command = [sys.executable, "-m", "tests.warm", str(listening.fileno()), _ROOM]
                _STARTED.append(
                    subprocess.Popen(
                        command, cwd=ROOT, pass_fds=[listening.fileno()], start_new_session=True
                    )
                )
            return cls(address)

    def close(self) -> None:
        """Use it no longer; its forks go on."""
        self._asking.close()

    def popen(
        self,
        arguments: Sequence[str],
        *,
        stdin: object = None,
        stdout: Any = None,
        stderr: Any = None,
        env: dict[str, str] | None = None,
        cwd: str | Path | None = None,
        text: bool = False,
        start_new_session: bool = False,
    ) -> Child:
        """Run ``[sys.executable, "-m" or "-c", module or program, ...]`` in a fork."""
        assert arguments[0] == sys.executable
        assert arguments[1] in ("-m", "-c")
        assert stdin in (None, subprocess.DEVNULL)
        assert subprocess.STDOUT not in (stdout, stderr)
        own, theirs = zip(_output(stdout, 1, text), _output(stderr, 2, text), strict=True)
        end, status = socket.socketpair()
        asked = {
            "arguments": [os.fsdecode(argument) for argument in arguments],
            "environment": dict(os.environ if env is None else env),
            "folder": str(cwd or Path.cwd()),
            "session": start_new_session,
        }
        told = json.dumps(asked).encode()
        files = array.array("i", [*theirs, status.fileno()])
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)]
        with self._one_at_a_time:
            self._asking.sendmsg([len(told).to_bytes(4, "big")], ancillary)
            self._asking.sendall(told)
            pid = int.from_bytes(self._asking.recv(4, socket.MSG_WAITALL), "big")
        assert pid, "the warm process has ended"
        status.close()
        for output, given in zip(theirs, (stdout, stderr), strict=True):
            if given == subprocess.PIPE:
                os.close(output)
        return Child(pid, end, *own)


def _output(given: Any, usual: int, text: bool) -> tuple[IO[Any] | None, int]:
    """Our end of an output, if it is a pipe, and the file for the child."""
    if given == subprocess.PIPE:
        reading, writing = os.pipe()
        return os.fdopen(reading, "r" if text else "rb"), writing
    if given is None:
        return None, usual
    return None, given if isinstance(given, int) else given.fileno()


# -- the warm process ------------------------------------------------------------------------------


def _serve(listening: socket.socket) -> list[str]:
    """Fork for each request; returns in the forks only, with their arguments."""
    running: dict[int, socket.socket] = {}

    def bury(*_: object) -> None:
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                with contextlib.suppress(OSError), running.pop(found[0]) as end:
                    end.sendall(str(os.waitstatus_to_exitcode(found[1])).encode())

    signal.signal(signal.SIGCHLD, bury)
    users: list[socket.socket] = []
    left = False
    while users or not left:
        for asked in select.select([listening, *users], [], [])[0]:
            if asked is listening:
                users.append(listening.accept()[0])
                continue
            length, files, *_ = socket.recv_fds(asked, 4, 3)
            if not length:
                users.remove(asked)
                asked.close()
                left = True
                continue
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
            told = json.loads(asked.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL))
            pid = os.fork()
            if pid == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
                _become(told, files)
                asked.sendall(os.getpid().to_bytes(4, "big"))
                for other in (listening, *users, *running.values()):
                    other.close()
                return list(told["arguments"])
            running[pid] = socket.socket(fileno=files[2])
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
            os.close(files[0])
            os.close(files[1])
    os._exit(0)  # its forks go on


def _become(told: dict[str, Any], files: list[int]) -> None:
    """Take on what a process of its own would have been given."""
    if told["session"]:
        os.setsid()
    os.chdir(told["folder"])
    os.environ.clear()
    os.environ.update(told["environment"])
    with open(os.devnull) as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 0)
    os.dup2(files[0], 1)
    os.dup2(files[1], 2)
    for file in files:
        os.close(file)
    for file, name, errors in ((1, "stdout", "strict"), (2, "stderr", "backslashreplace")):
        writing = io.FileIO(file, "w", closefd=False)
        raw = bool(os.environ.get("PYTHONUNBUFFERED"))
        buffer = writing if raw else io.BufferedWriter(writing)
        text = io.TextIOWrapper(buffer, "utf-8", errors, None, name == "stderr", raw)
        setattr(sys, name, text)
        setattr(sys, f"__{name}__", text)
    places = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(places[45]), int(places[46])
    named = "\0".join(told["arguments"]).encode("utf-8", "surrogateescape")[: end - start - 1]
    ctypes.memset(start, 0, end - start)
    ctypes.memmove(start, named, len(named))


def _load() -> None:
    import streamlit.web.bootstrap  # noqa: F401
    from PIL import Image

    import deconv_core

    for name in deconv_core.__all__:
        getattr(deconv_core, name)
    logging.disable()  # caches miss their server here
    for name in ("jobs.scans", "jobs.exports", "server.resources"):
        importlib.import_module(f"deconv_dashboard.{name}")
    logging.disable(logging.NOTSET)
    Image.init()
    gc.collect()
    gc.freeze()  # what never changes need not be copied for each fork


def _run(how: str, program: str, given: list[str]) -> None:
    if how == "-m":
        sys.argv = [program, *given]
        if not hasattr(sys.modules.get(program), "__path__"):
            sys.modules.pop(program, None)  # it is run as if nobody had imported it
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        sys.argv = ["-c", *given]
        exec(compile(program, "<string>", "exec"), {"__name__": "__main__"})


def _leave(status: object) -> NoReturn:
    """End as Python does, but do not take everything apart before: that copies all of torch."""
    if status is not None and not isinstance(status, int):
        print(status, file=sys.stderr)
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        os._exit(120)
    os._exit(status or 0)


if __name__ == "__main__":
    _load()
    _, _how, _program, *_given = _serve(socket.socket(fileno=int(sys.argv[1])))
    try:
        _run(_how, _program, _given)
    except SystemExit as _end:
        _leave(_end.code)
    _leave(0)
