"""Damaged metadata is ignored, valid metadata is used, a damaged picture is still refused."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from deconv_core.errors import ImageError
from deconv_core.images.metadata import jpeg_parts, png_parts
from deconv_core.images.picture_files import read_picture
from tests.core.files import chunk, encoded, pixels, segment, with_chunks, with_segments
from tests.hostile.memory import forget_peak, peak

pytestmark = pytest.mark.filterwarnings("ignore:::PIL")

rows, columns = np.mgrid[:48, :64]
ROUND = np.dstack([columns * 4, rows * 5, rows + columns]).astype(np.uint8)
PICTURE = Image.fromarray(ROUND)
PNG, JPEG = encoded(PICTURE), encoded(PICTURE, "JPEG", quality=95, subsampling=0)


def exif_of(orientation: int, order: str = "<") -> bytes:
    """EXIF without its six letters: one directory with one short number."""
    head = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    return head + struct.pack(f"{order}IH", 8, 1) + entry + bytes(4)


def packed_text(text: bytes) -> bytes:
    return b"Raw profile type exif\0\0" + zlib.compress(text)


GOOD = exif_of(1)
WRONG_PNG = {
    "EXIF without its header": chunk(b"eXIf", b"\0\x08\0\x02\x01\x12\0\x03"),
    "EXIF with the letters of JPEG": chunk(b"eXIf", b"Exif\0\0" + GOOD),
    "EXIF that is empty": chunk(b"eXIf", b""),
    "EXIF of 4 bytes": chunk(b"eXIf", b"II*\0"),
    "EXIF that is a text": chunk(b"eXIf", b"b'Exif\\x00\\x00II*'"),
    "EXIF whose directory is elsewhere": chunk(b"eXIf", b"II*\0\xff\xff\xff\xff"),
    "EXIF that goes round": chunk(b"eXIf", b"II*\0\x08\0\0\0\x01\0" + struct.pack("<I", 8) * 4),
    "EXIF with 65,535 entries": chunk(b"eXIf", b"II*\0\x08\0\0\0\xff\xff"),
    "EXIF with a wrong checksum": chunk(b"eXIf", exif_of(6))[:-1] + b"\0",
    "hexadecimal EXIF that is none": chunk(b"tEXt", b"Raw profile type exif\0\nexif\n  20\nzzzz"),
    "hexadecimal EXIF that is cut": chunk(b"tEXt", b"Raw profile type exif\0\nexif\n"),
    "hexadecimal EXIF of garbage": chunk(b"zTXt", packed_text(b"\nexif\n  10\nabcdef0123\n")),
    "hexadecimal EXIF, not packed": chunk(b"zTXt", b"Raw profile type exif\0\0abc"),
    "a key without a text": chunk(b"tEXt", b"Comment"),
    "text that is not UTF-8": chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0\xff\xfe\xfd"),
    "XMP that is cut": chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta tiff:Orientation="),
    "XMP that ends in its head": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1"),
    "a text of another packing": chunk(b"zTXt", b"a\0\x07abc"),
    "no key": chunk(b"iTXt", b""),
    "a short time": chunk(b"tIME", b"\x07"),
    "a short resolution": chunk(b"pHYs", b"\0\0"),
    "a short gamma": chunk(b"gAMA", b"\0"),
    "gamma 0": chunk(b"gAMA", bytes(4)),
    "short primaries": chunk(b"cHRM", bytes(4)),
    "an empty sRGB": chunk(b"sRGB", b""),
    "sRGB with an intent that there is not": chunk(b"sRGB", b"\xff"),
    "an empty profile": chunk(b"iCCP", b""),
    "a profile that cannot be unpacked": chunk(b"iCCP", b"icc\0\0notzlib"),
    "a profile of another packing": chunk(b"iCCP", b"icc\0\1" + zlib.compress(b"x")),
    "a profile of one letter": chunk(b"iCCP", b"icc\0\0" + zlib.compress(b"x")),
    "two profiles": chunk(b"iCCP", b"a\0\0" + zlib.compress(b"x")) * 2,
    "an animation without frames": chunk(b"acTL", b"\0"),
    "a frame without a place": chunk(b"fcTL", b"\0"),
    "a transparent colour of a letter": chunk(b"tRNS", b"\0"),
    "a background without a colour": chunk(b"bKGD", b""),
    "bits without a number": chunk(b"sBIT", b""),
    "a chunk of nobody": chunk(b"abCd", b"?"),
    "a wrong checksum of a text": chunk(b"tEXt", b"a\0b")[:-1] + b"\0",
}


@pytest.mark.parametrize("what", WRONG_PNG)
def test_wrong_metadata_of_a_png(what: str) -> None:
    for after in (False, True):
        assert np.array_equal(pixels(with_chunks(PNG, WRONG_PNG[what], after=after)), ROUND)


FULL = 2**24 - 8
NEWLINES, BLANKS = (zlib.compress(letter * FULL, 9) for letter in (b"\n", b" "))
XMP_BOMB = chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + BLANKS)
SWELLING = {
    "EXIF in digits": [chunk(b"zTXt", b"Raw profile type exif\0\0" + NEWLINES)],
    "XMP": [XMP_BOMB],
    "a profile": [chunk(b"iCCP", b"icc\0\0" + BLANKS)],
    "a text of nobody": [chunk(b"zTXt", b"Comment\0\0" + NEWLINES)] * 50,
    "XMP, 50 times": [XMP_BOMB] * 50,
    "EXIF whose letters are repeated": [chunk(b"eXIf", b"Exif\0\0" * 500_000)],
}


@pytest.mark.parametrize("what", SWELLING)
def test_what_swells_in_a_png_costs_little(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked: list[int] = []
    kind = zlib.decompressobj

    class Counting:
        def __init__(self) -> None:
            self._one = kind()

        def decompress(self, data: bytes, most: int) -> bytes:
            found = self._one.decompress(data, most)
            unpacked.append(len(found))
            return found

        @property
        def eof(self) -> bool:
            return self._one.eof

    monkeypatch.setattr("deconv_core.images.metadata.zlib.decompressobj", Counting)
    content = with_chunks(PNG, *SWELLING[what])
    before = forget_peak()
    assert np.array_equal(pixels(content), ROUND)
    assert sum(unpacked) <= 2**26
    assert peak() - before < 150e6  # a list of the newlines alone took 1.5 GB


def test_what_is_right_counts_beside_what_swells() -> None:
    turned = with_chunks(PNG, *[XMP_BOMB] * 3, chunk(b"eXIf", exif_of(6)))
    assert np.array_equal(pixels(turned), np.rot90(ROUND, -1))


def test_many_segments_of_exif_in_a_jpeg() -> None:
    first, more = (
        segment(0xE1, b"Exif\0\0" + exif_of(6)),
        segment(0xE1, b"Exif\0\0" + bytes(60_000)),
    )
    turned = with_segments(JPEG, first, *[more] * 400)
    assert len(jpeg_parts(turned).metadata.exif) <= 2**24
    assert np.array_equal(pixels(turned), np.rot90(pixels(JPEG), -1))


def exif(data: bytes) -> bytes:
    return segment(0xE1, data)


WRONG_JPEG = {
    "EXIF of garbage": exif(b"Exif\0\0garbage!"),
    "EXIF that is blank": exif(b"Exif\0\0"),
    "EXIF with its letters twice": exif(b"Exif\0\0Exif\0\0" + GOOD),
    "EXIF of 4 bytes": exif(b"Exif\0\0II*\0"),
    "EXIF of another order": exif(b"Exif\0\0XX*\0\x08" + bytes(9)),
    "EXIF whose entry is cut": exif(b"Exif\0\0" + exif_of(6)[:15]),
    "XMP that is cut": exif(b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta tiff:Orientation"),
    "a profile of garbage": segment(0xE2, b"ICC_PROFILE\0\1\1garbage"),
    "a profile whose first part is missing": segment(0xE2, b"ICC_PROFILE\0\2\2" + bytes(200)),
    "a profile without a number": segment(0xE2, b"ICC_PROFILE\0"),
    "a short JFIF": segment(0xE0, b"JFIF\0"),
    "a short Adobe": segment(0xEE, b"Adobe"),
    "several pictures of nobody": segment(0xE2, b"MPF\0garbage"),
    "Photoshop's of garbage": segment(0xED, b"Photoshop 3.0\x008BIM" + b"\xff" * 20),
    "an empty segment": segment(0xEF, b""),
    "a comment that is no text": segment(0xFE, b"\xff\xfe\x00"),
}


@pytest.mark.parametrize("what", WRONG_JPEG)
def test_wrong_metadata_of_a_jpeg(what: str) -> None:
    assert np.array_equal(pixels(with_segments(JPEG, WRONG_JPEG[what])), pixels(JPEG))


@pytest.mark.parametrize(
    "data", [b"garbage!", b"Exif\0\0II", b"\0" * 8, b"XX*\0\x08", b"II*\0\xff"]
)
@pytest.mark.parametrize("kind", ["WEBP", "AVIF"])
def test_wrong_exif_of_a_webp_and_an_avif(kind: str, data: bytes) -> None:
    how = {"lossless": True} if kind == "WEBP" else {"quality": 95}
    entry = struct.pack("<HHI4s", 0x010E, 2, 4, b"abc")  # a description: nothing is left out of it
    known = b"II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4)
    plain, right = encoded(PICTURE, kind, **how), encoded(PICTURE, kind, exif=known, **how)
    wrong = right.replace(known, data.ljust(len(known), b"?"))
    assert wrong != right
    assert np.array_equal(pixels(wrong), pixels(plain))


def test_text_that_swells_is_not_unpacked() -> None:
    packer = zlib.compressobj(9)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(64)) + packer.flush()
    for data in (
        chunk(b"iCCP", b"a\0\0" + bomb),
        chunk(b"zTXt", b"Raw profile type exif\0\0" + bomb),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + bomb),
    ):
        parts = png_parts(with_chunks(PNG, data))
        assert (parts.metadata.exif, parts.metadata.xmp, parts.metadata.profile) == (b"",) * 3
        assert np.array_equal(pixels(with_chunks(PNG, data)), ROUND)


# -- what is right is used -----------------------------------------------------------------------


def xmp(orientation: int) -> bytes:
    return f'<x:xmpmeta><rdf:Description tiff:Orientation="{orientation}"/>'.encode()


def places_of_orientation(orientation: int) -> dict[str, bytes]:
    known = exif_of(orientation)
    raw = b"\nexif\n%8d\n%s\n" % (len(known) + 6, (b"Exif\0\0" + known).hex().encode())
    name = b"http://ns.adobe.com/xap/1.0/\0"
    text = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(orientation))
    packed = chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp(orientation)))
    return {
        "PNG": with_chunks(PNG, chunk(b"eXIf", known)),
        "PNG, high bytes first": with_chunks(PNG, chunk(b"eXIf", exif_of(orientation, ">"))),
        "PNG, after the pixels": with_chunks(PNG, chunk(b"eXIf", known), after=True),
        "PNG, hexadecimal": with_chunks(PNG, chunk(b"zTXt", packed_text(raw))),
        "PNG, XMP": with_chunks(PNG, text),
        "PNG, packed XMP": with_chunks(PNG, packed),
        "PNG, beside what is wrong": with_chunks(
            PNG, chunk(b"pHYs", b"\0"), chunk(b"eXIf", known), chunk(b"gAMA", b"")
        ),
        "JPEG": with_segments(JPEG, exif(b"Exif\0\0" + known)),
        "JPEG, XMP": with_segments(JPEG, exif(name + xmp(orientation))),
        "JPEG, EXIF before XMP": with_segments(
            JPEG, exif(name + xmp(1)), exif(b"Exif\0\0" + known), segment(0xED, b"?")
        ),
        "WEBP": encoded(PICTURE, "WEBP", lossless=True, exif=b"Exif\0\0" + known),
        "AVIF": encoded(PICTURE, "AVIF", quality=95, exif=known),
    }


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_used_wherever_it_stands(orientation: int) -> None:
    plain, turned = places_of_orientation(1), places_of_orientation(orientation)
    for what in turned:
        stored, found = pixels(plain[what]), pixels(turned[what])
        expected = {
            1: stored,
            2: stored[:, ::-1],
            3: stored[::-1, ::-1],
            4: stored[::-1],
            5: stored.swapaxes(0, 1),
            6: stored.swapaxes(0, 1)[:, ::-1],
            7: stored.swapaxes(0, 1)[::-1, ::-1],
            8: stored.swapaxes(0, 1)[::-1],
        }[orientation]
        assert np.array_equal(found, expected), what


@pytest.mark.parametrize("orientation", [0, 9, 65_535])
def test_an_orientation_that_there_is_not_is_none(orientation: int) -> None:
    content = with_chunks(PNG, chunk(b"eXIf", exif_of(orientation)))
    assert np.array_equal(pixels(content), ROUND)


def test_a_profile_in_several_parts_is_put_together() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    parts = [segment(0xE2, b"ICC_PROFILE\0" + bytes([n, 2]) + profile[n - 1 :: 2]) for n in (2, 1)]
    found = jpeg_parts(with_segments(JPEG, *parts)).metadata.profile
    assert found == profile[::2] + profile[1::2]
    saved = encoded(PICTURE, "JPEG", icc_profile=profile * 40)  # beyond a segment's 65,535 bytes
    assert jpeg_parts(saved).metadata.profile == profile * 40


def test_what_decides_the_colours_of_a_jpeg_is_kept() -> None:
    for mode in ("L", "CMYK"):
        content = encoded(PICTURE.convert(mode), "JPEG", quality=95)
        wrong = with_segments(content, segment(0xE1, b"Exif\0\0x"), segment(0xFE, b"comment"))
        with Image.open(io.BytesIO(content)) as opened:
            assert np.array_equal(pixels(wrong), np.asarray(opened.convert("RGB")))
    unconverted = encoded(PICTURE, "JPEG", quality=95, keep_rgb=True)  # RGB, and so marked
    assert np.abs(pixels(unconverted) - ROUND).max() <= 4


# -- a damaged picture is still refused ----------------------------------------------------------


def test_damage_of_the_pixels_is_not_metadata() -> None:
    start = PNG.index(b"IDAT")
    turned = bytearray(PNG)
    turned[start + 40] ^= 255
    short = PNG[:start] + PNG[start : len(PNG) // 2]
    middle = JPEG.index(b"\xff\xda")
    for content in (
        bytes(turned),
        short,
        PNG[: start - 4],
        with_segments(JPEG[: middle + 30], exif(b"Exif\0\0x")),
        with_segments(JPEG[:middle], exif(b"Exif\0\0x")),
        PNG.replace(b"IHDR", b"IHDS"),
        PNG[:8] + chunk(b"eXIf", GOOD) + PNG[8:start],
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe1\xff\xff",
    ):
        with pytest.raises(ImageError):
            read_picture(content)


def test_a_wrong_palette_is_not_metadata() -> None:
    content = encoded(PICTURE.convert("P"))
    place = content.index(b"PLTE") + 4
    with pytest.raises(ImageError):
        read_picture(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
