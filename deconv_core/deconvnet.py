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
the picture. No hooks, no gradients, no state: all of it may run in many threads at once.

Each step has its way up and its way down beside it. ``convnet_pass`` and ``deconvnet_pass`` walk
whole images; ``reconstruction.windowed_passes`` takes the same steps on windows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import Tensor

from deconv_core.network.network import Convolution, Network

_ALONE = 20_480
"""Largest single input, in numbers, for which torch does not call oneDNN."""


def filter_up(signal: Tensor, stage: Convolution, padding: int = 1) -> Tensor:
    """Filter (N, C, H, W) with the weights and bias of a stage.

    For a single small input torch uses another kernel, which rounds differently. So such an input
    is doubled: then the bits do not depend on the size of the window.
    """
    alone = signal.shape[0] == 1 and signal.numel() <= _ALONE
    inputs = signal.expand(2, -1, -1, -1) if alone else signal
    return F.conv2d(inputs, stage.weight, stage.bias, padding=padding)[: len(signal)]


def filter_down(signal: Tensor, stage: Convolution, padding: int = 1) -> Tensor:
    """Filter with the same weights transposed, without bias."""
    return F.conv_transpose2d(signal, stage.weight, padding=padding)


def filter_one_down(values: Tensor, channels: Sequence[int], stage: Convolution) -> Tensor:
    """``filter_down`` of one activation (N, 1, 1, 1) of each item: the filter, as strong as it."""
    return values * stage.weight[list(channels)]


def rectify(signal: Tensor) -> Tensor:
    """Set negative values to 0, on the way up and down; changes the signal itself."""
    return signal.relu_()


def pool(feature_maps: Tensor) -> tuple[Tensor, Tensor]:
    """Max pooling 2x2 with stride 2 of feature maps (N, C, H, W), H and W even.

    Returns:
        The pooled maps (N, C, H/2, W/2), contiguous, and the switches: which of the four cells held
        the maximum, 0 to 3 in reading order, uint8 (N, H/2, W/2, C). Of equal values, the first in
        reading order counts, as in torch.

    With channels last in memory torch pools several times faster; the result is the same.
    """
    last = feature_maps.contiguous(memory_format=torch.channels_last)
    pooled, where = F.max_pool2d(last, 2, return_indices=True)
    where = where.permute(0, 2, 3, 1)
    width = feature_maps.shape[-1]
    lower = (2 * torch.arange(where.shape[1]) + 1).view(-1, 1, 1) * width
    codes = torch.add((where & 1).byte(), (where >= lower).byte(), alpha=2)
    return pooled.contiguous(), codes


def unpool(signal: Tensor, switches: Tensor) -> Tensor:
    """Put each value (N, C, h, w) where the maximum was, and zero in the three other places.

    Returns:
        (N, C, 2h, 2w), with channels last in memory.
    """
    values, numbers = signal.permute(0, 2, 3, 1), switches.float()
    count, height, width, channels = values.shape
    placed = values.new_empty((count, height, 2, width, 2, channels))
    for code in range(4):  # all in float32: with mixed types torch is three times slower
        cell = placed[:, :, code >> 1, :, code & 1]
        torch.eq(numbers, code, out=cell).mul_(values)
    return placed.view(count, 2 * height, 2 * width, channels).permute(0, 3, 1, 2)


@dataclass(frozen=True, eq=False)
class ConvnetPass:
    """The result of the way up.

    Attributes:
        feature_maps: float32 (N, C, H, W), the activations of the requested layer, after ReLU.
        switches: the switches of each pooling on the way, as ``pool`` returns them.
    """

    feature_maps: Tensor
    switches: tuple[Tensor, ...]


@torch.inference_mode()
def convnet_pass(
    network: Network,
    inputs: Tensor,
    layer: str,
    watch: Callable[[str, Tensor], None] | None = None,
) -> ConvnetPass:
    """Walk up from normalised images (N, 3, H, W) to a layer, recording the switches.

    ``watch`` is called with the name and the feature maps of every convolution on the way.

    Raises:
        DeconvError: the network has no such layer.
    """
    signal, switches = inputs, []
    for stage in network.stages_to(layer):
        if isinstance(stage, Convolution):
            signal = rectify(filter_up(signal, stage))
            if watch is not None:
                watch(stage.name, signal)
        else:
            signal, recorded = pool(signal)
            switches.append(recorded)
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
    signal, remaining = activations.clone(), list(switches)
    for stage in reversed(network.stages_to(layer)):
        signal = rectify(signal)  # before unpooling, with the same result as after it
        if isinstance(stage, Convolution):
            signal = filter_down(signal, stage)
        else:
            signal = unpool(signal, remaining.pop())
    return signal
