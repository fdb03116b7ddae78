"""``RankedPeaks``: the peaks of one feature map in ascending order, and bands of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from deconv_core.arguments import real_number, whole_number
from deconv_core.errors import DeconvError
from deconv_core.statistics import bands
from deconv_core.units import Activation, Unit


@dataclass(frozen=True, slots=True)
class Rank:
    """The place of an image in the distribution of a map's peaks.

    Attributes:
        rank: 1 is the largest peak.
        total: the number of images that are ranked.
        percentile: the share of images that are ranked below it, 0 to less than 1.
    """

    rank: int
    total: int
    percentile: float


@dataclass(frozen=True, eq=False)
class RankedPeaks:
    """The peaks of one feature map, the smallest first: all of them, or a band.

    Attributes:
        unit: the feature map.
        table: image_id, label, row, column, value, rank, percentile; one row per image. ``rank``
            counts from 0, the smallest peak; equal peaks are ordered by image_id. ``percentile``
            is the share of images with a smaller rank, 0 to less than 1. A band keeps the ranks
            and percentiles of the whole.
        total: number of images in the whole.
    """

    unit: Unit
    table: pd.DataFrame
    total: int

    @classmethod
    def of(cls, unit: Unit, peaks: pd.DataFrame) -> RankedPeaks:
        """Rank a table with image_id, label, row, column, value."""
        values, names = peaks["value"].to_numpy(), peaks["image_id"].to_numpy(object)
        columns = ["image_id", "label", "row", "column", "value"]
        table = peaks.iloc[bands.ascending(values, names)][columns].reset_index(drop=True)
        table["rank"] = range(len(table))
        table["percentile"] = bands.percentiles(len(table))
        return cls(unit, table, len(table))

    def __len__(self) -> int:
        return len(self.table)

    def band(self, low: float, high: float) -> RankedPeaks:
        """The images whose percentile is at least ``low`` and below ``high``.

        Raises:
            DeconvError: not 0 <= low < high <= 1.
        """
        low, high = (real_number(name, x) for name, x in (("low", low), ("high", high)))
        if not 0 <= low < high <= 1:
            raise DeconvError(
                f"the band from {low:g} to {high:g} is empty or outside the distribution; give "
                "0 <= low < high <= 1"
            )
        percentile = self.table["percentile"]
        return self._where((percentile >= low) & (percentile < high))

    def between(self, least: float, below: float) -> RankedPeaks:
        """The images whose peak is at least ``least`` and below ``below``: a bar of a histogram."""
        value = self.table["value"]
        return self._where((value >= least) & (value < below))

    @property
    def firing(self) -> RankedPeaks:
        """The images that activate the map."""
        return self._where(self.table["value"] > 0)

    @property
    def silent(self) -> RankedPeaks:
        """The images that do not activate the map; each location is where the map is largest."""
        return self._where(self.table["value"] <= 0)

    def first(self, k: int) -> RankedPeaks:
        """The k images with the smallest peaks, or all."""
        return replace(self, table=self.table[:k])

    def spread(self, k: int, seed: int | None = None) -> RankedPeaks:
        """Some of these images, evenly spaced by rank; all of them if there are at most k.

        Args:
            k: at least 1. The weakest and the strongest are included; one alone is the middle one.
            seed: choose at random with this seed instead.

        Raises:
            DeconvError: k is below 1, or the seed is not a whole number of at least 0.
        """
        k = whole_number("k", k, 1)
        seed = None if seed is None else whole_number("seed", seed)
        chosen = bands.spread(len(self.table), k, seed)
        return replace(self, table=self.table.iloc[chosen].reset_index(drop=True))

    def activations(self) -> list[Activation]:
        """The activations above 0, strongest first, in the order of ``index.top``."""
        table = self.firing.table
        table = table.iloc[np.argsort(-table["value"].to_numpy(), kind="stable")]
        columns = ("image_id", "row", "column", "value")
        return [
            Activation(self.unit, *found)
            for found in zip(*(table[name].tolist() for name in columns), strict=True)
        ]

    def ranks(self) -> dict[str, Rank]:
        """Image id -> its place in the whole distribution."""
        columns = (self.table[name].tolist() for name in ("image_id", "rank", "percentile"))
        return {
            image_id: Rank(self.total - rank, self.total, percentile)
            for image_id, rank, percentile in zip(*columns, strict=True)
        }

    def _where(self, chosen: pd.Series) -> RankedPeaks:
        return replace(self, table=self.table[chosen].reset_index(drop=True))
