"""A cached list of a folder's images, renewed when the folder changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from deconv_core.images.folder import ImageFolder

_LONGEST = 5.0  # seconds
_SHARE = 20


class KeptFolder:
    """The images of a folder, shared by all sessions.

    ``images`` checks the folder and its subfolders, and lists them again if one has changed. This
    check may take seconds on a network drive. So it takes at most a twentieth of the time, but is
    never more than five seconds old.
    """

    def __init__(self, list_folder: Callable[[], ImageFolder]) -> None:
        """Store the function that lists the folder; nothing is listed yet."""
        self._list_folder = list_folder
        self._lock = threading.Lock()
        self._images: ImageFolder | None = None
        self._next_look = 0.0

    def images(self) -> ImageFolder:
        """The current images.

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
