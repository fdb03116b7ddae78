"""The reference pass over whole images: peaks of every map and all switches, cached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from torch import Tensor

from deconv_core.deconvnet import convnet_pass
from deconv_core.images.decoding import Pixels
from deconv_core.images.folder import ImageFolder
from deconv_core.network.network import Convolution, Network
from deconv_core.peaks import Peaks
from deconv_core.reconstruction.cache import ImagePass, ReconstructionCache
from deconv_core.reconstruction.switches import Switches
from deconv_core.scanning.compute import to_batch
from deconv_core.scanning.peak_search import find_peaks


def image_passes(
    network: Network,
    images: ImageFolder,
    layer: str,
    positions: Sequence[int],
    cache: ReconstructionCache,
) -> list[ImagePass]:
    """The reference pass over each image up to a layer, from the cache or computed.

    Raises:
        ImageError: an image is gone or cannot be read.
    """
    found: dict[int, ImagePass] = {}
    for position in dict.fromkeys(positions):
        passed = cache.image_pass(network, images.content(position), layer)
        if passed is None:
            seen = cache.image(images, position)
            (passed,) = pass_images(network, [seen.pixels], layer)
            passed = replace(passed, content_hash=seen.content_hash)
            cache.keep_pass(network, seen.content, passed)
        found[position] = passed
    return [found[position] for position in positions]


def feature_maps(network: Network, pixels: Pixels, layer: str) -> npt.NDArray[np.float32]:
    """All feature maps (C, H, W) of a layer for one image, uint8 (224, 224, 3).

    Raises:
        DeconvError: the network has no such layer.
    """
    inputs = network.normalise(to_batch([pixels]).contiguous())
    return convnet_pass(network, inputs, layer).feature_maps[0].numpy()


def pass_images(network: Network, pixels: Sequence[Pixels], layer: str) -> list[ImagePass]:
    """The reference pass over whole images (each uint8 (224, 224, 3)) up to a layer.

    A pooling directly above the layer is included: it costs almost nothing.
    """
    stages = network.stages_to(layer)
    above = network.stages[len(stages) : len(stages) + 1]
    if above and not isinstance(above[0], Convolution):
        stages = (*stages, *above)
    found: dict[str, Peaks] = {}

    def watch(name: str, feature_maps: Tensor) -> None:
        found[name] = find_peaks(feature_maps)

    reached = frozenset(stage.name for stage in stages)
    passes = []
    for picture in pixels:  # one by one, so that a layer's output stays in the processor's cache
        passed = convnet_pass(
            network,
            network.normalise(to_batch([picture]).contiguous()),
            stages[-1].name,
            watch,
        )
        codes = [code[0] for code in passed.switches]
        passes.append(ImagePass(reached, Switches.pack(codes), dict(found)))
    return passes
