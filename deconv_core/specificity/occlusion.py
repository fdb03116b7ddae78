"""Occlusion: what a network computes while a grey square slides over the image: figure 7."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from deconv_core.arguments import callbacks, instance, whole_number
from deconv_core.deconvnet import walk_up
from deconv_core.errors import CancelledError, DeconvError
from deconv_core.graph.geometry import Place, whole_plane
from deconv_core.images.decoding import Pixels
from deconv_core.network.head import Head
from deconv_core.network.network import Network
from deconv_core.progress import CancelFlag, Progress
from deconv_core.scanning.compute import to_batch
from deconv_core.units import Unit

GREY = 128
"""The value of the square's pixels, in all colours."""
Floats = npt.NDArray[np.float64]
_COARSE = (4, 2, 1)
_TOGETHER = 4
"""Images that pass up together; then there is news, and cancel is asked."""


@dataclass(frozen=True, eq=False)
class Responses:
    """What a network computes for some images, each in an array of one shape.

    Attributes:
        activations: of the map at its location.
        sums: of the layer's strongest map, over all its locations.
        probabilities: of the class that is the most probable one of the image without a square;
            None for a network without a classifier.
        classes: the most probable class, by its number; None for a network without a classifier.
    """

    activations: npt.NDArray[np.float32]
    sums: npt.NDArray[np.float32]
    probabilities: npt.NDArray[np.float32] | None = None
    classes: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True, eq=False)
class Occlusion:
    """What a network computes for each position of the square.

    Attributes:
        unit: the map.
        place: its location.
        strongest: the map of the layer with the largest peak in the image without a square.
        size: side of the square, in pixels.
        stride: pixels from one position to the next.
        tops: its first rows.
        lefts: its first columns.
        found: for each position, arrays (len(tops), len(lefts)).
        without: the same for the image without a square, arrays without axes.
    """

    unit: Unit
    place: Place
    strongest: int
    size: int
    stride: int
    tops: tuple[int, ...]
    lefts: tuple[int, ...]
    found: Responses
    without: Responses


def occlusions(
    network: Network,
    pixels: Pixels,
    unit: Unit,
    place: Place,
    size: int = 32,
    stride: int = 16,
    progress: Progress | None = None,
    cancel: CancelFlag | None = None,
) -> Iterator[Occlusion]:
    """Slide a grey square over an image, coarse to fine.

    Args:
        network: the network.
        pixels: the image as the network sees it, uint8 (height, width, 3).
        unit: a map.
        place: row and column in it.
        size: side of the square, in pixels.
        stride: pixels from one position to the next.
        progress: called with (positions done, positions in all).
        cancel: set it to stop between batches.

    Yields:
        What is known at every fourth position along each axis, at every second, and at all.

    Raises:
        DeconvError: an argument is not allowed.
        CancelledError: ``cancel`` was set.
    """
    _check(network, pixels, unit, place)
    whole_number("size", size, 1), whole_number("stride", stride, 1)
    callbacks(progress, cancel)
    rows, columns = (_starts(length, size, stride) for length in network.input_size)
    maps, scores = _pass(network, unit.layer, [pixels])
    strongest = int(maps[0].amax((1, 2)).argmax())
    best = None if scores is None else int(scores.argmax())
    watched = _Watched(unit.channel, place, strongest, best)
    without = _responses(watched.numbers(maps, scores)[0])
    known: dict[Place, Floats] = {}
    for coarse in _COARSE:
        tops, lefts = rows[::coarse], columns[::coarse]
        missing = [(top, left) for top in tops for left in lefts if (top, left) not in known]
        for some in (missing[n : n + _TOGETHER] for n in range(0, len(missing), _TOGETHER)):
            if cancel is not None and cancel.is_set():
                raise CancelledError("stopped")
            images = [occluded(pixels, position, size) for position in some]
            known |= zip(some, watched.numbers(*_pass(network, unit.layer, images)), strict=True)
            if progress is not None:
                progress(len(known), len(rows) * len(columns))
        numbers = np.array([[known[top, left] for left in lefts] for top in tops])
        yield Occlusion(
            *(unit, place, strongest, size, coarse * stride),
            *(tops, lefts, _responses(numbers), without),
        )


def occluded(pixels: Pixels, position: Place, size: int) -> Pixels:
    """The image with the square at this first row and column; what is outside is cut off."""
    changed = pixels.copy()
    changed[position[0] : position[0] + size, position[1] : position[1] + size] = GREY
    return changed


def head_of(network: Network) -> Head | None:
    """The network's classifier; None if it has none, or one behind a step without a deconvnet."""
    head = network.head
    return None if head is None or head.value in network.graph.blocked else head


def _check(network: Network, pixels: Pixels, unit: Unit, place: Place) -> None:
    instance("network", network, Network, "load_network('demo')")
    instance("pixels", pixels, np.ndarray, "images.read(0)")
    layer = network.layer(instance("unit", unit, Unit, "Unit('conv4_4', 171)").layer)
    if pixels.shape != (*network.input_size, 3):
        raise DeconvError(f"the image has the shape {pixels.shape}, not that of the network")
    whole_number("channel", unit.channel, 0, layer.channels - 1)
    whole_number("row", place[0], 0, layer.height - 1)
    whole_number("column", place[1], 0, layer.width - 1)


def _starts(length: int, size: int, stride: int) -> tuple[int, ...]:
    """First pixels of the square along an axis; the last position reaches the border."""
    return tuple(range(0, (math.ceil(max(length - size, 0) / stride) + 1) * stride, stride))


@torch.inference_mode()
def _pass(network: Network, layer: str, images: Sequence[Pixels]) -> tuple[Tensor, Tensor | None]:
    """Feature maps (N, C, H, W) of a layer, and class probabilities (N, classes), in one pass."""
    graph, head = network.graph, head_of(network)
    value = network.value_of(layer)
    wanted = (value,) if head is None else (value, head.value)
    places = graph.needed(*wanted)
    last_use = {**graph.last_use(*wanted), **dict.fromkeys(wanted, len(graph.nodes))}  # stay
    whole = {v: whole_plane(graph.plane(v), len(images)) for v in range(max(wanted) + 1)}
    inputs = network.normalise(to_batch(images).contiguous())
    values = walk_up(graph, places, {0: inputs}, whole, last_use, lambda *_: None)
    return values[value], None if head is None else head(values[head.value]).softmax(1)


@dataclass(frozen=True)
class _Watched:
    """Which numbers of a pass are kept: of a map at its location, the strongest map, a class."""

    channel: int
    place: Place
    strongest: int
    best: int | None

    def numbers(self, maps: Tensor, scores: Tensor | None) -> Floats:
        """Activation and sum (N, 2); with a classifier probability and class too (N, 4)."""
        row, column = self.place
        found = [maps[:, self.channel, row, column], maps[:, self.strongest].sum((1, 2))]
        if scores is not None:
            found += [scores[:, self.best], scores.argmax(1)]
        return torch.stack([numbers.double() for numbers in found], 1).numpy()


def _responses(numbers: Floats) -> Responses:
    activations, sums, *of_classes = np.moveaxis(numbers, -1, 0).astype(np.float32)
    if not of_classes:
        return Responses(activations, sums)
    probabilities, classes = of_classes
    return Responses(activations, sums, probabilities, classes.astype(np.int64))
