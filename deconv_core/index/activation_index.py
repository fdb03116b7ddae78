"""Ask an index: which images, and which places in them, activate a layer or a feature map most.

An index holds, for every image and every feature map, the peak: the largest activation and its
location. That is enough for both questions of the field: the top k of one map, and the top k of a
whole layer (an image's best activation in a layer is the best of its maps' peaks). An image never
appears twice in an answer, and of images of equal content (copies) only the first by id counts,
unless every copy is asked for.

Order everywhere: value descending, then image_id, row, column, channel. Nothing here needs a
network, an image file or torch.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType

import numpy as np
import pandas as pd

from deconv_core.arguments import flag, shown, text, whole_number
from deconv_core.errors import REPAIR, DeconvError, IndexDamagedError
from deconv_core.index.blocks import BlockFile, ImageRow, Ordinals, check_block, read_peaks
from deconv_core.index.copies import Groups, KnownCopies, is_repeated
from deconv_core.index.folder import IndexFolder
from deconv_core.index.inspection import PlannedImages
from deconv_core.index.manifest import Manifest
from deconv_core.index.summary import KEPT, read_maps, read_top
from deconv_core.layers import Layer, convolution_of
from deconv_core.peaks import Peaks
from deconv_core.storage import Location, RemotePath
from deconv_core.units import Activation, Unit, as_stored

TOP = 9
"""How many activations a gallery shows, after figure 2 of the paper."""


class ActivationIndex:
    """The stored peaks of a scan, finished or not.

    Attributes:
        manifest: what made the index.
        total: number of images the scan is to cover; ``len(index.images)`` of them are done.
    """

    def __init__(self, folder: IndexFolder, manifest: Manifest, plan: pd.DataFrame) -> None:
        """Use ``ActivationIndex.open``."""
        self._folder = folder
        self.manifest = manifest
        live = plan[~plan["removed"]]
        self._files = folder.block_files()
        if manifest.complete:  # needs all its blocks; one that is missing is named when asked for
            there = {number for file in self._files for number in file.numbers}
            missing = sorted({int(block) for block in live["block"]} - there)
            self._files += [folder.block_file(number) for number in missing]
        self.total = len(live)
        self._planned = PlannedImages(plan, manifest)
        self._readable: dict[Location, np.ndarray] = {}  # of blocks that were checked: ordinals
        self._done = self._done_images(plan)

    @classmethod
    def open(cls, path: str | os.PathLike[str] | RemotePath) -> ActivationIndex:
        """Open an index folder, or the address of one; one whose scan has not finished opens too.

        Raises:
            IndexMismatchError: there is no index, or one of another format.
            IndexDamagedError: a file cannot be read.
        """
        folder = IndexFolder(path)
        manifest = folder.read_manifest()
        return cls(folder, manifest, folder.read_plan(manifest))

    @property
    def layers(self) -> Mapping[str, Layer]:
        """Name -> Layer of the network that was scanned."""
        return MappingProxyType({layer.name: layer for layer in self.manifest.layers})

    @property
    def precision(self) -> str:
        """What the stored values were computed in: "float32" or "bfloat16"."""
        return self.manifest.compute.precision

    @property
    def image_root(self) -> Location:
        """The folder that was scanned. A relative path is meant from the index folder."""
        return self._folder.image_root(self.manifest)

    @property
    def complete(self) -> bool:
        """True once every image was scanned."""
        return self.manifest.complete

    @cached_property
    def images(self) -> pd.DataFrame:
        """The images done: image_id, label, width, height (pixels), error ("" when read)."""
        columns = ["image_id", "label", "width", "height", "error"]
        return self._done[columns].reset_index(drop=True)

    @cached_property
    def notes(self) -> dict[str, str]:
        """Image id -> what is odd about its values, of the images that look nearly black or white.

        Such an image is right in the range of its type and may be meant in that of its file:
        ``ImageFolder(value_range="file")``.
        """
        odd = self._done[self._done["note"] != ""]
        return dict(zip(odd["image_id"].astype(str), odd["note"].astype(str), strict=True))

    @cached_property
    def labels(self) -> dict[str, int]:
        """Label -> number of readable images."""
        readable = self._done[self._done["error"] == ""]
        return {str(k): int(v) for k, v in readable["label"].value_counts().sort_index().items()}

    @cached_property
    def dead_maps(self) -> dict[str, int]:
        """Layer -> how many of its feature maps fire in none of the images done."""
        return {name: int(self.maps(name)["dead"].sum()) for name in self.layers}

    @property
    def equal_images(self) -> Groups:
        """The readable images of equal content: a group for each picture that has copies.

        Ids in order; the first of a group is the one that counts.
        """
        return self._copies.groups

    def copies(self, image_id: str, label: str | None = None) -> tuple[str, ...]:
        """The other readable images of equal content, in order; only those of a label if given.

        Raises:
            DeconvError: no such image or label.
        """
        meant = None if label is None else self._stored_label(label)
        others = self._copies.others(image_id, meant)
        if not others and not (self._done["image_id"] == image_id).any():
            raise DeconvError(
                f"{image_id!r} is not among the {len(self._done):,} images of this index; give an "
                "id as index.images lists it"
            )
        return others

    def copies_behind(
        self, top: Sequence[Activation], label: str | None = None, *, copies: bool = False
    ) -> dict[str, tuple[str, ...]] | None:
        """For each image of an answer that stands for copies: their ids.

        Args:
            top: what ``top`` or ``exact_top`` gave.
            label: as it was asked.
            copies: as it was asked.

        Returns:
            None where every image speaks for itself: there are no copies, or each was counted.
        """
        if copies or not self.equal_images:
            return None
        found = {a.image_id: self.copies(a.image_id, label) for a in top}
        return {image_id: others for image_id, others in found.items() if others}

    def counted(self, label: str | None = None, *, copies: bool = False) -> int:
        """How many readable images count: with every copy, or each picture once.

        Raises:
            DeconvError: no such label.
        """
        meant = None if label is None else self._stored_label(label)
        total = sum(self.labels.values()) if meant is None else self.labels[meant]
        return total if copies else total - self._copies.repeated(meant)

    def content_hashes(self, image_ids: Iterable[str]) -> dict[str, str]:
        """SHA-256 of the file of each of these images when it was scanned; not of those not done.

        Returns:
            image_id -> hexadecimal digits.
        """
        asked = self._done[self._done["image_id"].isin(set(image_ids))]
        return dict(zip(asked["image_id"].tolist(), asked["content_hash"].tolist(), strict=True))

    def top(
        self,
        layer: str,
        channel: int | None = None,
        k: int = TOP,
        label: str | None = None,
        *,
        copies: bool = False,
    ) -> list[Activation]:
        """The k strongest activations, at most one an image, above 0 only.

        Args:
            layer: a convolution or a pooling.
            channel: one feature map, or None for the whole layer (each image's best map).
            k: at least 1.
            label: only images of this label.
            copies: count every copy. Otherwise of images of equal content only the first by id
                counts, within the label if there is one; ``index.copies`` names the others.

        Returns:
            Up to k activations; fewer when fewer images activate it, none for a dead map.

        Raises:
            DeconvError: no such layer, channel or label, or k below 1.
            IndexDamagedError: a block cannot be read.
        """
        flag("copies", copies)
        k = whole_number("k", k, 1)
        best = self._summarised(layer, channel, copies) if label is None and k <= KEPT else None
        if best is None:
            best = self.best(layer, channel, label, copies=copies)
        above, k = best[best["value"] > 0], min(k, len(best) + 1)
        if len(above) > k:
            limit = np.partition(above["value"].to_numpy(), -k)[-k]
            above = above[above["value"] >= limit]
        order = ["value", "image_id", "row", "column", "channel"]
        ranked = above.sort_values(order, ascending=[False, True, True, True, True])[:k]
        return [
            Activation(Unit(layer, channel), image_id, row, column, value)
            for image_id, channel, row, column, value in zip(
                *(ranked[name].tolist() for name in ("image_id", "channel", *order[2:4], "value")),
                strict=True,
            )
        ]

    def peaks(self, layer: str, channel: int) -> pd.DataFrame:
        """The peak of one feature map in every readable image, copies too.

        Returns:
            image_id, label, row, column, value; one row an image, in the order of the ids.

        Raises:
            DeconvError: no such layer or channel.
            IndexDamagedError: a block cannot be read.
        """
        best = self.best(layer, whole_number("channel", channel, None), None)
        columns = ["image_id", "label", "row", "column", "value"]
        return best.sort_values("image_id")[columns].reset_index(drop=True)

    def maps(self, layer: str, label: str | None = None) -> pd.DataFrame:
        """Every feature map of a layer over the images done, copies too.

        Returns:
            channel, max and mean of the peaks, share of the images that activate it (0 to 1),
            dead (True when none does); one row a map.

        Raises:
            DeconvError: no such layer or label.
            IndexDamagedError: a block cannot be read.
        """
        stored = self._stored_layer(layer)
        known = read_maps(self._folder, self.manifest, stored) if label is None else None
        if known is not None:
            return known
        ordinals, found = self._read(layer, None, label)
        values = found.values[self._chosen(ordinals, label)]
        channels = self.layers[layer].channels
        count = max(len(values), 1)
        highest = values.max(axis=0, initial=0.0) if len(values) else np.zeros(channels)
        return pd.DataFrame(
            {
                "channel": np.arange(channels),
                "max": highest.astype(np.float32),
                "mean": (values.sum(axis=0, dtype=np.float64) / count).astype(np.float32),
                "share": (values > 0).sum(axis=0) / count,
                "dead": highest <= 0,
            }
        )

    def best(
        self, layer: str, channel: int | None, label: str | None, *, copies: bool = True
    ) -> pd.DataFrame:
        """One row a readable image: the best activation of one feature map, or of a whole layer.

        Args:
            layer: a convolution or a pooling.
            channel: one feature map, or None for the whole layer.
            label: only images of this label.
            copies: a row for each copy, not only for the first.

        Returns:
            image_id, label, channel, row, column, value, in no particular order.

        Raises:
            DeconvError: no such layer, channel or label.
            IndexDamagedError: a block cannot be read.
        """
        ordinals, found = self._read(layer, channel, label)
        ordinals = ordinals[chosen := self._chosen(ordinals, label, copies)]
        found = found.select(chosen)
        place = np.zeros(len(ordinals), np.int64)
        if channel is None and len(ordinals):
            place = found.best_channels()
        here = np.arange(len(ordinals))
        done = self._by_ordinal.loc[ordinals]
        return pd.DataFrame(
            {
                "image_id": done["image_id"].to_numpy(),
                "label": done["label"].to_numpy(),
                "channel": place if channel is None else np.full(len(place), int(channel)),
                "row": found.rows[here, place].astype(np.int64),
                "column": found.columns[here, place].astype(np.int64),
                "value": found.values[here, place],
            }
        )

    def _summarised(self, layer: str, channel: int | None, copies: bool) -> pd.DataFrame | None:
        """What ``best`` gives, for the strongest images only, from the summary if there is one."""
        stored = self._stored_layer(layer)
        channel = self._checked_channel(layer, channel)
        found = read_top(self._folder, self.manifest, stored, channel)
        if found is None:
            return None
        if not copies:
            found = found[~found["copy"]]
        place_of = self.layers[layer].place_of
        found = found.assign(row=place_of(found["row"]), column=place_of(found["column"]))
        order = ["value", "row", "column", "channel"]
        ranked = found.sort_values(order, ascending=[False, True, True, True])
        once = ranked.drop_duplicates("image")
        if not once["image"].isin(self._by_ordinal.index).all():
            raise IndexDamagedError(
                f"the summary of {self._folder.path} names images that it does not have",
                REPAIR,
            )
        return once.assign(image_id=self._by_ordinal["image_id"].loc[once["image"]].to_numpy())

    @cached_property
    def _copies(self) -> KnownCopies:
        return KnownCopies(self._live(None))

    @cached_property
    def _by_ordinal(self) -> pd.DataFrame:
        return self._done.set_index("ordinal")

    def _chosen(self, ordinals: np.ndarray, label: str | None, copies: bool = True) -> np.ndarray:
        """Which of the rows read belong to images still in the dataset, and of the label."""
        return np.isin(ordinals, self._live(label, copies)["ordinal"].to_numpy())

    def _live(self, label: str | None, copies: bool = True) -> pd.DataFrame:
        """The readable images in the order of their ids: all or of a label, with copies or not."""
        live = self._done[self._done["error"] == ""]
        if label is not None:
            live = live[live["label"] == self._stored_label(label)]
        return live if copies else live[~is_repeated(live["content_hash"])]

    def _stored_label(self, label: str) -> str:
        """A label as the index has it, however its letters are composed."""
        meant = as_stored(text("label", label, "the name of one label"), self.labels)
        if len(meant) != 1:
            known = ", ".join(repr(name) for name in self.labels) or "none"
            raise DeconvError(f"no readable image has the label {label!r}; there are: {known}")
        return meant[0]

    def _files_with(self, label: str | None) -> list[BlockFile]:
        """The block files to read: those of a label only, whose images lie together."""
        if label is None:
            return self._files
        blocks = np.unique(self._live(label)["block"].to_numpy())
        return [file for file in self._files if any(block in file.numbers for block in blocks)]

    def _read(self, layer: str, channel: int | None, label: str | None) -> tuple[Ordinals, Peaks]:
        """Peaks of a layer or one of its channels in the blocks to read; poolings by halving."""
        stored = self._stored_layer(layer)
        channel = self._checked_channel(layer, channel)
        files = self._files_with(label)
        for file in files:
            if file.path not in self._readable:
                self._check(file)
        parts = [read_peaks(file, self.manifest.layers, stored, channel) for file in files]
        for file, (ordinals, _) in zip(files, parts, strict=True):
            if not np.array_equal(ordinals, self._readable[file.path]):
                raise IndexDamagedError(
                    f"block {file.path} does not hold {stored} of the images it describes",
                    REPAIR,
                )
        here = self.layers[layer]
        nothing = Peaks.of_no_image(here.channels if channel is None else 1)
        found = Peaks.join([nothing, *(peaks for _, peaks in parts)])
        ordinals = np.concatenate([np.zeros(0, np.uint32), *(numbers for numbers, _ in parts)])
        return ordinals, found.at(here)

    def _check(self, file: BlockFile) -> list[ImageRow]:
        """What a block learned about its images, once it is known to be whole and in its place."""
        rows = check_block(file, self.manifest)
        self._planned.check(file, rows)
        self._readable[file.path] = np.array([row.ordinal for row in rows if not row.error], int)
        return rows

    def _done_images(self, plan: pd.DataFrame) -> pd.DataFrame:
        """Live images whose block is there, with their ordinal."""
        if self.complete:
            rows = plan.assign(ordinal=np.arange(len(plan)))
        else:
            learned = [row for file in self._files for row in self._check(file)]
            columns = ["ordinal", "image_id", "label", "width", "height", "error"]
            columns += ["note", "content_hash"]
            rows = pd.DataFrame(
                [[getattr(row, name) for name in columns] for row in learned], columns=columns
            )
            for name in ("removed", "block"):
                rows[name] = plan[name].to_numpy()[rows["ordinal"].to_numpy(int)]
        live = rows[~rows["removed"].astype(bool)]
        return live.sort_values("image_id").reset_index(drop=True)

    def _checked_channel(self, layer: str, channel: int | None) -> int | None:
        """The channel as a plain number: one of numpy may be too short to count with."""
        if channel is None:
            return None
        channels, number = self.layers[layer].channels, whole_number("channel", channel, None)
        if not 0 <= number < channels:
            raise DeconvError(
                f"{layer} has no feature map {shown(number)}; its {channels} maps count from 0 to "
                f"{channels - 1}"
            )
        return number

    def _stored_layer(self, layer: str) -> str:
        """The convolution whose peaks answer for a layer: itself, or the one below a pooling."""
        names = list(self.layers)
        if not isinstance(layer, str) or layer not in names:
            raise DeconvError(
                f"{shown(layer)} is not a layer of this index; choose one of {', '.join(names)}"
            )
        return convolution_of(self.layers, layer)
