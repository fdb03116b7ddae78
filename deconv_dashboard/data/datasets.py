"""What is kept of a dataset and of a network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Dataset:
    """A folder of images and how it is read.

    Attributes:
        dataset_id: "demo", or 8 hex digits.
        name: for people.
        kind: "demo", "folder", "upload" or "caltech256".
        root: the folder.
        extensions: file types taken; None takes all that can be read.
        labels: first-level folders taken; None takes all.
        resize: "stretch" or "crop".
        follow_links: folders in it that are links are entered.
        value_range: "type", or "file": values of more than 8 bits fill each file's own range.
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
    """A source of weights: ``source`` and ``preprocessing`` are arguments of ``load_network``."""

    network_id: str
    name: str
    source: str
    preprocessing: str | None = None
