"""VGGs of any width, from a state dict with torchvision's names, and drawn at random.

These need no module: the graph of a VGG follows from the numbers of its layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from deconv_core.errors import WeightsError
from deconv_core.graph.steps import Convolution
from deconv_core.network.aten_calls import affine_at_rest
from deconv_core.network.from_module import folded
from deconv_core.network.network import POOL
from deconv_core.network.state_dicts import FEATURE

Chain = Sequence[tuple[Tensor, Tensor] | str]

VGG19_CHAIN = (
    *(64, 64, POOL, 128, 128, POOL, 256, 256, 256, 256, POOL),
    *(512, 512, 512, 512, POOL, 512, 512, 512, 512, POOL),
)
"""Configuration E of Simonyan & Zisserman (arXiv 1409.1556), convolutions only."""

_NORM = {"weight", "bias", "running_mean", "running_var"}
_EPSILON = 1e-5


def chain_of(file: str, state: Mapping[str, Tensor]) -> Chain:
    """Order ``features.N.weight`` / ``.bias`` and find the poolings from the gaps in N.

    torchvision numbers convolution, batch normalisation (if there is any), ReLU and pooling in one
    list: two convolutions in a row are 2 (or 3) apart, with a pooling between them one more.
    Batch normalisation is folded into the convolution below it.

    Raises:
        WeightsError: it is not the chain of a VGG.
    """
    found: dict[int, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        if match := FEATURE.fullmatch(name):
            found.setdefault(int(match[1]), {})[match[2]] = tensor
    norms = {number for number, tensors in found.items() if "running_mean" in tensors}
    apart = 3 if norms else 2
    chain: list[tuple[Tensor, Tensor] | str] = []
    previous = -apart
    for index, tensors in sorted(found.items()):
        if index in norms:
            continue
        if index - previous not in (apart, apart + 1):
            raise WeightsError(
                f"{file} does not continue as a VGG at features.{index}: found "
                f"{', '.join(sorted(tensors))} {index - previous} after the convolution before; "
                f"expected weight and bias, {apart} after (or {apart + 1} with a pooling between)"
            )
        _check_names(file, index, tensors)
        if index - previous == apart + 1:
            chain.append(POOL)
        weight, bias = (_floats(file, tensors[name]) for name in ("weight", "bias"))
        if norms:
            weight, bias = _normalised(file, index, weight, bias, found.get(index + 1, {}))
        chain.append((weight, bias))
        previous = index
    return _checked(file, [*chain, POOL])


def _check_names(file: str, index: int, tensors: Mapping[str, Tensor]) -> None:
    if {"weight_g", "weight_v"} & tensors.keys():
        raise WeightsError(
            f"features.{index} of {file} has weight normalisation; remove it before you save "
            "(torch.nn.utils.remove_weight_norm)"
        )
    if {"weight_orig", "weight_mask"} & tensors.keys():
        raise WeightsError(
            f"features.{index} of {file} is pruned; make that permanent before you save "
            "(torch.nn.utils.prune.remove)"
        )
    missing = [name for name in ("weight", "bias") if name not in tensors]
    others = sorted(tensors.keys() - {"weight", "bias"})
    if missing or others:
        said = [f"features.{index}.{name} is missing" for name in missing]
        said += [f"features.{index}.{name} is left over" for name in others]
        raise WeightsError(
            f"{file} does not continue as a VGG at features.{index}: found "
            f"{', '.join(sorted(tensors))}; {', '.join(said)}"
        )


def _normalised(
    file: str, index: int, weight: Tensor, bias: Tensor, norm: Mapping[str, Tensor]
) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution with the batch normalisation above it folded in."""
    names = norm.keys() - {"num_batches_tracked"}
    if names != _NORM:
        raise WeightsError(
            f"{file} does not continue as a VGG with batch normalisation at features.{index + 1}: "
            f"found {', '.join(sorted(names)) or 'nothing'}; expected {', '.join(sorted(_NORM))}"
        )
    parts = {name: _floats(file, norm[name]) for name in _NORM}
    for name, tensor in parts.items():
        if tensor.shape != weight.shape[:1] or bias.shape != weight.shape[:1]:
            raise WeightsError(
                f"features.{index + 1}.{name} in {file} has shape {tuple(tensor.shape)}; expected "
                f"({weight.shape[0] if weight.dim() else '?'},)"
            )
    affine = affine_at_rest(
        *(parts["running_mean"], parts["running_var"], parts["weight"], parts["bias"], _EPSILON)
    )
    made = folded(Convolution(weight, bias), affine)
    return made.weight, made.bias


def _floats(file: str, tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point():
        raise WeightsError(f"{file} holds {tensor.dtype} weights; expected floating point")
    return tensor.to(torch.float32)


def _checked(file: str, chain: Chain) -> Chain:
    pools = sum(isinstance(step, str) for step in chain)
    convolutions = len(chain) - pools
    if pools != 5 or convolutions not in (8, 10, 13, 16):
        raise WeightsError(
            f"{file} has {convolutions} convolutions in {pools} blocks; expected VGG19 "
            "(16 in 5 blocks) or one of VGG11, 13, 16 (8, 10, 13 in 5 blocks), of any width"
        )
    return chain


def random_vgg19() -> Chain:
    """VGG19 of full width: He et al. (2015) normal weights, small biases, fixed seed."""
    generator = torch.Generator().manual_seed(0)
    chain: list[tuple[Tensor, Tensor] | str] = []
    channels = 3
    for step in VGG19_CHAIN:
        if isinstance(step, str):
            chain.append(step)
            continue
        deviation = (2 / (9 * channels)) ** 0.5
        weight = torch.randn((step, channels, 3, 3), generator=generator) * deviation
        chain.append((weight, torch.randn((step,), generator=generator) * 0.01))
        channels = step
    return chain


__all__ = ["VGG19_CHAIN", "Chain", "chain_of", "random_vgg19"]
