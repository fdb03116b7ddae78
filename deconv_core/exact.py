"""``exact_top``: the float32 answer from an index of any precision."""

from __future__ import annotations

from collections.abc import Iterable

from deconv_core.activation_index import TOP, ActivationIndex
from deconv_core.errors import IndexMismatchError
from deconv_core.images import ImageFolder
from deconv_core.network import Network
from deconv_core.units import Activation


class ExactTop(list[Activation]):
    """The activations of ``exact_top``.

    Attributes:
        exact: True when these are the float32 answer, in place and order.
    """

    def __init__(self, activations: Iterable[Activation], *, exact: bool) -> None:
        """Keep activations and whether they are exact."""
        super().__init__(activations)
        self.exact = exact


def exact_top(
    network: Network,
    images: ImageFolder,
    index: ActivationIndex,
    layer: str,
    channel: int | None = None,
    k: int = TOP,
    label: str | None = None,
) -> ExactTop:
    """The float32 top k of a layer or a feature map, as ``ActivationIndex.top`` orders it.

    Every index is computed in float32 so far, so its own answer is the exact one.

    Raises:
        IndexMismatchError: the index was made from another network or another resizing.
        DeconvError: no such layer, channel or label, or k below 1.
    """
    made, resize = index.manifest.fingerprint, index.manifest.resize
    if made != network.fingerprint or resize != images.resize:
        raise IndexMismatchError(
            f"the index was made with network {made} and resizing {resize!r}; given are "
            f"{network.fingerprint} and {images.resize!r}"
        )
    found = index.top(layer, channel=channel, k=k, label=label)
    return ExactTop(found, exact=index.precision == "float32")
