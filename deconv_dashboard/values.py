"""What pages choose, ask and get: frozen values that know nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from deconv_core.errors import DeconvError
from deconv_core.images.folder import ImageContent
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.layers import Layer
from deconv_core.units import Activation
from deconv_dashboard.data.datasets import Dataset, NetworkChoice
from deconv_dashboard.data.registry import Registry

if TYPE_CHECKING:
    from deconv_core.reconstruction.reconstruct import Reconstruction

EACH = "each"
"""Value of ``copies`` in the address that counts every copy of a picture."""
Copies = Mapping[str, tuple[str, ...]] | None


@dataclass(frozen=True)
class Choice:
    """What the sidebar says.

    Attributes:
        registry: datasets, networks, indexes.
        network: chosen weights.
        dataset: chosen images.
        label: only these images, or None for all.
        index: their index, finished or not; None if they were never scanned together.
        index_path: where it is, or will be.
        index_stamp: names the state of the index.
        problem: why the index cannot be read, or None.
        values: the query parameters of this page, checked: ``layer`` and ``map`` among them.
        page: which page asks.
        notes: what the address asked for and did not get, in words.
    """

    registry: Registry
    network: NetworkChoice
    dataset: Dataset
    label: str | None
    index: ActivationIndex | None
    index_path: Path
    index_stamp: str = ""
    problem: DeconvError | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    page: str = "start"
    notes: tuple[str, ...] = ()

    @property
    def layers(self) -> Mapping[str, Layer]:
        """The layers of the index, or nothing without one."""
        return self.index.layers if self.index else {}

    @property
    def layer(self) -> Layer | None:
        """The layer in the address; None without an index."""
        return self.layers.get(self.values.get("layer", ""))

    @property
    def approximate(self) -> bool:
        """True if the numbers of the index are a little off, until they are checked in float32."""
        return self.index is not None and self.index.precision != "float32"

    @property
    def has_copies(self) -> bool:
        """True if pictures of the dataset have copies: files of equal content."""
        return self.index is not None and bool(self.index.equal_images)

    @property
    def copies(self) -> bool:
        """True if every copy counts in an answer; on Start each picture counts once."""
        return self.page != "start" and self.values.get("copies") == EACH

    @property
    def map(self) -> int:
        """The feature map in the address."""
        return int(self.values.get("map", "0"))


@dataclass(frozen=True, slots=True)
class PictureKey:
    """What a reconstruction is made from.

    Attributes:
        network: fingerprint of the network.
        image: the image's file as it is now, and how it is read.
        activation: what is reconstructed.
        scanned: SHA-256 that the image has to have; "" if any will do.
    """

    network: str
    image: ImageContent
    activation: Activation
    scanned: str


@dataclass(frozen=True)
class Pictures:
    """Reconstructions of a list of activations.

    Attributes:
        found: rank (from 1) -> reconstruction.
        missing: rank -> why there is none (the image is gone or was changed).
        keys: rank -> what each one found is made from.
    """

    found: dict[int, Reconstruction]
    missing: dict[int, DeconvError]
    keys: dict[int, PictureKey]

    @property
    def all(self) -> list[Reconstruction]:
        """Those found, in order."""
        return list(self.found.values())


@dataclass(frozen=True)
class Answer:
    """The top activations of one question, with their pictures.

    Attributes:
        label: asked within this label, or None for all images.
        activations: in order.
        pictures: their reconstructions, and why some are missing.
        approximate: from a scan in bfloat16, and not checked in float32 (yet).
        tiles: (kind, rank) -> PNG bytes already drawn, used in place of pictures.
        copies: image id -> the copies it stands for; None where every image speaks for itself.
    """

    label: str | None
    activations: list[Activation]
    pictures: Pictures = field(default_factory=lambda: Pictures({}, {}, {}))
    approximate: bool = False
    tiles: Mapping[tuple[str, int], bytes] = field(default_factory=dict)
    copies: Copies = None

    def copies_of(self, activation: Activation) -> tuple[str, ...]:
        """The copies that an activation's image stands for."""
        return (self.copies or {}).get(activation.image_id, ())
