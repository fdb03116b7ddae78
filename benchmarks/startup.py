"""Measures how long starting takes: imports, the command line, the first page.

    python -m benchmarks.startup [--rounds 5]

Every number is for a new process and includes the start of the interpreter; files are in the
system's cache. Numbers are medians over the rounds, after one round that does not count. The first
page is requested like a browser does, in Streamlit's protocol, from a new server with a new data
folder. The server's memory map (Linux) shows whether torch is loaded.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.timing import Sides, machine, medians, print_row
from tests.browser.server import wait_until_healthy
from tests.faults.page_session import PageSession

ROOT = Path(__file__).parents[1]
PROGRAMS = {
    "nothing": ["-c", "pass"],
    "`import deconv_core`": ["-c", "import deconv_core"],
    "`import deconv_core`, a top 9 of the demo's index": [
        "-c",
        "from deconv_core import ActivationIndex; from deconv_core.demo import demo_index; "
        "assert len(ActivationIndex.open(demo_index()).top('conv4_4')) == 9",
    ],
    "`import deconv_core`, `load_network('demo')`": [
        "-c",
        "import deconv_core; deconv_core.load_network('demo')",
    ],
    "`import torch`": ["-c", "import torch"],
    "`import streamlit`": ["-c", "import streamlit"],
    "`python -m deconv_core --help`": ["-m", "deconv_core", "--help"],
}
_PATIENCE = 120.0


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"{machine()}; {options.rounds} rounds\n")
    print_row("a new process", "s")
    print_row("---", "---:")
    sides: Sides = {name: lambda p=program: run(p) for name, program in PROGRAMS.items()}  # type: ignore[misc]
    for name, taken in medians(sides, options.rounds).items():
        print_row(name, f"{taken:.2f}")
    first_page()
    pages = [first_page() for _ in range(options.rounds)]
    for name in pages[0]:
        print_row(name, f"{statistics.median(page[name] for page in pages):.2f}")


def run(arguments: list[str]) -> None:
    """A Python program, from its start to its end."""
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, capture_output=True)


def first_page() -> dict[str, float]:
    """Seconds from the command until the server answers, the first page is complete, torch loads.

    Raises:
        AssertionError: the page failed, has no pictures, or waited for torch.
    """
    began = time.perf_counter()
    with server() as (process, port):
        answers = time.perf_counter() - began
        asyncio.run(open_first_page(port))
        whole = time.perf_counter() - began
        assert not has_torch(process), "the first page loads torch"
        until = began + _PATIENCE
        while not has_torch(process) and time.perf_counter() < until:
            time.sleep(0.02)
        return {
            "`streamlit run app.py` until the server answers": answers,
            "until the first page is whole, pictures and all; torch is not loaded": whole,
            "until torch begins to load, behind the page": time.perf_counter() - began,
        }


@contextmanager
def server() -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Start the app on a free port of this computer, with a new data folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless", "true"]
    command += ["--server.port", str(port), "--server.address", "127.0.0.1"]
    with tempfile.TemporaryDirectory(prefix="startup-") as home:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "DECONV_HOME": home},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until_healthy(f"http://127.0.0.1:{port}/_stcore/health", process, pause=0.02)
            yield process, port
        finally:
            process.kill()
            process.wait()


async def open_first_page(port: int) -> None:
    """Receive everything that the server sends for the first page."""
    async with PageSession(port) as session:
        page = await session.open("", {})
        pictures = [
            tile for panels in page.galleries.values() for p in panels for tile in p["tiles"]
        ]
        assert page.finished, page
        assert not page.exceptions, page
        assert len(pictures) >= 18, "the first page lacks pictures"


def has_torch(process: subprocess.Popen[bytes]) -> bool:
    """True once a process has torch's library in its memory."""
    return "libtorch" in Path(f"/proc/{process.pid}/maps").read_text()


if __name__ == "__main__":
    main()
