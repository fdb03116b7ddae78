"""``StoredPeaks``: reads the peaks of an index from its blocks, and checks each block once.

Blocks are read in threads: most of the time Arrow and hashing let other threads run.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from deconv_core.errors import REPAIR, IndexDamagedError
from deconv_core.index.blocks import (
    BlockFile,
    ImageRow,
    Ordinals,
    check_block,
    read_peaks,
    read_values,
)
from deconv_core.index.folder import IndexFolder
from deconv_core.index.inspection import PlannedImages
from deconv_core.index.manifest import Manifest
from deconv_core.layers import Layer
from deconv_core.peaks import Peaks
from deconv_core.storage import Location
from deconv_core.threads import in_threads


class StoredPeaks:
    """The blocks of an index."""

    def __init__(
        self,
        folder: IndexFolder,
        manifest: Manifest,
        plan: pd.DataFrame,
        files: Sequence[BlockFile],
    ) -> None:
        """Use the block files of an index, given its manifest and list of images."""
        self._manifest = manifest
        self._files = list(files)
        if manifest.complete:  # also the missing blocks, so that reading them raises an error
            existing = {number for file in self._files for number in file.numbers}
            missing = sorted({int(n) for n in plan.loc[~plan["removed"], "block"]} - existing)
            self._files += [folder.block_file(number) for number in missing]
        self._images = len(plan)
        self._planned = PlannedImages(plan, manifest)
        self._readable: dict[Location, np.ndarray] = {}  # checked block -> ordinals of its images

    def image_rows(self) -> list[ImageRow]:
        """The rows of the images in all blocks."""
        return [row for rows in in_threads(self._check, self._files) for row in rows]

    def read(
        self, layer: Layer, channel: int | None, blocks: np.ndarray | None = None
    ) -> tuple[Ordinals, Peaks]:
        """Read the peaks of a stored layer, or of one of its channels.

        Args:
            layer: a layer whose peaks are stored.
            channel: one channel, or None for all.
            blocks: numbers of blocks, to read only the files with them; None reads all files.

        Returns:
            The ordinals of the images, and their peaks.

        Raises:
            IndexDamagedError: a block cannot be read.
        """

        def read(file: BlockFile) -> tuple[Ordinals, Peaks]:
            ordinals, peaks = read_peaks(file, self._manifest.layers, layer.name, channel)
            self._compare(file, ordinals, layer)
            return ordinals, peaks

        parts = in_threads(read, self._checked(blocks))
        nothing = Peaks.of_no_image(layer.channels if channel is None else 1)
        found = Peaks.join([nothing, *(peaks for _, peaks in parts)])
        return np.concatenate([np.zeros(0, np.uint32), *(numbers for numbers, _ in parts)]), found

    def values(
        self, layer: Layer, channel: int | None, ordinals: np.ndarray
    ) -> npt.NDArray[np.float32]:
        """Read the values of the peaks of a stored layer, or of one of its channels.

        Args:
            layer: a layer whose peaks are stored.
            channel: one channel, or None for all.
            ordinals: the readable images, in the order of the result.

        Returns:
            The values (C, N) of the C maps in the N images.

        Raises:
            IndexDamagedError: a block cannot be read.
        """
        places = np.full(self._images, -1)
        places[ordinals] = np.arange(len(ordinals))
        maps = layer.channels if channel is None else 1
        values = np.empty((maps, len(ordinals)), np.float32)

        def read(file: BlockFile) -> None:
            numbers, found = read_values(file, self._manifest.layers, layer.name, channel)
            self._compare(file, numbers, layer)
            where = places[numbers]
            if len(where) and (np.diff(where, prepend=where[0] - 1) == 1).all():
                values[:, where[0] : where[0] + len(where)] = found
            else:
                values[:, where[where >= 0]] = found[:, where >= 0]

        in_threads(read, self._checked(None))
        return values

    def _checked(self, blocks: np.ndarray | None) -> Sequence[BlockFile]:
        """The files with these blocks, or all; each is checked when it is first used."""
        files = self._files
        if blocks is not None:
            files = [file for file in files if any(block in file.numbers for block in blocks)]
        in_threads(self._check, [file for file in files if file.path not in self._readable])
        return files

    def _check(self, file: BlockFile) -> list[ImageRow]:
        """Check a block against the manifest and the list of images; return its image rows."""
        rows = check_block(file, self._manifest)
        self._planned.check(file, rows)
        self._readable[file.path] = np.array([row.ordinal for row in rows if not row.error], int)
        return rows

    def _compare(self, file: BlockFile, ordinals: Ordinals, layer: Layer) -> None:
        """Check that a block holds a layer's peaks for the images that it describes."""
        if not np.array_equal(ordinals, self._readable[file.path]):
            raise IndexDamagedError(
                f"block {file.path} does not hold {layer.name} of the images it describes",
                REPAIR,
            )
