"""Pictures as PNG files in memory."""

from __future__ import annotations

import io

from PIL import Image
from PIL.PngImagePlugin import PngInfo


def png_bytes(image: Image.Image, compress_level: int = 3, about: PngInfo | None = None) -> bytes:
    """A picture as PNG, with metadata if it is to be saved."""
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=compress_level, pnginfo=about)
    return stream.getvalue()
