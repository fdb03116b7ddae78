"""Measures how far the memory of this process rises, in Python, NumPy, Arrow and torch.

``tracemalloc`` sees Python's own allocations only, and CPython before 3.12.9 crashes now and then
when it is stopped while another library's thread enters Python.
"""

import resource
import sys
from pathlib import Path


def forget_peak() -> int:
    """Begin to measure; returns the bytes resident now, or outside Linux the most so far."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return peak()
    return _status("VmRSS")


def peak() -> int:
    """Most bytes resident since :func:`forget_peak`, or since the process began."""
    if Path("/proc/self/status").exists():
        return _status("VmHWM")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _status(name: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) * 1024
