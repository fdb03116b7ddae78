"""The stored settings of a dataset and of a network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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


@dataclass(frozen=True)
class NetworkChoice:
    """A network: ``source`` and ``preprocessing`` are the arguments of ``load_network``."""

    network_id: str
    name: str
    source: str
    preprocessing: str | None = None
