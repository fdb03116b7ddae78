"""A server of its own for a test, and one whose data folder holds a scanned dataset."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_dashboard.data.registry import Registry

ROOT = Path(__file__).parents[2]


@dataclass
class Server:
    """``streamlit run app.py`` on a free port, with a data folder of its own."""

    home: Path
    port: int = 0
    process: Any = None
    environment: dict[str, str] = field(default_factory=dict)
    host: str = "127.0.0.1"
    started_in: Path = ROOT
    options: tuple[str, ...] = ()
    popen: Callable[..., Any] = subprocess.Popen
    warm_jobs: Path | None = None
    """The socket of a warm process, if the server's jobs are its forks."""

    @property
    def registry(self) -> Registry:
        return Registry(self.home)

    def url(self, page: str = "", **parameters: str) -> str:
        query = f"?{urlencode(parameters)}" if parameters else ""
        return f"http://{self.host}:{self.port}/{page}{query}"

    def start(self) -> None:
        self.port = self.port or free_port()
        script = "app.py" if self.started_in == ROOT else str(ROOT / "app.py")
        program = ["tests.warm_server", str(self.warm_jobs)] if self.warm_jobs else ["streamlit"]
        command = [sys.executable, "-m", *program, "run", script]
        command += ["--server.port", str(self.port), "--server.headless", "true"]
        if self.host != "127.0.0.1":  # its default
            command += ["--server.address", self.host]
        command += ["--server.fileWatcherType", "none", *self.options]
        environment = {**os.environ, **self.environment, "DECONV_HOME": str(self.home)}
        with (self.home / "server.log").open("ab") as log:
            self.process = self.popen(
                command, cwd=self.started_in, env=environment, stdout=log, stderr=log
            )
        reached = "127.0.0.1" if self.host == "0.0.0.0" else self.host
        wait_until_healthy(f"http://{reached}:{self.port}/_stcore/health", self.process)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def log(self) -> str:
        return (self.home / "server.log").read_text("utf-8", "replace")

    def assert_no_error_of_ours(self) -> None:
        """Fails if an exception that went through the dashboard's own code is in the log.

        Streamlit leaves exceptions of its own there, for instance when a tab is closed while its
        websocket is being accepted.
        """
        found = tracebacks_of_ours(self.log())
        assert not found, "\n".join(found)


def tracebacks_of_ours(log: str) -> list[str]:
    """The tracebacks in a log that have a frame in a file of the dashboard or the core."""
    place = re.escape(str(ROOT))
    ours = re.compile(rf'File "{place}/(app\.py|(deconv_dashboard|deconv_core|pages)/[^"]*)"')
    found = re.findall(r"Traceback \(most recent.*(?:\n(?:[ \t].*)?)*.*", log)
    return [traceback for traceback in found if ours.search(traceback)]


def free_port(wished: int = 0) -> int:
    """A port that no program has; the wished one if it is free."""
    for port in (wished, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise AssertionError("no port is free")


def wait_until_healthy(url: str, process: Any, pause: float = 0.1) -> None:
    """Send requests until the server answers; AssertionError if it does not."""
    until = time.monotonic() + 240
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(url, timeout=60) as answer:
            if answer.status == 200:
                return
        time.sleep(pause)
    raise AssertionError("the server did not start")


@dataclass
class Scanned:
    """A server, and the names of what was scanned on it."""

    server: Server
    network: str
    dataset: str

    def url(self, page: str, **parameters: str) -> str:
        names = {"network": self.network, "dataset": self.dataset}
        return self.server.url(page, **{**names, **parameters})


def filled(server: Server, images: ImageFolder, index: ActivationIndex, weights: Path) -> Scanned:
    """The drawn images and the narrow network, scanned, in a server's data folder."""
    registry = server.registry
    dataset, network = registry.add_folder(images.root), registry.add_weights(weights)
    shutil.copytree(index._folder.path, registry.index_path(dataset, network))
    return Scanned(server, network.network_id, dataset.dataset_id)


@contextmanager
def serving(
    home: Path,
    images: ImageFolder,
    index: ActivationIndex,
    weights: Path,
    popen: Callable[..., Any] = subprocess.Popen,
) -> Iterator[Scanned]:
    """A server for several tests, which logs what it computes."""
    server = Server(home, popen=popen, environment={"DECONV_LOG": "info"})
    server.start()
    try:
        yield filled(server, images, index, weights)
    finally:
        server.stop()
    server.assert_no_error_of_ours()
