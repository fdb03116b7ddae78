"""Decodes the bytes of an image file to the pixels that a network sees.

Every image becomes RGB, 224x224, 8 bits. The default "stretch" resizes to 224x224 with Pillow's
BILINEAR and does not keep the aspect ratio, as in the original program. "crop" resizes the shorter
side to 256 and takes the centre 224x224, as in the training of ImageNet networks.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from deconv_core.images.picture_files import read_picture, readable_formats
from deconv_core.images.pixel_values import ValueRange
from deconv_core.layers import INPUT_SIZE

Resize = Literal["stretch", "crop"]
Pixels = npt.NDArray[np.uint8]

DECODING = "1"
"""Version of the decoding; a scan does not resume an index made with another version."""


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """An image as the network sees it.

    Attributes:
        pixels: uint8 (height, width, 3), RGB, of the size that was asked for.
        width: width of the original in pixels, in its EXIF orientation.
        height: height of the original in pixels.
        content_hash: SHA-256 of the file, in hexadecimal digits.
        note: a warning about its values (for example nearly black), or "".
    """

    pixels: Pixels
    width: int
    height: int
    content_hash: str
    note: str = ""


def readable_extensions() -> tuple[str, ...]:
    """The file name extensions of the readable formats, with a dot, in lower case."""
    formats = set(readable_formats())
    known = Image.registered_extensions()
    formats.add("MPO")  # several JPEGs in one, opened as a JPEG
    return tuple(sorted(extension for extension, name in known.items() if name in formats))


def content_hash(content: bytes) -> str:
    """SHA-256 of a file's bytes, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def decode_image(
    content: bytes,
    resize: Resize = "stretch",
    value_range: ValueRange = "type",
    size: tuple[int, int] = INPUT_SIZE,
) -> DecodedImage:
    """Decode the bytes of an image file.

    Args:
        content: the bytes.
        resize: "stretch" or "crop".
        value_range: see ``read_picture``.
        size: height and width, in pixels.

    Raises:
        ImageError: the bytes are not a complete picture of a readable format and size.
    """
    picture = read_picture(content, value_range)
    pixels = np.asarray(picture.drawn(lambda image: _resized(image, resize, size)), dtype=np.uint8)
    return DecodedImage(pixels, picture.width, picture.height, content_hash(content), picture.note)


def _resized(image: Image.Image, resize: Resize, size: tuple[int, int]) -> Image.Image:
    height, width = size
    if resize == "stretch":
        return image.resize((width, height), Image.Resampling.BILINEAR)
    # As torchvision does: of an image whose shorter side has 256 pixels, the middle 224.
    tall, wide = (length * 256 // 224 for length in size)
    scale = max(wide / image.width, tall / image.height)
    across = max(wide, int(image.width * scale))
    down = max(tall, int(image.height * scale))
    left, top = round((across - width) / 2), round((down - height) / 2)
    # Only the source of the crop is resized, so a strip of 1 x 100,000 does not become enormous.
    x, y = image.width / across, image.height / down
    box = (left * x, top * y, (left + width) * x, (top + height) * y)
    return image.resize((width, height), Image.Resampling.BILINEAR, box=box)
