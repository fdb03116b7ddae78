"""``exact_top``: the float32 top k of a layer or feature map, from an index of any precision.

In a bfloat16 scan, the location of several percent of the peaks is wrong, and many peaks tie. The
scan measured the largest error for each layer. So images are evaluated again in float32, in the
order of their bfloat16 peaks, until the k-th largest float32 value is larger than any remaining
image can reach with this error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from deconv_core.arguments import callbacks, flag, instance, whole_number
from deconv_core.errors import ANEW, CancelledError, ImageError, IndexMismatchError
from deconv_core.images.decoding import DECODING
from deconv_core.images.folder import ImageFolder, check_unchanged
from deconv_core.index.activation_index import TOP, ActivationIndex
from deconv_core.layers import layer_of_peaks
from deconv_core.network.network import Network
from deconv_core.progress import CancelFlag, Progress, or_bar
from deconv_core.reconstruction.cache import ImagePass, ReconstructionCache
from deconv_core.reconstruction.whole_image import image_passes
from deconv_core.units import Activation, Unit

SAFETY = 4.0
"""The error bound is this many times the largest error of the sample. On a few small networks,
errors of 2.6 times that of the sample were seen."""
MOST_EXAMINED = 400
"""``exact_top`` stops after this many images, with ``exact`` False."""
_BATCH = 8


class ExactTop(list[Activation]):
    """The activations of ``exact_top``.

    Attributes:
        exact: True if these are the float32 answer in location, order and value: no other image
            can be among them, unless its bfloat16 error is more than ``SAFETY`` times the largest
            error of the scan's sample. A float32 index answers directly; its scan sums in another
            order than the reference pass, so almost equal images may be in another order (on 194
            photographs, in 4 of 5,504 maps).
        examined: number of images that were evaluated again.
    """

    def __init__(
        self, activations: Iterable[Activation], *, exact: bool, examined: int = 0
    ) -> None:
        """Store the activations and how they were found."""
        super().__init__(activations)
        self.exact = exact
        self.examined = examined


def check_made_with(index: ActivationIndex, network: Network, images: ImageFolder) -> None:
    """Check that an index was made with this network and these options for decoding images.

    Raises:
        IndexMismatchError: the network or an option differs.
    """
    made = index.manifest
    if made.fingerprint != network.fingerprint:
        raise IndexMismatchError(
            f"the index was made with other weights ({made.fingerprint}) than the network has now "
            f"({network.fingerprint})",
            ANEW,
        )
    for what, of_index, given in (
        ("resizing", made.resize, images.resize),
        ("value range", made.value_range, images.value_range),
        ("decoding", made.decoding, DECODING),
    ):
        if of_index != given:
            raise IndexMismatchError(
                f"the index was made with {what} {of_index!r}; given is {given!r}", ANEW
            )


def exact_top(
    network: Network,
    images: ImageFolder,
    index: ActivationIndex,
    layer: str,
    channel: int | None = None,
    k: int = TOP,
    label: str | None = None,
    *,
    copies: bool = False,
    cache: ReconstructionCache | None = None,
    progress: Progress | Literal[False] | None = None,
    cancel: CancelFlag | None = None,
    left_out: Callable[[str, ImageError], None] | None = None,
) -> ExactTop:
    """The float32 top k of a layer or a feature map, as ``ActivationIndex.top`` orders it.

    A float32 index answers at once. With a bfloat16 index, images are evaluated again in float32,
    those with the largest peaks first.

    Args:
        network: the network of the index.
        images: the folder that was scanned.
        index: the index, finished or not.
        layer: any layer of the network.
        channel: one feature map, or None for the whole layer.
        k: at least 1.
        label: only images with this label.
        copies: count every copy of an image, not only the first.
        cache: keeps decoded images and switches, for other maps and for ``reconstruct``.
        progress: called with (images evaluated, the most to evaluate); None and False as for
            ``reconstruct``.
        cancel: set it to stop.
        left_out: called with the id and the error of an image that has to be evaluated but is
            missing, unreadable or changed; the answer does not contain it. None raises the error.

    Raises:
        IndexMismatchError: the index was made with another network or other options for decoding.
        DeconvError: there is no such layer, channel or label, or k is below 1.
        ImageError: an image is missing or cannot be read.
        ImageChangedError: an image has changed since the scan.
        CancelledError: ``cancel`` was set.
    """
    instance("network", network, Network, "load_network('demo')")
    instance("images", images, ImageFolder, "ImageFolder('photos')")
    instance("index", index, ActivationIndex, "ActivationIndex.open('indexes/photos')")
    if cache is not None:
        instance("cache", cache, ReconstructionCache, "ReconstructionCache()")
    callbacks(progress, cancel)
    report = or_bar(progress, "evaluating", " images")
    check_made_with(index, network, images)
    if index.precision == "float32":
        return ExactTop(index.top(layer, channel, k, label, copies=copies), exact=True)
    flag("copies", copies)
    k = whole_number("k", k, 1)
    near = index.best(layer, channel, label, copies=copies).sort_values(
        ["value", "image_id"], ascending=[False, True]
    )
    error = SAFETY * index.manifest.compute.error_bounds[layer_of_peaks(network.layers, layer)]
    names, values = near["image_id"].tolist(), near["value"].to_numpy()
    most, cache = min(len(names), MOST_EXAMINED), cache or ReconstructionCache()
    found: list[Activation] = []
    done = 0
    while not (exact := _settled(found, k, values[done:], error)) and done < most:
        if cancel is not None and cancel.is_set():
            raise CancelledError(f"stopped after {done} of at most {most} images")
        batch = names[done : done + _BATCH]
        passes = _passes(network, images, index, layer, batch, cache, left_out)
        found += _best(network, layer, channel, list(passes), list(passes.values()))
        found.sort(key=_order)
        done += len(batch)
        if report is not None:
            report(done, most)
    return ExactTop(found[:k], exact=exact, examined=done)


def _passes(
    network: Network,
    images: ImageFolder,
    index: ActivationIndex,
    layer: str,
    names: Sequence[str],
    cache: ReconstructionCache,
    left_out: Callable[[str, ImageError], None] | None,
) -> dict[str, ImagePass]:
    """The forward pass of each unchanged image; ``left_out`` is called for the others."""
    try:
        positions = [images.position(name) for name in names]
        passes = image_passes(network, images, layer, positions, cache)
        scanned = index.content_hashes(names)
        for name, passed in zip(names, passes, strict=True):
            check_unchanged(name, passed.content_hash, scanned)
        return dict(zip(names, passes, strict=True))
    except ImageError as error:
        if left_out is None:
            raise
        if len(names) == 1:
            left_out(names[0], error)
            return {}
    made: dict[str, ImagePass] = {}
    for name in names:
        made |= _passes(network, images, index, layer, [name], cache, left_out)
    return made


def _settled(
    found: Sequence[Activation], k: int, unseen: np.ndarray | pd.Series, error: float
) -> bool:
    """True if no remaining image can be among the top k."""
    if not len(unseen):
        return True
    reach = float(unseen[0]) + error
    return len(found) >= k and found[k - 1].value > reach


def _order(activation: Activation) -> tuple[float, str, int, int, int]:
    unit = activation.unit
    return (
        -activation.value,
        activation.image_id,
        activation.row,
        activation.column,
        unit.channel,
    )


def _best(
    network: Network,
    layer: str,
    channel: int | None,
    names: Sequence[str],
    passes: Sequence[ImagePass],
) -> list[Activation]:
    """The largest activation of each image in float32, without images where it is 0."""
    found = []
    for name, passed in zip(names, passes, strict=True):
        peaks = passed.peaks_of(network, layer)
        best = int(peaks.best_channels()[0] if channel is None else channel)
        value = float(peaks.values[0, best])
        if value > 0:
            place = int(peaks.rows[0, best]), int(peaks.columns[0, best])
            found.append(Activation(Unit(layer, best), name, *place, value))
    return found
