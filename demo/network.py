"""The demo network during training: VGG19's chain with fewer maps, and its conversion to weights.

During training each convolution is followed by batch normalisation, and three classifiers predict
the label: after conv3_4, conv4_4 and conv5_4. Each classifier sees only how strongly every map
fires at its strongest locations. So a map is useful if it detects something that is present or
absent: a part. Maps that fire at many locations cost a small penalty. After training the
classifiers are removed, and the normalisation is folded into the convolutions.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

CONVOLUTIONS = (2, 2, 4, 4, 4)
WIDTHS = (16, 32, 64, 128, 128)
READ_BLOCKS = (2, 3, 4)


class ConvUnit(nn.Module):
    """Convolution, normalisation and rectification; after folding this is one layer."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.normalisation = nn.BatchNorm2d(outputs)
        nn.init.kaiming_normal_(self.convolution.weight, nonlinearity="relu")

    def forward(self, signal: Tensor) -> Tensor:
        return torch.relu_(self.normalisation(self.convolution(signal)))


class DemoNetwork(nn.Module):
    """Five blocks of convolutions, and three classifiers that give label scores."""

    def __init__(self, labels: int, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()
        inputs = 3
        for count, width in zip(CONVOLUTIONS, widths, strict=True):
            self.blocks.append(
                nn.Sequential(*(ConvUnit(inputs if k == 0 else width, width) for k in range(count)))
            )
            inputs = width
        self.readings = nn.ModuleDict(
            {
                str(block): nn.Sequential(nn.Dropout(0.3), nn.Linear(widths[block], labels))
                for block in READ_BLOCKS
            }
        )

    def maps(self, pictures: Tensor) -> list[list[Tensor]]:
        """The maps of every convolution, block by block."""
        signal, maps = pictures, list[list[Tensor]]()
        for number, block in enumerate(self.blocks):
            signal = signal if number == 0 else torch.max_pool2d(signal, 2)
            maps.append([])
            for unit in block:
                signal = unit(signal)
                maps[-1].append(signal)
        return maps

    def read(self, maps: list[list[Tensor]]) -> dict[int, Tensor]:
        """Label scores by block, from how strongly each map of its last layer fires."""
        return {
            block: self.readings[str(block)](strength(maps[block][-1])) for block in READ_BLOCKS
        }

    def forward(self, pictures: Tensor) -> Tensor:
        """Label scores of the deepest classifier."""
        return self.read(self.maps(pictures))[READ_BLOCKS[-1]]


def strength(maps: Tensor) -> Tensor:
    """One number for each map (n, channels): a mean that strong locations dominate.

    It is the fourth root of the mean fourth power.
    """
    return (maps.float().square().square().mean((2, 3)) + 1e-8).sqrt().sqrt()


def spread(maps: Tensor) -> Tensor:
    """Share of locations that fire, averaged over maps: 1 for a flat map, near 0 for a single peak.

    It is (mean a)^2 / mean a^2 over the batch, so a map cannot lower it by firing weakly. Every
    fourth location is enough to measure it.
    """
    maps = maps[:, :, ::2, ::2].float()
    return (maps.mean((0, 2, 3)) ** 2 / (maps.square().mean((0, 2, 3)) + 1e-6)).mean()


def folded(network: DemoNetwork) -> dict[str, Tensor]:
    """The convolutions alone, under torchvision's VGG19 names, with normalisation folded in."""
    state, index = {}, 0
    for block in network.blocks:
        for unit in block:
            norm = unit.normalisation
            scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            weight = unit.convolution.weight * scale[:, None, None, None]
            state[f"features.{index}.weight"] = weight.detach().float().contiguous()
            state[f"features.{index}.bias"] = (norm.bias - norm.running_mean * scale).detach()
            index += 2
        index += 1
    return state


def plain_features(state: Mapping[str, Tensor]) -> nn.Sequential:
    """The folded weights as torchvision's `vgg19().features` would hold them."""
    layers: list[nn.Module] = []
    for count in CONVOLUTIONS:
        for _ in range(count):
            weight = state[f"features.{len(layers)}.weight"]
            layers += [nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1), nn.ReLU()]
        layers.append(nn.MaxPool2d(2, 2))
    features = nn.Sequential(*layers)
    features.load_state_dict(
        {name.removeprefix("features."): value for name, value in state.items()}
    )
    return features.eval()
