"""The reference pass over whole images: peaks of every map and all switches, cached."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from torch import Tensor

from deconv_core.deconvnet import convnet_pass
from deconv_core.graph.steps import MaxPooling, Rectification
from deconv_core.images.decoding import Pixels
from deconv_core.images.folder import ImageFolder
from deconv_core.network.network import Network
from deconv_core.peaks import Peaks
from deconv_core.reconstruction.cache import ImagePass, ReconstructionCache
from deconv_core.reconstruction.switches import PackedCodes, bits_of, pack
from deconv_core.scanning.compute import to_batch
from deconv_core.scanning.peak_search import find_peaks


def image_passes(
    network: Network,
    images: ImageFolder,
    layer: str,
    positions: Sequence[int],
    cache: ReconstructionCache,
    *,
    masks: bool = False,
) -> list[ImagePass]:
    """The reference pass over each image up to a layer, from the cache or computed.

    ``masks`` also records where rectifications were open.

    Raises:
        ImageError: an image is gone or cannot be read.
    """
    found: dict[int, ImagePass] = {}
    for position in dict.fromkeys(positions):
        passed = cache.image_pass(network, images.content(position), layer, masks=masks)
        if passed is None:
            seen = cache.image(images, position, network.input_size)
            passed, _ = pass_image(network, seen.pixels, layer, seen.content_hash, masks=masks)
            cache.keep_pass(network, seen.content, passed)
        found[position] = passed
    return [found[position] for position in positions]


def feature_maps(network: Network, pixels: Pixels, layer: str) -> npt.NDArray[np.float32]:
    """All feature maps (C, H, W) of a layer for one image, uint8 (height, width, 3).

    Raises:
        DeconvError: the network has no such layer.
    """
    inputs = network.normalise(to_batch([pixels]).contiguous())
    return convnet_pass(network.graph, inputs, layer).feature_maps[0].numpy()


def pass_image(
    network: Network, pixels: Pixels, layer: str, content_hash: str = "", *, masks: bool = False
) -> tuple[ImagePass, Tensor]:
    """The reference pass over a whole image, uint8 (height, width, 3), up to a layer.

    A pooling with the peaks of the layer is included: it costs almost nothing.

    Returns:
        The pass, and the layer's feature maps (C, H, W).
    """
    last = next((n for n, at in network.layers.items() if at.pooled_from == layer), layer)
    peaks: dict[str, Peaks] = {}
    reached: list[str] = []
    maps: dict[str, Tensor] = {}

    def watch(name: str, feature_maps: Tensor) -> None:
        reached.append(name)
        if not network.layers[name].pooled_from:
            peaks[name] = find_peaks(feature_maps)
        if name == layer:
            maps[name] = feature_maps[0]

    inputs = network.normalise(to_batch([pixels]).contiguous())
    passed = convnet_pass(network.graph, inputs, last, watch, masks=masks)
    switches = {place: _packed(network, place, made) for place, made in passed.switches.items()}
    return ImagePass(frozenset(reached), switches, peaks, content_hash, masks), maps[layer]


def _packed(network: Network, place: int, codes: Tensor) -> PackedCodes:
    step = network.graph.nodes[place].step
    assert isinstance(step, MaxPooling | Rectification)
    bits = bits_of(step)
    return PackedCodes(pack(codes[0], bits), codes.shape[-1], bits)
