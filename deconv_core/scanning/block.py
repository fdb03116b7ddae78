"""``scan_block``: a few images in, their peaks out. What any engine maps over a dataset."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from deconv_core.errors import ImageError
from deconv_core.images.decoding import DecodedImage, content_hash
from deconv_core.images.folder import ImageEntry, ImageFolder, read_content
from deconv_core.index.blocks import ImageRow
from deconv_core.peaks import Peaks
from deconv_core.progress import CancelFlag
from deconv_core.scanning.compute import ScanNetwork, to_batch


class Failure(NamedTuple):
    """An image that cannot be read: why, and the hash of its bytes if there were any."""

    reason: str
    content_hash: str


@dataclass(frozen=True, eq=False)
class Block:
    """The peaks of a few images: (N, C) arrays a layer, N counting the readable ones."""

    images: tuple[ImageRow, ...]
    peaks: dict[str, Peaks]


def scan_block(
    prepared: ScanNetwork,
    images: ImageFolder,
    entries: Sequence[tuple[int, ImageEntry]],
    count: Callable[[int, int], None] | None = None,
    cancel: CancelFlag | None = None,
) -> Block | None:
    """The peaks of a few images; what any engine maps over a dataset.

    Args:
        prepared: the network, laid out.
        images: says how pictures are resized.
        entries: (ordinal, file) of each image.
        count: called after every batch with (images read, images failed) of it.
        cancel: set it to stop.

    Returns:
        The block, or None if it was cancelled. Images that cannot be read, or whose activations
        are not finite, are rows with a reason.
    """
    rows: list[ImageRow] = []
    parts: list[dict[str, Peaks]] = []
    batch: list[tuple[int, ImageEntry, DecodedImage]] = []
    size = prepared.compute.batch_size
    failed = 0
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        for place, (ordinal, entry, decoded) in enumerate(
            _decode_ahead(pool, images, entries, 2 * size)
        ):
            if cancel is not None and cancel.is_set():
                return None
            if isinstance(decoded, Failure):
                rows.append(ImageRow(ordinal, entry.image_id, entry.label, 0, 0, *decoded))
                failed += 1
            else:
                batch.append((ordinal, entry, decoded))
            if batch and (len(batch) == size or place == len(entries) - 1):
                described, peaks = _scan_batch(prepared, batch)
                rows += described
                parts.append(peaks)
                bad = sum(bool(row.error) for row in described)
                if count is not None:
                    count(len(batch) - bad, failed + bad)
                batch, failed = [], 0
    if failed and count is not None:
        count(0, failed)
    return Block(tuple(sorted(rows, key=lambda row: row.ordinal)), _joined(prepared, parts))


def _decode_ahead(
    pool: ThreadPoolExecutor,
    images: ImageFolder,
    entries: Sequence[tuple[int, ImageEntry]],
    ahead: int,
) -> Iterator[tuple[int, ImageEntry, DecodedImage | Failure]]:
    """Decode in threads, in order, never more than ``ahead`` images ahead of the network."""
    waiting: deque[tuple[int, ImageEntry, Future[DecodedImage | Failure]]] = deque()
    upcoming = iter(entries)
    try:
        while True:
            for ordinal, entry in upcoming:
                waiting.append((ordinal, entry, pool.submit(_decode, entry, images)))
                if len(waiting) >= ahead:
                    break
            if not waiting:
                return
            ordinal, entry, future = waiting.popleft()
            yield ordinal, entry, future.result()
    finally:
        for _, _, future in waiting:
            future.cancel()


def _decode(entry: ImageEntry, images: ImageFolder) -> DecodedImage | Failure:
    try:
        content = read_content(entry.path)
    except ImageError as error:
        return Failure(str(error), "")
    try:
        return images.decode_content(content)
    except ImageError as error:
        return Failure(str(error), content_hash(content))


def _scan_batch(
    prepared: ScanNetwork, batch: Sequence[tuple[int, ImageEntry, DecodedImage]]
) -> tuple[list[ImageRow], dict[str, Peaks]]:
    peaks = prepared.peaks(to_batch([decoded.pixels for _, _, decoded in batch]))
    finite = np.logical_and.reduce(
        [np.isfinite(found.values).all(axis=1) for found in peaks.values()]
    )
    rows = [
        ImageRow(
            ordinal,
            entry.image_id,
            entry.label,
            decoded.width,
            decoded.height,
            "" if fine else "the network's activations for it are not finite (NaN or inf)",
            decoded.content_hash,
            decoded.note,
        )
        for (ordinal, entry, decoded), fine in zip(batch, finite, strict=True)
    ]
    return rows, {name: found.select(finite) for name, found in peaks.items()}


def _joined(prepared: ScanNetwork, parts: list[dict[str, Peaks]]) -> dict[str, Peaks]:
    layers = [layer for layer in prepared.network.layers.values() if not layer.is_pool]
    return {
        layer.name: Peaks.join(
            [Peaks.of_no_image(layer.channels), *(part[layer.name] for part in parts)]
        )
        for layer in layers
    }
