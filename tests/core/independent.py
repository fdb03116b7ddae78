"""The slow and simple reference that the tests compare the program with.

Nothing here calls the program's passes, peaks, switches or geometry; only the graph is read, for
the weights. All of it is for networks like VGG.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from deconv_core.graph.steps import Convolution, MaxPooling
from deconv_core.layers import Layer, ReceptiveField
from deconv_core.network.network import Network

LAYERS = (
    *("conv1_1", "conv1_2", "pool1", "conv2_1", "conv2_2", "pool2"),
    *("conv3_1", "conv3_2", "conv3_3", "conv3_4", "pool3"),
    *("conv4_1", "conv4_2", "conv4_3", "conv4_4", "pool4"),
    *("conv5_1", "conv5_2", "conv5_3", "conv5_4", "pool5"),
)

# From semantics.md, typed by hand: map side, stride, size, offset.
GEOMETRY = {
    "conv1_1": (224, 1, 3, -1),
    "conv1_2": (224, 1, 5, -2),
    "pool1": (112, 2, 6, -2),
    "conv2_1": (112, 2, 10, -4),
    "conv2_2": (112, 2, 14, -6),
    "pool2": (56, 4, 16, -6),
    "conv3_1": (56, 4, 24, -10),
    "conv3_2": (56, 4, 32, -14),
    "conv3_3": (56, 4, 40, -18),
    "conv3_4": (56, 4, 48, -22),
    "pool3": (28, 8, 52, -22),
    "conv4_1": (28, 8, 68, -30),
    "conv4_2": (28, 8, 84, -38),
    "conv4_3": (28, 8, 100, -46),
    "conv4_4": (28, 8, 116, -54),
    "pool4": (14, 16, 124, -54),
    "conv5_1": (14, 16, 156, -70),
    "conv5_2": (14, 16, 188, -86),
    "conv5_3": (14, 16, 220, -102),
    "conv5_4": (14, 16, 252, -118),
    "pool5": (7, 32, 268, -118),
}


POOL = "pool"
"""Marks a pooling in a chain of channel numbers."""


@dataclass(frozen=True, eq=False)
class Stage:
    """A 3x3 convolution with its ReLU, or a 2x2 pooling."""

    name: str
    weight: Tensor | None = None
    bias: Tensor | None = None


def stages(network: Network) -> list[Stage]:
    """The stages of a network like VGG, in order."""
    found, nodes = [], network.graph.nodes
    for place, node in enumerate(nodes):
        if isinstance(node.step, Convolution):
            found.append(Stage(nodes[place + 1].layer, node.step.weight, node.step.bias))
        elif isinstance(node.step, MaxPooling):
            found.append(Stage(node.layer))
    return found


def chain_layers(chain: Iterable[int | str]) -> tuple[Layer, ...]:
    """The layers of a network like VGG with so many channels, their geometry by the definition."""
    layers: list[Layer] = []
    size, stride, offset, side, block, place, channels = 1, 1, 0, 224, 1, 0, 3
    for step in chain:
        if step == POOL:
            below = layers[-1].name
            size, stride, side = size + stride, 2 * stride, side // 2
            field = ReceptiveField(size, stride, offset)
            layers.append(Layer(f"pool{block}", channels, side, side, field, True, below))
            block, place = block + 1, 0
        else:
            size, offset, channels, place = size + 2 * stride, offset - stride, int(step), place + 1
            field = ReceptiveField(size, stride, offset)
            layers.append(Layer(f"conv{block}_{place}", channels, side, side, field))
    return tuple(layers)


def normalised(network: Network, pixels: np.ndarray) -> Tensor:
    """Input (N, 3, H, W) from pixels (N, H, W, 3), by the published recipe."""
    values = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float()
    made = network.preprocessing
    mean = torch.tensor(made.mean).view(1, 3, 1, 1)
    deviation = torch.tensor(made.deviation).view(1, 3, 1, 1)
    return ((values / made.divisor - mean) / deviation).contiguous()


def feature_maps(
    network: Network,
    inputs: Tensor,
    lay_out: Callable[[Tensor], Tensor] = lambda tensor: tensor,
    until: str = "pool5",
) -> dict[str, Tensor]:
    """The maps of the layers up to one, after ReLU; ``lay_out`` sets type and memory layout."""
    signal, found = lay_out(inputs), {}
    for stage in stages(network):
        if stage.weight is not None:
            weight, bias = lay_out(stage.weight), stage.bias.to(inputs.dtype)
            signal = torch.clamp(F.conv2d(signal, weight, bias.to(signal.dtype), padding=1), min=0)
        else:
            signal = F.max_pool2d(signal, 2)
        found[stage.name] = signal
        if stage.name == until:
            break
    return found


def window_of(layer: str, row: int, column: int) -> tuple[int, int, int, int]:
    """First and past-the-last row, first and past-the-last column, clipped to the image."""
    _, stride, size, offset = GEOMETRY[layer]
    top, left = row * stride + offset, column * stride + offset
    return max(top, 0), min(top + size, 224), max(left, 0), min(left + size, 224)


def whole(network: Network, inputs: Tensor, layer: str) -> tuple[Tensor, list[Tensor]]:
    """Feature maps (N, C, H, W) of a layer and torch's own switches below it."""
    signal, switches = inputs, []
    for stage in stages(network):
        if stage.weight is not None:
            signal = F.conv2d(signal, stage.weight, stage.bias, padding=1).clamp(min=0)
        else:
            signal, where = F.max_pool2d(signal, 2, return_indices=True)
            switches.append(where)
        if stage.name == layer:
            break
    return signal, switches


Place = tuple[int, int, int]
"""channel, row, column"""


def reconstructions(
    network: Network, inputs: Tensor, layer: str, places: Sequence[Place]
) -> tuple[list[float], np.ndarray]:
    """Activations of one image (1, 3, H, W), and what each gives on it all: (N, 3, H, W)."""
    signal, switches = whole(network, inputs, layer)
    names = [stage.name for stage in stages(network)]
    walked = list(stages(network)[: names.index(layer) + 1])
    values = [float(signal[0, channel, row, column]) for channel, row, column in places]
    down = torch.zeros((len(places), *signal.shape[1:]))
    for seed, value, (channel, row, column) in zip(down, values, places, strict=True):
        seed[channel, row, column] = value
    while walked:
        stage = walked.pop()
        if stage.weight is not None:
            down = F.conv_transpose2d(down.clamp(min=0), stage.weight, padding=1)
        else:
            down = F.max_unpool2d(down, switches.pop().expand(len(places), -1, -1, -1), 2)
    return values, down.numpy()


def torch_model(network: Network) -> tuple[nn.Sequential, dict[str, nn.Module]]:
    """The network as an ordinary model, for Captum; and the module that ends each layer."""
    modules: list[nn.Module] = []
    ends: dict[str, nn.Module] = {}
    for stage in stages(network):
        if stage.weight is not None:
            made = nn.Conv2d(stage.weight.shape[1], stage.weight.shape[0], 3, padding=1)
            made.weight.data, made.bias.data = stage.weight.clone(), stage.bias.clone()
            modules += [made, nn.ReLU(inplace=False)]
        else:
            modules.append(nn.MaxPool2d(2))
        ends[stage.name] = modules[-1]
    return nn.Sequential(*modules).eval(), ends


Peak = tuple[float, int, int, int]
"""value, row, column, channel"""


def peak_of_plane(plane: np.ndarray, channel: int) -> Peak:
    """The largest value of a plane (H, W) and the first place that holds it."""
    place = int(plane.argmax())
    return float(plane.flat[place]), *divmod(place, plane.shape[1]), channel


def ranked(peaks: Iterable[tuple[str, Iterable[Peak]]], k: int) -> list[tuple[str, Peak]]:
    """Of (image_id, its peaks): the best of each image, then the k best images; above 0 only."""
    best = []
    for image_id, found in peaks:
        peak = min(found, key=lambda peak: (-peak[0], *peak[1:]))
        if peak[0] > 0:
            best.append((image_id, peak))
    best.sort(key=lambda item: (-item[1][0], item[0], *item[1][1:]))
    return best[:k]
