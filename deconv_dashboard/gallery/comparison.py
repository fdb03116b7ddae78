"""A feature map in two groups of images: which group it responds to more, in one sentence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from deconv_core.index.label_table import FEW_IMAGES
from deconv_core.statistics import roc
from deconv_core.units import Unit
from deconv_dashboard.server import resources
from deconv_dashboard.values import Choice
from deconv_dashboard.wording import counted

OTHERS = "the others"
"""Name of all images without the label that is compared with all."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """The peaks of a feature map in two groups of images.

    Attributes:
        names: the labels of the groups, as plain text.
        peaks: the peak in each image, of each group.
        area: the area under the ROC curve between the groups.
    """

    names: tuple[str, str]
    peaks: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
    area: roc.Area

    @property
    def groups(self) -> dict[str, npt.NDArray[np.float32]]:
        """Name of a group -> its peaks."""
        return dict(zip(self.names, self.peaks, strict=True))

    @property
    def verdict(self) -> str:
        """Which group the map responds to more; only where the interval leaves no doubt."""
        first, second = self.names
        if min(self.area.images, self.area.others) < FEW_IMAGES:
            return f"Too few images to compare {first} and {second}"
        if self.area.low > 0.5:
            return f"Responds more to {first} than to {second}"
        if self.area.high < 0.5:
            return f"Responds more to {second} than to {first}"
        return f"No clear difference between {first} and {second}"

    @property
    def sentence(self) -> str:
        """The verdict and its numbers."""
        (first, second), found = self.names, self.area
        return (
            f"{self.verdict}: the area under the ROC curve is {found.area:.3f} (95 % interval "
            f"{found.low:.3f} to {found.high:.3f}), so an image of {first} has a larger peak than "
            f"one of {second} in {100 * found.area:.3g} % of all pairs "
            f"({counted(found.images, 'image')} against {found.others:,})."
        )


def compared(choice: Choice, unit: Unit) -> Comparison | None:
    """The chosen label compared with the second one; without a chosen one, the second and the rest.

    None if there is no second label or no other image, or if the map never fires in either group.
    """
    second = choice.values.get("label2")
    if not second:
        return None
    table = resources.ranked_of(choice, unit, choice.label).table
    against = resources.ranked_of(choice, unit, second).table
    if choice.label:
        names, tables = (choice.label, second), (table, against)
    else:
        names, tables = (second, OTHERS), (against, table[table["label"] != second])
    peaks = _peaks(tables[0]), _peaks(tables[1])
    if not all(map(len, peaks)) or max(one.max() for one in peaks) <= 0:
        return None
    return Comparison(names, peaks, roc.between(*peaks))


def _peaks(table: pd.DataFrame) -> npt.NDArray[np.float32]:
    return table["value"].to_numpy(np.float32)
