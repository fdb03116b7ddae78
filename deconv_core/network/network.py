"""A network: its graph of steps, its layers, and how pixels become its input.

Activations are taken **after ReLU**; that is said here once and meant everywhere. Colours are RGB
everywhere: weights that expect BGR have the input channels of their first convolution reversed when
they are loaded, so neither the pictures that go in nor the reconstructions that come out are ever
swapped.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor

from deconv_core import html
from deconv_core.errors import DeconvError, WeightsError
from deconv_core.graph.geometry import layers_of
from deconv_core.graph.steps import (
    Affine,
    Convolution,
    Graph,
    MaxPooling,
    Node,
    Pair,
    Rectification,
)
from deconv_core.layers import INPUT_SIZE, Layer
from deconv_core.network import saved_graph
from deconv_core.network.head import Head, Linear
from deconv_core.network.layer_names import is_like_vgg, name_layers
from deconv_core.network.preprocessing import PREPROCESSINGS, Preprocessing, preprocessing_named
from deconv_core.network.saved_graph import SavedNetwork
from deconv_core.typed_paths import path_argument

POOL = "pool"
"""Marks a pooling in a chain of weights: ``((weight, bias), (weight, bias), POOL, ...)``."""


@dataclass(frozen=True, eq=False)
class Network:
    """A convolutional network, read-only and safe to share between threads.

    Attributes:
        source: what ``load_network`` was given.
        preprocessing: how pixels become input.
        graph: its steps, without the classifier.
        layers: name -> Layer, in the order of computing.
        fingerprint: 16 hex digits of a SHA-256 over steps, names, weights and preprocessing.
        architecture: for people, for example "VGG19" or "ResNet".
        preprocessing_reason: why this preprocessing is used, in words that follow "because".
        head: from the last feature maps to class scores; None if unknown.
    """

    source: str
    preprocessing: Preprocessing
    graph: Graph
    layers: Mapping[str, Layer]
    fingerprint: str
    architecture: str
    preprocessing_reason: str = ""
    head: Head | None = None

    @property
    def input_size(self) -> Pair:
        """Height and width of its images, in pixels."""
        return self.graph.plane(0)

    def _repr_html_(self) -> str:
        """For notebooks: the layers, with their maps and receptive fields."""
        columns = "layer", "feature maps", "height × width", "receptive field", "stride", "offset"
        rows = [
            (name, *_numbers(layer))
            for name, layer in self.layers.items()
            if name not in self.unusable
        ]
        height, width = self.input_size
        behind = "".join(
            f"<p>{html.escaped(f'{name}: no deconvnet, it lies behind the step {step}')}</p>"
            for name, step in self.unusable.items()
        )
        return html.block(
            f"{self.architecture} ({self.source}), images of {height} × {width} pixels",
            f"<p>Preprocessing: {html.escaped(self.preprocessing.words)}</p>",
            html.table(columns, rows),
            behind,
        )

    @cached_property
    def unusable(self) -> dict[str, str]:
        """Layers that lie behind a step without a deconvnet -> the name of that step."""
        layers, blocked = self.graph.layers, self.graph.blocked
        return {name: blocked[value] for name, value in layers.items() if value in blocked}

    def layer(self, name: str) -> Layer:
        """The layer of this name.

        Raises:
            DeconvError: there is none, or it lies behind a step that has no deconvnet; the message
                lists what there is.
        """
        self.graph.value_of(name)
        return self.layers[name]

    def value_of(self, layer: str) -> int:
        """The value of the graph that a layer is; errors as of ``layer``."""
        return self.graph.value_of(layer)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network, graph and weights, as one safetensors file.

        ``load_network`` reads it anywhere, without any code of the network.

        Raises:
            DeconvError: the name does not end in .safetensors.
            OSError: the folder does not take it.
        """
        self.save_with(path, {})

    def save_with(self, path: str | os.PathLike[str], said: Mapping[str, str]) -> None:
        """Write the same with more metadata, for people."""
        target = Path(path_argument(path)).expanduser()
        if target.suffix.lower() != ".safetensors":
            raise DeconvError(f"{target.name!r} does not end in .safetensors")
        graph = colours_reversed(self.graph) if self.preprocessing.bgr_weights else self.graph
        saved = SavedNetwork(self.architecture, graph, self.head, self.preprocessing)
        saved_graph.save(saved, target, said)

    def normalise(self, pixels: Tensor) -> Tensor:
        """Turn uint8 RGB pixels (N, 3, H, W) into float32 network input of the same shape."""
        mean = torch.tensor(self.preprocessing.mean, device=pixels.device).view(3, 1, 1)
        deviation = torch.tensor(self.preprocessing.deviation, device=pixels.device).view(3, 1, 1)
        return (pixels.float() / self.preprocessing.divisor - mean) / deviation


def _numbers(layer: Layer) -> tuple[object, ...]:
    """What a table says of a layer; the receptive field in pixels of the input."""
    field, plane = layer.receptive_field, f"{layer.height} × {layer.width}"
    if field.sees_all:
        return layer.channels, plane, "the whole image", "", ""
    return layer.channels, plane, f"{field.size} × {field.width}", field.stride, field.offset


def network_of(
    source: str,
    graph: Graph,
    preprocessing: Preprocessing,
    reason: str = "",
    architecture: str = "",
    head: Head | None = None,
) -> Network:
    """Make a network from its graph.

    Args:
        source: what it is called in manifests.
        graph: its steps; weights in the channel order of their publication.
        preprocessing: what the weights expect.
        reason: why they are taken to expect it.
        architecture: for people; a chain like VGG is named by its depth.
        head: its classifier, if known.

    Raises:
        WeightsError: a number is not finite, there is no layer, or a plane has no location.
    """
    if preprocessing.bgr_weights:
        graph = colours_reversed(graph)
    for step in head.steps if head else ():
        if isinstance(step, Linear):
            _check_finite("the classifier", {"weight": step.weight, "bias": step.bias})
    for node in graph.nodes:
        _check_step(node)
        if min(node.shape) < 1:
            height, width = graph.plane(0)
            raise WeightsError(f"this network pools a {height}x{width} image away to nothing")
    layers = layers_of(graph)
    if not layers:
        first = next(iter(graph.blocked.values()), "")
        behind = f": the step {first!r} has no deconvnet" if first else ""
        raise WeightsError(f"this network has no layer that can be shown{behind}")
    pools = sum(isinstance(node.step, MaxPooling) for node in graph.nodes)
    if is_like_vgg(graph.nodes) and (pools == 5 or not architecture):
        architecture = f"VGG{sum(isinstance(n.step, Convolution) for n in graph.nodes) + 3}"
    return Network(
        source,
        preprocessing,
        graph,
        MappingProxyType(layers),
        fingerprint_of(graph, preprocessing),
        architecture or "network",
        reason,
        head,
    )


def build_network(
    source: str,
    chain: Sequence[tuple[Tensor, Tensor] | str],
    preprocessing: Preprocessing,
    reason: str = "",
    input_size: Pair = INPUT_SIZE,
) -> Network:
    """Make a network like VGG from its tensors.

    Args:
        source: what it is called in manifests.
        chain: in order, (weight, bias) of each 3x3 convolution in its published channel order, or
            ``POOL``.
        preprocessing: what the weights expect.
        reason: why they are taken to expect it.
        input_size: height and width of its images.

    Raises:
        WeightsError: a shape does not continue the chain, or a value is not finite.
    """
    return network_of(source, vgg_graph(chain, input_size), preprocessing, reason)


def vgg_graph(chain: Sequence[tuple[Tensor, Tensor] | str], input_size: Pair = INPUT_SIZE) -> Graph:
    """The graph of a chain of 3x3 convolutions with their ReLUs, and of 2x2 poolings.

    Raises:
        WeightsError: a shape does not continue the chain.
    """
    nodes: list[Node] = []
    channels, (height, width) = 3, input_size
    block, place = 1, 1
    for given in chain:
        below = (len(nodes),)
        if isinstance(given, str):
            height, width = height // 2, width // 2
            step = MaxPooling((2, 2), (2, 2))
            nodes.append(Node(step, below, (channels, height, width)))
            block, place = block + 1, 1
            continue
        weight, bias = (tensor.detach().to(torch.float32).contiguous() for tensor in given)
        name = f"conv{block}_{place}"
        _check_shapes(name, weight, bias, channels)
        channels, place = int(weight.shape[0]), place + 1
        shape = (channels, height, width)
        nodes.append(Node(Convolution(weight, bias), below, shape, name))
        nodes.append(Node(Rectification(), (len(nodes),), shape))
    return Graph(name_layers(nodes), (3, *input_size))


def _check_shapes(name: str, weight: Tensor, bias: Tensor, channels: int) -> None:
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


def _check_step(node: Node) -> None:
    match node.step:
        case Convolution():
            _check_finite(node.path, {"weight": node.step.weight, "bias": node.step.bias})
        case Affine():
            _check_finite(node.path, {"scale": node.step.scale, "shift": node.step.shift})


def _check_finite(where: str, numbers: Mapping[str, Tensor]) -> None:
    for what, tensor in numbers.items():
        if not saved_graph.all_finite(tensor):
            raise WeightsError(
                f"the {what} of {where} holds values that are not finite (NaN or inf)"
            )


def colours_reversed(graph: Graph) -> Graph:
    """The same graph for RGB, where its first convolutions expect BGR."""
    nodes = []
    for node in graph.nodes:
        step = node.step
        if 0 in node.inputs:
            if not isinstance(step, Convolution) or step.groups != 1:
                raise WeightsError("BGR weights must begin with a convolution over all colours")
            step = replace(step, weight=step.weight.flip(1).contiguous())
        nodes.append(replace(node, step=step))
    return Graph(tuple(nodes), graph.input_shape)


def fingerprint_of(graph: Graph, preprocessing: Preprocessing) -> str:
    """16 hex digits of a SHA-256 over steps, names, weights and preprocessing."""
    digest = hashlib.sha256(preprocessing.name.encode())  # the name says the numbers
    if like_vgg(graph):
        _digest_vgg(digest, graph)
        return digest.hexdigest()[:16]
    digest.update(repr(graph.input_shape).encode())
    for node in graph.nodes:
        given = {field.name: getattr(node.step, field.name) for field in fields(node.step)}
        tensors = [given.pop(name) for name in list(given) if isinstance(given[name], Tensor)]
        kind = type(node.step).__name__
        digest.update(repr((kind, given, node.inputs, node.shape, node.layer)).encode())
        for tensor in tensors:
            _digest_numbers(digest, tensor)
    return digest.hexdigest()[:16]


def _digest_vgg(digest: hashlib._Hash, graph: Graph) -> None:
    """Names and weights only: the rest is the same in all networks like VGG."""
    for place, node in enumerate(graph.nodes):
        if isinstance(node.step, Convolution):
            weight = node.step.weight
            digest.update(f"{graph.nodes[place + 1].layer};{tuple(weight.shape)};".encode())
            _digest_numbers(digest, weight)
            _digest_numbers(digest, node.step.bias)
        elif isinstance(node.step, MaxPooling):
            digest.update(f"{node.layer};".encode())


def _digest_numbers(digest: hashlib._Hash, numbers: Tensor) -> None:
    digest.update(numbers.numpy().astype("<f4", copy=False).tobytes())


def like_vgg(graph: Graph) -> bool:
    """True for a chain of 3x3 convolutions with ReLU and 2x2 poolings over the usual input size."""
    return graph.plane(0) == INPUT_SIZE and is_like_vgg(graph.nodes)


__all__ = [
    "POOL",
    "PREPROCESSINGS",
    "Network",
    "Preprocessing",
    "build_network",
    "fingerprint_of",
    "like_vgg",
    "network_of",
    "preprocessing_named",
]
