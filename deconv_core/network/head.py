"""The classifier: from the last feature maps to class scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import Tensor

from deconv_core.graph.steps import Pair, Rectification
from deconv_core.network.aten_calls import bind, is_planes, name_of


@dataclass(frozen=True, slots=True)
class MeanPooling:
    """Means of each plane over a grid of so many rows and columns."""

    size: Pair


@dataclass(frozen=True, slots=True)
class Flattening:
    """Planes (N, C, H, W) as vectors (N, C * H * W)."""


@dataclass(frozen=True, eq=False)
class Linear:
    """A fully connected layer: weight (out, in), bias (out,)."""

    weight: Tensor
    bias: Tensor


HeadStep = MeanPooling | Flattening | Linear | Rectification


@dataclass(frozen=True, eq=False)
class Head:
    """Class scores from feature maps.

    Attributes:
        value: of the graph that it takes.
        steps: in order.
        classes: the name of each class, in the order of the scores; empty if unknown.
    """

    value: int
    steps: tuple[HeadStep, ...]
    classes: tuple[str, ...] = ()

    def class_name(self, number: int) -> str:
        """The name of a class, or "class 17"."""
        return self.classes[number] if number < len(self.classes) else f"class {number}"

    @torch.inference_mode()
    def __call__(self, feature_maps: Tensor) -> Tensor:
        """Class scores (N, classes), before any softmax, from feature maps (N, C, H, W)."""
        signal = feature_maps
        for step in self.steps:
            match step:
                case MeanPooling():
                    signal = F.adaptive_avg_pool2d(signal, step.size)
                case Flattening():
                    signal = signal.flatten(1)
                case Linear():
                    signal = F.linear(signal, step.weight, step.bias)
                case Rectification():
                    signal = signal.clamp(0, step.ceiling)
        return signal


def linear_head(value: int, weight: Tensor, bias: Tensor, classes: tuple[str, ...]) -> Head:
    """A head whose scores are linear in the mean of each map of a value."""
    return Head(value, (MeanPooling((1, 1)), Flattening(), Linear(weight, bias)), classes)


def find_head(
    calls: Sequence[Any], constants: Mapping[Any, Tensor]
) -> tuple[Any, tuple[HeadStep, ...], frozenset[Any]] | None:
    """What a network ends in, walked from its output back to the last feature maps.

    Args:
        calls: of an export.
        constants: placeholder -> tensor of the module.

    Returns:
        The call whose output is the last feature maps, the steps from there, and their calls; None
        if the network does not end in pooling and linear layers.
    """
    output = next(call for call in calls if call.op == "output")
    results = [call for call in output.all_input_nodes if call not in constants]
    if len(results) != 1:
        return None
    call = results[0]
    steps: list[HeadStep] = []
    passed = []
    while (found := _head_step(call, constants)) is not None:
        steps[:0] = found
        passed.append(call)
        call = next(taken for taken in call.all_input_nodes if taken not in constants)
    if not is_planes(call) or not any(isinstance(step, Flattening) for step in steps):
        return None
    return call, tuple(steps), frozenset(passed)


def _head_step(  # noqa: PLR0911  (a table)
    call: Any, constants: Mapping[Any, Tensor]
) -> tuple[HeadStep, ...] | None:
    """The steps of one call of a classifier; None if it belongs to the feature maps."""
    if call.op != "call_function":
        return None
    name = name_of(call)
    if name in ("dropout", "feature_dropout", "alpha_dropout", "clone", "contiguous"):
        return ()
    bound = bind(call, constants)
    below = next((taken for taken in call.all_input_nodes if taken not in constants), None)
    from_planes = below is not None and is_planes(below)
    vectors = not is_planes(call)
    match name:
        case "adaptive_avg_pool2d":
            size = bound["output_size"]
            return (MeanPooling((int(size[0]), int(size[-1]))),)
        case "mean" if from_planes and sorted(n % 4 for n in bound["dim"]) == [2, 3]:
            pooled = MeanPooling((1, 1))
            return (pooled, Flattening()) if vectors else (pooled,)
        case "flatten" | "view" | "reshape" | "squeeze" if from_planes and vectors:
            one_vector = call.meta["val"].dim() == 2 and len(call.meta["val"]) == 1
            return (Flattening(),) if one_vector else None
        case "linear" if vectors and isinstance(bound["weight"], Tensor):
            weight, bias = bound["weight"].contiguous(), bound["bias"]
            return (Linear(weight, weight.new_zeros(len(weight)) if bias is None else bias),)
        case "relu" if vectors:
            return (Rectification(),)
    return None
