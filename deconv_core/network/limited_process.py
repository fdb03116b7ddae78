"""Runs a module of this program as a process with limits on memory and time.

It reads untrusted pickles. The operating system enforces the limits: Linux has both, macOS only the
limit on time, Windows none. Every process is also ended after a time on the clock.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from deconv_core.errors import CancelledError, WeightsError
from deconv_core.progress import CancelFlag

REFUSED, END_OF_MEMORY = 3, 4
"""Exit statuses: the reason is on the error output; the limit of memory was reached."""
_PROJECT = Path(__file__).parents[2]


def _most_memory(size: int) -> int:
    """The limit of memory in bytes for a file of this size; VGG19's file needs a tenth of it."""
    return 2**27 + 3 * size


def _most_seconds(size: int) -> int:
    """The limit of computing time in seconds; VGG19's file needs less than one second."""
    return 2 + size // 2**25


def _patience(size: int) -> int:
    """The limit of time on the clock in seconds; also enough for a slow disk."""
    return 60 + size // 2**20


def limit_this_process(size: int) -> None:
    """Limit memory and time of this process to those for a file of this size."""
    if sys.platform == "win32":
        return
    import resource

    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: math.ceil(time.process_time()) + _most_seconds(size),
    }
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
        limits[resource.RLIMIT_AS] = pages * resource.getpagesize() + _most_memory(size)
    for what, most in limits.items():
        hard = resource.getrlimit(what)[1]
        soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (soft, hard))


def run_limited(module: str, path: Path, cancel: CancelFlag | None) -> bytes:
    """Run a module of this program with a file's path; returns its standard output.

    Raises:
        WeightsError: it refuses the file with a message, or reached a limit.
        CancelledError: ``cancel`` was set.
    """
    size = path.stat().st_size
    paths = [str(_PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    with tempfile.TemporaryFile() as output:  # faster than a pipe; the file has no name
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, str(path)],  # -P: no modules from this folder
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            start_new_session=True,  # Ctrl-C is for this process, which ends that one
        )
        with process:
            try:
                words = _waited_for(process, time.monotonic() + _patience(size), cancel)
            finally:
                process.kill()
        if process.returncode:
            raise WeightsError(_reason(path, size, process.returncode, words))
        output.seek(0)
        return output.read()


def _waited_for(process: subprocess.Popen[bytes], until: float, cancel: CancelFlag | None) -> bytes:
    """The error output of a process when it has ended; its time is over at ``until``."""
    while True:
        try:
            return process.communicate(timeout=0.1)[1]
        except subprocess.TimeoutExpired:
            if cancel is not None and cancel.is_set():
                raise CancelledError("stopped while weights were read") from None
            if time.monotonic() > until:
                process.kill()


def _reason(path: Path, size: int, status: int, words: bytes) -> str:
    text = words.decode("utf-8", "surrogateescape")
    if status == REFUSED:
        return text
    if status > 0 and status != END_OF_MEMORY:
        return f"the program that reads {path.name} failed: {text.strip().rpartition(chr(10))[2]}"
    beyond = {
        END_OF_MEMORY: f"takes more than {_most_memory(size) // 2**20:,} MB of memory to read",
        -getattr(signal, "SIGXCPU", 0): f"takes longer than {_most_seconds(size)} s to read",
    }.get(status, f"ends the program that reads it (by signal {-status})")
    return (
        f"{path.name} {beyond}, which no weights of its size do: it is damaged or made to do harm; "
        "nothing in it was executed. Give a file of plain tensors"
    )
