"""Every kind of torchvision classifier against autograd, on whole networks.

    python -m tests.core.network.architectures [NAME ...] [--rule guided]

In double precision, with weights and statistics drawn so that nothing is dead: the largest
difference of any layer on the way up, then of the picture of the strongest activation of an early,
a middle and the last layer, both as shares of the largest number.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from deconv_core.deconvnet import convnet_pass
from deconv_core.network.catalogue import build
from deconv_core.network.from_module import trace
from deconv_core.pictures import RULES, Rule
from tests.core.network.modules import lively
from tests.core.network.rectified_gradients import RectifiedGradients, deconvnet_by_autograd
from tests.core.pictures import strongest, windowed_picture

ARCHITECTURES = (
    *("alexnet", "vgg16_bn", "resnet18", "resnet50", "resnext50_32x4d", "googlenet"),
    *("inception_v3", "densenet121", "squeezenet1_1", "mobilenet_v2", "mnasnet1_0"),
)


@dataclass(frozen=True)
class Compared:
    """One layer of one architecture.

    Attributes:
        layer: its name.
        up: largest difference of any layer up to it.
        down: largest difference of the picture.
        strongest: largest number of the picture.
    """

    layer: str
    up: float
    down: float
    strongest: float


def compare(architecture: str, side: int, rule: Rule = "deconvnet") -> Iterator[Compared]:
    """An early, a middle and the last layer, for images of so many pixels a side."""
    torch.manual_seed(0)
    module = lively(build(architecture)).double()
    for part in module.modules():
        if hasattr(part, "inplace"):
            part.inplace = False
    graph = trace(module, (side, side), torch.float64).graph
    image = torch.randn(1, 3, side, side, dtype=torch.float64)
    with RectifiedGradients() as watched, torch.no_grad():
        module(image)
    names = list(graph.layers)
    differences: list[float] = []

    def watch(layer: str, signal: Tensor) -> None:
        expected = watched.layers[names.index(layer)]
        differences.append(float((signal - expected).abs().max() / expected.abs().max()))

    for number in (1, len(names) // 2, len(names) - 1):
        layer = names[number]
        passed = convnet_pass(graph, image, layer, watch, masks=rule != "deconvnet")
        place = strongest(passed.feature_maps)
        picture = windowed_picture(graph, passed, layer, *place, rule)
        _, expected = deconvnet_by_autograd(module, image, number, *place, rule)
        largest = float(expected.abs().max())
        difference = float((picture - expected).abs().max()) / largest
        yield Compared(layer, max(differences), difference, largest)


def main() -> None:
    """Print a line for each layer."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", default=ARCHITECTURES)
    parser.add_argument("--rule", choices=RULES, default="deconvnet")
    asked = parser.parse_args()
    for name in asked.names:
        for found in compare(name, 299 if name == "inception_v3" else 224, asked.rule):
            print(
                f"{name:16} {found.layer:36} up {found.up:.1e}  down {found.down:.1e}  "
                f"(strongest {found.strongest:.1e})",
                flush=True,
            )


if __name__ == "__main__":
    main()
