"""The stored settings of a dataset and of a network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deconv_core.images.folder import ImageFolder
from deconv_dashboard.data.catalogue import Classifier, drawn_at_random, published


@dataclass(frozen=True)
class Dataset:
    """A folder of images, and how its images are read.

    Attributes:
        dataset_id: "demo", or 8 hex digits.
        name: name for people.
        kind: "demo", "folder", "upload" or "caltech256".
        root: the folder.
        extensions: file types to read; None reads every known type.
        labels: first-level folders to read; None reads all.
        resize: "stretch" or "crop".
        follow_links: True follows links to folders.
        value_range: how values of more than 8 bits become 8 bits: "type" uses the full range of
            the type, "file" the smallest and largest value of each file.
    """

    dataset_id: str
    name: str
    kind: str
    root: Path
    extensions: tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None
    resize: str = "stretch"
    follow_links: bool = False
    value_range: str = "type"

    def images(self, within: tuple[Path, ...] | None) -> ImageFolder:
        """Its images, listed now; ``within``: the folders that may be read, None for all.

        Raises:
            DeconvError: the folder is missing, outside, or has no such images.
        """
        return ImageFolder(
            *(self.root, self.extensions, self.labels),
            resize="crop" if self.resize == "crop" else "stretch",
            within=within,
            follow_links=self.follow_links,
            value_range="file" if self.value_range == "file" else "type",
        )


@dataclass(frozen=True)
class NetworkChoice:
    """A network: ``source`` and ``preprocessing`` are the arguments of ``load_network``."""

    network_id: str
    name: str
    source: str
    preprocessing: str | None = None

    @property
    def published(self) -> Classifier | None:
        """The classifier whose published weights it is; None for all others."""
        return published(self.source)

    @property
    def at_random(self) -> bool:
        """True for random weights, which need no file."""
        return drawn_at_random(self.source)

    @property
    def is_file(self) -> bool:
        """True for a weight file that a person added."""
        return self.source != "demo" and not self.at_random and self.published is None
