"""From the bytes of an image file to the picture a network sees; nothing in a file can surprise.

Every image becomes RGB, 224x224, 8 bits. The default "stretch" resizes to 224x224 with Pillow's
BILINEAR and does not keep the aspect ratio, as the original program did; "crop" resizes the
shorter side to 256 and takes the centre 224x224, as ImageNet networks were trained.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from deconv_core.errors import ImageError
from deconv_core.receptive_field import INPUT_SIDE

Resize = Literal["stretch", "crop"]
ValueRange = Literal["type", "file"]
Pixels = npt.NDArray[np.uint8]

DECODING = "1"
"""Names how files become pixels; an index made by another one is not gone on with."""

LARGEST_IMAGE = 100_000_000
"""Pixels (width x height) of one image that are still decoded."""

# These start other programs, stand for video, or need a plug-in to decode at all.
_NOT_READ = {"EPS", "MPEG", "WMF", "GRIB", "BUFR", "HDF5", "FITS", "PDF"}


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """An image as the network sees it.

    Attributes:
        pixels: uint8 (224, 224, 3), RGB.
        width: of the original, in pixels, after its EXIF orientation.
        height: of the original.
        content_hash: SHA-256 of the file, in hexadecimal digits.
    """

    pixels: Pixels
    width: int
    height: int
    content_hash: str


def readable_formats() -> tuple[str, ...]:
    """Pillow's names of the formats that are decoded, for example "JPEG"."""
    Image.init()
    return tuple(sorted(set(Image.OPEN) - _NOT_READ))


def readable_extensions() -> tuple[str, ...]:
    """The file name extensions of those formats, with their dot, in lower case."""
    formats = set(readable_formats())
    known = Image.registered_extensions()
    return tuple(sorted(extension for extension, name in known.items() if name in formats))


def content_hash(content: bytes) -> str:
    """SHA-256 of a file's bytes, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def decode_image(
    content: bytes, resize: Resize = "stretch", value_range: ValueRange = "type"
) -> DecodedImage:
    """Decode the bytes of an image file.

    EXIF orientation is applied; of an animation the first frame is taken; transparency is laid on
    white; 16-bit values are scaled to 8 bits.

    Args:
        content: the bytes.
        resize: "stretch" or "crop".
        value_range: of values of more than 8 bits: "type" makes the largest value of their type
            white, "file" stretches from the smallest value in the file (black) to the largest
            (white).

    Raises:
        ImageError: the bytes are no whole picture of a readable format and size.
    """
    try:
        with Image.open(io.BytesIO(content), formats=readable_formats()) as opened:
            if opened.width * opened.height > LARGEST_IMAGE:
                raise ImageError(
                    f"{opened.width} x {opened.height} pixels; at most {LARGEST_IMAGE:,} are read"
                )
            image = _to_rgb(ImageOps.exif_transpose(opened), value_range)
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError("not a picture in a readable format") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"too many pixels: {error}") from error
    except MemoryError as error:
        raise ImageError("not enough memory to decode it") from error
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged files
        raise ImageError(f"damaged: {error or type(error).__name__}") from error
    pixels = np.asarray(_resized(image, resize), dtype=np.uint8)
    return DecodedImage(pixels, image.width, image.height, content_hash(content))


def _to_rgb(image: Image.Image, value_range: ValueRange) -> Image.Image:
    """Convert any mode Pillow has to 8-bit RGB."""
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        image = Image.fromarray(_to_bytes(image, value_range))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        ground.alpha_composite(image)
        image = ground
    return image.convert("RGB")


def _to_bytes(image: Image.Image, value_range: ValueRange) -> Pixels:
    """Scale 16-bit integers (0..65535) or floats (0..1, else 0..255) to 0..255."""
    values = np.asarray(image)
    if value_range == "file":
        values = values.astype(np.float64)
        finite = values[np.isfinite(values)]
        low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
        values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
        scaled = (values - low) * (255.0 / (high - low or 1.0))
    elif image.mode == "F":
        values = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=255.0, neginf=0.0)
        scaled = values * (255.0 if values.max(initial=0.0) <= 1.0 else 1.0)
    else:
        scaled = values.astype(np.float64) / 257.0
    eight: Pixels = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return eight


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
