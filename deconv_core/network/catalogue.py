"""Torchvision's classifiers by name: which have a deconvnet, and what weights there are.

The names load neither torch nor torchvision; the functions that need them do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from deconv_core.errors import DeconvError, WeightsError

if TYPE_CHECKING:
    from torch import nn

TITLES: Mapping[str, str] = MappingProxyType(
    {
        "alexnet": "AlexNet",
        **{f"vgg{depth}": f"VGG{depth}" for depth in (11, 13, 16, 19)},
        **{f"vgg{depth}_bn": f"VGG{depth}-BN" for depth in (11, 13, 16, 19)},
        **{f"resnet{depth}": f"ResNet-{depth}" for depth in (18, 34, 50, 101, 152)},
        "resnext50_32x4d": "ResNeXt-50 32x4d",
        "resnext101_32x8d": "ResNeXt-101 32x8d",
        "resnext101_64x4d": "ResNeXt-101 64x4d",
        "wide_resnet50_2": "Wide ResNet-50-2",
        "wide_resnet101_2": "Wide ResNet-101-2",
        **{f"densenet{depth}": f"DenseNet-{depth}" for depth in (121, 161, 169, 201)},
        "googlenet": "GoogLeNet",
        "inception_v3": "Inception v3",
        "squeezenet1_0": "SqueezeNet 1.0",
        "squeezenet1_1": "SqueezeNet 1.1",
        "mobilenet_v2": "MobileNet v2",
        **{f"mnasnet{width}": f"MNASNet {width.replace('_', '.')}" for width in ("0_5", "0_75")},
        **{f"mnasnet{width}": f"MNASNet {width.replace('_', '.')}" for width in ("1_0", "1_3")},
        **{f"regnet_x_{size}mf": f"RegNetX-{size}MF" for size in (400, 800)},
        **{
            f"regnet_x_{size}gf": f"RegNetX-{size.replace('_', '.')}GF"
            for size in ("1_6", "3_2", "8", "16", "32")
        },
    }
)
"""Names of the classifiers all of whose steps have a deconvnet -> what people call them."""
SUPPORTED = tuple(TITLES)

IN_THE_WAY: Mapping[str, str] = MappingProxyType(
    {
        "convnext": "GELU",
        "efficientnet": "SiLU",
        "maxvit": "GELU",
        "mobilenet_v3": "Hardswish",
        "regnet_y": "a gate (squeeze and excitation)",
        "shufflenet": "a shuffle of channels",
        "swin": "attention",
        "vit": "attention",
    }
)
"""Beginnings of other names -> the first step without a deconvnet."""
_CHOICES = f"choose 'demo', 'random', one of {', '.join(SUPPORTED)}, or give a weight file"


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
    input_size: tuple[int, int]
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    classes: tuple[str, ...]


def split_name(name: str) -> tuple[str, str]:
    """``("resnet50", "IMAGENET1K_V1")`` of "resnet50:IMAGENET1K_V1"; the second "" if not given.

    Raises:
        WeightsError: no classifier of torchvision, or one without a deconvnet: says which step is
            in the way.
    """
    architecture, _, weights = name.partition(":")
    if architecture in SUPPORTED:
        return architecture, weights
    for beginning, step in IN_THE_WAY.items():
        if architecture.startswith(beginning) and _is_torchvisions(architecture):
            raise WeightsError(f"{architecture} has no deconvnet: {step} is in the way; {_CHOICES}")
    raise WeightsError(f"{architecture!r} is not the name of a network; {_CHOICES}")


def _is_torchvisions(architecture: str) -> bool:
    from torchvision import models

    return architecture in models.list_models(models)


def published(architecture: str) -> dict[str, Published]:
    """Name -> weights that torchvision publishes, its default last."""
    from torchvision import models

    kinds = models.get_model_weights(architecture)
    default = kinds.DEFAULT.name
    found = {kind.name: _published(kind) for kind in kinds}
    return {**{n: w for n, w in found.items() if n != default}, default: found[default]}


def published_as(architecture: str, weights: str) -> Published:
    """The published weights of this name; "" takes torchvision's default.

    Raises:
        DeconvError: there are none of this name; lists those that there are.
    """
    found = published(architecture)
    if weights and weights not in found:
        raise DeconvError(
            f"{architecture} has no weights {weights!r}; choose one of "
            f"{', '.join(f'{architecture}:{name}' for name in [*found, 'random'])}"
        )
    return found[weights or list(found)[-1]]


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
        classes=tuple(kind.meta["categories"] or ()),  # weights of features alone name none
    )


def usual_input_size(architecture: str) -> tuple[int, int]:
    """Height and width of the images that an architecture was published for."""
    return (299, 299) if architecture == "inception_v3" else (224, 224)


def build(
    architecture: str, classes: int = 1000, *, meta: bool = False, transform_input: bool = False
) -> nn.Module:
    """The module of a classifier, its numbers not yet loaded.

    Args:
        architecture: of ``SUPPORTED``.
        classes: how many scores it gives.
        meta: without numbers, for its names and shapes alone.
        transform_input: GoogLeNet and Inception v3 take images normalised as torchvision does, and
            change that themselves to what their published weights expect.
    """
    import torch

    options: dict[str, Any] = {"num_classes": classes}
    if architecture in ("googlenet", "inception_v3"):
        options |= {"init_weights": False, "aux_logits": True, "transform_input": transform_input}
    if meta and not architecture.startswith("regnet"):  # it computes its widths on tensors
        with torch.device("meta"):
            return _module(architecture, options)
    return _module(architecture, options)


def _module(architecture: str, options: Mapping[str, Any]) -> nn.Module:
    from torchvision import models

    made: nn.Module = models.get_model(architecture, weights=None, **options)
    return made


@lru_cache(maxsize=64)
def shapes_of(architecture: str) -> Mapping[str, tuple[int, ...]]:
    """Name -> shape of every tensor in a state dict of an architecture with 1,000 classes."""
    state = build(architecture, meta=True).state_dict()
    return {name: tuple(tensor.shape) for name, tensor in state.items()}
