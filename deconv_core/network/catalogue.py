"""Torchvision's classifiers by name: which have a deconvnet, and what weights there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import nn
from torchvision import models

from deconv_core.errors import DeconvError
from deconv_core.graph.steps import Pair

SUPPORTED = (
    *("alexnet", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19"),
    *("vgg19_bn", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
    *("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d"),
    *("wide_resnet50_2", "wide_resnet101_2"),
    *("densenet121", "densenet161", "densenet169", "densenet201"),
    *("googlenet", "inception_v3", "squeezenet1_0", "squeezenet1_1"),
    *("mobilenet_v2", "mnasnet0_5", "mnasnet0_75", "mnasnet1_0", "mnasnet1_3"),
    *("regnet_x_400mf", "regnet_x_800mf", "regnet_x_1_6gf", "regnet_x_3_2gf", "regnet_x_8gf"),
    *("regnet_x_16gf", "regnet_x_32gf"),
)
"""Names of the classifiers all of whose steps have a deconvnet."""

IN_THE_WAY: Mapping[str, str] = {
    "convnext": "GELU",
    "efficientnet": "SiLU",
    "maxvit": "GELU",
    "mobilenet_v3": "Hardswish",
    "regnet_y": "a gate (squeeze and excitation)",
    "shufflenet": "a shuffle of channels",
    "swin": "attention",
    "vit": "attention",
}
"""Beginnings of other names -> the first step without a deconvnet."""


@dataclass(frozen=True, slots=True)
class Published:
    """Published weights of a classifier.

    Attributes:
        name: as torchvision calls it: "IMAGENET1K_V1".
        url: of the file.
        megabytes: of the download.
        parameters: how many numbers.
        input_size: height and width, in pixels.
        mean: of each channel, of pixels from 0 to 1.
        deviation: of each channel.
        classes: names of the classes, in the order of the scores.
    """

    name: str
    url: str
    megabytes: float
    parameters: int
    input_size: Pair
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    classes: tuple[str, ...]


def split_name(name: str) -> tuple[str, str]:
    """``("resnet50", "IMAGENET1K_V1")`` of "resnet50:IMAGENET1K_V1"; the second "" if not given.

    Raises:
        DeconvError: no classifier of torchvision, or one without a deconvnet: says which step is
            in the way.
    """
    architecture, _, weights = name.partition(":")
    if architecture in SUPPORTED:
        return architecture, weights
    for beginning, step in IN_THE_WAY.items():
        if architecture.startswith(beginning) and architecture in models.list_models(models):
            raise DeconvError(
                f"{architecture} has no deconvnet: {step} is in the way; choose one of "
                f"{', '.join(SUPPORTED)}"
            )
    raise DeconvError(
        f"{architecture!r} is not the name of a network; choose one of {', '.join(SUPPORTED)}, or "
        "give a weight file"
    )


def published(architecture: str) -> dict[str, Published]:
    """Name -> weights that torchvision publishes, its default last."""
    kinds = models.get_model_weights(architecture)
    default = kinds.DEFAULT.name
    found = {kind.name: _published(kind) for kind in kinds}
    return {**{n: w for n, w in found.items() if n != default}, default: found[default]}


def _published(kind: Any) -> Published:
    transforms = kind.transforms()
    side = int(transforms.crop_size[0])
    return Published(
        name=kind.name,
        url=kind.url,
        megabytes=float(kind.meta["_file_size"]),
        parameters=int(kind.meta["num_params"]),
        input_size=(side, side),
        mean=tuple(transforms.mean),
        deviation=tuple(transforms.std),
        classes=tuple(kind.meta["categories"]),
    )


def build(architecture: str, classes: int = 1000, *, meta: bool = False) -> nn.Module:
    """The module of a classifier, its numbers not yet loaded.

    Args:
        architecture: of ``SUPPORTED``.
        classes: how many scores it gives.
        meta: without numbers, for its names and shapes alone.
    """
    options: dict[str, Any] = {"num_classes": classes}
    if architecture in ("googlenet", "inception_v3"):
        options |= {"init_weights": False, "aux_logits": True}
        if architecture == "googlenet":
            options["transform_input"] = False
    if meta and not architecture.startswith("regnet"):  # it computes its widths on tensors
        with torch.device("meta"):
            return _module(architecture, options)
    return _module(architecture, options)


def _module(architecture: str, options: Mapping[str, Any]) -> nn.Module:
    made: nn.Module = models.get_model(architecture, weights=None, **options)
    return made


@lru_cache(maxsize=64)
def shapes_of(architecture: str) -> Mapping[str, tuple[int, ...]]:
    """Name -> shape of every tensor in a state dict of an architecture with 1,000 classes."""
    state = build(architecture, meta=True).state_dict()
    return {name: tuple(tensor.shape) for name, tensor in state.items()}
