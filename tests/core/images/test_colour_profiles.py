"""Colour profiles: wide colours become sRGB, sRGB keeps its bits, broken profiles are ignored."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from deconv_core.images.colour_profiles import to_srgb
from deconv_core.images.decoding import decode_image
from tests.core import drawings
from tests.core.files import encoded, pixels, tiff

Primaries = tuple[tuple[float, ...], ...]
D50 = (0.9642, 1.0, 0.8249)
# Primaries as XYZ under D50 (columns of each maker's published matrix).
DISPLAY_P3 = ((0.5151, 0.2412, -0.0011), (0.2919, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))
ADOBE_RGB = ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446))
SRGB = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65_536) for value in values))


def profile(space: bytes, tags: dict[bytes, bytes], kind: bytes = b"mntr") -> bytes:
    """An ICC profile of version 2 or 4, from its tags."""
    place, table, data = 128 + 4 + 12 * len(tags), b"", b""
    for name, tag in tags.items():
        content = tag.ljust(-(-len(tag) // 4) * 4, b"\0")
        table += struct.pack(">4sII", name, place + len(data), len(content))
        data += content
    size = place + len(data)
    head = struct.pack(">I4sI4s4s4s12x4s", size, b"lcms", 0x04300000, kind, space, b"XYZ ", b"acsp")
    head = head.ljust(68, b"\0") + fixed(*D50)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data


def text(words: str) -> bytes:
    written = words.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II4sII", 1, 12, b"enUS", len(written), 28) + written


def curve(*parameters: float) -> bytes:
    """A gamma, or the five numbers of a curve with a straight foot."""
    kind = {1: 0, 5: 3}[len(parameters)]
    return b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + fixed(*parameters)


def rgb_profile(primaries: Primaries, *shape: float, name: str = "a profile") -> bytes:
    tags = {b"desc": text(name), b"cprt": text("nobody"), b"wtpt": b"XYZ \0\0\0\0" + fixed(*D50)}
    for letter, column in zip("rgb", primaries, strict=True):
        tags[f"{letter}XYZ".encode()] = b"XYZ \0\0\0\0" + fixed(*column)
        tags[f"{letter}TRC".encode()] = curve(*shape)
    return profile(b"RGB ", tags)


def grey_profile(gamma: float) -> bytes:
    white = b"XYZ \0\0\0\0" + fixed(*D50)
    tags = {b"desc": text("grey"), b"cprt": text("nobody"), b"wtpt": white, b"kTRC": curve(gamma)}
    return profile(b"GRAY", tags)


P3, ADOBE = rgb_profile(DISPLAY_P3, *SRGB_CURVE), rgb_profile(ADOBE_RGB, 563 / 256)
NOISE = Image.fromarray(drawings.noise(3, 8))


def linear(values: np.ndarray) -> np.ndarray:
    values = values / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def by_hand(values: np.ndarray, primaries: Primaries, adobe: bool) -> np.ndarray:
    """Colours to sRGB by the matrices alone: no colour management."""
    light = (values / 255) ** (563 / 256) if adobe else linear(values)
    light = light @ np.array(primaries) @ np.linalg.inv(np.array(SRGB))
    light = light.clip(0, 1)
    shown = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return shown * 255


@pytest.mark.parametrize(
    ("content", "primaries", "adobe"), [(P3, DISPLAY_P3, False), (ADOBE, ADOBE_RGB, True)]
)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_wide_colours_become_srgb(
    content: bytes, primaries: Primaries, adobe: bool, kind: str
) -> None:
    how = {"PNG": {}, "TIFF": {}, "WEBP": {"lossless": True}}.get(
        kind, {"quality": 100, "subsampling": 0}
    )
    plain = pixels(encoded(NOISE, kind, **how))
    found = pixels(encoded(NOISE, kind, icc_profile=content, **how))
    assert np.abs(found - by_hand(plain, primaries, adobe)).max() <= 2.5
    assert np.abs(found - plain).max() > 20


def test_known_colours() -> None:
    """The reddest and greenest of Display P3 lie outside sRGB; its greys are sRGB's."""
    image = Image.fromarray(np.array([[[255, 0, 0], [128, 128, 128], [200, 100, 50]]], np.uint8))
    red, grey, skin = pixels(encoded(image, icc_profile=P3))[0]
    assert tuple(red) == (255, 0, 0)
    assert np.abs(grey - 128).max() <= 1
    assert np.abs(skin - (215, 93, 31)).max() <= 1  # by the matrix in CSS Color 4


@pytest.mark.parametrize("name", ["sRGB IEC61966-2.1", "anything at all"])
def test_srgb_keeps_its_bits_whatever_its_name(name: str) -> None:
    own = rgb_profile(SRGB, *SRGB_CURVE, name=name)
    pillows = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for content in (own, pillows):
        for kind in ("PNG", "JPEG", "WEBP", "TIFF"):
            assert np.array_equal(
                pixels(encoded(NOISE, kind, icc_profile=content)), pixels(encoded(NOISE, kind))
            )


def test_a_name_alone_makes_no_srgb() -> None:
    content = rgb_profile(ADOBE_RGB, 563 / 256, name="sRGB IEC61966-2.1")
    found = pixels(encoded(NOISE, icc_profile=content))
    assert np.array_equal(found, pixels(encoded(NOISE, icc_profile=ADOBE)))


def test_grey_pictures_with_profiles_of_grey() -> None:
    ramp = Image.frombytes("L", (16, 16), bytes(range(256)))
    expected = np.arange(256) / 255
    light = expected**1.8
    shown = 255 * np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    for image in (ramp, Image.merge("LA", [ramp, Image.new("L", ramp.size, 255)])):
        found = pixels(encoded(image, icc_profile=grey_profile(1.8)))
        assert np.abs(found[..., 0].ravel() - shown).max() <= 2
    deep = tiff(
        (np.arange(256).reshape(16, 16) * 257).astype("u2"),
        photometric="minisblack",
        iccprofile=grey_profile(1.8),
    )
    assert np.abs(pixels(deep)[..., 0].ravel() - shown).max() <= 2


def test_colours_are_converted_before_they_are_laid_on_white() -> None:
    clear = NOISE.copy()
    clear.putalpha(Image.new("L", NOISE.size, 128))
    solid = pixels(encoded(NOISE, icc_profile=P3))
    found = pixels(encoded(clear, icc_profile=P3))
    assert np.abs(found - (solid * 128 + 255 * 127) / 255).max() <= 1


def test_palettes_have_profiles_too() -> None:
    image = NOISE.quantize(16)
    found = pixels(encoded(image, icc_profile=P3))
    assert np.array_equal(found, pixels(encoded(image.convert("RGB"), icc_profile=P3)))


def ink_profile() -> bytes:
    """A printer's profile whose inks give the colours of ``ink``: a table of 2 x 2 x 2 x 2."""
    corners = []
    for c, m, y, k in np.ndindex(2, 2, 2, 2):
        light = np.array([1 - c, 1 - m, 1 - y]) * (1 - k) * 0.5  # half as light as paper
        x, y_, z = light @ np.array(SRGB)
        corners += [round(v * 32_768) for v in (x, y_, z)]
    table = b"mft2\0\0\0\0" + bytes([4, 3, 2, 0]) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    table += struct.pack(">HH", 2, 2) + struct.pack(">8H", *[0, 65_535] * 4)
    table += struct.pack(f">{len(corners)}H", *corners) + struct.pack(">6H", *[0, 65_535] * 3)
    white = b"XYZ \0\0\0\0" + fixed(*D50)
    tags = {b"desc": text("ink"), b"cprt": text("nobody"), b"wtpt": white, b"A2B0": table}
    return profile(b"CMYK", {**tags, b"A2B1": table}, b"prtr")


def test_a_printers_profile_decides_the_colours_of_cmyk() -> None:
    inks = Image.new("CMYK", (40, 40), (0, 255, 255, 0))
    plain = pixels(encoded(inks, "TIFF"))
    assert tuple(plain[0, 0]) == (255, 0, 0)
    made = pixels(encoded(inks, "TIFF", icc_profile=ink_profile()))
    expected = ImageCms.profileToProfile(
        inks,
        ImageCms.ImageCmsProfile(io.BytesIO(ink_profile())),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert np.array_equal(made, np.asarray(expected))
    assert abs(made[0, 0, 0] - 188) <= 3  # half the light of red is 188 in sRGB
    assert made[0, 0, 1:].max() <= 3


# -- profiles that are not used ------------------------------------------------------------------

UNFIT = {
    "garbage": b"garbage" * 40,
    "one byte": b"x",
    "a head alone": P3[:128],
    "cut": P3[: len(P3) // 2],
    "without curves": profile(b"RGB ", {b"desc": text("empty")}),
    "of grey": grey_profile(1.8),
    "of inks": ink_profile(),
    "a link between profiles": P3.replace(b"mntr", b"link"),
    "a list of names": P3.replace(b"mntr", b"nmcl"),
    "of other colours": P3.replace(b"RGB XYZ", b"Lab XYZ"),
}


@pytest.mark.parametrize("what", UNFIT)
def test_a_profile_that_is_broken_or_of_other_pictures_is_ignored(what: str) -> None:
    for kind in ("PNG", "JPEG"):
        with_it = encoded(NOISE, kind, icc_profile=UNFIT[what])
        assert np.array_equal(pixels(with_it), pixels(encoded(NOISE, kind)))


def test_a_profile_of_rgb_does_not_fit_grey_or_ink() -> None:
    for mode in ("L", "CMYK"):
        image = NOISE.convert(mode)
        with_it = pixels(encoded(image, "JPEG", icc_profile=P3))
        assert np.array_equal(with_it, pixels(encoded(image, "JPEG")))


# -- others --------------------------------------------------------------------------------------


def test_lab() -> None:
    """L* 50 is sRGB's 119; a colour by the formulas of CIE."""
    values = np.zeros((8, 8, 3), np.uint8)
    values[..., 0] = round(50 * 2.55)
    lab = tiff(values, photometric="cielab")
    assert np.abs(pixels(lab) - 119).max() <= 1


def test_what_a_network_sees_is_converted_after_the_resizing() -> None:
    """Of flat colours the order makes no difference; of others it saves a second a photograph."""
    flat = Image.new("RGB", (500, 300), (200, 100, 50))
    found = decode_image(encoded(flat, icc_profile=P3)).pixels
    assert np.abs(found.astype(int) - (215, 93, 31)).max() <= 1
    small = NOISE.resize((112, 112), Image.Resampling.NEAREST)
    seen = decode_image(encoded(small, icc_profile=P3)).pixels
    resized = small.resize((224, 224), Image.Resampling.BILINEAR)
    assert np.array_equal(seen, np.asarray(to_srgb(resized, P3)))
