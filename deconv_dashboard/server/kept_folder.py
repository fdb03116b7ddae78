"""A folder of images that is kept, and listed again when it has changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from deconv_core.images.folder import ImageFolder

_LONGEST = 5.0  # seconds
_SHARE = 20


class KeptFolder:
    """The images of a folder, shared by all sessions.

    Every time somebody asks, each folder is looked at, and all are listed again if one has changed.
    That may take seconds on a network drive; at most a twentieth of the time goes into it, and a
    list is never older than the last look by more than five seconds.
    """

    def __init__(self, list_folder: Callable[[], ImageFolder]) -> None:
        """Take what lists the folder; nothing is listed yet."""
        self._list_folder = list_folder
        self._lock = threading.Lock()
        self._images: ImageFolder | None = None
        self._next_look = 0.0

    def images(self) -> ImageFolder:
        """The images as they are now.

        Raises:
            DeconvError: the folder is gone.
        """
        with self._lock:
            began = time.monotonic()
            if self._images is None or began >= self._next_look:
                if self._images is None or not self._images.is_current():
                    self._images = None
                    self._images = self._list_folder()
                now = time.monotonic()
                self._next_look = now + min(_SHARE * (now - began), _LONGEST)
            return self._images
