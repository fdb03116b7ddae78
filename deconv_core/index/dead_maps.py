"""Layers in which many feature maps never fire: a sign that something is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deconv_core.index.activation_index import ActivationIndex

SHARE = 0.25
"""A layer with more dead maps than this share of its maps is worth a word."""
_FEW_IMAGES = 200


@dataclass(frozen=True, slots=True)
class DeadMaps:
    """A layer and how many of its maps no image activates."""

    layer: str
    dead: int
    maps: int

    @property
    def many(self) -> bool:
        """True if more than a quarter of the maps is dead."""
        return self.dead > SHARE * self.maps

    def __str__(self) -> str:
        """For example "conv3_1 (100 of 256)"."""
        return f"{self.layer} ({self.dead} of {self.maps})"


def layers_with_many_dead_maps(index: ActivationIndex) -> list[DeadMaps]:
    """The layers of which more than a quarter of the maps is dead, in order.

    Raises:
        IndexDamagedError: a block cannot be read.
    """
    counts = [DeadMaps(n, index.dead_maps[n], made.channels) for n, made in index.layers.items()]
    return [dead for dead in counts if dead.many] if sum(index.labels.values()) else []


def dead_maps_sentence(index: ActivationIndex, found: Sequence[DeadMaps]) -> str:
    """Where many maps are dead and what it may come from, for people; no full stop.

    A pooling has the dead maps of the convolution below it, and is not named beside it.
    """
    images = sum(index.labels.values())
    convolutions = [dead for dead in found if not index.layers[dead.layer].is_pool]
    layers = ", ".join(map(str, convolutions or found))
    reasons = "; ".join(_likely_reasons(index, images))
    return (
        f"More than a quarter of the feature maps fires in none of the {images:,} images in "
        f"{layers}. Likely reasons: {reasons}"
    )


def _likely_reasons(index: ActivationIndex, images: int) -> list[str]:
    made, reasons = index.manifest, []
    if made.network not in ("demo", "vgg19", "random"):
        reasons.append(
            f"the weights expect another preprocessing than {made.preprocessing}, which was used"
        )
    if images < _FEW_IMAGES:
        reasons.append(f"{images:,} images are few")
    reasons.append("the images are alike, or unlike those that the network was trained on")
    if made.network not in ("demo", "vgg19"):
        reasons.append("the weights were pruned, or not trained to the end")
    return reasons
