"""The pictures of one map or layer for an export, without those that cannot be made any more.

An image that is gone, or whose file holds something else than when it was scanned, is left out: the
others are made, and whoever exports is told which are missing and why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass

from deconv_core.errors import DeconvError, ImageChangedError, ImageError
from deconv_core.exact import exact_top
from deconv_core.images.folder import ImageFolder, check_unchanged
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.network.download import CancelFlag
from deconv_core.network.network import Network
from deconv_core.output.selection import Selection
from deconv_core.reconstruction.cache import ReconstructionCache
from deconv_core.reconstruction.reconstruct import Reconstruction, reconstruct
from deconv_core.units import Activation

LeftOut = MutableMapping[str, str]
"""image_id -> why there is no picture of it."""
Copies = Mapping[str, tuple[str, ...]] | None
"""What ``ActivationIndex.copies_behind`` gives."""


@dataclass(frozen=True)
class Drawn:
    """The answer of one map or layer, drawn as far as its images allow.

    Attributes:
        top: every activation of the answer.
        pictures: rank (from 1) -> its picture.
        missing: rank -> why there is none.
        copies: the copies of the images.
    """

    top: Sequence[Activation]
    pictures: Mapping[int, Reconstruction]
    missing: Mapping[int, str]
    copies: Copies = None


@dataclass(frozen=True, eq=False)
class Drawing:
    """Draws maps and layers of one index.

    Attributes:
        network: what was scanned with.
        images: what was scanned.
        index: the scan.
        selection: how many activations, of which label.
        cache: keeps images and switches between maps.
        left_out: takes the images that cannot be drawn.
        cancel: set it to stop.
    """

    network: Network
    images: ImageFolder
    index: ActivationIndex
    selection: Selection
    cache: ReconstructionCache
    left_out: LeftOut
    cancel: CancelFlag | None = None

    def draw(self, layer: str, channel: int | None) -> Drawn:
        """The pictures of one map, or of a whole layer.

        Raises:
            DeconvError: the folder of images is gone, or another network made the index.
            CancelledError: ``cancel`` was set.
        """
        chosen = self.selection
        top = exact_top(
            *(self.network, self.images, self.index, layer, channel, chosen.k, chosen.label),
            copies=chosen.copies,
            cache=self.cache,
            cancel=self.cancel,
            left_out=self._note,
        )
        copies = self.index.copies_behind(top, chosen.label, copies=chosen.copies)
        scanned = self.index.content_hashes(found.image_id for found in top)
        while True:
            ranks = {r: a for r, a in enumerate(top, 1) if a.image_id not in self.left_out}
            wanted = self.network, self.images, list(ranks.values()), self.cache
            try:
                made = reconstruct(*wanted, cancel=self.cancel, scanned=scanned)
            except ImageError:
                self._leave_out(ranks.values(), scanned)
                continue
            missing = {
                rank: self.left_out[found.image_id]
                for rank, found in enumerate(top, 1)
                if rank not in ranks
            }
            return Drawn(top, dict(zip(ranks, made, strict=True)), missing, copies)

    def _note(self, image_id: str, error: ImageError) -> None:
        self.left_out[image_id] = why_left_out(self.images, image_id, error)

    def _leave_out(self, found: Iterable[Activation], scanned: Mapping[str, str]) -> None:
        """Note which images cannot be drawn.

        Raises:
            ImageError: each can, as it seems now.
        """
        before = len(self.left_out)
        for image_id in dict.fromkeys(activation.image_id for activation in found):
            try:
                seen = self.cache.image(self.images, self.images.position(image_id))
                check_unchanged(image_id, seen.content_hash, scanned)
            except ImageError as error:
                self._note(image_id, error)
        if len(self.left_out) == before:
            raise ImageError("an image changed while it was read; try again")


def why_left_out(images: ImageFolder, image_id: str, error: ImageError) -> str:
    """Why an image is left out, without a path of this computer.

    Raises:
        DeconvError: the whole folder is gone.
    """
    if not images.root.is_dir():
        raise DeconvError(f"the folder of images {images.root} is gone; bring it back") from error
    if isinstance(error, ImageChangedError):
        return "its file holds something else than when it was scanned"
    if all(entry.image_id != image_id for entry in images):
        return "it is not in the folder any more"
    return str(error)
