"""The cache of reconstructions: pixels, switches and peaks of images."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass

from cachetools import LRUCache

from deconv_core.arguments import whole_number
from deconv_core.images.decoding import Pixels
from deconv_core.images.folder import ImageContent, ImageFolder, SeenImage
from deconv_core.layers import INPUT_SIZE, layer_of_peaks
from deconv_core.network.network import Network
from deconv_core.peaks import Peaks
from deconv_core.reconstruction.switches import Switches, nbytes

_MOST_NOTED = 100_000
"""The most images with recorded work; then all records are deleted."""


@dataclass(frozen=True, eq=False)
class ImagePass:
    """The result of the reference pass over one whole image, up to some layer.

    Attributes:
        reached: names of the layers on the way.
        switches: the switches of every pooling on the way; with ``masks`` also where every
            rectification was open.
        peaks: layer -> peaks, arrays (1, C), of every layer on the way that has its own.
        content_hash: SHA-256 of the image's file, in hexadecimal digits; "" if unknown.
    """

    reached: frozenset[str]
    switches: Switches
    peaks: dict[str, Peaks]
    content_hash: str = ""
    masks: bool = False

    def peaks_of(self, network: Network, layer: str) -> Peaks:
        """The peaks (1, C) of a layer on the way."""
        return self.peaks[layer_of_peaks(network.layers, layer)].at(network.layers[layer])

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return nbytes(self.switches) + sum(peaks.nbytes for peaks in self.peaks.values())


class ReconstructionCache:
    """A thread-safe cache of decoded images and packed switches; drops the least recently used.

    A picture of 224x224 pixels takes 0.15 MB, and a pass of VGG19 over it at most 0.42 MB. The keys
    contain ``ImageContent``, so after a change of its file an image is read again.
    """

    def __init__(self, max_bytes: int = 512 * 2**20) -> None:
        """Keep at most ``max_bytes``.

        Raises:
            DeconvError: ``max_bytes`` is not a whole number of at least 0.
        """
        self.max_bytes = whole_number("max_bytes", max_bytes)
        self._kept: LRUCache[Hashable, SeenImage | ImagePass] = LRUCache(
            self.max_bytes, lambda kept: kept.nbytes
        )
        self._work: dict[Hashable, float] = {}
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes held now."""
        return int(self._kept.currsize)

    def image(
        self, images: ImageFolder, position: int, size: tuple[int, int] = INPUT_SIZE
    ) -> SeenImage:
        """The decoded image of this height and width, from the cache or from its file.

        Raises:
            ImageError: it cannot be read.
        """
        content = images.content(position)
        kept = self._get((content, size))
        if isinstance(kept, SeenImage):
            return kept
        decoded = images.decode(position, size)
        decoded.pixels.setflags(write=False)
        seen = SeenImage(content, decoded.pixels, decoded.content_hash, decoded.note)
        self._put((content, size), seen)
        return seen

    def pixels(
        self, images: ImageFolder, position: int, size: tuple[int, int] = INPUT_SIZE
    ) -> Pixels:
        """The pixels of ``image``.

        Raises:
            ImageError: it cannot be read.
        """
        return self.image(images, position, size).pixels

    def image_pass(
        self, network: Network, content: ImageContent, layer: str, *, masks: bool = False
    ) -> ImagePass | None:
        """The cached pass over an image that reached ``layer``, if asked with masks; or None."""
        kept = self._get((network.fingerprint, content))
        if not isinstance(kept, ImagePass) or layer not in kept.reached:
            return None
        return kept if kept.masks or not masks else None

    def keep_pass(self, network: Network, content: ImageContent, passed: ImagePass) -> None:
        """Store a pass over an image."""
        self._put((network.fingerprint, content), passed)

    def work(self, network: Network, content: ImageContent, share: float) -> float:
        """Record work on an image, as a share of a whole pass; returns the sum so far."""
        key = (network.fingerprint, content)
        with self._lock:
            if len(self._work) >= _MOST_NOTED:
                self._work.clear()
            self._work[key] = self._work.get(key, 0.0) + share
            return self._work[key]

    def _get(self, key: Hashable) -> SeenImage | ImagePass | None:
        with self._lock:
            return self._kept.get(key)

    def _put(self, key: Hashable, value: SeenImage | ImagePass) -> None:
        with self._lock, suppress(ValueError):  # larger than the whole cache: not kept
            self._kept[key] = value
