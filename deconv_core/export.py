"""``export``: writes the pictures of many maps and layers into one zip.

Images that are missing, or that changed after the scan, are left out and reported with the reason.
``output.export_archive`` describes and writes the content of the zip.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from deconv_core.errors import UPDATE, CancelledError, DeconvError, ImageChangedError, ImageError
from deconv_core.exact import exact_top
from deconv_core.images.folder import ImageFolder, check_unchanged
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.layers import layer_named
from deconv_core.network.network import Network
from deconv_core.output.export_archive import Drawn, export_archive
from deconv_core.output.provenance import PROGRAM, Provenance
from deconv_core.output.selection import Selection
from deconv_core.pictures import Rule
from deconv_core.progress import CancelFlag, Progress, or_bar
from deconv_core.reconstruction.cache import ReconstructionCache
from deconv_core.reconstruction.reconstruct import reconstruct
from deconv_core.specificity.layer_sample import measure_pictures
from deconv_core.specificity.layer_table import SAMPLE_OTHERS
from deconv_core.typed_paths import path_argument
from deconv_core.units import Activation
from deconv_core.version import __version__

CACHE_BYTES = 128 * 2**20
"""Size of the cache that is kept from map to map: about 200 images for full-width VGG19."""
_READ_SINGLY = 8
"""Of a layer with more chosen maps, the peaks of all maps are read at once."""
LeftOut = MutableMapping[str, str]
"""image_id -> why there is no picture of it."""
Copies = Mapping[str, tuple[str, ...]] | None
"""Image id -> ids of its copies, from ``ActivationIndex.copies_behind``; None if each counts."""


def export(
    network: Network,
    images: ImageFolder,
    index: ActivationIndex,
    selection: Selection,
    target: str | os.PathLike[str],
    *,
    dataset: str = "",
    folder: str = "",
    cache: ReconstructionCache | None = None,
    progress: Progress | Literal[False] | None = None,
    cancel: CancelFlag | None = None,
    left_out: LeftOut | None = None,
) -> Path:
    """Write the zip; it gets its name when it is complete.

    Images that are missing or changed after the scan are left out. Tables, manifest and page name
    them with the reason.

    Args:
        network: the network of the index.
        images: the images of the index.
        index: the index.
        selection: what to export.
        target: path of the zip.
        dataset: name of the images for people; "" uses the folder's name.
        folder: name of the folder that the zip unpacks into; "" puts no folder around its files.
        cache: keeps images and switches between maps; None uses one of 128 MiB.
        progress: called with (maps and layers finished, in all); None and False as for
            ``reconstruct``.
        cancel: set it to stop; no zip is left.
        left_out: a mapping to fill: image_id -> reason, for each image that is left out.

    Returns:
        The path of the zip.

    Raises:
        DeconvError: nothing is chosen, a map does not exist, there is no folder of images, or
            another file has the name of the zip.
        ImageError: no picture can be made: all images are missing or changed.
        CancelledError: ``cancel`` was set.
    """
    wanted, report = _wanted(index, selection), or_bar(progress, "exporting")
    path = Path(path_argument(target))
    kept, gone = cache or ReconstructionCache(CACHE_BYTES), {} if left_out is None else left_out
    drawing = Drawing(network, images, index, selection, kept, gone, cancel)
    drawn_pictures = 0
    name = dataset or images.root.name
    with export_archive(
        *(path, selection, index.layers, provenance(network, images, name, selection.rule)),
        folder,
    ) as archive:
        for layer, table in label_tables(index, wanted, selection):
            archive.add_label_table(layer, table)
        for done, (layer, channel) in enumerate(wanted):  # holds the pictures of one map at a time
            if cancel is not None and cancel.is_set():
                raise CancelledError(f"stopped after {done} of {len(wanted)} maps")
            drawn = drawing.draw(layer, channel)
            drawn_pictures += len(drawn.pictures)
            archive.add(layer, channel, drawn)
            if selection.specificity and drawn.pictures:
                asked = network, images, drawn.pictures.values(), kept, cancel
                archive.add_specificity(layer, channel, measure_pictures(*asked))
            del drawn
            return_freed_memory()
            if report is not None:
                report(done + 1, len(wanted))
        if gone and not drawn_pictures:
            image_id, why = next(iter(gone.items()))
            raise ImageError(f"no picture can be made: {image_id}: {why}", UPDATE)
        facts = _facts(network, images, index, selection, name)
        archive.finish(facts, wanted, gone)
    return path


def provenance(
    network: Network, images: ImageFolder, dataset: str, rule: Rule = "deconvnet"
) -> Provenance:
    """What pictures of some images by a network are made from, without paths of this computer."""
    return Provenance(
        network=Path(network.source).name,
        fingerprint=network.fingerprint,
        preprocessing=network.preprocessing.name,
        dataset=dataset,
        resize=images.resize,
        input_size=network.input_size,
        rule=rule,
    )


def _wanted(index: ActivationIndex, selection: Selection) -> list[tuple[str, int | None]]:
    """The sections of a selection; all are in the index."""
    if not selection.sections:
        raise DeconvError("nothing is chosen; choose at least one layer or feature map")
    for layer, _ in selection.sections:
        layer_named(index.layers, layer)
    return selection.sections


def label_tables(
    index: ActivationIndex, wanted: Sequence[tuple[str, int | None]], selection: Selection
) -> Iterator[tuple[str, pd.DataFrame]]:
    """For each layer, which labels its chosen maps tell apart; all maps of a whole layer.

    Without dead maps. Nothing if all images have one label.
    """
    chosen: dict[str, list[int | None]] = {}
    for layer, channel in wanted if len(index.labels) > 1 else ():
        chosen.setdefault(layer, []).append(channel)
    for layer, channels in chosen.items():
        if None in channels or len(channels) > _READ_SINGLY:
            table = index.label_table(layer, copies=selection.copies)
            table = table if None in channels else table[table["channel"].isin(channels)]
        else:
            read = [index.label_table(layer, n, copies=selection.copies) for n in channels]
            table = pd.concat(read, ignore_index=True)
        alive = table[table["precision_9"].notna()]
        if selection.names:
            names = [selection.names.get(f"{layer}/{n}", "") for n in alive["channel"]]
            alive.insert(1, "name", names)
        if len(alive):
            yield layer, alive


def _facts(
    network: Network,
    images: ImageFolder,
    index: ActivationIndex,
    selection: Selection,
    dataset: str,
) -> dict[str, Any]:
    """The settings needed to make the same pictures again, without paths of this computer."""
    return {
        "program": f"{PROGRAM} {__version__}",
        "network": Path(network.source).name,
        "architecture": network.architecture,
        "fingerprint": network.fingerprint,
        "preprocessing": network.preprocessing.name,
        "preprocessing_reason": index.manifest.preprocessing_reason,
        "dataset": dataset,
        "resize": images.resize,
        "images_scanned": len(index.images),
        "images_in_all": index.total,
        "scan_complete": index.complete,
        "precision": index.precision,
        "k": selection.k,
        "label": selection.label,
        "band": None if selection.band is None else list(selection.band),
        "rule": selection.rule,
        "specificity_other_maps": SAMPLE_OTHERS if selection.specificity else None,
        "scale": selection.scale,
        "tile_size": selection.tile_size,
        "copies_in_all": sum(len(group) - 1 for group in index.equal_images),
        "copies_counted": selection.copies,
    }


@dataclass(frozen=True, eq=False)
class Drawing:
    """Draws the pictures of maps and layers of one index.

    Attributes:
        network: the network of the index.
        images: the images of the index.
        index: the index.
        selection: what to draw.
        cache: keeps images and switches between maps.
        left_out: is filled with the images that cannot be drawn.
        cancel: set it to stop.
    """

    network: Network
    images: ImageFolder
    index: ActivationIndex
    selection: Selection
    cache: ReconstructionCache
    left_out: LeftOut
    cancel: CancelFlag | None = None

    def _chosen(self, layer: str, channel: int | None) -> Sequence[Activation]:
        """The activations to draw: the top k, or those of a band."""
        chosen = self.selection
        if channel is not None and chosen.band is not None:
            asked = layer, channel, *chosen.band, chosen.k, chosen.label
            return self.index.sample(*asked, copies=chosen.copies)
        return exact_top(
            *(self.network, self.images, self.index, layer, channel, chosen.k, chosen.label),
            copies=chosen.copies,
            cache=self.cache,
            cancel=self.cancel,
            left_out=self._note,
        )

    def draw(self, layer: str, channel: int | None) -> Drawn:
        """Draw the pictures of one map, or of a whole layer.

        Raises:
            DeconvError: the folder of images is missing, or another network made the index.
            CancelledError: ``cancel`` was set.
        """
        chosen = self.selection
        top = self._chosen(layer, channel)
        copies = self.index.copies_behind(top, chosen.label, copies=chosen.copies)
        scanned = self.index.content_hashes(found.image_id for found in top)
        while True:
            ranks = {r: a for r, a in enumerate(top, 1) if a.image_id not in self.left_out}
            wanted = self.network, self.images, list(ranks.values()), self.cache
            try:
                made = reconstruct(*wanted, False, self.cancel, scanned, rule=chosen.rule)
            except ImageError:
                self._leave_out(ranks.values(), scanned)
                continue
            missing = {
                rank: self.left_out[found.image_id]
                for rank, found in enumerate(top, 1)
                if rank not in ranks
            }
            return Drawn(top, dict(zip(ranks, made, strict=True)), missing, copies)

    def _note(self, image_id: str, error: ImageError) -> None:
        self.left_out[image_id] = why_left_out(self.images, image_id, error)

    def _leave_out(self, found: Iterable[Activation], scanned: Mapping[str, str]) -> None:
        """Find the images that cannot be drawn, and add them to ``left_out``.

        Raises:
            ImageError: all images can be read now, so one of them changed in between.
        """
        before = len(self.left_out)
        for image_id in dict.fromkeys(activation.image_id for activation in found):
            try:
                seen = self.cache.image(self.images, self.images.position(image_id))
                check_unchanged(image_id, seen.content_hash, scanned)
            except ImageError as error:
                self._note(image_id, error)
        if len(self.left_out) == before:
            raise ImageError("an image changed while it was read; try again")


def why_left_out(images: ImageFolder, image_id: str, error: ImageError) -> str:
    """Why an image is left out, without paths of this computer.

    Raises:
        DeconvError: the whole folder is missing.
    """
    if not images.root.is_dir():
        raise DeconvError(f"the folder of images {images.root} is gone; bring it back") from error
    if isinstance(error, ImageChangedError):
        return "its content has changed since the scan"
    if all(entry.image_id != image_id for entry in images):
        return "it is not in the folder any more"
    return str(error)


def return_freed_memory() -> None:
    """Return freed memory to the system, because glibc would keep more and more of it."""
    if sys.platform == "linux":
        with suppress(AttributeError):  # other C libraries return it by themselves
            ctypes.CDLL(None).malloc_trim(0)
