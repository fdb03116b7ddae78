"""Reads the picture in an image file, also in unusual, damaged or hostile files.

Scans, reconstructions, previews and thumbnails all read pictures with this module.
"""

from __future__ import annotations

import io
import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageFile, UnidentifiedImageError

from deconv_core.errors import ImageError
from deconv_core.images.colour_profiles import to_srgb
from deconv_core.images.deep_values import image_values, png_values, pnm_layout, pnm_values
from deconv_core.images.metadata import (
    JPEG_START,
    PNG_START,
    JpegParts,
    Metadata,
    jpeg_parts,
    png_parts,
)
from deconv_core.images.pixel_values import ValueRange, Values, as_image
from deconv_core.images.tiff_values import STARTS, TiffLayout, tiff_layout, tiff_values

LARGEST_MEMORY = 800_000_000
"""The most bytes of memory for reading one picture, without its file."""
_PIXEL = 8
"""Bytes of memory for a pixel of 8 bits a colour: four in Pillow, four in a converted copy."""
_COEFFICIENT = 2
"""Bytes of memory for each colour of a pixel of a JPEG in several passes."""

# These formats start other programs, are video, need a plug-in, or hold more than a picture.
_NOT_READ = {"EPS", "MPEG", "WMF", "GRIB", "BUFR", "HDF5", "FITS", "PDF"}
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_CUT_OFF = "parts of the file are missing or were changed"
_INTERNAL = re.compile(
    r"<.*>|0x[0-9a-f]{4}|\b(?:unpack|buffer|argument|attribute|index|object|NoneType)"
)
_UNPROCESSED = re.compile(r" \(\d+ bytes not processed\)")
_AVIF_HEAD = 2**16  # bytes at the start of an AVIF that list its contents
_AVIF_EXIF = re.compile(rb"(infe\x02.{3}.{4})Exif", re.DOTALL)


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture in its right orientation, without transparency, 8 bits a value.

    Attributes:
        width: width of the original in pixels.
        height: height of the original in pixels.
        note: a warning about its values (for example nearly black), or "".
    """

    width: int
    height: int
    note: str
    _image: Image.Image
    _profile: bytes

    def drawn(self, resized: Callable[[Image.Image], Image.Image]) -> Image.Image:
        """The resized picture as RGB in sRGB.

        Colours are converted after resizing, because this is faster for fewer pixels.

        Args:
            resized: a function that resizes an image of mode L, RGB or CMYK and keeps its mode. The
                image may already be smaller than the original.
        """
        return to_srgb(resized(self._image), self._profile)


def readable_formats() -> tuple[str, ...]:
    """Pillow's names of the readable formats, for example "JPEG"."""
    Image.init()
    return tuple(sorted(set(Image.OPEN) - _NOT_READ))


def read_picture(
    content: bytes, value_range: ValueRange = "type", enough: int | None = None
) -> Picture:
    """Read the picture in an image file.

    The EXIF orientation is applied. From an animation or a file of several pictures, the first one
    is read. Transparency becomes white. Colours become sRGB with the file's profile.

    Args:
        content: the bytes of the file.
        value_range: for values of more than 8 bits: "type" makes the largest value of their type
            white; "file" makes the smallest value of the file black and the largest white.
        enough: sufficient length of the shorter side in pixels: a JPEG may be reduced to a half, a
            quarter or an eighth during decoding. None reads every pixel if memory allows.

    Raises:
        ImageError: the bytes are not a complete picture of a readable format and size.
    """
    try:
        return _read(content, value_range, enough)
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError("not a picture in a readable format") from error
    except MemoryError as error:
        raise ImageError("not enough memory to decode it") from error
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged files
        raise ImageError(f"damaged: {_in_words(error)}") from error


def _in_words(error: Exception) -> str:
    """What a decoder says of a damaged file, if it is about the file and not about Python."""
    said = _UNPROCESSED.sub("", str(error))
    return _CUT_OFF if not said or _INTERNAL.search(said) else said


def _read(content: bytes, value_range: ValueRange, enough: int | None) -> Picture:
    if content.startswith(PNG_START):
        return _read_png(content, value_range)
    if content.startswith(JPEG_START):
        return _read_jpeg(jpeg_parts(content), enough)
    if content.startswith(STARTS):
        return _read_tiff(content, value_range)
    if layout := pnm_layout(content):
        channels, width, height = layout[:3]
        check_memory(width, height, _PIXEL + 4 * channels)
        return _of_values(pnm_values(content, layout), Metadata(), value_range)
    if content[4:8] == b"ftyp":  # hide EXIF: damaged EXIF is an error, and AVIF does not need it
        content = _AVIF_EXIF.sub(rb"\1none", content[:_AVIF_HEAD]) + content[_AVIF_HEAD:]
    with _open(content) as opened:
        check_memory(*opened.size)
        opened.load()
        return _of_image(opened, _metadata(opened), value_range)


def check_memory(width: int, height: int, per_pixel: float = _PIXEL, more: int = 0) -> None:
    """Refuse a picture that would take more memory than ``LARGEST_MEMORY``.

    Raises:
        ImageError: it would; the message suggests a size.
    """
    need = width * height * per_pixel + more
    if need <= LARGEST_MEMORY:
        return
    part = math.sqrt(LARGEST_MEMORY / need)
    smaller = " x ".join(f"{max(1, math.floor(side * part)):,}" for side in (width, height))
    raise ImageError(
        f"{width:,} x {height:,} pixels would take {need / 1e6:,.0f} MB to decode; one picture may "
        f"take at most {LARGEST_MEMORY / 1e6:,.0f} MB: make it smaller, for example {smaller}"
    )


def _open(content: bytes) -> ImageFile.ImageFile:
    """Open a file like ``Image.open``, but without its limit on pixels.

    Raises:
        UnidentifiedImageError: no reader knows the format.
    """
    for name in readable_formats():
        factory, accept = Image.OPEN[name]
        if accept is not None and accept(content[:16]) is not True:
            continue
        try:
            opened: ImageFile.ImageFile = factory(io.BytesIO(content), "")
        except (SyntaxError, IndexError, TypeError, struct.error):
            continue
        return opened
    raise UnidentifiedImageError


def _metadata(opened: Image.Image) -> Metadata:
    found = [opened.info.get(name) for name in ("exif", "xmp", "icc_profile")]
    return Metadata(*(text if isinstance(text, bytes) else b"" for text in found))


# -- formats with their own readers --------------------------------------------------------------


def _read_png(content: bytes, value_range: ValueRange) -> Picture:
    parts = png_parts(content)
    deep = parts.depth == 16
    with _open(parts.content) as opened:
        check_memory(*opened.size, _PIXEL + 12 * deep)
        opened.load()
        if deep:
            return _of_values(png_values(parts, opened), parts.metadata, value_range)
        return _of_image(opened, parts.metadata, value_range)


def _read_jpeg(parts: JpegParts, enough: int | None) -> Picture:
    with _open(parts.content) as opened:
        width, height = opened.size
        reduction = _reduction(width, height, parts.whole * len(opened.getbands()), enough)
        if reduction > 1:
            opened.draft(None, (max(1, width // reduction), max(1, height // reduction)))
        opened.load()
        return _of_image(opened, parts.metadata, "type", (width, height))


def _reduction(width: int, height: int, colours_kept: int, enough: int | None) -> int:
    """The reduction of a JPEG during decoding: 1, 2, 4 or 8.

    Raises:
        ImageError: even with the largest reduction it would take too much memory.
    """
    pixels = width * height
    kept = _COEFFICIENT * colours_kept * pixels
    for reduction in (1, 2, 4, 8):
        need = _PIXEL * pixels / reduction**2
        if need + (kept if reduction > 1 else 0) <= LARGEST_MEMORY:
            break
    else:
        check_memory(width, height, _PIXEL / 64, kept)
    if enough is not None:
        while reduction < 8 and min(width, height) >= 2 * reduction * enough:
            reduction *= 2
    return reduction


def _read_tiff(content: bytes, value_range: ValueRange) -> Picture:
    layout = tiff_layout(content)
    refused: Exception | None = None
    if layout.plain:
        check_memory(layout.width, layout.height)
        try:
            return _read_plain_tiff(content, layout)
        except Exception as error:  # damage, damaged metadata, or a kind unknown to Pillow
            refused = error
    pixels = layout.width * layout.height
    check_memory(layout.width, layout.height, _PIXEL + 2 * layout.nbytes / pixels)
    try:
        values = tiff_values(content, layout)
    except ImageError as error:
        known = refused is not None and not isinstance(refused, UnidentifiedImageError)
        raise refused if refused is not None and known else error from None
    metadata = Metadata(profile=layout.profile)
    return _of_values(values, metadata, value_range, layout.orientation)


def _read_plain_tiff(content: bytes, layout: TiffLayout) -> Picture:
    """Read a TIFF of a kind that Pillow reads correctly; Pillow applies the orientation."""
    if layout.subsampled:
        raise ImageError("a TIFF of subsampled YCbCr without JPEG compression is not read")
    with _open(content) as opened:
        opened.load()
        if opened.mode in ("P", "PA") and max(layout.palette, default=256) < 256:
            colours = len(layout.palette) // 3  # the palette has 8-bit values in 16-bit fields
            table = [layout.palette[place::colours] for place in range(colours)]
            opened.putpalette([value for colour in table for value in colour])
        return _of_image(opened, Metadata(profile=_metadata(opened).profile), "type")


# -- to eight bits, right orientation, without transparency --------------------------------------


def _of_values(
    values: Values, metadata: Metadata, value_range: ValueRange, orientation: int | None = None
) -> Picture:
    image, note = as_image(values, value_range)
    return _finished(image, metadata, image.size, note, orientation)


def _of_image(
    image: Image.Image,
    metadata: Metadata,
    value_range: ValueRange,
    size: tuple[int, int] | None = None,
) -> Picture:
    if image.mode == "F" or image.mode.startswith("I"):
        return _of_values(image_values(image), metadata, value_range)
    return _finished(image, metadata, size or image.size, "")


def _finished(
    image: Image.Image,
    metadata: Metadata,
    size: tuple[int, int],
    note: str,
    orientation: int | None = None,
) -> Picture:
    orientation = metadata.orientation if orientation is None else orientation
    image, profile = _opaque(image, metadata.profile)
    image.info = {}  # removes texts of the file: Pillow would write a GIF's comment into a JPEG
    if orientation in _UPRIGHT:
        image = image.transpose(_UPRIGHT[orientation])
    width, height = size if orientation < 5 else size[::-1]
    return Picture(width, height, note, image, profile)


def _opaque(image: Image.Image, profile: bytes) -> tuple[Image.Image, bytes]:
    """An image on white, of mode L, RGB or CMYK, and the profile that must still be applied."""
    if image.mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in image.info:
        grey = image.mode in ("LA", "La")
        clear = image.convert("LA" if grey else "RGBA")
        colours = to_srgb(clear.convert("L" if grey else "RGB"), profile)
        colours.putalpha(clear.getchannel("A"))
        ground = Image.new("RGBA", image.size, "white")
        ground.alpha_composite(colours)
        return ground.convert("RGB"), b""
    if image.mode == "LAB" or (image.mode == "CMYK" and not profile):
        return to_srgb(image, b""), b""
    if image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    return image, profile
