"""Measures how well single feature maps find the parts of the drawings.

A location of a feature map belongs to a cell of stride x stride pixels, in the middle of its
receptive field. The location is on a part if at least half of the cell belongs to the part. The
score of a map for a part is an average precision: all locations of all pictures are ranked by the
map's activation. Chance is the part's share of the locations: the score of a random ranking.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from deconv_core.deconvnet import convnet_pass
from deconv_core.network.network import Network

from .drawing import Drawing

BATCH = 16


@dataclass(frozen=True)
class Score:
    """One map's score for one part, over all drawings or those of one label."""

    layer: str
    channel: int
    part: str
    label: str | None
    score: float
    chance: float


def ranks(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """The rank of every value: the number of values that are at least as large."""
    order = np.argsort(values)
    ascending = values[order]
    first = np.flatnonzero(np.append(True, ascending[1:] != ascending[:-1]))
    lengths = np.diff(np.append(first, len(values)))
    found = np.empty(len(values), np.int64)
    found[order] = len(values) - np.repeat(first, lengths)
    return found


def average_precision(positive_ranks: NDArray[np.int64]) -> float:
    """Average precision of a ranking, from the `ranks` of its positives."""
    ordered = np.sort(positive_ranks)
    hits = np.searchsorted(ordered, ordered, side="right")
    return float((hits / ordered).mean()) if len(ordered) else 0.0


def part_cells(mask: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    """Which cells (side, side) of a mask (224, 224) are at least half covered."""
    step = mask.shape[0] // side
    return mask.reshape(side, step, side, step).mean(axis=(1, 3)) >= 0.5


def feature_maps(
    network: Network, drawings: Sequence[Drawing], layers: Sequence[str]
) -> dict[str, NDArray[np.float32]]:
    """Activations (drawings, channels, side, side) of each layer."""
    found: dict[str, list[NDArray[np.float32]]] = {name: [] for name in layers}

    def keep(name: str, maps: torch.Tensor) -> None:
        if name in found:
            found[name].append(maps.numpy().copy())

    for first in range(0, len(drawings), BATCH):
        pictures = [np.asarray(drawing.image) for drawing in drawings[first : first + BATCH]]
        pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
        convnet_pass(network.graph, network.normalise(pixels), layers[-1], keep)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def scores(
    layer: str,
    maps: NDArray[np.float32],
    drawings: Sequence[Drawing],
    label: str | None = None,
    only: Sequence[tuple[int, str]] | None = None,
    cells: Mapping[str, NDArray[np.int64]] | None = None,
) -> Iterator[Score]:
    """Score every map of a layer for every part, or only the (channel, part) pairs given.

    `cells` are `places_of_parts` of the drawings of the label, if they are known already.
    """
    chosen = [i for i, drawing in enumerate(drawings) if label in (None, drawing.label)]
    if cells is None:
        cells = places_of_parts([drawings[i] for i in chosen], maps.shape[-1])
    pairs = only or [(channel, part) for channel in range(maps.shape[1]) for part in cells]
    places = maps.shape[-1] ** 2 * len(chosen)
    ranked = (-1, np.zeros(0, np.int64))
    for channel, part in pairs:
        if len(cells.get(part, ())) == 0:
            continue
        if ranked[0] != channel:
            ranked = channel, ranks(maps[chosen, channel].ravel())
        score = average_precision(ranked[1][cells[part]])
        yield Score(layer, channel, part, label, score, len(cells[part]) / places)


def places_of_parts(drawings: Sequence[Drawing], side: int) -> Mapping[str, NDArray[np.int64]]:
    """Part -> flat indices (over all drawings) of the locations on it."""
    found: dict[str, list[NDArray[np.int64]]] = {}
    for number, drawing in enumerate(drawings):
        for part, mask in drawing.parts.items():
            here = np.flatnonzero(part_cells(mask, side)) + number * side * side
            found.setdefault(part, []).append(here)
    return {part: np.concatenate(places) for part, places in sorted(found.items())}
