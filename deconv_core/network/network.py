"""VGG's convolutional stack as a list of named stages, read from its weights.

Activations are taken **after ReLU**; that is said here once and meant everywhere. Colours are RGB
everywhere: weights that expect BGR have the input channels of conv1_1 reversed when they are
loaded, so neither the pictures that go in nor the reconstructions that come out are ever swapped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from deconv_core.errors import WeightsError
from deconv_core.layers import INPUT_SIDE, POOL, Layer, chain_layers, layer_named
from deconv_core.network.preprocessing import PREPROCESSINGS, Preprocessing, preprocessing_named


@dataclass(frozen=True, eq=False)
class Convolution:
    """A 3x3 convolution with padding 1 and its ReLU: weight (out, in, 3, 3), bias (out,)."""

    name: str
    weight: Tensor
    bias: Tensor


@dataclass(frozen=True, slots=True)
class Pooling:
    """A 2x2 max pooling with stride 2."""

    name: str


Stage = Convolution | Pooling


@dataclass(frozen=True, eq=False)
class Network:
    """A VGG-like convolutional stack, read-only and safe to share between threads.

    Attributes:
        source: what ``load_network`` was given.
        preprocessing: how pixels become input.
        stages: convolutions and poolings in order.
        layers: name -> Layer, in the same order.
        fingerprint: 16 hex digits of a SHA-256 over names, weights and preprocessing.
        preprocessing_reason: why this preprocessing is used, in words that follow "because".
    """

    source: str
    preprocessing: Preprocessing
    stages: tuple[Stage, ...]
    layers: Mapping[str, Layer]
    fingerprint: str
    preprocessing_reason: str = ""

    @property
    def architecture(self) -> str:
        """For example "VGG19" (16 convolutions and the 3 fully connected layers left out)."""
        return f"VGG{sum(isinstance(stage, Convolution) for stage in self.stages) + 3}"

    def layer(self, name: str) -> Layer:
        """The layer of this name.

        Raises:
            DeconvError: there is none; the message lists what there is.
        """
        return layer_named(self.layers, name)

    def stages_to(self, name: str) -> tuple[Stage, ...]:
        """The stages from the input up to and with the layer of this name."""
        last = list(self.layers).index(self.layer(name).name)
        return self.stages[: last + 1]

    def normalise(self, pixels: Tensor) -> Tensor:
        """Turn uint8 RGB pixels (N, 3, H, W) into float32 network input of the same shape."""
        mean = torch.tensor(self.preprocessing.mean, device=pixels.device).view(3, 1, 1)
        deviation = torch.tensor(self.preprocessing.deviation, device=pixels.device).view(3, 1, 1)
        return (pixels.float() / self.preprocessing.divisor - mean) / deviation


def build_network(
    source: str,
    chain: Sequence[tuple[Tensor, Tensor] | str],
    preprocessing: Preprocessing,
    reason: str = "",
) -> Network:
    """Make a network from its tensors.

    Args:
        source: what it is called in manifests.
        chain: in order, (weight, bias) of each convolution in its published channel order, or
            ``POOL``.
        preprocessing: what the weights expect.
        reason: why they are taken to expect it.

    Raises:
        WeightsError: a shape does not continue the chain, or a value is not finite.
    """
    layers = chain_layers(
        s if isinstance(s, str) else int(s[0].shape[0]) if s[0].dim() else 0 for s in chain
    )
    stages: list[Stage] = []
    channels = 3
    for layer, step in zip(layers, chain, strict=True):
        if isinstance(step, str):
            stages.append(Pooling(layer.name))
            continue
        weight, bias = (tensor.detach().to(torch.float32).contiguous() for tensor in step)
        _check(layer.name, weight, bias, channels)
        if not stages and preprocessing.bgr_weights:
            weight = weight.flip(1).contiguous()
        stages.append(Convolution(layer.name, weight, bias))
        channels = int(weight.shape[0])
    if layers and layers[-1].height < 1:
        raise WeightsError(f"this chain pools a {INPUT_SIDE}x{INPUT_SIDE} image away to nothing")
    named = MappingProxyType({layer.name: layer for layer in layers})
    fingerprint = fingerprint_of(stages, preprocessing)
    return Network(source, preprocessing, tuple(stages), named, fingerprint, reason)


def _check(name: str, weight: Tensor, bias: Tensor, channels: int) -> None:
    expected = f"({weight.shape[0] if weight.dim() else '?'}, {channels}, 3, 3)"
    if weight.dim() != 4 or tuple(weight.shape[1:]) != (channels, 3, 3) or weight.shape[0] < 1:
        raise WeightsError(
            f"the weight of {name} has shape {tuple(weight.shape)}; expected {expected}: "
            f"3x3 filters over the {channels} channels below"
        )
    if tuple(bias.shape) != (weight.shape[0],):
        raise WeightsError(
            f"the bias of {name} has shape {tuple(bias.shape)}; expected ({weight.shape[0]},)"
        )
    for what, tensor in (("weight", weight), ("bias", bias)):
        if not bool(torch.isfinite(tensor).all()):
            raise WeightsError(
                f"the {what} of {name} holds values that are not finite (NaN or inf)"
            )


def fingerprint_of(stages: Sequence[Stage], preprocessing: Preprocessing) -> str:
    """16 hex digits of a SHA-256 over names, weights and preprocessing."""
    digest = hashlib.sha256(preprocessing.name.encode())
    for stage in stages:
        digest.update(f"{stage.name};".encode())
        if isinstance(stage, Convolution):
            digest.update(f"{tuple(stage.weight.shape)};".encode())
            digest.update(stage.weight.numpy().astype("<f4", copy=False).tobytes())
            digest.update(stage.bias.numpy().astype("<f4", copy=False).tobytes())
    return digest.hexdigest()[:16]


__all__ = [
    "POOL",
    "PREPROCESSINGS",
    "Convolution",
    "Network",
    "Pooling",
    "Preprocessing",
    "Stage",
    "build_network",
    "fingerprint_of",
    "preprocessing_named",
]
