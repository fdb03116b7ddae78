"""How long work says how far it is, and how it is asked to stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class CancelFlag(Protocol):
    """What a caller sets to stop long work; ``threading.Event`` is one."""

    def is_set(self) -> bool:
        """True once the work should stop."""
        ...


Progress = Callable[[int, int], None]
"""Called with (done, in all)."""
