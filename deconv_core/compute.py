"""How a scan computes: in which precision and layout, and how far that is from float32."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import Tensor

from deconv_core.errors import ImageError
from deconv_core.images import ImageFolder, Pixels
from deconv_core.index_files import ComputePath
from deconv_core.network import Convolution, Network
from deconv_core.peaks import Peaks, find_peaks

PRECISIONS = ("auto", "float32", "bfloat16")
BATCH_SIZE = 8

WORTH_APPROXIMATING = 1000
"""Images from which "auto" considers bfloat16: below, exact answers at once are worth the wait."""
_LEAST_SPEEDUP = 1.5
_SAMPLE = 8


@dataclass(frozen=True, eq=False)
class ScanNetwork:
    """A network laid out in memory as a compute path asks."""

    network: Network
    compute: ComputePath
    weights: dict[str, tuple[Tensor, Tensor]]

    @classmethod
    def prepare(cls, network: Network, compute: ComputePath) -> ScanNetwork:
        """Lay the weights out once; the network itself is left as it is."""
        dtype = _dtype(compute)
        weights = {
            stage.name: (
                stage.weight.to(dtype).to(memory_format=torch.channels_last),
                stage.bias.to(dtype),
            )
            for stage in network.stages
            if isinstance(stage, Convolution)
        }
        return cls(network, compute, weights)

    @torch.inference_mode()
    def peaks(self, pixels: Tensor) -> dict[str, Peaks]:
        """Peaks of every convolution for uint8 RGB pixels (N, 3, 224, 224)."""
        signal = self.network.normalise(pixels).to(_dtype(self.compute))
        signal = signal.contiguous(memory_format=torch.channels_last)
        found: dict[str, Peaks] = {}
        for stage in self.network.stages:
            if isinstance(stage, Convolution):
                weight, bias = self.weights[stage.name]
                signal = F.conv2d(signal, weight, bias, padding=1).relu_()
                found[stage.name] = find_peaks(signal)
            else:
                signal = F.max_pool2d(signal, 2)
        return found


def choose_compute(network: Network, images: ImageFolder, precision: str) -> ComputePath:
    """The compute path of a new index.

    "auto" takes float32 for up to ``WORTH_APPROXIMATING`` images, and beyond that bfloat16 if it is
    measured to be at least 1.5 times faster here. For bfloat16 the error bounds are measured.
    """
    wide = ComputePath(
        precision="float32",
        memory_format="channels_last",
        device="cpu",
        compiled=False,
        batch_size=BATCH_SIZE,
        torch_version=torch_version(),
    )
    narrow = replace(wide, precision="bfloat16")
    if precision == "float32" or (precision == "auto" and len(images) <= WORTH_APPROXIMATING):
        return wide
    sample = _sample(images)
    if not sample:
        return wide
    if precision == "auto" and _speedup(network, sample, wide, narrow) < _LEAST_SPEEDUP:
        return wide
    return replace(narrow, error_bounds=_error_bounds(network, sample, wide, narrow))


def torch_version() -> str:
    """Torch's version without its build."""
    return str(torch.__version__).partition("+")[0]


def to_batch(pixels: Sequence[Pixels]) -> Tensor:
    """Pictures (H, W, 3) of one size as uint8 (N, 3, H, W)."""
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)


def _dtype(compute: ComputePath) -> torch.dtype:
    return torch.bfloat16 if compute.precision == "bfloat16" else torch.float32


def _sample(images: ImageFolder) -> list[Pixels]:
    """A few readable images spread over the folder."""
    found: list[Pixels] = []
    step = max(1, len(images) // (2 * _SAMPLE))
    for position in range(0, len(images), step):
        try:
            found.append(images.read(position))
        except ImageError:
            continue
        if len(found) == _SAMPLE:
            break
    return found


def _speedup(
    network: Network, sample: Sequence[Pixels], wide: ComputePath, narrow: ComputePath
) -> float:
    seconds = []
    for compute in (wide, narrow):
        prepared = ScanNetwork.prepare(network, compute)
        prepared.peaks(to_batch(sample[:1]))  # what is done once is not counted
        began = time.perf_counter()
        prepared.peaks(to_batch(sample[:4]))
        seconds.append(time.perf_counter() - began)
    return seconds[0] / seconds[1]


def _error_bounds(
    network: Network, sample: Sequence[Pixels], wide: ComputePath, narrow: ComputePath
) -> dict[str, float]:
    """Layer -> largest difference of a peak between the two precisions, on the sample."""
    exact, near = (
        ScanNetwork.prepare(network, compute).peaks(to_batch(sample)) for compute in (wide, narrow)
    )
    return {name: float(np.abs(exact[name].values - near[name].values).max()) for name in exact}
