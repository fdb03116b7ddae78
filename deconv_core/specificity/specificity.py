"""What was measured about one picture, in numbers and in a sentence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deconv_core.pictures import Reconstruction
from deconv_core.specificity.deletion import PERCENT, PERCENT_OF_OTHERS, Curve
from deconv_core.specificity.similarity import Similarity


@dataclass(frozen=True, slots=True)
class Deletion:
    """Curves of one map's activation at one location, as pixels are replaced.

    Attributes:
        own: in the order of its own picture, at ``PERCENT`` of the field.
        random: in a random order.
        rules: rule -> in the order of its picture by this other rule.
        others: in the order of other maps' pictures, as far as they are computed, at
            ``PERCENT_OF_OTHERS``.
    """

    own: Curve
    random: Curve
    rules: dict[str, Curve]
    others: tuple[Curve, ...] = ()

    @property
    def beaten(self) -> int:
        """How many other maps' pictures lower the activation less, on the mean of their steps."""
        own = np.mean([self.own[PERCENT.index(percent)] for percent in PERCENT_OF_OTHERS])
        return sum(bool(own < np.mean(other)) for other in self.others)


@dataclass(frozen=True, eq=False)
class Specificity:
    """How much of one picture is about its map; what is not computed yet is None or empty.

    Attributes:
        picture: the picture.
        channels: the other maps that it is compared with.
        other_maps: similarity of each other map's picture from the same place.
        extreme_pictures: pixels of the most and the least similar of them, as of ``picture``.
        edges: Spearman's correlation with the edges of the patch.
        random_networks: similarity of the same map's picture in networks with random weights.
        deletion: how fast the activation falls; None also for fields of less than 100 pixels.
    """

    picture: Reconstruction
    channels: tuple[int, ...]
    other_maps: tuple[Similarity, ...] = ()
    extreme_pictures: tuple[npt.NDArray[np.float32], ...] = ()
    edges: float | None = None
    random_networks: tuple[Similarity, ...] = ()
    deletion: Deletion | None = None

    @property
    def extremes(self) -> tuple[int, int] | None:
        """Positions, in ``channels``, of the most and the least similar picture."""
        found = [similarity.spearman for similarity in self.other_maps]
        return (int(np.argmax(found)), int(np.argmin(found))) if found else None

    @property
    def sentence(self) -> str:
        """What deletion shows, in one sentence; "" if there is no deletion."""
        if self.deletion is None:
            return ""
        made = self.deletion
        said = f"Replacing {PERCENT[-1]} % of the field by this picture lowers the activation to "
        said += f"{made.own[-1]:.0%}; ".replace("%", " %")
        if made.others:
            said += f"faster than by {made.beaten} of {len(made.others)} other maps' pictures; "
        return said + f"random order leaves {made.random[-1]:.0%}.".replace("%", " %")
