"""A queue of jobs that do almost nothing, and functions to inspect it."""

import time
from collections.abc import Callable
from pathlib import Path

from deconv_dashboard.queue.files import JobFiles
from deconv_dashboard.queue.queue import JobQueue, NewJob
from deconv_dashboard.queue.state import JobState
from tests.app import tiny_job


class Jobs:
    """A queue of jobs that wait until a test releases them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.queue = JobQueue(self.home)
        self.files = JobFiles(self.home)

    def start(
        self,
        name: str,
        *,
        deaf: bool = False,
        trouble: str = "",
        kind: str = "scan",
        **more: object,
    ) -> str:
        order = tiny_job.Order(self.folder, name.rpartition(" ")[2], deaf, trouble)
        return self.queue.start(NewJob(kind, name, tiny_job.__name__, order, **more))

    def let_go(self, *names: str) -> None:
        for name in names:
            (self.folder / name).touch()

    def state(self, name: str) -> JobState:
        return self.queue.find(name)

    def pid(self, name: str) -> int:
        return self.files.record(self.state(name).job_id).pid

    def until(self, name: str, *wanted: str) -> JobState:
        until(lambda: self.state(name).status in wanted, lambda: self.state(name))
        return self.state(name)

    def begun(self, name: str) -> None:
        """Wait until it is at work."""
        short = name.rpartition(" ")[2]
        until(lambda: f"{short} begins" in self.diary, lambda: self.state(name))
        assert self.state(name).status == "running"

    @property
    def diary(self) -> list[str]:
        path = self.folder / "diary"
        return path.read_text().splitlines() if path.exists() else []


def until(condition: Callable[[], bool], told: Callable[[], object] = lambda: "") -> None:
    end = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < end, told()
        time.sleep(0.02)
