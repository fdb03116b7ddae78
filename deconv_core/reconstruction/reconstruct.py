"""From an activation back to pixels, computing only what that activation can see.

One activation depends only on its receptive field, and its reconstruction is zero outside it, so
both passes are made on its support (``windows``): a few locations of each layer.

Switches of a whole image serve every activation in it, so they are worth keeping. An image is
passed whole, and that pass kept, once the work on supports in it has come to most of a whole pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from deconv_core.arguments import (
    callbacks,
    instance,
    listed,
    real_number,
    shown,
    text,
    whole_number,
)
from deconv_core.errors import ANEW, UPDATE, CancelledError, DeconvError, IndexMismatchError
from deconv_core.graph.geometry import share_of_work
from deconv_core.images.decoding import Pixels
from deconv_core.images.folder import ImageFolder, SeenImage, check_unchanged
from deconv_core.layers import INPUT_SIZE, Layer
from deconv_core.network.network import Network
from deconv_core.output.reconstructions import Reconstructions
from deconv_core.pictures import RULES, Reconstruction, Rule
from deconv_core.progress import CancelFlag, Progress, or_bar
from deconv_core.reconstruction.cache import ImagePass, ReconstructionCache
from deconv_core.reconstruction.switches import Switches
from deconv_core.reconstruction.whole_image import image_passes, pass_image
from deconv_core.reconstruction.windowed_passes import ascend, descend, windows_keep_bits
from deconv_core.units import Activation, Unit

FLOAT32_TOLERANCE = 1e-4
BFLOAT16_TOLERANCE = 0.1
"""Largest relative difference between a stored activation and the one recomputed here."""

_WHOLE_IMAGE_FROM = 0.6
"""Work on supports in an image, as a share of a whole pass, from which that pass is made."""
_BATCH_PIXELS = 9 * INPUT_SIZE[0] * INPUT_SIZE[1]


@dataclass(frozen=True, eq=False)
class _Seed:
    """What goes down: an activation's value in float32, with the switches it came up by."""

    value: float
    switches: Switches


def reconstruct(
    network: Network,
    images: ImageFolder,
    activations: Iterable[Activation],
    cache: ReconstructionCache | None = None,
    progress: Progress | Literal[False] | None = None,
    cancel: CancelFlag | None = None,
    scanned: Mapping[str, str] | None = None,
    *,
    rule: Rule = "deconvnet",
) -> Reconstructions:
    """Reconstruct activations: any mix of layers and images.

    Each activation is recomputed on the way up; its float32 value is what goes down.

    Args:
        network: what the activations were found with.
        images: where their images are.
        activations: from ``index.top``, ``exact_top`` or made by hand.
        cache: keeps pictures and switches, so that other maps of the same images come faster.
        progress: called with (reconstructions finished, in all); None draws a bar in a notebook or
            an interactive Python; False does not.
        cancel: set it to stop between batches.
        scanned: SHA-256 of the images' files when they were scanned
            (``ActivationIndex.content_hashes``); None does not ask whether they have changed.
        rule: how rectifications are undone on the way down: "deconvnet" (Zeiler & Fergus),
            "guided" (guided backpropagation) or "gradient". The switches, the crop and the
            strength (the activation times the derivative) are the same.

    Returns:
        A list with one Reconstruction an activation, in the same order. A notebook shows it.

    Raises:
        DeconvError: an address that does not exist, an activation that is not above 0, or one
            whose recomputed value is another than was given.
        ImageError: an image is gone or cannot be read.
        ImageChangedError: an image is not the one that was scanned.
        CancelledError: ``cancel`` was set.
    """
    instance("network", network, Network, "load_network('demo')")
    instance("images", images, ImageFolder, "ImageFolder('photos')")
    if cache is not None:
        instance("cache", cache, ReconstructionCache, "ReconstructionCache()")
    callbacks(progress, cancel)
    report = or_bar(progress, "reconstructing")
    if rule not in RULES:
        raise DeconvError(f"the rule is {shown(rule)}; choose one of {', '.join(RULES)}")
    if scanned is not None and not isinstance(scanned, Mapping):
        raise DeconvError(f"scanned is {shown(scanned)}; give index.content_hashes(image_ids)")
    given = listed("activations", activations, (Activation,), "index.top('conv4_4')")
    activations = [_checked(network, activation) for activation in given]
    kept = cache or ReconstructionCache(0)
    pictures: dict[int, Reconstruction] = {}
    for places in _batches(network, activations):
        if cancel is not None and cancel.is_set():
            raise CancelledError(f"stopped after {len(pictures)} of {len(activations)}")
        batch = [activations[place] for place in places]
        layer = network.layers[batch[0].unit.layer]
        size = network.input_size
        seen = [kept.image(images, images.position(found.image_id), size) for found in batch]
        for activation, image in zip(batch, seen, strict=True):
            check_unchanged(activation.image_id, image.content_hash, scanned)
        seeds = _seeds(network, images, layer, batch, seen, kept, masks=rule != "deconvnet")
        pixels = [image.pixels for image in seen]
        pictures |= zip(places, _pictures(network, layer, batch, seeds, pixels, rule), strict=True)
        if report is not None:
            report(len(pictures), len(activations))
    return Reconstructions(pictures[place] for place in range(len(activations)))


def _checked(network: Network, activation: Activation) -> Activation:
    """The same activation in plain numbers: those of numpy may be too short to count pixels with.

    Raises:
        DeconvError: there is no such place, or its value is not above 0.
    """
    unit = instance("the unit of an activation", activation.unit, Unit, "Unit('conv4_4', 171)")
    layer = network.layer(unit.layer)
    channel = whole_number("the channel of an activation", unit.channel, None)
    row = whole_number("the row of an activation", activation.row, None)
    column = whole_number("the column of an activation", activation.column, None)
    image_id = text("the image_id of an activation", activation.image_id, "an id, 'dog/1.jpg'")
    inside = 0 <= row < layer.height and 0 <= column < layer.width
    if not 0 <= channel < layer.channels or not inside:
        place = f"{layer.name}/{shown(channel)} at row {shown(row)}, column {shown(column)}"
        raise DeconvError(
            f"{place} does not exist: {layer.name} has maps 0 to {layer.channels - 1} of "
            f"{layer.height} x {layer.width}"
        )
    allowed = "a finite number above 0"
    value = real_number("the value of an activation", activation.value, allowed, finite=False)
    if not value > 0:
        raise DeconvError(
            f"the activation of {unit} in {activation.image_id} is {activation.value}; only one "
            "above 0 can be reconstructed (the map does not respond to this image)"
        )
    real_number("the value of an activation", value, allowed)
    return Activation(Unit(layer.name, channel), image_id, row, column, value)


def _batches(network: Network, activations: Sequence[Activation]) -> Iterator[list[int]]:
    """Places of activations that can go together: one layer, a bounded number of pixels."""
    for name in dict.fromkeys(activation.unit.layer for activation in activations):
        places = [place for place, a in enumerate(activations) if a.unit.layer == name]
        field, (height, width) = network.layers[name].receptive_field, network.input_size
        pixels = min(field.size, height) * min(field.width, width)
        size = max(1, min(64, _BATCH_PIXELS // pixels))
        for first in range(0, len(places), size):
            yield places[first : first + size]


def _seeds(
    network: Network,
    images: ImageFolder,
    layer: Layer,
    batch: Sequence[Activation],
    seen: Sequence[SeenImage],
    cache: ReconstructionCache,
    *,
    masks: bool,
) -> list[_Seed]:
    """Switches and recomputed value of each activation, from the cache or by a pass up."""
    graph, top = network.graph, network.value_of(layer.name)
    windowed = windows_keep_bits(graph, top)
    if windowed and cache.max_bytes > 0:
        share = share_of_work(graph, top)
        contents = {a.image_id: image.content for a, image in zip(batch, seen, strict=True)}
        worth = [
            images.position(image_id)
            for image_id, content in contents.items()
            if cache.work(network, content, share) >= _WHOLE_IMAGE_FROM
        ]
        image_passes(network, images, layer.name, worth, cache, masks=masks)
    seeds: dict[int, _Seed] = {}
    for place, (activation, image) in enumerate(zip(batch, seen, strict=True)):
        passed = cache.image_pass(network, image.content, layer.name, masks=masks)
        value = _known_value(network, layer, activation, passed)
        if passed is not None and value is not None:
            seeds[place] = _Seed(value, passed.switches)
    unknown = [place for place in range(len(batch)) if place not in seeds]
    if windowed and unknown:
        places = [(batch[place].row, batch[place].column) for place in unknown]
        pixels = [seen[place].pixels for place in unknown]
        values, switches = ascend(network, layer, pixels, places, masks=masks)
        for place, answers, recorded in zip(unknown, values.numpy(), switches, strict=True):
            seeds[place] = _Seed(float(answers[batch[place].unit.channel]), recorded)
    elif unknown:
        seeds |= _seeds_of_whole_images(network, layer, batch, seen, unknown, cache, masks=masks)
    for place, seed in seeds.items():
        _check_value(batch[place], seed.value)
    return [seeds[place] for place in range(len(batch))]


def _seeds_of_whole_images(
    network: Network,
    layer: Layer,
    batch: Sequence[Activation],
    seen: Sequence[SeenImage],
    unknown: Sequence[int],
    cache: ReconstructionCache,
    *,
    masks: bool,
) -> dict[int, _Seed]:
    """The same where windows would give other bits: each image passes whole, once."""
    seeds: dict[int, _Seed] = {}
    by_image: dict[str, list[int]] = {}
    for place in unknown:
        by_image.setdefault(batch[place].image_id, []).append(place)
    for places in by_image.values():
        image = seen[places[0]]
        passed, maps = pass_image(
            network, image.pixels, layer.name, image.content_hash, masks=masks
        )
        cache.keep_pass(network, image.content, passed)
        for place in places:
            found = batch[place]
            value = float(maps[found.unit.channel, found.row, found.column])
            seeds[place] = _Seed(value, passed.switches)
    return seeds


def _known_value(
    network: Network, layer: Layer, activation: Activation, passed: ImagePass | None
) -> float | None:
    """The float32 value of an activation that is a peak of a pass already made."""
    if passed is None:
        return None
    peaks, channel = passed.peaks_of(network, layer.name), activation.unit.channel
    place = int(peaks.rows[0, channel]), int(peaks.columns[0, channel])
    same = place == (activation.row, activation.column)
    return float(peaks.values[0, channel]) if same else None


def _check_value(activation: Activation, value: float) -> None:
    if np.float32(activation.value).view(np.uint32) & 0xFFFF:
        tolerance = FLOAT32_TOLERANCE
    else:  # a number that bfloat16 can hold: it comes from a bfloat16 scan
        tolerance = BFLOAT16_TOLERANCE
    if abs(value - activation.value) > tolerance * max(abs(value), activation.value):
        raise IndexMismatchError(
            f"{activation.unit} in {activation.image_id} at row {activation.row}, column "
            f"{activation.column} was given as {activation.value:.6g} but is {value:.6g}: the "
            "image, network or preprocessing is not the one that was scanned",
            UPDATE,
            ANEW,
        )


def _pictures(
    network: Network,
    layer: Layer,
    batch: Sequence[Activation],
    seeds: Sequence[_Seed],
    pixels: Sequence[Pixels],
    rule: Rule,
) -> list[Reconstruction]:
    """Take activations of one layer down and cut everything to the receptive field."""
    signal, where = descend(
        network,
        layer,
        [activation.unit.channel for activation in batch],
        [(activation.row, activation.column) for activation in batch],
        [seed.value for seed in seeds],
        [seed.switches for seed in seeds],
        rule,
    )
    pictures = []
    for activation, image, plane, (top, left) in zip(
        batch, pixels, signal.numpy(), where.starts, strict=True
    ):
        window = layer.receptive_field.box(activation.row, activation.column)
        box = window.clip(*network.input_size)
        cut = plane[:, box.top - top : box.bottom - top, box.left - left : box.right - left]
        patch = image[box.top : box.bottom, box.left : box.right].copy()
        size = network.input_size
        pictures.append(Reconstruction(activation, window, box, cut.copy(), patch, size, rule))
    return pictures
