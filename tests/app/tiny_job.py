"""A background job that does almost nothing, for tests of the queue; files control it."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from deconv_core.errors import CancelledError, DeconvError
from deconv_dashboard.queue.state import Progress
from deconv_dashboard.queue.worker import Cancel, Tell


@dataclass(frozen=True)
class Order:
    """``folder`` has the log of all jobs; a job continues when a file with its name appears."""

    folder: Path
    name: str
    deaf: bool = False
    trouble: str = ""


def work(order: Order, tell: Tell, cancel: Cancel) -> None:
    """Log the start, wait for the file, log the end."""
    note(order.folder, f"{order.name} begins")
    tell(Progress("", 1, 2, "image"))
    if order.trouble == "child":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        (order.folder / "child").write_text(str(child.pid))
    while not (order.folder / order.name).exists():
        if cancel.is_set() and not order.deaf:
            note(order.folder, f"{order.name} stops")
            raise CancelledError("stopped")
        time.sleep(0.01)
    if order.trouble == "exit":
        os._exit(1)
    if order.trouble == "raise":
        raise RuntimeError("something nobody expected")
    if order.trouble:
        raise DeconvError(order.trouble)
    tell(Progress("", 2, 2, "image"))
    note(order.folder, f"{order.name} ends")


def note(folder: Path, text: str) -> None:
    with (folder / "diary").open("a") as diary:
        diary.write(f"{text}\n")
