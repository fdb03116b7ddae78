"""Chooses and runs the compute path of a scan: device, precision and memory layout.

Only scans use an accelerator. Reconstructions and exact answers are always computed on the CPU in
float32, so that a picture does not depend on the machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from deconv_core.deconvnet import up
from deconv_core.errors import DeconvError, ImageError
from deconv_core.graph.steps import Affine, Convolution, Graph, Rectification
from deconv_core.images.decoding import Pixels
from deconv_core.images.folder import ImageFolder
from deconv_core.index.manifest import ComputePath
from deconv_core.network.network import Network
from deconv_core.peaks import Peaks
from deconv_core.scanning.peak_search import locate, peaks_at

PRECISIONS = ("auto", "float32", "bfloat16")
DEVICES = ("auto", "cpu", "cuda", "mps")
_BATCH_SIZES = {"cpu": 4, "mps": 16, "cuda": 64}
"""Images in a batch. On two CPU cores the time per image is the same for batches of 1 to 16.

A scan reports progress and lets others compute between two batches, so a batch is short.
"""

MAX_FLOAT32_IMAGES = 1000
"""Precision "auto" considers bfloat16 only for more images; a float32 scan of fewer is short."""
_MIN_SPEEDUP = 1.5
_SAMPLE_SIZE = 8
_DEVICE_TOLERANCE = 1e-3
"""Largest allowed difference of a device from the CPU, as a share of a layer's highest peak."""

Walk = Callable[[Graph, Sequence[int], Tensor], list[tuple[Tensor, Tensor]]]


def walk(graph: Graph, stored: Sequence[int], inputs: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Run the graph; return value and flat index (N, C) of the peaks of each stored value."""
    last_use, values, found = graph.last_use(*stored), {0: inputs}, []
    wanted = frozenset(stored)
    for place in graph.needed(*stored):
        node = graph.nodes[place]
        signals = [values[taken] for taken in node.inputs]
        for taken in node.inputs:
            if last_use[taken] == place:
                values.pop(taken, None)
        if isinstance(node.step, Rectification) and node.inputs[0] in values:
            signals = [signals[0].clone()]  # others take it as it is
        values[place + 1] = up(node.step, signals)
        if place + 1 in wanted:
            found.append(locate(values[place + 1]))
        if place + 1 not in last_use:
            del values[place + 1]
    return found


def _laid_out(graph: Graph, device: torch.device, dtype: torch.dtype) -> Graph:
    """The graph with its numbers on a device, in a precision, filters with channels last."""
    nodes = []
    for node in graph.nodes:
        step = node.step
        if isinstance(step, Convolution):
            weight = step.weight.to(device, dtype).to(memory_format=torch.channels_last)
            step = replace(step, weight=weight, bias=step.bias.to(device, dtype))
        elif isinstance(step, Affine):
            scale, shift = step.scale.to(device, dtype), step.shift.to(device, dtype)
            step = replace(step, scale=scale, shift=shift)
        nodes.append(replace(node, step=step))
    return Graph(tuple(nodes), graph.input_shape)


@dataclass(frozen=True, eq=False)
class ScanNetwork:
    """A network with its weights on the device and in the memory layout of a compute path.

    Attributes:
        network: the network as loaded.
        compute: the compute path.
        graph: the network's graph, on the device.
        stored: layers with peaks of their own -> their values in the graph.
        walk: ``walk``, or the same compiled.
    """

    network: Network
    compute: ComputePath
    graph: Graph
    stored: Mapping[str, int]
    walk: Walk

    @classmethod
    def prepare(cls, network: Network, compute: ComputePath) -> ScanNetwork:
        """Copy the weights to the device; the network itself does not change."""
        graph = _laid_out(network.graph, torch.device(compute.device), _dtype(compute))
        stored = {
            name: network.value_of(name)
            for name, layer in network.layers.items()
            if not layer.pooled_from
        }
        compiled: Walk = torch.compile(walk) if compute.compiled else walk
        return cls(network, compute, graph, stored, compiled)

    @torch.inference_mode()
    def peaks(self, pixels: Tensor) -> dict[str, Peaks]:
        """Peaks of every stored layer for uint8 RGB pixels (N, 3, height, width)."""
        signal = self.network.normalise(pixels.to(self.compute.device)).to(_dtype(self.compute))
        signal = signal.contiguous(memory_format=torch.channels_last)
        with _full_float32(self.compute.device):
            found = self.walk(self.graph, list(self.stored.values()), signal)
        return {
            name: peaks_at(*peaks, *self.graph.plane(value))
            for (name, value), peaks in zip(self.stored.items(), found, strict=True)
        }


def _full_float32(device: str) -> AbstractContextManager[None]:
    """Turn off TF32: by default, CUDA's float32 convolutions round their inputs to 10 bits."""
    if device != "cuda":
        return nullcontext()
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)


def choose_compute(
    network: Network,
    images: ImageFolder,
    precision: str,
    device: str = "auto",
    *,
    compiled: bool = False,
) -> ComputePath:
    """Choose the compute path of a new index.

    The device "auto" is an accelerator if there is one whose results agree with the CPU's. The
    precision "auto" is float32 for up to ``MAX_FLOAT32_IMAGES`` images. For more, it is bfloat16 if
    a short measurement finds it at least 1.5 times faster. With bfloat16, the largest difference
    from float32 is measured for each layer.

    Raises:
        DeconvError: the requested device is not available, or its results differ from the CPU's.
    """
    chosen = _choose_device(network, images, device)
    float32 = ComputePath(
        precision="float32",
        memory_format="channels_last",
        device=chosen,
        compiled=compiled,
        batch_size=_BATCH_SIZES[chosen],
        torch_version=torch_version(),
    )
    bfloat16 = replace(float32, precision="bfloat16")
    if precision == "float32" or (precision == "auto" and len(images) <= MAX_FLOAT32_IMAGES):
        return float32
    sample = _sample(images, network.input_size)
    if not sample:
        return float32
    if precision == "auto" and _speedup(network, sample, float32, bfloat16) < _MIN_SPEEDUP:
        return float32
    return replace(bfloat16, error_bounds=_error_bounds(network, sample, float32, bfloat16))


def _choose_device(network: Network, images: ImageFolder, device: str) -> str:
    """Choose the device; an accelerator is first compared with the CPU on one image."""
    if device not in DEVICES:
        raise DeconvError(f"device {device!r} is not known; choose {', '.join(DEVICES)}")
    if device == "cpu":
        return device
    if device != "auto" and not device_available(device):
        raise DeconvError(
            f"device {device!r} is not available to torch {torch.__version__} here; choose 'cpu', "
            "or 'auto' to use what there is"
        )
    for name in ("cuda", "mps") if device == "auto" else (device,):
        sample = _sample(images, network.input_size) if device_available(name) else []
        if not sample:
            continue
        problem = _device_problem(network, sample[0], name)
        if not problem:
            return name
        if device != "auto":
            raise DeconvError(f"device {device!r} cannot be used: {problem}; choose 'cpu'")
    return "cpu"


def device_available(device: str) -> bool:
    """True if torch can compute on "cpu", "cuda" or "mps" here."""
    if device == "cpu":
        return True
    return torch.cuda.is_available() if device == "cuda" else torch.backends.mps.is_available()


def _device_problem(network: Network, picture: Pixels, device: str) -> str:
    """Why a device cannot be used: it fails, or its peaks differ from the CPU's; "" if it can."""
    cpu = ComputePath("float32", "channels_last", "cpu", False, 1, torch_version())
    pixels = to_batch([picture])
    try:
        other = ScanNetwork.prepare(network, replace(cpu, device=device)).peaks(pixels)
    except RuntimeError as error:
        return str(error).partition("\n")[0]
    for name, peaks in ScanNetwork.prepare(network, cpu).peaks(pixels).items():
        allowed = _DEVICE_TOLERANCE * float(peaks.values.max(initial=0.0))
        worst = float(np.abs(other[name].values - peaks.values).max())
        if not worst <= allowed:
            return f"its peaks of {name} differ from the CPU's by up to {worst:.3g}"
    return ""


def torch_version() -> str:
    """The version of torch without its build: "2.7.1", not "2.7.1+cpu"."""
    return str(torch.__version__).partition("+")[0]


def to_batch(pixels: Sequence[Pixels]) -> Tensor:
    """Pictures (H, W, 3) of one size as uint8 (N, 3, H, W)."""
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)


def _dtype(compute: ComputePath) -> torch.dtype:
    return torch.bfloat16 if compute.precision == "bfloat16" else torch.float32


def _sample(images: ImageFolder, size: tuple[int, int]) -> list[Pixels]:
    """A few readable images, spread over the folder."""
    found: list[Pixels] = []
    step = max(1, len(images) // (2 * _SAMPLE_SIZE))
    for position in range(0, len(images), step):
        try:
            found.append(images.read(position, size))
        except ImageError:
            continue
        if len(found) == _SAMPLE_SIZE:
            break
    return found


def _speedup(
    network: Network, sample: Sequence[Pixels], float32: ComputePath, bfloat16: ComputePath
) -> float:
    """How many times faster bfloat16 is than float32, measured on four images."""
    seconds = []
    for compute in (float32, bfloat16):
        prepared = ScanNetwork.prepare(network, compute)
        prepared.peaks(to_batch(sample[:1]))  # the first call includes one-time work
        began = time.perf_counter()
        prepared.peaks(to_batch(sample[:4]))
        seconds.append(time.perf_counter() - began)
    return seconds[0] / seconds[1]


def _error_bounds(
    network: Network, sample: Sequence[Pixels], float32: ComputePath, bfloat16: ComputePath
) -> dict[str, float]:
    """Layer -> largest difference of a peak between float32 and bfloat16, on the sample."""
    exact, rounded = (
        ScanNetwork.prepare(network, compute).peaks(to_batch(sample))
        for compute in (float32, bfloat16)
    )
    return {name: float(np.abs(exact[name].values - rounded[name].values).max()) for name in exact}
