"""Writes the dashboard's table of classifiers: ``python -m tests.app.catalogue_table``.

The numbers of layers are counted on the graphs, which takes minutes; the rest is torchvision's.
"""

from __future__ import annotations

import csv
import sys

from deconv_core.network.catalogue import TITLES, published_as
from deconv_core.network.sources import load_network
from deconv_dashboard.data.catalogue import TABLE, Classifier


def row_of(name: str, layers: int) -> Classifier:
    """What torchvision says of a classifier and of its default weights."""
    weights = published_as(name, "")
    file = weights.url.rpartition("/")[2]
    size = round(weights.megabytes * 2**20)
    return Classifier(name, TITLES[name], weights.parameters, layers, size, file)


def main() -> None:
    """Write the table."""
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Classifier.__slots__)
        for name in TITLES:
            row = row_of(name, len(load_network(f"{name}:random").layers))
            writer.writerow(getattr(row, field) for field in Classifier.__slots__)
            print(name, row.layers, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
