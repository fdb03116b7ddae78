"""Two groups of images or two feature maps compared, in one sentence and two histograms.

Two labels are two groups of images for one map: which group it responds to more. Two maps, of one
network or of two, are compared in the same images: how far they respond to the same ones.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from deconv_core.index.label_table import FEW_IMAGES
from deconv_core.statistics import agreement, roc
from deconv_dashboard.server import index_answers
from deconv_dashboard.values import Choice
from deconv_dashboard.wording import counted

OTHERS = "the others"
"""Name of all images without the label that is compared with all."""
TOP = 9
"""The strongest images of two maps that are compared; 1 % of the images where that is more."""

Peaks = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Comparison(ABC):
    """The peaks of two groups of images or of two maps.

    Attributes:
        names: what is compared, as plain text.
        peaks: the peaks of each, as they are drawn.
        heading: above the histograms.
        axis: what the peaks are.
        form: how peaks are written.
        note: what else there is to know about the numbers.
    """

    names: tuple[str, str]
    peaks: tuple[Peaks, Peaks]
    heading: ClassVar[str]
    axis: ClassVar[str] = "largest activation in an image"
    form: ClassVar[str] = ".4g"
    note: ClassVar[str]

    @property
    def groups(self) -> dict[str, Peaks]:
        """Name -> its peaks."""
        return dict(zip(self.names, self.peaks, strict=True))

    @property
    def sentence(self) -> str:
        """The verdict and its numbers."""
        return f"{self.verdict}: {self.numbers}"

    @property
    @abstractmethod
    def verdict(self) -> str:
        """What follows from the numbers; only where the interval leaves no doubt."""

    @property
    @abstractmethod
    def numbers(self) -> str:
        """The numbers in words."""


@dataclass(frozen=True, eq=False)
class TwoLabels(Comparison):
    """One feature map in two groups of images.

    Attributes:
        area: the area under the ROC curve between the groups.
    """

    area: roc.Area
    heading = "Peaks in both groups of images"
    note = "In the area, pairs of equal peaks count half."

    @property
    def verdict(self) -> str:
        """Which group the map responds to more."""
        first, second = self.names
        if min(self.area.images, self.area.others) < FEW_IMAGES:
            return f"Too few images to compare {first} and {second}"
        if self.area.low > 0.5:
            return f"Responds more to {first} than to {second}"
        if self.area.high < 0.5:
            return f"Responds more to {second} than to {first}"
        return f"No clear difference between {first} and {second}"

    @property
    def numbers(self) -> str:
        """The area with its interval, and what it means."""
        found, share = self.area, self.area.area
        (more, images), (less, others) = zip(self.names, (found.images, found.others), strict=True)
        if share < 0.5:
            (more, images), (less, others), share = (less, others), (more, images), 1 - share
        return (
            f"the area under the ROC curve is {found.area:.3f} (95 % interval "
            f"{found.low:.3f} to {found.high:.3f}), so an image of {more} has a larger peak than "
            f"one of {less} in {100 * share:.3g} % of all pairs "
            f"({counted(images, 'image')} against {others:,})."
        )


@dataclass(frozen=True, eq=False)
class TwoMaps(Comparison):
    """Two feature maps in the same images; their peaks are shares of the map's largest one.

    Attributes:
        found: how far they respond to the same images.
    """

    found: agreement.Agreement
    heading = "Peaks of both maps"
    axis = "largest activation in an image, as a share of the map's largest"
    form = ".0%"
    note = (
        "Activations of two maps have different scales, so peaks are drawn as shares of the "
        "largest one of the map in these images. The sentence above compares ranks; equal peaks "
        "share their mean rank."
    )

    @property
    def verdict(self) -> str:
        """Whether the maps respond to the same images; both have to fire in some."""
        first, second = self.names
        if min(int((peaks > 0).sum()) for peaks in self.peaks) < FEW_IMAGES:
            return f"Too few images to compare {first} and {second}"
        if self.found.low > 0:
            return f"{first} and {second} tend to respond to the same images"
        if self.found.high < 0:
            return f"{first} and {second} tend to respond to different images"
        return f"No clear relation between {first} and {second}"

    @property
    def numbers(self) -> str:
        """The rank correlation with its interval, and how many strongest images are the same."""
        found = self.found
        rank, low, high = map(_signed, (found.correlation, found.low, found.high))
        tops = " and ".join(dict.fromkeys(f"{number:,}" for number in found.tops))
        return (
            f"the rank correlation of their peaks in {counted(found.images, 'image')} is {rank} "
            f"(95 % interval {low} to {high}). {found.shared:,} of their {tops} strongest images "
            f"are the same; by chance it would be {found.chance:.2g} on average, and at most "
            f"{found.most:,} in 95 % of all cases."
        )


def compared(choice: Choice) -> Comparison | None:
    """The two sides of a choice compared; None if nothing is, or if there is nothing to compare."""
    if choice.second is None:
        return None
    if choice.second.label != choice.label:
        return _two_labels(choice, choice.second)
    return _two_maps(choice, choice.second)


def _two_labels(choice: Choice, other: Choice) -> TwoLabels | None:
    """The chosen label and the second one; without a chosen one, the second and the rest.

    None if there is no other image, or if the map never fires in either group.
    """
    table, against = _ranked(choice), _ranked(other)
    second = str(other.label)
    if choice.label:
        names, tables = (choice.label, second), (table, against)
    else:
        names, tables = (second, OTHERS), (against, table[table["label"] != second])
    peaks = _peaks(tables[0]), _peaks(tables[1])
    if not all(map(len, peaks)) or max(one.max() for one in peaks) <= 0:
        return None
    return TwoLabels(names, peaks, roc.between(*peaks))


def _two_maps(choice: Choice, other: Choice) -> TwoMaps | None:
    """Two maps in the images of both scans; None if one of them has the same peak in all."""
    one, two = (_ranked(side).set_index("image_id")["value"] for side in (choice, other))
    both = pd.concat([one, two], axis=1, join="inner").sort_index()
    if choice.index_path != other.index_path:
        both = both[_same_content(choice, other, both.index)]
    first, second = (both.iloc[:, place].to_numpy(np.float32) for place in (0, 1))
    if not len(both) or any(one.max() <= 0 or one.min() == one.max() for one in (first, second)):
        return None
    found = agreement.between(first, second, max(TOP, len(both) // 100))
    return TwoMaps(
        (choice.called, other.called), (first / first.max(), second / second.max()), found
    )


def _same_content(choice: Choice, other: Choice, names: pd.Index) -> npt.NDArray[np.bool_]:
    """Mask of the images that had the same content in both scans."""
    hashes = [side.index.content_hashes(names) for side in (choice, other) if side.index]
    return np.array([hashes[0].get(name) == hashes[1].get(name) for name in names], bool)


def _ranked(side: Choice) -> pd.DataFrame:
    return index_answers.ranked_of(side, side.unit, side.label).table


def _peaks(table: pd.DataFrame) -> Peaks:
    return table["value"].to_numpy(np.float32)


def _signed(number: float) -> str:
    return f"{number:.3f}".replace("-", "\N{MINUS SIGN}")
