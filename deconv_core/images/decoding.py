"""Decodes the bytes of an image file to the pixels that a network sees.

Every image becomes RGB, 224x224, 8 bits. The default "stretch" resizes to 224x224 with Pillow's
BILINEAR and does not keep the aspect ratio, as in the original program. "crop" resizes the shorter
side to 256 and takes the centre 224x224, as in the training of ImageNet networks.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from deconv_core.images.framing import Resize, seen_part
from deconv_core.images.picture_files import read_picture, readable_formats
from deconv_core.images.pixel_values import ValueRange
from deconv_core.layers import INPUT_SIZE

Pixels = npt.NDArray[np.uint8]

DECODING = "1"
"""Version of the decoding; a scan does not resume an index made with another version."""


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """An image as the network sees it, or as people see it.

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


def decode_original(content: bytes, longest: int, value_range: ValueRange = "type") -> DecodedImage:
    """Decode the bytes of an image file as people see it: upright, in its own proportions.

    Args:
        content: the bytes.
        longest: a longer side becomes so many pixels.
        value_range: see ``read_picture``.

    Raises:
        ImageError: as for ``decode_image``.
    """
    picture = read_picture(content, value_range, enough=longest)
    scale = min(1.0, longest / max(picture.width, picture.height))
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    drawn = picture.drawn(lambda image: image.resize(size, Image.Resampling.LANCZOS))
    pixels = np.asarray(drawn, dtype=np.uint8)
    return DecodedImage(pixels, picture.width, picture.height, content_hash(content), picture.note)


def _resized(image: Image.Image, resize: Resize, size: tuple[int, int]) -> Image.Image:
    part = seen_part((image.height, image.width), resize, size)
    # Only the source of a crop is resized, so a strip of 1 x 100,000 does not become enormous.
    box = part.left, part.top, part.right, part.bottom
    return image.resize(size[::-1], Image.Resampling.BILINEAR, box=box)
