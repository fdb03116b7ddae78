"""Colour profiles: converts a picture's colours to sRGB, which networks were trained on.

A profile that is damaged, or that belongs to another kind of picture, is ignored, as in browsers.
"""

from __future__ import annotations

import functools
import io

import numpy as np
from PIL import Image, ImageChops, ImageCms

LARGEST_PROFILE = 2**23
"""Largest profile that is used, in bytes; profiles of printers have about a million."""
_SAME = 2
"""Largest difference from sRGB, in levels of 255, of a profile that counts as sRGB."""
_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_CLASSES = ("mntr", "scnr", "prtr", "spac")  # without device links and named colours
_BROKEN = (ImageCms.PyCMSError, OSError, ValueError, TypeError)


def to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """An image as RGB in sRGB.

    Args:
        image: of mode L, RGB, CMYK or LAB.
        profile: the picture's ICC profile, or b"". A profile of sRGB changes no value.
    """
    if image.mode == "LAB":
        return _from_lab(image)
    try:
        transform = _transform(profile, image.mode)
        if transform is not None:
            made: Image.Image = transform.apply(image)
            return made
    except _BROKEN:
        pass
    return image if image.mode == "RGB" else image.convert("RGB")


def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The conversion from a profile to sRGB; None if the profile does not fit or is sRGB."""
    if not 0 < len(profile) <= LARGEST_PROFILE:
        return None
    opened = _opened(profile, mode)
    if opened is None or (mode != "CMYK" and _is_srgb(profile, mode)):
        return None
    return _built(opened, mode, ImageCms.Flags.NONE)


def _opened(profile: bytes, mode: str) -> ImageCms.ImageCmsProfile | None:
    """The opened profile, if it is for pictures of this mode; else None."""
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    space, kind = opened.profile.xcolor_space.strip(), opened.profile.device_class.strip()
    return opened if _MODES.get(space) == mode and kind in _CLASSES else None


def _built(
    opened: ImageCms.ImageCmsProfile, mode: str, flags: ImageCms.Flags
) -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(
        opened,
        ImageCms.createProfile("sRGB"),
        mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags | ImageCms.Flags.BLACKPOINTCOMPENSATION | ImageCms.Flags.NOCACHE,
    )


@functools.lru_cache(maxsize=16)
def _is_srgb(profile: bytes, mode: str) -> bool:
    """True if a profile does not change colours. Cached, because the check takes 1 ms."""
    opened = _opened(profile, mode)
    assert opened is not None
    probe = _probe(mode)
    made = _built(opened, mode, ImageCms.Flags.NOOPTIMIZE).apply(probe)
    differences = np.asarray(ImageChops.difference(made, probe.convert("RGB")))
    return bool(differences.max() <= _SAME)


def _probe(mode: str) -> Image.Image:
    """A test image: every grey level, or 6 x 6 x 6 colours."""
    if mode == "L":
        return Image.frombytes("L", (256, 1), bytes(range(256)))
    steps = range(0, 256, 51)
    colours = bytes(value for r in steps for g in steps for b in steps for value in (r, g, b))
    return Image.frombytes("RGB", (216, 1), colours)


def _from_lab(image: Image.Image) -> Image.Image:
    lab = ImageCms.createProfile("LAB")
    made = ImageCms.profileToProfile(
        image,
        lab,
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
    )
    assert made is not None
    return made
