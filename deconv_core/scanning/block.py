"""``scan_block``: computes the peaks of a few images. An engine calls it for every block."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import msgspec
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
    """The peaks of a few images.

    Attributes:
        images: one row per image, also for the images that cannot be used.
        peaks: layer -> peaks (N, C); N counts only the images that can be used.
    """

    images: tuple[ImageRow, ...]
    peaks: dict[str, Peaks]


def scan_block(
    prepared: ScanNetwork,
    images: ImageFolder,
    planned: Sequence[ImageRow],
    count: Callable[[int, int], None] | None = None,
    cancel: CancelFlag | None = None,
    batch_size: int | None = None,
) -> Block:
    """Compute the peaks of a few images.

    Args:
        prepared: the network on its device.
        images: the root folder and how images are decoded; its list is not used.
        planned: the images of the block.
        count: called after every batch with (images read, images failed).
        cancel: set it to stop.
        batch_size: images in a batch; None takes that of the compute path.

    Returns:
        The block, in the order of the list of images; only the finished images if it was cancelled.
        An image that cannot be read, or whose activations are not finite, has the reason in its
        row.
    """
    rows: list[ImageRow] = []
    parts: list[dict[str, Peaks]] = []
    batch: list[tuple[ImageRow, Pixels]] = []
    size = batch_size or prepared.compute.batch_size
    failed = 0
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        decoded = _decode_ahead(pool, images, prepared.network.input_size, planned, 2 * size)
        for place, (row, pixels) in enumerate(decoded):
            if cancel is not None and cancel.is_set():
                break
            if pixels is None:
                rows.append(row)
                failed += 1
            else:
                batch.append((row, pixels))
            if batch and (len(batch) == size or place == len(planned) - 1):
                scanned, peaks = _scan_batch(prepared, batch, size)
                rows += scanned
                parts.append(peaks)
                bad = sum(bool(row.error) for row in scanned)
                if count is not None:
                    count(len(batch) - bad, failed + bad)
                batch, failed = [], 0
    if failed and count is not None:
        count(0, failed)
    peaks = _join_batches(prepared, parts)
    order = np.argsort([row.ordinal for row in rows if not row.error]).astype(int)
    return Block(
        tuple(sorted(rows, key=lambda row: row.ordinal)),
        {name: found.select(order) for name, found in peaks.items()},
    )


def _decode_ahead(
    pool: ThreadPoolExecutor,
    images: ImageFolder,
    size: tuple[int, int],
    planned: Sequence[ImageRow],
    ahead: int,
) -> Iterator[tuple[ImageRow, Pixels | None]]:
    """Decode images in threads, in order, at most ``ahead`` images before they are needed."""
    waiting: deque[Future[tuple[ImageRow, Pixels | None]]] = deque()
    upcoming = iter(planned)
    try:
        while True:
            for row in upcoming:
                waiting.append(pool.submit(_decode, row, images, size))
                if len(waiting) >= ahead:
                    break
            if not waiting:
                return
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _decode(
    row: ImageRow, images: ImageFolder, size: tuple[int, int]
) -> tuple[ImageRow, Pixels | None]:
    """Complete the row of an image, and return its pixels, or None if it cannot be read."""
    content = b""
    try:
        content = read_content(images.root / row.image_id)
        decoded = images.decode_content(content, size)
    except ImageError as error:
        hashed = content_hash(content) if content else ""
        return msgspec.structs.replace(row, error=str(error), content_hash=hashed), None
    completed = msgspec.structs.replace(
        row,
        width=decoded.width,
        height=decoded.height,
        content_hash=decoded.content_hash,
        note=decoded.note,
    )
    return completed, decoded.pixels


def _scan_batch(
    prepared: ScanNetwork, batch: Sequence[tuple[ImageRow, Pixels]], size: int
) -> tuple[list[ImageRow], dict[str, Peaks]]:
    """Compute the peaks of a batch; an image with activations that are not finite has none.

    A batch of fewer than ``size`` images is filled up, because the last bit may depend on the size
    of a batch. So the peaks of an image do not depend on the images beside it.
    """
    pixels = [decoded for _, decoded in batch]
    filled = pixels + pixels[-1:] * (size - len(batch))
    peaks = {
        name: found.select(slice(len(batch)))
        for name, found in prepared.peaks(to_batch(filled)).items()
    }
    finite = np.logical_and.reduce(
        [np.isfinite(found.values).all(axis=1) for found in peaks.values()]
    )
    error = "the network's activations for it are not finite (NaN or inf)"
    rows = [
        row if is_finite else msgspec.structs.replace(row, error=error)
        for (row, _), is_finite in zip(batch, finite, strict=True)
    ]
    return rows, {name: found.select(finite) for name, found in peaks.items()}


def _join_batches(prepared: ScanNetwork, parts: list[dict[str, Peaks]]) -> dict[str, Peaks]:
    layers = [layer for layer in prepared.network.layers.values() if not layer.pooled_from]
    return {
        layer.name: Peaks.join(
            [Peaks.of_no_image(layer.channels), *(part[layer.name] for part in parts)]
        )
        for layer in layers
    }
