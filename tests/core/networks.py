"""Small networks with VGG19's chain of 16 convolutions and 5 poolings."""

import torch

from deconv_core.network.network import POOL, PREPROCESSINGS, Network, Preprocessing, build_network

WIDTHS = (4, 5, 6, 7, 8)
DEAD = ("conv3_2", 1)
"""The dead feature map of the narrow network."""

SHALLOW: list[int | str] = [4, POOL, 5, POOL, 6]

PLAIN = Preprocessing("plain", 1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), bgr_weights=False)


def vgg19_widths(widths: tuple[int, ...] = WIDTHS) -> list[int | str]:
    counts = (2, 2, 4, 4, 4)
    return [
        step
        for width, count in zip(widths, counts, strict=True)
        for step in (*[width] * count, POOL)
    ]


def random_chain(
    seed: int = 0, steps: list[int | str] | None = None
) -> list[tuple[torch.Tensor, torch.Tensor] | str]:
    """He et al. (2015) normal weights, small biases."""
    generator = torch.Generator().manual_seed(seed)
    chain: list[tuple[torch.Tensor, torch.Tensor] | str] = []
    channels = 3
    for step in steps or vgg19_widths():
        if isinstance(step, str):
            chain.append(step)
            continue
        weight = (
            torch.randn((step, channels, 3, 3), generator=generator) * (2 / 9 / channels) ** 0.5
        )
        chain.append((weight, torch.randn(step, generator=generator) * 0.1))
        channels = step
    return chain


def narrow_network(seed: int = 0) -> Network:
    """Random weights; one feature map is dead."""
    chain = random_chain(seed)
    weight, bias = chain[7]  # conv3_2: two blocks of two convolutions and a pooling, then one more
    weight[DEAD[1]], bias[DEAD[1]] = 0.0, -1.0
    return build_network(f"narrow {seed}", chain, PREPROCESSINGS["torchvision"])


def shallow_network(seed: int = 0) -> Network:
    """Three convolutions and two poolings, 4 to 6 maps wide: for what does not depend on layers."""
    chain = random_chain(seed, SHALLOW)
    return build_network(f"shallow {seed}", chain, PREPROCESSINGS["torchvision"])


def short_network() -> Network:
    """VGG11's chain, 4 to 8 maps wide: half the layers, where their number does not matter."""
    steps = [step for width in WIDTHS[:2] for step in (width, POOL)]
    steps += [step for width in WIDTHS[2:] for step in (width, width, POOL)]
    return build_network("short", random_chain(0, steps), PREPROCESSINGS["torchvision"])


def whole_number_network(seed: int = 0) -> Network:
    """Weights of -1, 0 and 1, so few that whole numbers stay below 2^24 all the way up and down.

    float32 then makes no rounding error at all: any order of summation, batch, window, memory
    layout or library gives the same bits. Ties abound.
    """
    generator = torch.Generator().manual_seed(seed)
    chain: list[tuple[torch.Tensor, torch.Tensor] | str] = []
    channels = 3
    for step in vgg19_widths():
        if isinstance(step, str):
            chain.append(step)
            continue
        weight = torch.zeros(step, channels * 9)
        for place, taps in enumerate(weight):
            chosen = torch.randperm(channels * 9, generator=generator)[: 1 + place % 3]
            taps[chosen] = torch.tensor([1.0, -1.0, 1.0])[: len(chosen)]
        bias = torch.randint(-1, 3, (step,), generator=generator).float()
        chain.append((weight.view(step, channels, 3, 3), bias))
        channels = step
    return build_network(f"whole numbers {seed}", chain, PLAIN)
