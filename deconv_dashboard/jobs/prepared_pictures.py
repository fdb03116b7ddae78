"""The background job that makes the pictures of a layer before a person asks for them.

It makes the top 9 of every feature map, image by image: one pass up serves all reconstructions of
an image. It has the lowest priority: it begins after all other jobs and rests while one is active.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import deconv_core
from deconv_core.errors import CancelledError, DeconvError, ImageError, IndexMismatchError
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.layers import Layer
from deconv_core.output.rendering import Kind, Scale, tile
from deconv_core.pictures import Reconstruction
from deconv_core.units import Activation, Unit
from deconv_dashboard.data.datasets import Dataset, NetworkChoice
from deconv_dashboard.data.kept_pictures import (
    DrawnTile,
    KeptPictures,
    MadeFrom,
    bytes_of_picture,
)
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.limits import most_kept_pictures
from deconv_dashboard.png import png_bytes
from deconv_dashboard.queue.page_work import PageWork
from deconv_dashboard.queue.queue import JobQueue, NewJob
from deconv_dashboard.queue.state import RESTING, JobState, Progress
from deconv_dashboard.queue.worker import Cancel, Tell

_KIND = "pictures"
_CACHE = 64 * 2**20
"""Bytes for the passes over images: each is needed for one image at a time."""
_AT_ONCE = 8
"""Number of reconstructions between two looks at pages and other jobs."""
_PAUSE = 0.5
_NICENESS = 9  # beside that of every job


@dataclass(frozen=True)
class Order:
    """What the job does: it makes the pictures of a layer of an index."""

    dataset: Dataset
    network: NetworkChoice
    index: Path
    layer: str
    home: Path
    within: tuple[Path, ...] | None


def start_preparing(
    registry: Registry, dataset: Dataset, network: NetworkChoice, layer: str
) -> None:
    """Make the pictures of a layer, or go on; nothing happens if they are being made.

    Raises:
        DeconvError: the dataset or the network was deleted, the queue or the data folder is full,
            or no process can be started.
    """
    index = registry.index_path(dataset, network)

    def still_there() -> None:
        registry.dataset(dataset.dataset_id)
        registry.network(network.network_id)

    order = Order(dataset, network, index, layer, registry.home, registry.within)
    registry.jobs.start(
        NewJob(
            *(_KIND, _key(dataset, network, layer), __name__, order),
            dataset=dataset.dataset_id,
            network=network.network_id,
            name=layer,
            gives_way=True,
        ),
        still_there,
    )


def preparing_state(
    registry: Registry, dataset: Dataset, network: NetworkChoice, layer: str
) -> JobState:
    """The state of the job; the same in every session."""
    return registry.jobs.find(_key(dataset, network, layer))


def room_for(layer: Layer, pictures: int) -> int:
    """About the bytes that so many pictures of a layer take in the data folder."""
    field, (height, width) = layer.receptive_field, layer.input_size
    pixels = min(field.size, height) * min(field.width, width)
    return pictures * bytes_of_picture(pixels)


def _key(dataset: Dataset, network: NetworkChoice, layer: str) -> str:
    return f"{_KIND} {dataset.dataset_id}-{network.network_id} {layer}"


def work(order: Order, tell: Tell, cancel: Cancel) -> None:
    """Make the pictures that are not there yet."""
    from deconv_core.exact import check_made_with  # loads torch: not for pages

    with suppress(OSError, AttributeError):  # AttributeError: not on Windows
        os.nice(_NICENESS)
    dataset, network = order.dataset, order.network
    tell(Progress("Loading the network"))
    loaded = deconv_core.load_network(
        *(network.source, network.preprocessing), home=order.home, cancel=cancel
    )
    images, index = dataset.images(order.within), ActivationIndex.open(order.index)
    check_made_with(index, loaded, images)
    tell(Progress("Looking for the strongest activations"))
    wanted = _by_image(index, order.layer)
    scanned = index.content_hashes({found.image_id for found in wanted})
    kept = KeptPictures(order.home, most_kept_pictures())

    def made_from(found: Activation) -> MadeFrom:
        content = scanned[found.image_id]
        return MadeFrom(loaded.fingerprint, content, images.resize, images.value_range, found)

    strongest = _strongest(wanted)
    missing = [
        found
        for found in wanted
        if not kept.has(made_from(found))
        or (found in strongest and not kept.has_tile(made_from(found)))
    ]
    before = len(wanted) - len(missing)
    now = Progress("", before, len(wanted), "picture", found=before)
    began, cache = time.monotonic(), deconv_core.ReconstructionCache(_CACHE)
    for part in _parts(missing):
        tell(now)
        _rest(order.home, now, tell, cancel)
        try:
            made = deconv_core.reconstruct(
                loaded, images, part, cache, progress=False, cancel=cancel, scanned=scanned
            )
        except (ImageError, IndexMismatchError):  # gone, or changed since the scan
            now = replace(now, failed=now.failed + len(part))
        else:
            for picture in made:
                kept.put(made_from(picture.activation), picture)
                if picture.activation in strongest:
                    kept.put_tile(made_from(picture.activation), _drawn(picture))
            if not kept.has(made_from(part[-1])):
                raise DeconvError("the disk is full, or no pictures can be kept in the data folder")
        done = now.done + len(part)
        speed = (done - before) / (time.monotonic() - began)
        left = (len(wanted) - done) / speed
        now = replace(now, done=done, per_second=speed, seconds_left=left)
    tell(now)


def _by_image(index: ActivationIndex, layer: str) -> list[Activation]:
    """The top 9 of every map of a layer, those of one image together."""
    maps = range(index.layers[layer].channels)
    found = [activation for channel in maps for activation in index.top(layer, channel)]
    return sorted(found, key=lambda one: one.image_id)


def _strongest(activations: Sequence[Activation]) -> set[Activation]:
    """The strongest activation of each map: a contact sheet shows its tile."""
    best: dict[Unit, Activation] = {}
    for found in activations:
        if found.unit not in best or found.value > best[found.unit].value:
            best[found.unit] = found
    return set(best.values())


def _drawn(picture: Reconstruction) -> DrawnTile:
    own = Scale.percentile(99)
    kinds: tuple[Kind, Kind] = ("reconstruction", "patch")
    return DrawnTile(*(png_bytes(tile(picture, kind, own)) for kind in kinds))


def _parts(activations: Sequence[Activation]) -> Iterator[list[Activation]]:
    """Activations of one image, some at a time."""
    for _, group in groupby(activations, key=lambda found: found.image_id):
        rest = list(group)
        while rest:
            yield rest[:_AT_ONCE]
            rest = rest[_AT_ONCE:]


def _rest(home: Path, now: Progress, tell: Tell, cancel: Cancel) -> None:
    """Wait while a page computes or another kind of job is active.

    Raises:
        CancelledError: ``cancel`` was set.
    """
    PageWork(home).rest(cancel)
    while not cancel.is_set() and any(job.kind != _KIND for job in JobQueue(home).active()):
        tell(replace(now, step=RESTING, per_second=0.0, seconds_left=None))
        time.sleep(_PAUSE)
    if cancel.is_set():
        raise CancelledError("cancelled; finished pictures are kept")
