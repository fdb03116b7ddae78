"""VGG19's published weights, downloaded by a child process. Run as a program, this is the child.

What has arrived is kept when the download is stopped; the next one goes on from there.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from dashboard import child_side
from dashboard.child_process import ChildProcess
from dashboard.registry import VGG19, Registry

BYTES = 574_673_361


@dataclass(frozen=True)
class WeightsState:
    """How far the download is.

    Attributes:
        status: "none", "running", "done", "cancelled" or "failed".
        done: bytes that arrived; ``total`` when they are being converted.
        total: of how many.
        message: why it failed, or "".
    """

    status: str
    done: int = 0
    total: int = BYTES
    message: str = ""


def start_weights_download(registry: Registry, url: str | None = None) -> None:
    """Start the download, or go on with it; nothing happens if it runs or is done.

    Args:
        registry: names the data folder.
        url: in place of torchvision's.

    Raises:
        DeconvError: no process can be started.
    """
    if not registry.ready(VGG19):
        arguments = ["-m", "dashboard.vgg19_download", str(registry.home), *([url] if url else [])]
        _child(registry).start(arguments, {})


def cancel_weights_download(registry: Registry) -> None:
    """Ask the download to stop; what has arrived is kept."""
    _child(registry).cancel()


def weights_state(registry: Registry) -> WeightsState:
    """How far it is, from its files alone: the same answer in every session."""
    if registry.ready(VGG19):
        return WeightsState("done", BYTES)
    child = _child(registry)
    event = child.last_event()
    done, total = int(event.get("done", 0)), int(event.get("total", BYTES))
    if child.running:
        return WeightsState("running", done, total)
    if not child.began:
        return WeightsState("none")
    if child.cancelled:
        return WeightsState("cancelled", done, total)
    message = str(event.get("message", "")) or child.last_words() or "it was ended from outside"
    return WeightsState("failed", message=message)


def _child(registry: Registry) -> ChildProcess:
    return ChildProcess(registry.home / "weights" / "vgg19_download")


def main(home: str, url: str | None = None) -> int:
    """The child process."""
    from deconv_core.weights import published_vgg19

    def tell(done: int, total: int) -> None:
        child_side.say("download", done=done, total=total)

    return child_side.run(
        lambda cancel: published_vgg19(Path(home), url=url, progress=tell, cancel=cancel)
    )


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
