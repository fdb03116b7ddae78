"""The background job that downloads published weights: VGG19's, or another classifier's.

A stopped download keeps its part of the file; the next download continues from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deconv_dashboard.data.datasets import NetworkChoice
from deconv_dashboard.data.registry import VGG19, Registry
from deconv_dashboard.queue.queue import NewJob
from deconv_dashboard.queue.state import JobState, Progress
from deconv_dashboard.queue.worker import Cancel, Tell

_KIND = "weights"


@dataclass(frozen=True)
class Order:
    """What the job does: it downloads from ``url`` (None: torchvision's address) into ``home``.

    With ``file``, the published file on this computer, nothing is downloaded.
    """

    home: Path
    url: str | None
    name: str = VGG19.source
    file: Path | None = None


def start_weights_download(
    registry: Registry,
    network: NetworkChoice = VGG19,
    url: str | None = None,
    file: Path | None = None,
) -> None:
    """Start or continue the download; nothing happens if it is active or done.

    Args:
        registry: the data folder.
        network: whose published weights.
        url: an address in place of torchvision's.
        file: the published file, if it is on this computer already.

    Raises:
        DeconvError: there is no such file, or it may not be read; the queue or the data folder is
            full, or no process can be started.
    """
    classifier = network.published
    if classifier is not None and not registry.ready(network):
        if file is not None:
            registry.check_weights(file)
        order = Order(registry.home, url, classifier.name, file)
        used = "" if network == VGG19 else network.network_id
        key, size = _key(network), classifier.size
        registry.jobs.start(NewJob(_KIND, key, __name__, order, network=used, disk=size))


def _key(network: NetworkChoice) -> str:
    return _KIND if network == VGG19 else f"{_KIND} {network.source}"


def weights_state(registry: Registry, network: NetworkChoice = VGG19) -> JobState:
    """The state of the download, read from files; the same in every session."""
    if registry.ready(network):
        return JobState("done", _KIND, _key(network))
    return registry.jobs.find(_key(network))


def work(order: Order, tell: Tell, cancel: Cancel) -> None:
    """Download, check, convert."""
    from deconv_core.network.sources import published  # loads torch: not for pages

    def arrived(done: int, total: int) -> None:
        step = "Downloading" if done < total else "Checking and converting"
        tell(Progress(step, done, total, "byte"))

    given = order.name, order.home
    published(*given, url=order.url, file=order.file, progress=arrived, cancel=cancel)
