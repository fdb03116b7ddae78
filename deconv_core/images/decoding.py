"""From the bytes of an image file to the picture a network sees; nothing in a file can surprise.

Every image becomes RGB, 224x224, 8 bits. The default "stretch" resizes to 224x224 with Pillow's
BILINEAR and does not keep the aspect ratio, as the original program did; "crop" resizes the
shorter side to 256 and takes the centre 224x224, as ImageNet networks were trained.
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
from deconv_core.layers import INPUT_SIDE

Resize = Literal["stretch", "crop"]
Pixels = npt.NDArray[np.uint8]

DECODING = "1"
"""Names how files become pixels; an index made by another one is not gone on with."""


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """An image as the network sees it.

    Attributes:
        pixels: uint8 (224, 224, 3), RGB.
        width: of the original, in pixels, after its EXIF orientation.
        height: of the original.
        content_hash: SHA-256 of the file, in hexadecimal digits.
        note: what is odd about its values, for people, or "".
    """

    pixels: Pixels
    width: int
    height: int
    content_hash: str
    note: str = ""


def readable_extensions() -> tuple[str, ...]:
    """The file name extensions of those formats, with their dot, in lower case."""
    formats = set(readable_formats())
    known = Image.registered_extensions()
    formats.add("MPO")  # several JPEGs in one, opened as a JPEG
    return tuple(sorted(extension for extension, name in known.items() if name in formats))


def content_hash(content: bytes) -> str:
    """SHA-256 of a file's bytes, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def decode_image(
    content: bytes, resize: Resize = "stretch", value_range: ValueRange = "type"
) -> DecodedImage:
    """Decode the bytes of an image file.

    Args:
        content: the bytes.
        resize: "stretch" or "crop".
        value_range: as ``read_picture`` takes it.

    Raises:
        ImageError: the bytes are no whole picture of a readable format and size.
    """
    picture = read_picture(content, value_range)
    pixels = np.asarray(picture.drawn(lambda image: _resized(image, resize)), dtype=np.uint8)
    return DecodedImage(pixels, picture.width, picture.height, content_hash(content), picture.note)


def _resized(image: Image.Image, resize: Resize) -> Image.Image:
    side = INPUT_SIDE
    if resize == "stretch":
        return image.resize((side, side), Image.Resampling.BILINEAR)
    shorter = 256
    scale = shorter / min(image.size)
    width, height = (max(shorter, int(length * scale)) for length in image.size)
    left, top = round((width - side) / 2), round((height - side) / 2)
    # Resizing only the source of the crop keeps a 1 x 100,000 strip from becoming enormous.
    across, down = image.width / width, image.height / height
    box = (left * across, top * down, (left + side) * across, (top + side) * down)
    return image.resize((side, side), Image.Resampling.BILINEAR, box=box)
