"""The background job that downloads VGG19's published weights.

A stopped download keeps its part of the file; the next download continues from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deconv_dashboard.data.registry import VGG19, Registry
from deconv_dashboard.queue.queue import NewJob
from deconv_dashboard.queue.state import JobState, Progress
from deconv_dashboard.queue.worker import Cancel, Tell

BYTES = 574_673_361
_KEY = "weights"


@dataclass(frozen=True)
class Order:
    """What the job does: it downloads from ``url`` (None: torchvision's address) into ``home``."""

    home: Path
    url: str | None


def start_weights_download(registry: Registry, url: str | None = None) -> None:
    """Start or continue the download; nothing happens if it is active or done.

    Args:
        registry: the data folder.
        url: an address in place of torchvision's.

    Raises:
        DeconvError: the queue or the data folder is full, or no process can be started.
    """
    if not registry.ready(VGG19):
        order = Order(registry.home, url)
        registry.jobs.start(NewJob(_KEY, _KEY, __name__, order, disk=BYTES))


def weights_state(registry: Registry) -> JobState:
    """The state of the download, read from files; the same in every session."""
    if registry.ready(VGG19):
        return JobState("done", _KEY)
    return registry.jobs.find(_KEY)


def work(order: Order, tell: Tell, cancel: Cancel) -> None:
    """Download, check, convert."""
    from deconv_core.network.sources import published_vgg19  # loads torch: not for pages

    def arrived(done: int, total: int) -> None:
        step = "Downloading" if done < total else "Checking and converting"
        tell(Progress(step, done, total, "byte"))

    published_vgg19(order.home, url=order.url, progress=arrived, cancel=cancel)
