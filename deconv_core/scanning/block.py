"""``scan_block``: a few images in, their peaks out. What any engine maps over a dataset."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from deconv_core.errors import ImageError
from deconv_core.images.decoding import Pixels, content_hash
from deconv_core.images.folder import ImageFolder, read_content
from deconv_core.index.blocks import ImageRow
from deconv_core.peaks import Peaks
from deconv_core.progress import CancelFlag
from deconv_core.scanning.compute import ScanNetwork, to_batch


@dataclass(frozen=True, eq=False)
class Block:
    """The peaks of a few images: (N, C) arrays a layer, N counting the readable ones."""

    images: tuple[ImageRow, ...]
    peaks: dict[str, Peaks]


def scan_block(
    prepared: ScanNetwork,
    images: ImageFolder,
    planned: Sequence[ImageRow],
    count: Callable[[int, int], None] | None = None,
    cancel: CancelFlag | None = None,
) -> Block | None:
    """The peaks of a few images; what any engine maps over a dataset.

    Args:
        prepared: the network, laid out.
        images: says where they are and how they are resized; its list is not used.
        planned: which images.
        count: called after every batch with (images read, images failed) of it.
        cancel: set it to stop.

    Returns:
        The block, or None if it was cancelled. Images that cannot be read, or whose activations
        are not finite, are rows with a reason.
    """
    rows: list[ImageRow] = []
    parts: list[dict[str, Peaks]] = []
    batch: list[tuple[ImageRow, Pixels]] = []
    size = prepared.compute.batch_size
    failed = 0
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        for place, (row, pixels) in enumerate(_decode_ahead(pool, images, planned, 2 * size)):
            if cancel is not None and cancel.is_set():
                return None
            if pixels is None:
                rows.append(row)
                failed += 1
            else:
                batch.append((row, pixels))
            if batch and (len(batch) == size or place == len(planned) - 1):
                scanned, peaks = _scan_batch(prepared, batch)
                rows += scanned
                parts.append(peaks)
                bad = sum(bool(row.error) for row in scanned)
                if count is not None:
                    count(len(batch) - bad, failed + bad)
                batch, failed = [], 0
    if failed and count is not None:
        count(0, failed)
    return Block(tuple(sorted(rows, key=lambda row: row.ordinal)), _joined(prepared, parts))


def _decode_ahead(
    pool: ThreadPoolExecutor, images: ImageFolder, planned: Sequence[ImageRow], ahead: int
) -> Iterator[tuple[ImageRow, Pixels | None]]:
    """Decode in threads, in order, never more than ``ahead`` images ahead of the network."""
    waiting: deque[Future[tuple[ImageRow, Pixels | None]]] = deque()
    upcoming = iter(planned)
    try:
        while True:
            for row in upcoming:
                waiting.append(pool.submit(_decode, row, images))
                if len(waiting) >= ahead:
                    break
            if not waiting:
                return
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _decode(row: ImageRow, images: ImageFolder) -> tuple[ImageRow, Pixels | None]:
    """What was learned about an image, and its pixels if it can be read."""
    content = b""
    try:
        content = read_content(images.root / row.image_id)
        made = images.decode_content(content)
    except ImageError as error:
        hashed = content_hash(content) if content else ""
        return replace(row, error=str(error), content_hash=hashed), None
    learned = replace(
        row,
        width=made.width,
        height=made.height,
        content_hash=made.content_hash,
        note=made.note,
    )
    return learned, made.pixels


def _scan_batch(
    prepared: ScanNetwork, batch: Sequence[tuple[ImageRow, Pixels]]
) -> tuple[list[ImageRow], dict[str, Peaks]]:
    peaks = prepared.peaks(to_batch([pixels for _, pixels in batch]))
    finite = np.logical_and.reduce(
        [np.isfinite(found.values).all(axis=1) for found in peaks.values()]
    )
    wrong = "the network's activations for it are not finite (NaN or inf)"
    rows = [
        row if fine else replace(row, error=wrong)
        for (row, _), fine in zip(batch, finite, strict=True)
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
