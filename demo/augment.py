"""Random variation of training images: crops, mirroring, light, colour, hidden parts, noise."""

import torch
from torch import Tensor

MEAN = torch.tensor((0.485, 0.456, 0.406)).view(1, 3, 1, 1)
DEVIATION = torch.tensor((0.229, 0.224, 0.225)).view(1, 3, 1, 1)


def normalised(pixels: Tensor) -> Tensor:
    """Pictures (n, 224, 224, 3) of bytes as the network's input (torchvision's preprocessing)."""
    return (pixels.permute(0, 3, 1, 2).float() / 255 - MEAN) / DEVIATION


def augmented(pixels: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """A randomly varied batch, cropped to squares of the given side without scaling."""
    pixels = _cropped(pixels, side, generator)
    if _draw(1, generator).item() < 0.5:
        pixels = pixels.flip(2)
    pictures = normalised(pixels)
    pictures = _relit(pictures, generator)
    pictures = _covered(pictures, generator)
    strength = 0.35 * _draw(len(pictures), generator).view(-1, 1, 1, 1) ** 2
    noise = torch.randn(pictures.shape, generator=generator)
    return (pictures + strength * noise).contiguous(memory_format=torch.channels_last)


def _draw(count: int, generator: torch.Generator) -> Tensor:
    return torch.rand(count, generator=generator)


def _cropped(pixels: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Crop the whole batch with one random window, which is cheap."""
    room = pixels.shape[1] - side
    top, left = (_draw(2, generator) * (room + 1)).long().tolist()
    return pixels[:, top : top + side, left : left + side]


def _relit(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Change contrast, brightness and tint of every picture at random."""
    count = len(pictures)
    contrast = 0.7 + 0.6 * _draw(count, generator).view(-1, 1, 1, 1)
    level = 0.8 * (_draw(count, generator).view(-1, 1, 1, 1) - 0.5)
    tint = 0.5 * (_draw(3 * count, generator).view(-1, 3, 1, 1) - 0.5)
    return pictures * contrast + level + tint


def _covered(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Cover a rectangle of every second picture with a piece of another picture."""
    side = pictures.shape[2]
    others = pictures.roll(1, 0)
    covered = pictures.clone()
    for place in range(0, len(pictures), 2):
        size = (side * (0.15 + 0.3 * _draw(2, generator))).long()
        top, left = ((side - size) * _draw(2, generator)).long().tolist()
        bottom, right = top + int(size[0]), left + int(size[1])
        covered[place, :, top:bottom, left:right] = others[place, :, top:bottom, left:right]
    return covered
