"""Finds layers with many dead feature maps, which are often a sign of an error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deconv_core.index.activation_index import ActivationIndex

SHARE = 0.25
"""A larger share of dead maps in a layer leads to a warning."""
_FEW_IMAGES = 200


@dataclass(frozen=True, slots=True)
class DeadMaps:
    """The number of dead maps of a layer.

    Attributes:
        layer: name of the layer.
        dead: number of maps that no image activates.
        maps: number of all maps.
    """

    layer: str
    dead: int
    maps: int

    @property
    def many(self) -> bool:
        """True if more than a quarter of the maps are dead."""
        return self.dead > SHARE * self.maps

    def __str__(self) -> str:
        """For example "conv3_1 (100 of 256)"."""
        return f"{self.layer} ({self.dead} of {self.maps})"


def layers_with_many_dead_maps(index: ActivationIndex) -> list[DeadMaps]:
    """The layers with more than a quarter of dead maps, in order.

    Raises:
        IndexDamagedError: a block cannot be read.
    """
    counts = [DeadMaps(n, index.dead_maps[n], made.channels) for n, made in index.layers.items()]
    return [dead for dead in counts if dead.many] if sum(index.labels.values()) else []


def dead_maps_sentence(index: ActivationIndex, found: Sequence[DeadMaps]) -> str:
    """A warning with the layers and the likely reasons, without a full stop.

    A 2x2 pooling has the same dead maps as the layer below it, and is not named separately.
    """
    images = sum(index.labels.values())
    stored = [dead for dead in found if not index.layers[dead.layer].pooled_from]
    layers = ", ".join(map(str, stored or found))
    reasons = "; ".join(_likely_reasons(index, images))
    return (
        f"More than a quarter of the feature maps of {layers} never fire in the {images:,} images. "
        f"Likely reasons: {reasons}"
    )


def _likely_reasons(index: ActivationIndex, images: int) -> list[str]:
    made, reasons = index.manifest, []
    if made.network not in ("demo", "vgg19", "random"):
        reasons.append(
            f"the weights expect another preprocessing than {made.preprocessing}, which the scan "
            "used"
        )
    if images < _FEW_IMAGES:
        reasons.append(f"there are only {images:,} images")
    reasons.append("the images are similar, or differ from those that the network was trained on")
    if made.network not in ("demo", "vgg19"):
        reasons.append("the weights were pruned, or their training was not finished")
    return reasons
