"""One computation at a time, and the newest request wins. Knows nothing of Streamlit."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from deconv_core.errors import CancelledError

if TYPE_CHECKING:  # they load torch
    from deconv_core.exact import ExactTop
    from deconv_core.reconstruction import Reconstruction


class Newest:
    """The requests of one browser session: a new one cancels the one before."""

    def __init__(self) -> None:
        """No request yet."""
        self._lock = threading.Lock()
        self._flag = threading.Event()

    def begin(self) -> threading.Event:
        """Cancel what was asked before; returns the new request's own cancel flag."""
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


class PictureStore:
    """Finished reconstructions, the least recently used dropped first; thread-safe."""

    def __init__(self, max_bytes: int) -> None:
        """Keep at most ``max_bytes``."""
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[str, Reconstruction] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Reconstruction | None:
        """The picture of this key, if it is kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: str, picture: Reconstruction) -> None:
        """Keep a picture."""
        with self._lock:
            replaced = self._kept.pop(key, None)
            self._bytes += _size(picture) - (_size(replaced) if replaced else 0)
            self._kept[key] = picture
            while self._bytes > self._max_bytes and self._kept:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= _size(dropped)


class SettledAnswers:
    """Float32 answers by question, the oldest dropped first; thread-safe."""

    def __init__(self, most: int = 2000) -> None:
        """Keep at most ``most``."""
        self._most = most
        self._kept: OrderedDict[tuple[Any, ...], ExactTop] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, question: tuple[Any, ...]) -> ExactTop | None:
        """The answer, if it is known."""
        with self._lock:
            return self._kept.get(question)

    def put(self, question: tuple[Any, ...], answer: ExactTop) -> None:
        """Keep an answer."""
        with self._lock:
            self._kept[question] = answer
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)


def _size(picture: Reconstruction) -> int:
    return picture.pixels.nbytes + picture.patch.nbytes
