"""Torchvision's classifiers as graphs: from a state dict, or with numbers drawn at random."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from deconv_core.errors import WeightsError
from deconv_core.graph.steps import Pair
from deconv_core.network.catalogue import build, usual_input_size
from deconv_core.network.from_module import Traced, trace
from deconv_core.network.preprocessing import Preprocessing
from deconv_core.network.recognise import recognise


def traced_state(
    file: str,
    state: Mapping[str, Tensor],
    preprocessing: Preprocessing,
    input_size: Pair | None,
    architecture: str | None,
) -> tuple[str, Traced]:
    """The architecture of a state dict, and its graph; without a head if it has no classifier.

    Raises:
        WeightsError: it fits no architecture, or several.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    found = recognise(shapes, file, architecture)
    module = _empty(found.architecture, found.classes or 1, preprocessing)
    with torch.no_grad():
        for name, place in module.state_dict().items():
            if name not in state:
                place.zero_()
                continue
            if place.is_floating_point() and not state[name].is_floating_point():
                raise WeightsError(
                    f"{file} holds {state[name].dtype} weights; expected floating point"
                )
            place.copy_(state[name])
    traced = trace(module, input_size or usual_input_size(found.architecture))
    return found.architecture, traced if found.classes else Traced(traced.graph, None)


def traced_at_random(
    architecture: str, preprocessing: Preprocessing, input_size: Pair | None
) -> Traced:
    """An architecture with numbers drawn so that nothing is dead; always the same.

    Weights as in He et al. (2015), statistics and shifts of batch normalisation near 0 and 1.
    """
    module = _empty(architecture, 1000, preprocessing)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for part in module.modules():
            _draw(part, generator)
    return trace(module, input_size or usual_input_size(architecture))


def _empty(architecture: str, classes: int, preprocessing: Preprocessing) -> nn.Module:
    """The module of an architecture with memory for its numbers."""
    as_published = preprocessing.name == "torchvision"
    module = build(architecture, classes, meta=True, transform_input=as_published)
    return module.to_empty(device="cpu")


def _draw(part: nn.Module, generator: torch.Generator) -> None:
    if isinstance(part, nn.Conv2d | nn.Linear):
        part.weight.normal_(0, (2 / part.weight[0].numel()) ** 0.5, generator=generator)
        if part.weight.shape[1] > 1:  # activations are above 0: what all share must not decide
            part.weight -= part.weight.flatten(1).mean(1).view(-1, *[1] * (part.weight.dim() - 1))
        if part.bias is not None:
            part.bias.normal_(0, 0.01, generator=generator)
    elif isinstance(part, nn.BatchNorm2d):
        part.running_mean.normal_(0, 0.1, generator=generator)  # type: ignore[union-attr]
        part.running_var.uniform_(0.5, 1.5, generator=generator)  # type: ignore[union-attr]
        part.weight.uniform_(0.5, 1, generator=generator)
        part.bias.uniform_(0, 0.3, generator=generator)
