"""A scan that raises in its first block what nobody has foreseen: a program error."""

from dashboard.jobs import scans
from dashboard.jobs.worker import Cancel, Tell
from deconv_core import scan_engine

Order = scans.Order


def work(order: scans.Order, tell: Tell, cancel: Cancel) -> None:
    """Scan until the error."""

    def scan_block(*_: object) -> None:
        raise RuntimeError("something nobody expected")

    scan_engine.scan_block = scan_block
    scans.work(order, tell, cancel)
