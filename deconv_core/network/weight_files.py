"""Reads the convolutions of a VGG from an untrusted file, without executing anything in it.

Safetensors are read directly. PyTorch checkpoints and the ``vgg19.npy`` of tensorflow-vgg are
pickles: a process with limits on memory and time converts them to safetensors
(``pickled_weights``). The result is always a chain of (weight, bias) pairs and ``POOL``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import safetensors.torch
import torch
from safetensors import safe_open
from torch import Tensor

from deconv_core.errors import WeightsError
from deconv_core.network.checkpoint import FEATURE
from deconv_core.network.limited_process import run_limited
from deconv_core.network.network import POOL
from deconv_core.progress import CancelFlag

Chain = Sequence[tuple[Tensor, Tensor] | str]

SUFFIXES = (".pth", ".pt", ".safetensors", ".npy")
LARGEST_FILE = 4 * 2**30
"""Bytes; VGG19 with its fully connected layers has 0.55e9."""


def read_weight_file(path: Path, cancel: CancelFlag | None = None) -> Chain:
    """Read the convolutions and poolings of a weight file by its suffix.

    Raises:
        WeightsError: missing, of another format, truncated, carrying code, or not a VGG chain.
        CancelledError: ``cancel`` was set.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise WeightsError(
            f"{path.name} is not a weight file; give one that ends in {', '.join(SUFFIXES)}"
        )
    if not path.is_file():
        raise WeightsError(f"there is no weight file at {path}")
    size = path.stat().st_size
    if not 0 < size <= LARGEST_FILE:
        raise WeightsError(f"{path.name} has {size:,} bytes; expected 1 to {LARGEST_FILE:,}")
    if path.suffix.lower() == ".safetensors":
        return _chain_from_state(path, _read_safetensors(path))
    converted = run_limited("deconv_core.network.pickled_weights", path, cancel)
    return _chain_from_state(path, safetensors.torch.load(converted))


def _read_safetensors(path: Path) -> Mapping[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if FEATURE.fullmatch(name)]  # noqa: SIM118
            return {name: file.get_tensor(name).clone() for name in names}
    except Exception as error:  # also types that this torch does not know
        raise WeightsError(f"{path.name} is not a whole safetensors file: {error}") from error


def _chain_from_state(path: Path, state: Mapping[str, Tensor]) -> Chain:
    """Order ``features.N.weight`` / ``.bias`` and find the poolings from the gaps in N.

    torchvision numbers convolution, ReLU and pooling in one list: two convolutions in a row are
    2 apart, with a pooling between them 3 apart.
    """
    found: dict[int, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        match = FEATURE.fullmatch(name)
        if match is not None:
            found.setdefault(int(match[1]), {})[match[2]] = tensor
    if not found:
        raise WeightsError(
            f"{path.name} has no tensors named features.0.weight, features.0.bias, ...; expected "
            "the state dict of a torchvision VGG, whole or its features only"
        )
    if any("running_mean" in tensors for tensors in found.values()):
        raise WeightsError(
            f"{path.name} is a VGG with batch normalisation; expected one without (fold it into "
            "the convolutions first)"
        )
    chain: list[tuple[Tensor, Tensor] | str] = []
    previous = -2
    for index, tensors in sorted(found.items()):
        if index - previous not in (2, 3) or set(tensors) != {"weight", "bias"}:
            raise WeightsError(
                f"{path.name} does not continue as a VGG at features.{index}: found "
                f"{', '.join(sorted(tensors))} {index - previous} after the convolution before; "
                "expected weight and bias, 2 after (or 3 with a pooling between)"
            )
        if index - previous == 3:
            chain.append(POOL)
        chain.append((_floats(path, tensors["weight"]), _floats(path, tensors["bias"])))
        previous = index
    return _vgg_chain(path, [*chain, POOL])


def _floats(path: Path, tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point():
        raise WeightsError(f"{path.name} holds {tensor.dtype} weights; expected floating point")
    return tensor.to(torch.float32)


def _vgg_chain(path: Path, chain: Chain) -> Chain:
    convolutions, pools = sum(s != POOL for s in map(_kind, chain)), list(chain).count(POOL)
    if pools != 5 or convolutions not in (8, 10, 13, 16):
        raise WeightsError(
            f"{path.name} has {convolutions} convolutions in {pools} blocks; expected VGG19 "
            "(16 in 5 blocks) or one of VGG11, 13, 16 (8, 10, 13 in 5 blocks), of any width"
        )
    return chain


def _kind(step: tuple[Tensor, Tensor] | str) -> str:
    return step if isinstance(step, str) else "conv"
