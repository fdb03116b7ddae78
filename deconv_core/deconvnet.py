"""The convnet and the deconvnet: the same layers, walked up and then down.

Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, section 2.1 and
figure 1. Up on the left, down on the right; each step on the right undoes the one beside it::

              convnet_pass                              deconvnet_pass

    feature maps (N, C, H/2, W/2)                 one activation, zero elsewhere
              |  ^                                             |
              |  |  max pooling 2x2  -- switches -->  unpooling: each value goes back
              |  |                     (where each     to where the maximum was, the
              |  |                      maximum was)   other three places get zero
        (N, C, H, W)                                      (N, C, H, W)
              ^                                                |
              |  rectification: max(x, 0)             rectification: max(x, 0)
              |                                                |   (of the signal coming down,
              |  filtering: 3x3, plus bias            filtering: the same weights transposed,
              |                                                |   no bias)
        (N, 3, H, W)                                      (N, 3, H, W)
       normalised image                            reconstruction: signed, in input units

Nothing is rectified after conv1_1's filtering, so the reconstruction keeps its sign. Unpooling,
rectification and filtering are positively homogeneous: twice the activation gives exactly twice
the picture. No hooks, no gradients, no state: both functions may run in many threads at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import Tensor

from deconv_core.network.network import Convolution, Network

_ALONE = 20_480
"""Numbers in a single input up to which torch does not call oneDNN."""


@dataclass(frozen=True, eq=False)
class ConvnetPass:
    """What the way up leaves behind.

    Attributes:
        feature_maps: float32 (N, C, H, W), the activations of the layer asked for, after ReLU.
        switches: for each pooling passed, int64 (N, C, h, w): the flat index, in the plane below,
            of the maximum that was kept; or what another ``pool`` recorded.
    """

    feature_maps: Tensor
    switches: tuple[Tensor, ...]


def max_pool(feature_maps: Tensor) -> tuple[Tensor, Tensor]:
    """2x2 max pooling with stride 2: the pooled maps and the switches."""
    pooled, where = F.max_pool2d(feature_maps, 2, return_indices=True)
    return pooled, where


@torch.inference_mode()
def convnet_pass(
    network: Network,
    inputs: Tensor,
    layer: str,
    watch: Callable[[str, Tensor], None] | None = None,
    pool: Callable[[Tensor], tuple[Tensor, Tensor]] = max_pool,
) -> ConvnetPass:
    """Walk up from normalised images (N, 3, H, W) to a layer, recording the switches.

    ``watch`` is shown the name and feature maps of every convolution on the way. ``pool`` may
    record the switches in another form (``switches.pool``), for another way down.

    Raises:
        DeconvError: the network has no such layer.
    """
    switches: list[Tensor] = []
    signal = inputs
    for stage in network.stages_to(layer):
        if isinstance(stage, Convolution):
            signal = convolve(signal, stage).relu_()
            if watch is not None:
                watch(stage.name, signal)
        else:
            signal, where = pool(signal)
            switches.append(where)
    return ConvnetPass(signal, tuple(switches))


@torch.inference_mode()
def deconvnet_pass(
    network: Network, activations: Tensor, switches: Sequence[Tensor], layer: str
) -> Tensor:
    """Walk down from activations (N, C, H, W) of a layer to signed pixels (N, 3, H', W').

    ``switches`` are those of the same images from ``convnet_pass``. The pixels are RGB, in the
    units of the normalised input, not scaled.

    Raises:
        DeconvError: the network has no such layer.
    """
    remaining = list(switches)
    signal = activations
    for stage in reversed(network.stages_to(layer)):
        if isinstance(stage, Convolution):
            signal = signal.relu()
            signal = F.conv_transpose2d(signal, stage.weight, padding=1)
        else:
            signal = F.max_unpool2d(signal, remaining.pop(), [2, 2])
    return signal


def keep_only(feature_maps: Tensor, channel: int, row: int, column: int) -> Tensor:
    """A copy of (N, C, H, W) feature maps in which one activation of each image is left."""
    kept = torch.zeros_like(feature_maps)
    kept[:, channel, row, column] = feature_maps[:, channel, row, column]
    return kept


def convolve(signal: Tensor, stage: Convolution, padding: int = 1) -> Tensor:
    """Filter (N, C, H, W) with the weights and bias of a stage.

    For a single small input torch takes another kernel, whose sums round differently. With a second
    one beside it the bits do not depend on how much of an image is looked at.
    """
    alone = signal.shape[0] == 1 and signal.numel() <= _ALONE
    inputs = signal.expand(2, -1, -1, -1) if alone else signal
    return F.conv2d(inputs, stage.weight, stage.bias, padding=padding)[: len(signal)]
