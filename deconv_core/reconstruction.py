"""From an activation back to pixels, computing only what that activation can see.

One activation depends only on its receptive field, and its reconstruction is zero outside it. So

* going up, the network sees a **window** that contains the receptive field, aligned to the layer's
  stride and shifted inside the image so that all windows of a batch have one size;
* going down, the signal starts as one location and is kept no larger than its **support**: one
  step wider at each convolution, doubled at each unpooling::

      conv4_2   1
      conv4_1   3              the numbers are sides of the support,
      pool3     5 -> 10        in locations of each layer
      conv3_4  12 ...

Both give what the whole image gives: borders of the image stay borders (zero padding), and borders
of a window lie outside anything the activation can see. Switches are always made in float32, NCHW,
the reference: in another memory layout a few of them fall differently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import Tensor

from deconv_core.compute import to_batch
from deconv_core.deconvnet import convnet_pass
from deconv_core.download import CancelFlag
from deconv_core.errors import CancelledError, DeconvError
from deconv_core.images import ImageFolder, Pixels
from deconv_core.network import Convolution, Network
from deconv_core.peaks import Peaks, find_peaks
from deconv_core.receptive_field import INPUT_SIDE, Layer
from deconv_core.reconstruction_cache import ImagePass, ReconstructionCache
from deconv_core.switches import PackedSwitches, Switches, switch_codes, switch_indices
from deconv_core.units import Activation, Box

FLOAT32_TOLERANCE = 1e-4
BFLOAT16_TOLERANCE = 0.1
"""Largest relative difference between a stored activation and the one recomputed here."""

_WHOLE_IMAGE_FROM = 0.6
"""Share of the image from which a window is not worth it if the whole pass can be kept."""
_BATCH_PIXELS = 9 * INPUT_SIDE**2


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """One activation mapped back to pixels.

    Attributes:
        activation: what was asked for.
        window: the receptive field in the 224x224 input, unclipped.
        box: the part of it inside the input.
        pixels: float32 (3, box.height, box.width), RGB, signed, unscaled, in input units.
        patch: uint8 (box.height, box.width, 3), RGB: the image in the same place.
    """

    activation: Activation
    window: Box
    box: Box
    pixels: npt.NDArray[np.float32]
    patch: Pixels


@dataclass(frozen=True, eq=False)
class _Seed:
    """An activation about to go down: the image as decoded, its switches, its float32 value."""

    activation: Activation
    pixels: Pixels
    switches: Switches
    value: float


def reconstruct(
    network: Network,
    images: ImageFolder,
    activations: Sequence[Activation],
    cache: ReconstructionCache | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancel: CancelFlag | None = None,
) -> list[Reconstruction]:
    """Reconstruct activations: any mix of layers and images.

    Each activation is recomputed on the way up; its float32 value is what goes down.

    Args:
        network: what the activations were found with.
        images: where their images are.
        activations: from ``index.top``, ``exact_top`` or made by hand.
        cache: keeps pictures and switches, so that other maps of the same images come faster.
        progress: called with (reconstructions finished, in all).
        cancel: set it to stop between batches.

    Returns:
        One Reconstruction an activation, in the same order.

    Raises:
        DeconvError: an address that does not exist, an activation that is not above 0, or one
            whose recomputed value is another than was given.
        ImageError: an image is gone or cannot be read.
        CancelledError: ``cancel`` was set.
    """
    for activation in activations:
        _check_address(network, activation)
    pictures: dict[int, Reconstruction] = {}
    for places in _batches(network, activations):
        if cancel is not None and cancel.is_set():
            raise CancelledError(f"stopped after {len(pictures)} of {len(activations)}")
        batch = [activations[place] for place in places]
        layer = network.layers[batch[0].unit.layer]
        seeds = _seeds(network, images, layer, batch, cache or ReconstructionCache(0))
        pictures |= zip(places, _pictures(network, layer, seeds), strict=True)
        if progress is not None:
            progress(len(pictures), len(activations))
    return [pictures[place] for place in range(len(activations))]


def _check_address(network: Network, activation: Activation) -> None:
    unit = activation.unit
    layer = network.layer(unit.layer)
    inside = 0 <= activation.row < layer.height and 0 <= activation.column < layer.width
    if not 0 <= unit.channel < layer.channels or not inside:
        raise DeconvError(
            f"{unit} at row {activation.row}, column {activation.column} does not exist: "
            f"{layer.name} has maps 0 to {layer.channels - 1} of {layer.height} x {layer.width}"
        )
    if not activation.value > 0:
        raise DeconvError(
            f"the activation of {unit} in {activation.image_id} is {activation.value}; only one "
            "above 0 can be reconstructed (the map does not respond to this image)"
        )


def _batches(network: Network, activations: Sequence[Activation]) -> Iterator[list[int]]:
    """Places of activations that can go together: one layer, a bounded number of pixels."""
    for name in dict.fromkeys(activation.unit.layer for activation in activations):
        places = [place for place, a in enumerate(activations) if a.unit.layer == name]
        size = max(1, min(64, _BATCH_PIXELS // window_side(network.layers[name]) ** 2))
        for first in range(0, len(places), size):
            yield places[first : first + size]


def window_side(layer: Layer) -> int:
    """Side, in pixels, of the windows in which activations of a layer are recomputed."""
    field = layer.receptive_field
    before = field.offset // field.stride
    after = -(-(field.offset + field.size) // field.stride)
    return min(INPUT_SIDE, (after - before) * field.stride)


def _window_start(layer: Layer, location: int) -> int:
    """First pixel of the window on one axis: aligned to the stride, shifted inside the image."""
    field = layer.receptive_field
    start = (location + field.offset // field.stride) * field.stride
    return min(max(start, 0), INPUT_SIDE - window_side(layer))


def _seeds(
    network: Network,
    images: ImageFolder,
    layer: Layer,
    batch: Sequence[Activation],
    cache: ReconstructionCache,
) -> list[_Seed]:
    """Switches and recomputed value of each activation, from the cache or by a pass up."""
    positions = [images.position(activation.image_id) for activation in batch]
    pixels = [cache.pixels(images, position) for position in positions]
    whole = window_side(layer) ** 2 >= _WHOLE_IMAGE_FROM * INPUT_SIDE**2 and cache.max_bytes > 0
    if whole:
        image_passes(network, images, layer.name, positions, cache)
    seeds: dict[int, _Seed] = {}
    for place, (activation, position) in enumerate(zip(batch, positions, strict=True)):
        passed = cache.image_pass(network, images, position, layer.name)
        value = _known_value(network, layer, activation, passed)
        if passed is not None and value is not None:
            switches = passed.switches.unpack()
            seeds[place] = _Seed(activation, pixels[place], switches, value)
    unknown = [place for place in range(len(batch)) if place not in seeds]
    if unknown:
        made = _window_seeds(network, layer, [(batch[p], pixels[p]) for p in unknown])
        seeds |= zip(unknown, made, strict=True)
    for seed in seeds.values():
        _check_value(seed.activation, seed.value)
    return [seeds[place] for place in range(len(batch))]


def peak_layer(network: Network, layer: str) -> str:
    """The convolution whose peaks are a layer's: itself, or the one below a pooling."""
    names = list(network.layers)
    return names[names.index(layer) - 1] if network.layer(layer).is_pool else layer


def _known_value(
    network: Network, layer: Layer, activation: Activation, passed: ImagePass | None
) -> float | None:
    """The float32 value of an activation that is a peak of a pass already made."""
    if passed is None:
        return None
    peaks = passed.peaks[peak_layer(network, layer.name)]
    channel, shrink = activation.unit.channel, 2 if layer.is_pool else 1
    place = int(peaks.rows[0, channel]) // shrink, int(peaks.columns[0, channel]) // shrink
    same = place == (activation.row, activation.column)
    return float(peaks.values[0, channel]) if same else None


def image_passes(
    network: Network,
    images: ImageFolder,
    layer: str,
    positions: Sequence[int],
    cache: ReconstructionCache,
) -> list[ImagePass]:
    """The reference pass over each image up to a layer: from the cache, or made and kept there.

    Raises:
        ImageError: an image is gone or cannot be read.
    """
    kept = {position: cache.image_pass(network, images, position, layer) for position in positions}
    found = {position: passed for position, passed in kept.items() if passed is not None}
    missing = [position for position in kept if position not in found]
    if missing:
        pixels = [cache.pixels(images, position) for position in missing]
        for position, passed in zip(missing, pass_images(network, pixels, layer), strict=True):
            cache.keep_pass(network, images, position, passed)
            found[position] = passed
    return [found[position] for position in positions]


def pass_images(network: Network, pixels: Sequence[Pixels], layer: str) -> list[ImagePass]:
    """The reference pass over whole images (each uint8 (224, 224, 3)) up to a layer.

    A pooling right above the layer is passed too: it costs next to nothing.
    """
    stages = network.stages_to(layer)
    above = network.stages[len(stages) : len(stages) + 1]
    if above and not isinstance(above[0], Convolution):
        stages = (*stages, *above)
    found: dict[str, Peaks] = {}

    def watch(name: str, feature_maps: Tensor) -> None:
        found[name] = find_peaks(feature_maps)

    passed = convnet_pass(network, _inputs(network, pixels), stages[-1].name, watch)
    reached = frozenset(stage.name for stage in stages)
    codes = [switch_codes(where) for where in passed.switches]
    return [
        ImagePass(
            reached,
            PackedSwitches.pack([code[place] for code in codes]),
            {name: peaks.of_image(place) for name, peaks in found.items()},
        )
        for place in range(len(pixels))
    ]


def _inputs(network: Network, pixels: Sequence[Pixels]) -> Tensor:
    """Network input (N, 3, H, W) from pictures (H, W, 3) of one size."""
    return network.normalise(to_batch(pixels).contiguous())


def _window_seeds(
    network: Network, layer: Layer, items: Sequence[tuple[Activation, Pixels]]
) -> list[_Seed]:
    """Recompute activations in their windows."""
    side, stride = window_side(layer), layer.receptive_field.stride
    starts = [(_window_start(layer, a.row), _window_start(layer, a.column)) for a, _ in items]
    windows = [
        pixels[top : top + side, left : left + side]
        for (_, pixels), (top, left) in zip(items, starts, strict=True)
    ]
    passed = convnet_pass(network, _inputs(network, windows), layer.name)
    codes = [switch_codes(where) for where in passed.switches]
    seeds = []
    for place, ((activation, pixels), (top, left)) in enumerate(zip(items, starts, strict=True)):
        row, column = activation.row - top // stride, activation.column - left // stride
        value = float(passed.feature_maps[place, activation.unit.channel, row, column])
        switches = Switches(tuple(code[place] for code in codes), top, left)
        seeds.append(_Seed(activation, pixels, switches, value))
    return seeds


def _check_value(activation: Activation, value: float) -> None:
    if np.float32(activation.value).view(np.uint32) & 0xFFFF:
        tolerance = FLOAT32_TOLERANCE
    else:  # a number that bfloat16 can hold: it comes from a bfloat16 scan
        tolerance = BFLOAT16_TOLERANCE
    if abs(value - activation.value) > tolerance * max(abs(value), activation.value):
        raise DeconvError(
            f"{activation.unit} in {activation.image_id} at row {activation.row}, column "
            f"{activation.column} was given as {activation.value:.6g} but is {value:.6g}: the "
            "image, network or preprocessing is not the one that was scanned; update the index"
        )


def _pictures(network: Network, layer: Layer, seeds: Sequence[_Seed]) -> list[Reconstruction]:
    """Take seeds of one layer down and cut everything to the receptive field."""
    signal, starts = _descend(network, layer, seeds)
    pictures = []
    for seed, plane, (top, left) in zip(seeds, signal.numpy(), starts, strict=True):
        window = layer.receptive_field.box(seed.activation.row, seed.activation.column)
        box = window.clip(INPUT_SIDE, INPUT_SIDE)
        rows, columns = slice(box.top, box.bottom), slice(box.left, box.right)
        cut = plane[:, box.top - top : box.bottom - top, box.left - left : box.right - left]
        patch = seed.pixels[rows, columns].copy()
        pictures.append(Reconstruction(seed.activation, window, box, cut.copy(), patch))
    return pictures


@torch.inference_mode()
def _descend(
    network: Network, layer: Layer, seeds: Sequence[_Seed]
) -> tuple[Tensor, list[tuple[int, int]]]:
    """The deconvnet on the growing support.

    Returns:
        Signed pixels (N, 3, side, side), and the pixel (row, column) where each begins.
    """
    stages = network.stages_to(layer.name)
    signal = torch.zeros((len(seeds), layer.channels, 1, 1))
    for place, seed in enumerate(seeds):
        signal[place, seed.activation.unit.channel] = seed.value
    starts = [(seed.activation.row, seed.activation.column) for seed in seeds]
    plane, pooling = layer.height, sum(not isinstance(s, Convolution) for s in stages)
    for stage in reversed(stages):
        if isinstance(stage, Convolution):
            signal, starts = _grow(signal.relu(), starts, plane)
            signal = F.conv_transpose2d(signal, stage.weight, padding=1)
        else:
            pooling, plane = pooling - 1, 2 * plane
            side = signal.shape[-1]
            codes = [
                seed.switches.crop(pooling, row, column, side)
                for seed, (row, column) in zip(seeds, starts, strict=True)
            ]
            signal = F.max_unpool2d(signal, switch_indices(torch.stack(codes)), [2, 2])
            starts = [(2 * row, 2 * column) for row, column in starts]
    return signal, starts


def _grow(
    signal: Tensor, starts: Sequence[tuple[int, int]], plane: int
) -> tuple[Tensor, list[tuple[int, int]]]:
    """Make room for one step more on every side, without leaving a plane of that side.

    At the plane's border the support is shifted inside, so all items keep one size.
    """
    side = signal.shape[-1]
    larger = min(side + 2, plane)
    grown = signal.new_zeros((*signal.shape[:2], larger, larger))
    moved = []
    for place, start in enumerate(starts):
        top, left = (min(max(c - 1, 0), plane - larger) for c in start)
        rows = slice(start[0] - top, start[0] - top + side)
        columns = slice(start[1] - left, start[1] - left + side)
        grown[place, :, rows, columns] = signal[place]
        moved.append((top, left))
    return grown, moved
