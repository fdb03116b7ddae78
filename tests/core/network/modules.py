"""Small modules that hold every kind of step, in the spellings that people use."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from deconv_core.deconvnet import up
from deconv_core.graph.steps import Graph


def lively(module: nn.Module, seed: int = 0) -> nn.Module:
    """Draw statistics and shifts so that nothing is dead: empty pictures prove nothing."""
    drawn = torch.Generator().manual_seed(seed)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            size = part.running_mean.shape
            part.running_mean.copy_(0.1 * torch.randn(size, generator=drawn))
            part.running_var.copy_(0.5 + torch.rand(size, generator=drawn))
            if part.affine:
                part.weight.data.copy_(0.5 + torch.rand(size, generator=drawn))
                part.bias.data.copy_(0.3 * torch.rand(size, generator=drawn))
    return module.eval()


def values_of(graph: Graph, images: Tensor) -> list[Tensor]:
    """Every value of a graph whose steps are all known, by its number."""
    values = [images]
    for node in graph.nodes:
        values.append(up(node.step, [values[taken].clone() for taken in node.inputs]))
    return values


class Chain(nn.Sequential):
    """AlexNet's shape: strides, padding, pools that overlap."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 6, 5, stride=2, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(6, 8, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(8, 8, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Dropout(),
            nn.Linear(32, 10),
            nn.ReLU(),
            nn.Linear(10, 5),
        )


class Block(nn.Module):
    """A residual block with one rectification that is used twice, as ResNet has it."""

    def __init__(self, below: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(below, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = (
            nn.Sequential(
                nn.Conv2d(below, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )
            if stride > 1
            else nn.Identity()
        )

    def forward(self, signal: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(signal)))
        out = self.bn2(self.conv2(out))
        out += self.downsample(signal)
        return self.relu(out)


class Residual(nn.Module):
    """A stem with a pool that overlaps, and two residual blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(Block(8, 8, 1), Block(8, 12, 2))
        self.fc = nn.Linear(12, 4)

    def forward(self, signal: Tensor) -> Tensor:
        signal = self.maxpool(F.relu(self.bn1(self.conv1(signal))))
        return self.fc(self.layer1(signal).mean([2, 3]))


class Branches(nn.Module):
    """Branches side by side: functions, pools of stride 1, ceilings, uneven filters, averages."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, stride=2)
        self.left = nn.Conv2d(6, 4, (1, 5), padding=(0, 2))
        self.right = nn.Conv2d(6, 4, 3, padding=2, dilation=2)
        self.norm = nn.BatchNorm2d(14, affine=False)
        self.last = nn.Conv2d(14, 6, 3, groups=2, padding="same")

    def forward(self, signal: Tensor) -> Tensor:
        signal = F.max_pool2d(torch.relu(self.stem(signal)), 3, 2, ceil_mode=True)
        pooled = F.max_pool2d(signal, 3, stride=1, padding=1)
        left = F.relu6(self.left(F.avg_pool2d(signal, 3, stride=1, padding=1)))
        joined = torch.cat([left, self.right(signal).relu(), pooled], 1)
        joined = F.relu(self.norm(joined))
        joined = F.avg_pool2d(joined, 3, 2, 1, ceil_mode=True, count_include_pad=False)
        return F.hardtanh(self.last(joined), 0.0, 2.0)


class Inputs(nn.Module):
    """Arithmetic on channels, as networks do that normalise by themselves; then parts and pads."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.1, 0.2, 0.3]).view(1, 3, 1, 1))
        self.conv = nn.Conv2d(3, 8, 3)
        self.norm = nn.LocalResponseNorm(5, alpha=0.5)

    def forward(self, signal: Tensor) -> Tensor:
        signal = (signal - self.mean) / 0.5
        channels = [signal[:, place].unsqueeze(1) * (place + 1.5) + 0.25 for place in range(3)]
        signal = F.pad(torch.cat(channels, 1), (1, 2, 0, 1))
        signal = self.norm(torch.relu(self.conv(signal)))
        first, second = torch.chunk(signal, 2, 1)
        both = torch.relu(first + second + second)
        both += 1
        return torch.relu(0.5 * both[:, 1:, 1:, :-1])


class Gated(nn.Module):
    """A gate in the middle: what lies behind it has no deconvnet."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)
        self.conv3 = nn.Conv2d(4, 4, 3)

    def forward(self, signal: Tensor) -> Tensor:
        signal = torch.relu(self.conv1(signal))
        gated = F.silu(self.conv2(signal))
        return torch.relu(self.conv3(gated))


SMALL: dict[str, tuple[Callable[[], nn.Module], tuple[int, int]]] = {
    "chain": (Chain, (63, 47)),
    "residual": (Residual, (64, 48)),
    "branches": (Branches, (41, 34)),
    "inputs": (Inputs, (19, 22)),
}
"""Name -> module and input size, (height, width)."""
