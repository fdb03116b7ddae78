"""Torchvision's classifiers that have a deconvnet, as a table: reading it loads no torch.

``tests/app/catalogue_table.py`` writes the table.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("catalogue.csv")
_RANDOM = ":random"


@dataclass(frozen=True, slots=True)
class Classifier:
    """A classifier, and the weights that torchvision publishes for it.

    Attributes:
        name: as ``load_network`` knows it: "resnet50".
        title: for people: "ResNet-50".
        parameters: how many numbers it has.
        layers: how many layers can be shown.
        size: of the published file, in bytes.
        file: name of the published file.
    """

    name: str
    title: str
    parameters: int
    layers: int
    size: int
    file: str

    @property
    def url(self) -> str:
        """Address of the published file."""
        return f"https://download.pytorch.org/models/{self.file}"

    @property
    def converted(self) -> str:
        """Name of the file that is kept of the published one."""
        kind = "features.safetensors" if self.name.startswith("vgg") else "safetensors"
        return f"{Path(self.file).stem}.{kind}"


@cache
def classifiers() -> Mapping[str, Classifier]:
    """Name -> classifier, as torchvision lists families."""
    with TABLE.open(newline="", encoding="utf-8") as file:
        rows = [
            Classifier(
                row["name"],
                row["title"],
                int(row["parameters"]),
                int(row["layers"]),
                int(row["size"]),
                row["file"],
            )
            for row in csv.DictReader(file)
        ]
    return {row.name: row for row in rows}


def published(source: str) -> Classifier | None:
    """The classifier whose published weights a source of ``load_network`` means, if any."""
    return classifiers().get(source)


def drawn_at_random(source: str) -> bool:
    """True for random weights: "random", "resnet50:random"."""
    name = source.removesuffix(_RANDOM)
    return source == "random" or (name != source and name in classifiers())


def random_source(name: str) -> str:
    """The source of a classifier with random weights."""
    return name + _RANDOM
