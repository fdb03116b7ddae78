"""The other libraries, with the same network and the same images."""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from captum.attr import NeuronDeconvolution
from torch import Tensor, nn

from deconv_core import Activation, ImageFolder, Network
from deconv_core.graph.steps import Convolution, MaxPooling


def plain_model(network: Network, until: str | None = None) -> nn.Sequential:
    """The same network like VGG as modules, whole or cut off after the ReLU of a layer."""
    modules: list[nn.Module] = []
    for node in network.graph.nodes:
        step = node.step
        if isinstance(step, Convolution):
            outputs, inputs = step.weight.shape[:2]
            convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
            convolution.weight = nn.Parameter(step.weight.clone())
            convolution.bias = nn.Parameter(step.bias.clone())
            modules.append(convolution)
        else:
            modules.append(nn.MaxPool2d(2) if isinstance(step, MaxPooling) else nn.ReLU())
        if node.layer == until and until is not None:
            break
    return nn.Sequential(*modules).eval()


def inputs_of(network: Network, images: ImageFolder, positions: Sequence[int]) -> Tensor:
    """Normalised input (N, 3, height, width)."""
    pixels = torch.stack([torch.from_numpy(images.read(p).copy()) for p in positions])
    return network.normalise(pixels.permute(0, 3, 1, 2)).contiguous()


def hooked_peaks(model: nn.Sequential) -> Callable[[Tensor], list[tuple[Tensor, Tensor]]]:
    """Forward hooks that keep every map's maximum and its location, as a user would write them."""
    found: list[tuple[Tensor, Tensor]] = []

    def keep(_: nn.Module, __: object, output: Tensor) -> None:
        highest, where = output.flatten(2).max(dim=2)
        found.append((highest, where))

    for module in model:
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(keep)

    def run(batch: Tensor) -> list[tuple[Tensor, Tensor]]:
        found.clear()
        with torch.inference_mode():
            model(batch)
        return list(found)

    return run


def captum_reconstructions(
    model: nn.Module, relu: nn.Module, inputs: Sequence[Tensor], top: Sequence[Activation]
) -> list[Tensor]:
    """Captum's NeuronDeconvolution times the activation: the whole picture (1, 3, 224, 224)."""
    method = NeuronDeconvolution(model, relu)
    warnings.filterwarnings("ignore", module="captum")  # a warning at every call that it sets hooks
    return [
        method.attribute(picture, (a.unit.channel, a.row, a.column)).detach() * a.value
        for picture, a in zip(inputs, top, strict=True)
    ]


def zennit_crp_scan(network: Network, inputs: Tensor) -> Any:
    """zennit-crp's FeatureVisualization over the inputs, all convolutions, by activation.

    Returns:
        Numbers of the best images of every map of conv1_1, sorted; None if it is not installed.
    """
    try:
        from crp.attribution import CondAttribution
        from crp.concepts import ChannelConcept
        from crp.helper import load_maximization
        from crp.visualization import FeatureVisualization
    except ImportError:
        return None
    features = plain_model(network)
    model = nn.Sequential(*features, nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    names = {
        str(place): ChannelConcept()
        for place, module in enumerate(features)
        if isinstance(module, nn.ReLU)
    }
    dataset = [(picture, 0) for picture in inputs]
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        with contextlib.redirect_stderr(io.StringIO()):
            found = FeatureVisualization(
                CondAttribution(model),
                dataset,
                names,
                max_target="max",
                abs_norm=False,
                path=folder,
            )
            found.run(None, 0, len(dataset), batch_size=4)
        numbers, *_ = load_maximization(found.ActMax.PATH, "1")
    return numbers
