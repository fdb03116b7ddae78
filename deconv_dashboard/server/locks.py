"""One computation at a time, and the newest request wins. Does not use Streamlit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from typing import Generic, TypeVar

from cachetools import LRUCache

from deconv_core.errors import CancelledError

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class Newest:
    """The requests of one browser session: a new request cancels the previous one."""

    def __init__(self) -> None:
        """Start without a request."""
        self._lock = threading.Lock()
        self._flag = threading.Event()

    def begin(self) -> threading.Event:
        """Cancel the previous request; returns the cancel flag of the new one."""
        with self._lock:
            self._flag.set()
            self._flag = threading.Event()
            return self._flag


class Turn:
    """A lock that somebody who is no longer wanted stops waiting for."""

    def __init__(self) -> None:
        """Free."""
        self._lock = threading.Lock()

    @contextmanager
    def taken(self, cancel: threading.Event) -> Iterator[None]:
        """Hold the lock.

        Raises:
            CancelledError: ``cancel`` was set before the lock was free.
        """
        while not self._lock.acquire(timeout=0.05):
            if cancel.is_set():
                raise CancelledError("a newer request came")
        try:
            if cancel.is_set():
                raise CancelledError("a newer request came")
            yield
        finally:
            self._lock.release()


class Store(Generic[_Key, _Value]):
    """What was computed, the least recently used dropped first; thread-safe."""

    def __init__(self, most: int, size: Callable[[_Value], int] = lambda _: 1) -> None:
        """Keep values of ``size`` ``most`` in all: bytes, or without a size a number of values."""
        self._kept: LRUCache[_Key, _Value] = LRUCache(most, size)
        self._lock = threading.Lock()

    def get(self, key: _Key) -> _Value | None:
        """The value of this key, if it is kept."""
        with self._lock:
            return self._kept.get(key)

    def put(self, key: _Key, value: _Value) -> None:
        """Keep a value."""
        with self._lock, suppress(ValueError):  # larger than the whole store: not kept
            self._kept[key] = value

    def __len__(self) -> int:
        return len(self._kept)
