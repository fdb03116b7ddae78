"""A layer at a glance: how specific the pictures of a seeded sample of its maps are."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.network.network import Network
from deconv_core.progress import CancelFlag
from deconv_core.reconstruction.cache import ReconstructionCache
from deconv_core.reconstruction.reconstruct import reconstruct
from deconv_core.specificity.measurement import measure
from deconv_core.specificity.other_maps import OTHER_MAPS
from deconv_core.specificity.specificity import Specificity
from deconv_core.units import Activation

PAIRS = 64
"""How many (map, image) pairs stand for a layer."""


def sampled_pairs(
    index: ActivationIndex, layer: str, count: int = PAIRS, seed: int = 0
) -> list[Activation]:
    """Maps in random order, each with one of its nine strongest images; dead maps are passed over.

    A layer with fewer maps gives one pair for each.
    """
    generator = np.random.default_rng(seed)
    chosen: list[Activation] = []
    for channel in generator.permutation(index.layers[layer].channels).tolist():
        if len(chosen) == count:
            break
        if strongest := index.top(layer, channel):
            chosen.append(strongest[int(generator.integers(len(strongest)))])
    return chosen


def layer_sample(
    network: Network,
    images: ImageFolder,
    index: ActivationIndex,
    layer: str,
    count: int = PAIRS,
    cancel: CancelFlag | None = None,
    *,
    others: int = OTHER_MAPS,
    seed: int = 0,
) -> Iterator[Specificity]:
    """Measure the pictures of ``sampled_pairs``, one after the other; arguments as of ``measure``.

    Raises:
        DeconvError: there is no such layer, or an argument is not allowed.
        ImageError: an image is gone, cannot be read or is not the one that was scanned.
        CancelledError: ``cancel`` was set.
    """
    network.layer(layer)
    cache = ReconstructionCache()
    for found in sampled_pairs(index, layer, count, seed):
        scanned = index.content_hashes([found.image_id])
        (picture,) = reconstruct(network, images, [found], cache, cancel=cancel, scanned=scanned)
        pixels = cache.pixels(images, images.position(found.image_id), network.input_size)
        *_, complete = measure(network, picture, pixels, cancel, others=others, seed=seed)
        yield complete
