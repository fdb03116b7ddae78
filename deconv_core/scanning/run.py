"""The arguments of a scan, checked, and the meter that reports its progress."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from deconv_core.arguments import callbacks, instance, shown, whole_number
from deconv_core.errors import DeconvError
from deconv_core.images.folder import ImageFolder
from deconv_core.images.passed_over import FOLLOW, LINK, skipped_line
from deconv_core.index.folder import IndexFolder
from deconv_core.index.limits import LARGEST_BLOCK
from deconv_core.network.network import Network
from deconv_core.progress import CancelFlag, ScanProgress
from deconv_core.scanning.compute import DEVICES, PRECISIONS
from deconv_core.scanning.engine import Engine


@dataclass(frozen=True, eq=False)
class ScanRun:
    """The arguments of one call of ``scan``, under the same names.

    Attributes:
        folder: where blocks are written: the index, or the new one that will replace it.
        engine: scans the blocks.
        update: if the images of the index have changed, scan the changes.
    """

    network: Network
    images: ImageFolder
    folder: IndexFolder
    engine: Engine
    precision: str
    device: str
    block_size: int | None
    update: bool
    progress: Callable[[ScanProgress], None] | None
    cancel: CancelFlag | None


class ProgressMeter:
    """Counts scanned images; reports the rate and the time left."""

    def __init__(
        self,
        progress: Callable[[ScanProgress], None] | None,
        total: int,
        found: int,
        failed: int,
    ) -> None:
        """Start the clock.

        Args:
            progress: called with every report.
            total: images to scan, with those already scanned.
            found: images that an earlier run scanned.
            failed: images that an earlier run could not read.
        """
        self._progress, self._total, self._found = progress, total, found
        self._done, self._failed, self._began = found, failed, time.monotonic()

    def count(self, read: int, failed: int) -> None:
        """Add images that were read or failed, and report."""
        self._done += read + failed
        self._failed += failed
        self.report()

    def report(self) -> None:
        """Report how far the scan is."""
        if self._progress is None:
            return
        here = self._done - self._found
        rate = here / max(time.monotonic() - self._began, 1e-9) if here else 0.0
        left = (self._total - self._done) / rate if rate else None
        self._progress(ScanProgress(self._done, self._total, self._found, self._failed, rate, left))


def check_run(run: ScanRun) -> None:
    """Check the arguments of a scan, before anything is read or written.

    Raises:
        DeconvError: an argument is invalid, or there are no images.
    """
    instance("network", run.network, Network, "load_network('demo')")
    instance("images", run.images, ImageFolder, "ImageFolder('photos')")
    callbacks(run.progress, run.cancel)
    if not callable(getattr(run.engine, "make_blocks", None)):
        raise DeconvError(
            f"engine is {shown(run.engine)}; give a RayEngine, or None for this process"
        )
    if run.block_size is not None:
        whole_number("block_size", run.block_size, 1, LARGEST_BLOCK)
    for what, given, known in (
        ("precision", run.precision, PRECISIONS),
        ("device", run.device, DEVICES),
    ):
        if given not in known:
            raise DeconvError(f"{what} {given!r} is not known; choose {', '.join(known)}")
    if len(run.images) == 0:
        others = skipped_line(run.images.passed_over, "")
        raise DeconvError(
            "; ".join(filter(None, [f"there are no images to scan in {run.images.root}", others])),
            *([FOLLOW] if LINK in run.images.passed_over else []),
        )
