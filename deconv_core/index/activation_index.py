"""Queries on an index: which locations of which images activate a layer or a feature map most.

An index stores, for every image and every feature map, the peak: the largest activation and its
location. This answers two questions: the top k of one map, and the top k of a whole layer (an
image's largest activation in a layer is the largest of its maps' peaks). An image never appears
twice in an answer. Of images with equal content (copies) only the first by id counts, unless every
copy is requested.

Results are sorted by value descending, then by image_id, row, column, channel. A query needs no
network, no image file and no torch.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from numbers import Real
from types import MappingProxyType

import numpy as np
import pandas as pd

from deconv_core import html
from deconv_core.arguments import flag, listed, shown, text, whole_number
from deconv_core.errors import REPAIR, DeconvError, IndexDamagedError
from deconv_core.index.blocks import BlockFile, Ordinals
from deconv_core.index.copies import Groups, KnownCopies, is_repeated
from deconv_core.index.folder import IndexFolder
from deconv_core.index.label_table import label_table
from deconv_core.index.layer_values import LayerValues
from deconv_core.index.manifest import Manifest
from deconv_core.index.map_groups import LEAST, STRONGEST, MapGroups, grouped
from deconv_core.index.percentiles import peaks_in, percentile_table
from deconv_core.index.ranked_peaks import RankedPeaks
from deconv_core.index.similar_maps import correlation_table, similar_maps
from deconv_core.index.stored_peaks import StoredPeaks
from deconv_core.index.summary import KEPT, read_dead_maps, read_maps, read_top
from deconv_core.layers import Layer, layer_of_peaks
from deconv_core.peaks import Peaks
from deconv_core.storage import Location, RemotePath
from deconv_core.units import Activation, Unit, as_stored

TOP = 9
"""How many activations a gallery shows, after figure 2 of the paper."""


class ActivationIndex:
    """The stored peaks of a scan, finished or not.

    Attributes:
        manifest: the settings of the index.
        total: number of images of the dataset; ``len(index.images)`` of them are scanned.
    """

    def __init__(
        self,
        folder: IndexFolder,
        manifest: Manifest,
        plan: pd.DataFrame,
        files: Sequence[BlockFile],
    ) -> None:
        """Use ``ActivationIndex.open``."""
        self._folder = folder
        self.manifest = manifest
        self.total = int((~plan["removed"]).sum())
        self._stored = StoredPeaks(folder, manifest, plan, files)
        self._done = self._done_images(plan)

    @classmethod
    def open(cls, path: str | os.PathLike[str] | RemotePath) -> ActivationIndex:
        """Open an index by its folder or address; an unfinished index can be opened too.

        Raises:
            IndexMismatchError: there is no index, or one of another format.
            IndexDamagedError: a file cannot be read.
        """
        folder = IndexFolder(path)
        manifest = folder.read_manifest()
        files = folder.block_files()  # first: the plan may change before a block is written
        return cls(folder, manifest, folder.read_plan(manifest), files)

    @property
    def layers(self) -> Mapping[str, Layer]:
        """Name -> Layer of the network that was scanned."""
        return MappingProxyType({layer.name: layer for layer in self.manifest.layers})

    @property
    def precision(self) -> str:
        """The precision of the stored values: "float32" or "bfloat16"."""
        return self.manifest.compute.precision

    @property
    def image_root(self) -> Location:
        """The folder that was scanned; a relative path starts at the index folder."""
        return self._folder.image_root(self.manifest)

    @property
    def complete(self) -> bool:
        """True once every image is scanned."""
        return self.manifest.complete

    @cached_property
    def images(self) -> pd.DataFrame:
        """The scanned images: image_id, label, width, height (pixels), error ("" if none)."""
        columns = ["image_id", "label", "width", "height", "error"]
        return self._done[columns].reset_index(drop=True)

    def _repr_html_(self) -> str:
        """For notebooks: scanned images per label, and how many could not be read."""
        failed = self.images["error"] != ""
        counts = failed.groupby(self.images["label"].astype(str)).agg(["size", "sum"])
        rows = [
            (label or "(no folder)", int(size - sum_), int(sum_))
            for label, size, sum_ in counts.itertuples()
        ]
        made = self.manifest
        state = f"{len(self.images):,} of {self.total:,} images scanned"
        heading = f"{self.image_root.name} by {made.architecture} ({made.network}): {state}"
        detail = f"<p>{len(self.layers)} layers, {self.precision}</p>"
        return html.block(heading, detail, html.table(("label", "scanned", "not readable"), rows))

    @cached_property
    def notes(self) -> dict[str, str]:
        """Image id -> note, for images whose values fill little of the range of their type.

        Such an image looks nearly black or white. If it should be stretched to the values in its
        file, scan with ``ImageFolder(value_range="file")``.
        """
        noted = self._done[self._done["note"] != ""]
        return dict(zip(noted["image_id"].astype(str), noted["note"].astype(str), strict=True))

    @cached_property
    def labels(self) -> dict[str, int]:
        """Label -> number of readable images."""
        readable = self._done[self._done["error"] == ""]
        return {str(k): int(v) for k, v in readable["label"].value_counts().sort_index().items()}

    @cached_property
    def dead_maps(self) -> dict[str, int]:
        """Layer -> number of its feature maps that no scanned image activates."""
        known = read_dead_maps(self._folder, self.manifest)
        if known is not None:
            return {name: known[self._stored_layer(name)] for name in self.layers}
        return {name: int(self.maps(name)["dead"].sum()) for name in self.layers}

    @property
    def equal_images(self) -> Groups:
        """Groups of readable images with equal content, as ids in order.

        The first image of a group is the one that counts.
        """
        return self._copies.groups

    def copies(self, image_id: str, label: str | None = None) -> tuple[str, ...]:
        """The other readable images with the content of an image, in order.

        Args:
            image_id: the image.
            label: only copies with this label.

        Raises:
            DeconvError: there is no such image or label.
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
        """The copies of each image in an answer.

        Args:
            top: the result of ``top`` or ``exact_top``.
            label: the label of that query.
            copies: whether that query counted every copy.

        Returns:
            Image id -> ids of its copies, without images that have none. None if there are no
            copies at all, or the query counted every copy.
        """
        if copies or not self.equal_images:
            return None
        found = {a.image_id: self.copies(a.image_id, label) for a in top}
        return {image_id: others for image_id, others in found.items() if others}

    def counted(self, label: str | None = None, *, copies: bool = False) -> int:
        """The number of readable images: with every copy, or without copies.

        Raises:
            DeconvError: there is no such label.
        """
        meant = None if label is None else self._stored_label(label)
        total = sum(self.labels.values()) if meant is None else self.labels[meant]
        return total if copies else total - self._copies.repeated(meant)

    def content_hashes(self, image_ids: Iterable[str]) -> dict[str, str]:
        """Image id -> SHA-256 of the file when it was scanned, without unscanned images."""
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
        """The k largest activations above 0, at most one per image.

        Args:
            layer: a convolution or a pooling.
            channel: one feature map, or None for the whole layer (each image's best map).
            k: at least 1.
            label: only images with this label.
            copies: count every copy. Otherwise only the first by id of images with equal content
                counts (the first with the label); ``index.copies`` names the others.

        Returns:
            Up to k activations; fewer if fewer images activate the map, none for a dead map.

        Raises:
            DeconvError: there is no such layer, channel or label, or k is below 1.
            IndexDamagedError: a block cannot be read.
        """
        flag("copies", copies)
        k = whole_number("k", k, 1)
        best = self._summarised(layer, channel, copies) if label is None and k <= KEPT else None
        if best is None:
            best = self.best(layer, channel, label, copies=copies)
        values = best["value"].to_numpy()
        near = np.flatnonzero(values > 0)
        if len(near) > k:
            near = near[values[near] >= np.partition(values[near], -k)[-k]]
        names = ("image_id", "row", "column", "channel")
        rows = zip(
            (-values[near]).tolist(),
            *(best[name].take(near).tolist() for name in names),
            strict=True,
        )
        return [
            Activation(Unit(layer, channel), image_id, row, column, -less)
            for less, image_id, row, column, channel in sorted(rows)[:k]
        ]

    def peaks(self, layer: str, channel: int) -> pd.DataFrame:
        """The peak of one feature map in every readable image, with copies.

        Returns:
            image_id, label, row, column, value; one row per image, sorted by id.

        Raises:
            DeconvError: there is no such layer or channel.
            IndexDamagedError: a block cannot be read.
        """
        best = self.best(layer, whole_number("channel", channel, None), None)
        columns = ["image_id", "label", "row", "column", "value"]
        return best.sort_values("image_id")[columns].reset_index(drop=True)

    def ranked(
        self, layer: str, channel: int, label: str | None = None, *, copies: bool = False
    ) -> RankedPeaks:
        """The peak of one feature map in every readable image, the smallest first.

        Args:
            layer: a convolution or a pooling.
            channel: the feature map.
            label: only images with this label.
            copies: count every copy, as in ``top``.

        Raises:
            DeconvError: there is no such layer, channel or label.
            IndexDamagedError: a block cannot be read.
        """
        number = whole_number("channel", channel, None)
        peaks = self.best(layer, number, label, copies=flag("copies", copies))
        return RankedPeaks.of(Unit(layer, number), peaks)

    def sample(
        self,
        layer: str,
        channel: int,
        low: float = 0.25,
        high: float = 0.5,
        k: int = TOP,
        label: str | None = None,
        seed: int | None = None,
        *,
        copies: bool = False,
    ) -> list[Activation]:
        """Activations of a feature map from a band of its distribution, strongest first.

        The n readable images are ordered by their peak, the smallest first, then by image_id, and
        ranked from 0. The band is the images with a rank from low * n to below high * n. Images
        that do not activate the map count for the ranks, but are left out of the answer.

        Args:
            layer: a convolution or a pooling.
            channel: the feature map.
            low: where the band starts; 0 is the smallest peak.
            high: where the band ends; 1 is the largest peak.
            k: how many, at least 1.
            label: only images with this label.
            seed: choose at random with this seed; otherwise evenly spaced by rank, with the
                strongest and the weakest of the band that activate the map.
            copies: count every copy, as in ``top``.

        Returns:
            Up to k activations; fewer if fewer images of the band activate the map.

        Raises:
            DeconvError: there is no such layer, channel or label, or another argument is wrong.
            IndexDamagedError: a block cannot be read.
        """
        ranked = self.ranked(layer, channel, label, copies=copies)
        return ranked.band(low, high).firing.spread(k, seed).activations()

    def label_table(
        self, layer: str, channel: int | None = None, *, copies: bool = False
    ) -> pd.DataFrame:
        """How well the peaks of each feature map tell each label's images from all others.

        The area under the ROC curve (``auc``) is the probability that an image with the label has
        a larger peak than another image, with ties counted half. Its 95 % interval is that of
        Hanley & McNeil (1982). With more than 50,000 images, both come from a random sample of
        50,000, always the same one.

        Args:
            layer: a convolution or a pooling.
            channel: one feature map, or None for all maps of the layer.
            copies: count every copy. Otherwise only the first by id of images with equal content
                counts, as in ``top``.

        Returns:
            channel, label, images (their number), auc, auc_low, auc_high, precision_9 and
            precision_50 (the share of the label among the top 9 and the top 50; among fewer, if
            fewer images activate the map). One row per map and label. An area is NaN if all
            images, or none of the sample, have the label; a precision is NaN for a dead map.
            ``attrs["sample"]`` is the size of the sample, or None.

        Raises:
            DeconvError: there is no such layer or channel.
            IndexDamagedError: a block cannot be read.
        """
        return label_table(self.values(layer, channel, copies=copies))

    def similar(
        self, layer: str, channel: int, k: int = 6, *, opposed: bool = False, copies: bool = False
    ) -> pd.DataFrame:
        """The feature maps of a layer that fire most on the same images as one of them.

        Args:
            layer: a convolution or a pooling.
            channel: the feature map.
            k: how many, at least 1.
            opposed: True gives the maps that correlate least, the most opposed first.
            copies: count every copy, as in ``top``.

        Returns:
            channel, correlation (Pearson's, of the peaks over all readable images); up to k rows.
            Maps with the same peak in all images have no correlation and are left out, for example
            dead maps; for such a map the table is empty.

        Raises:
            DeconvError: there is no such layer or channel, or k is below 1.
            IndexDamagedError: a block cannot be read.
        """
        flag("opposed", opposed)
        number, k = whole_number("channel", channel, None), whole_number("k", k, 1)
        self._stored_layer(layer)
        self._checked_channel(layer, number)
        return similar_maps(self.values(layer, copies=copies), number, k, opposed=opposed)

    def correlations(self, layer: str, *, copies: bool = False) -> pd.DataFrame:
        """The correlation of each two feature maps of a layer, with similar maps side by side.

        Args:
            layer: a convolution or a pooling.
            copies: count every copy, as in ``top``.

        Returns:
            A square table. Its index and its columns are the channels in the order of a
            hierarchical clustering, without the maps that ``similar`` leaves out.

        Raises:
            DeconvError: there is no such layer.
            IndexDamagedError: a block cannot be read.
        """
        return correlation_table(self.values(layer, copies=copies))

    def percentiles(
        self, layer: str, image: str | Sequence[float], *, copies: bool = False
    ) -> pd.DataFrame:
        """How high an image's peaks stand in the distributions of the maps of a layer.

        Args:
            layer: a convolution or a pooling.
            image: an image of the index; for any other image, the largest activation of each map.
            copies: count every copy, as in ``top``.

        Returns:
            channel, value (the image's peak), percentile (the share of the readable images with a
            smaller peak, 0 to 1; an equal peak is not smaller); one row per map.

        Raises:
            DeconvError: there is no such layer or image, or not one value for each map.
            IndexDamagedError: a block cannot be read.
        """
        measured = self.values(layer, copies=copies)
        if not isinstance(image, str):
            given = listed("image", image, (Real,), "planes.max(axis=(1, 2))")
            return percentile_table(measured, np.array(given, np.float32))
        same = (image, *self.copies(image))
        return percentile_table(measured, peaks_in(measured, image if copies else min(same)))

    def groups(self, layer: str, channel: int, *, copies: bool = False) -> MapGroups:
        """Groups among the 100 strongest images of a feature map that differ in all other maps.

        ``deconv_core.statistics.groups`` says how they are found and which splits count.

        Args:
            layer: a convolution or a pooling.
            channel: the feature map.
            copies: count every copy, as in ``top``.

        Returns:
            Two to four groups, or a single one if no split is stable; no group at all if fewer
            than 40 images activate the map.

        Raises:
            DeconvError: there is no such layer or channel.
            IndexDamagedError: a block cannot be read.
        """
        number = whole_number("channel", channel, None)
        top = self.top(layer, number, STRONGEST, copies=copies)
        if len(top) < LEAST:
            return MapGroups(())
        ordinals = self._done.set_index("image_id")["ordinal"]
        chosen = ordinals.loc[[activation.image_id for activation in top]].to_numpy()
        values = self._stored.values(self.layers[self._stored_layer(layer)], None, chosen)
        return grouped(top, np.delete(values, number, axis=0))

    def values(
        self, layer: str, channel: int | None = None, *, copies: bool = False
    ) -> LayerValues:
        """The peaks of a layer's feature maps in the readable images, as one array.

        Args:
            layer: a convolution or a pooling.
            channel: one feature map, or None for all maps of the layer.
            copies: include every copy, as in ``top``.

        Raises:
            DeconvError: there is no such layer or channel.
            IndexDamagedError: a block cannot be read.
        """
        stored, number = self._stored_layer(layer), self._checked_channel(layer, channel)
        images = self._live(None, flag("copies", copies))
        found = self._stored.values(self.layers[stored], number, images["ordinal"].to_numpy())
        ids, labels = (images[name].to_numpy(object) for name in ("image_id", "label"))
        channels = np.arange(len(found)) if number is None else np.array([number])
        return LayerValues(layer, channels, ids, labels, found)

    def maps(self, layer: str, label: str | None = None) -> pd.DataFrame:
        """Statistics of every feature map of a layer over the readable images, with copies.

        Returns:
            channel, max and mean of the peaks, share of the images that activate the map (0 to 1),
            dead (True if no image does); one row per map.

        Raises:
            DeconvError: there is no such layer or label.
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
        """The largest activation of a feature map or of a layer in every readable image.

        Args:
            layer: a convolution or a pooling.
            channel: one feature map, or None for the whole layer.
            label: only images with this label.
            copies: a row for each copy, not only for the first.

        Returns:
            image_id, label, channel, row, column, value; one row per image, not sorted.

        Raises:
            DeconvError: there is no such layer, channel or label.
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
        """The rows of ``best`` for the strongest images, from the summary; None without one."""
        stored = self._stored_layer(layer)
        channel = self._checked_channel(layer, channel)
        found = read_top(self._folder, self.manifest, stored, channel)
        if found is None:
            return None
        if not copies:
            found = found[~found["copy"]]
        place_of = self.layers[layer].place_of
        columns = {
            **{name: found[name].to_numpy() for name in ("image", "channel", "value")},
            **{name: place_of(found[name].to_numpy()) for name in ("row", "column")},
        }
        if channel is None:  # the strongest map of each image, as in best_channels
            order = ("channel", "column", "row")
            ranked = np.lexsort([*(columns[name] for name in order), -columns["value"]])
            once = ranked[np.unique(columns["image"][ranked], return_index=True)[1]]
            columns = {name: column[once] for name, column in columns.items()}
        places = self._by_ordinal.index.get_indexer(columns.pop("image"))
        if (places < 0).any():
            raise IndexDamagedError(
                f"the summary of {self._folder.path} names images that it does not have",
                REPAIR,
            )
        return pd.DataFrame(
            {**columns, "image_id": self._by_ordinal["image_id"].iloc[places].to_numpy()}
        )

    @cached_property
    def _copies(self) -> KnownCopies:
        return KnownCopies(self._live(None))

    @cached_property
    def _by_ordinal(self) -> pd.DataFrame:
        return self._done.set_index("ordinal")

    def _chosen(self, ordinals: np.ndarray, label: str | None, copies: bool = True) -> np.ndarray:
        """Mask of the images that are still in the dataset, and have the label."""
        return np.isin(ordinals, self._live(label, copies)["ordinal"].to_numpy())

    def _live(self, label: str | None, copies: bool = True) -> pd.DataFrame:
        """The readable images, sorted by id: all or with a label, with or without copies."""
        live = self._done[self._done["error"] == ""]
        if label is not None:
            live = live[live["label"] == self._stored_label(label)]
        return live if copies else live[~is_repeated(live["content_hash"])]

    def _stored_label(self, label: str) -> str:
        """The stored form of a label; its accented letters may be composed in another way."""
        meant = as_stored(text("label", label, "the name of one label"), self.labels)
        if len(meant) != 1:
            known = ", ".join(repr(name) for name in self.labels) or "none"
            raise DeconvError(f"no readable image has the label {label!r}; there are: {known}")
        return meant[0]

    def _read(self, layer: str, channel: int | None, label: str | None) -> tuple[Ordinals, Peaks]:
        """Read the peaks of a layer or one of its channels, of all images or a label's blocks."""
        stored, channel = self._stored_layer(layer), self._checked_channel(layer, channel)
        blocks = None if label is None else np.unique(self._live(label)["block"].to_numpy())
        ordinals, found = self._stored.read(self.layers[stored], channel, blocks)
        return ordinals, found.at(self.layers[layer])

    def _done_images(self, plan: pd.DataFrame) -> pd.DataFrame:
        """The images of the dataset that are scanned, with their ordinals."""
        if self.complete:
            rows = plan.assign(ordinal=np.arange(len(plan)))
        else:
            scanned = self._stored.image_rows()
            columns = ["ordinal", "image_id", "label", "width", "height", "error"]
            columns += ["note", "content_hash"]
            rows = pd.DataFrame(
                [[getattr(row, name) for name in columns] for row in scanned], columns=columns
            )
            for name in ("removed", "block"):
                rows[name] = plan[name].to_numpy()[rows["ordinal"].to_numpy(int)]
        live = rows[~rows["removed"].astype(bool)]
        return live.sort_values("image_id").reset_index(drop=True)

    def _checked_channel(self, layer: str, channel: int | None) -> int | None:
        """Check a channel; return it as an int, because small numpy integers may overflow."""
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
        """The layer whose peaks are stored: the layer itself, or the one that it pools.

        Raises:
            DeconvError: there is no such layer.
        """
        names = list(self.layers)
        if not isinstance(layer, str) or layer not in names:
            raise DeconvError(
                f"{shown(layer)} is not a layer of this index; choose one of {', '.join(names)}"
            )
        return layer_of_peaks(self.layers, layer)
