"""A scan that raises an unexpected exception in its first block."""

from deconv_core.scanning import engine as scan_engine
from deconv_dashboard.jobs import scans
from deconv_dashboard.queue.worker import Cancel, Tell

Order = scans.Order


def work(order: scans.Order, tell: Tell, cancel: Cancel) -> None:
    """Scan until the error."""

    def scan_block(*_: object) -> None:
        raise RuntimeError("something nobody expected")

    scan_engine.scan_block = scan_block
    scans.work(order, tell, cancel)
