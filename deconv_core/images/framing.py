"""Which part of an image the network sees, and where a box of its input lies in the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deconv_core.units import Box

Resize = Literal["stretch", "crop"]


@dataclass(frozen=True, slots=True)
class Part:
    """A rectangle of an image, by its borders in pixels; a border may go through a pixel."""

    left: float
    top: float
    right: float
    bottom: float


def seen_part(image_size: tuple[int, int], resize: Resize, input_size: tuple[int, int]) -> Part:
    """The part of an image that the network sees: all of it, or with "crop" its middle.

    The middle is that of torchvision's transforms: of an image whose shorter side has 256 pixels,
    the middle 224 x 224.

    Args:
        image_size: height and width of the image.
        resize: how it becomes as large as the network's input.
        input_size: height and width of the input.
    """
    (tall, wide), (height, width) = image_size, input_size
    if resize == "stretch":
        return Part(0, 0, wide, tall)
    least_down, least_across = (length * 256 // 224 for length in input_size)
    scale = max(least_across / wide, least_down / tall)
    across, down = max(least_across, int(wide * scale)), max(least_down, int(tall * scale))
    left, top = round((across - width) / 2), round((down - height) / 2)
    x, y = wide / across, tall / down
    return Part(left * x, top * y, (left + width) * x, (top + height) * y)


def in_image(
    box: Box, image_size: tuple[int, int], resize: Resize, input_size: tuple[int, int]
) -> Part:
    """Where a box of the network's input lies in an image; what is beyond the input is cut off.

    Args:
        box: rows and columns of the input, for example a receptive field.
        image_size: height and width of the image.
        resize: how it became as large as the input.
        input_size: height and width of the input.
    """
    (rows, columns), inside = input_size, box.clip(*input_size)
    seen = seen_part(image_size, resize, input_size)
    height, width = seen.bottom - seen.top, seen.right - seen.left
    return Part(
        left=seen.left + width * inside.left / columns,
        top=seen.top + height * inside.top / rows,
        right=seen.left + width * inside.right / columns,
        bottom=seen.top + height * inside.bottom / rows,
    )
