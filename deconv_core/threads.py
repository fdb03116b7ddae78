"""Calls a function for many items, in a few threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Found = TypeVar("_Found")


def in_threads(function: Callable[[_Item], _Found], items: Iterable[_Item]) -> list[_Found]:
    """The results in order. It helps where most of the time other threads may run.

    That is so while numpy sorts, Arrow reads, and hashes are computed. The first error is raised.
    """
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        return list(pool.map(function, items))
