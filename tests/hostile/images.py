"""Hostile and unusual image files, made by the tests, with the expected result of each.

Others are in ``tests/core/images/test_folder.py`` with the behaviour they test: truncated and empty
files, text, pixel bombs in PNG, EPS under another name, strange names, pipes, folders that are
links.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from tests.core import drawings
from tests.hostile.canary import Bait

READ = ""
NO_PICTURE = "not a picture"
BAD = "damaged|not a picture"
TOO_LARGE = "pixels|damaged"


@dataclass(frozen=True)
class ImageCase:
    """One file: how it is made, and the reason for refusing it as a pattern, or ``READ``."""

    make: Callable[[], bytes]
    expected: str
    name: str = "a.png"


def encoded(kind: str, mode: str = "RGB", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(drawings.noise(1)[:24, :32]).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def png(*extra: bytes, width: int = 8, height: int = 8, pixels: bytes | None = None) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    content = zlib.compress(b"\x00" * (height * (1 + 3 * width))) if pixels is None else pixels
    parts = [chunk(b"IHDR", header), *extra, chunk(b"IDAT", content), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def swelling(size: int) -> bytes:
    """A few kilobytes that unpack to ``size`` zeros."""
    packer, parts = zlib.compressobj(9), []
    for _ in range(size // 2**20):
        parts.append(packer.compress(bytes(2**20)))
    return b"".join([*parts, packer.flush()])


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../out.sh", "touch /tmp/out")
    return buffer.getvalue()


def tiff(*entries: tuple[int, int, int, int], following: int = 0) -> bytes:
    """A TIFF of one directory: (tag, type, count, value)."""
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    head = b"II*\x00" + struct.pack("<IH", 8, len(entries))
    return head + body + struct.pack("<I", following) + bytes(64)


def animation(frames: int) -> bytes:
    images = [Image.new("P", (4, 4), n % 256) for n in range(frames)]
    buffer = io.BytesIO()
    images[0].save(buffer, "GIF", save_all=True, append_images=images[1:], optimize=False)
    return buffer.getvalue()


def large_exif(kind: str = "JPEG") -> bytes:
    exif = Image.Exif()
    exif[0x010E] = "<script>alert(1)</script>" * 2500  # the description
    exif[0x0112] = 9  # an orientation that there is not
    return encoded(kind, exif=exif.tobytes())


def exif_in_circles() -> bytes:
    """An EXIF directory that names itself as the next, and as the one within."""
    directory = struct.pack("<H", 1) + struct.pack("<HHII", 0x8769, 4, 1, 8) + struct.pack("<I", 8)
    return encoded("JPEG", exif=b"Exif\x00\x00II*\x00" + struct.pack("<I", 8) + directory)


def sixteen_bits() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((9, 9), 257 * 100, np.uint16)).save(buffer, "PNG")
    return buffer.getvalue()


def many_frames_claimed() -> bytes:
    control = struct.pack(">II", 2**31 - 1, 0)
    return png(chunk(b"acTL", control))


def ico(count: int) -> bytes:
    return struct.pack("<HHH", 0, 1, count) + bytes(16 * min(count, 200))


def icns() -> bytes:
    return b"icns" + struct.pack(">I", 2**31) + b"ic10" + struct.pack(">I", 2**31 - 8) + bytes(64)


def psd() -> bytes:
    return b"8BPS" + struct.pack(">H6xHIIHH", 1, 56, 2**30, 2**30, 16, 4) + bytes(64)


def jpeg_2000() -> bytes:
    size = struct.pack(">HHIIIIIIIIH", 47, 0, 2**31, 2**31, 0, 0, 64, 64, 0, 0, 3)
    return b"\xff\x4f\xff\x51" + size + bytes([7, 1, 1] * 3) + b"\xff\xd9"


def bmp(width: int, height: int, colours: int = 0) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, colours, 0)
    pixels = (
        bytes(max(0, 4 * ((abs(width) * 3 + 3) // 4) * abs(height))) if abs(width) < 99 else b""
    )
    return b"BM" + struct.pack("<IHHI", 54 + len(pixels), 0, 0, 54) + header + pixels


def dds() -> bytes:
    head = struct.pack("<7I", 124, 0x1007, 2**31 - 1, 2**31 - 1, 0, 0, 0)
    return b"DDS " + head + bytes(44) + struct.pack("<II4s", 32, 4, b"DXT5") + bytes(40)


def cut(content: bytes, part: float) -> bytes:
    return content[: int(len(content) * part)]


def turned(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


IMAGES: dict[str, ImageCase] = {
    # two things in one
    "a JPEG that is a zip too": ImageCase(lambda: encoded("JPEG") + zipped(), READ, "a.jpg"),
    "a GIF that is a script too": ImageCase(
        lambda: encoded("GIF") + b"/*\n*/=1;document.title='gone'//", READ, "a.gif"
    ),
    "a PNG with a page behind it": ImageCase(
        lambda: png() + b"<html><script>alert(1)</script></html>", READ
    ),
    "a script that begins like a GIF": ImageCase(
        lambda: b"GIF89a/*" + b"x" * 40 + b"*/=1;alert(1)", BAD, "a.gif"
    ),
    # something else under the name of a picture
    "an SVG with a script": ImageCase(
        lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        NO_PICTURE,
    ),
    "a web page": ImageCase(lambda: b"<!doctype html><script>alert(1)</script>", BAD, "a.jpg"),
    "a PDF": ImageCase(lambda: b"%PDF-1.7\n" + bytes(200), NO_PICTURE),
    "a Windows program": ImageCase(lambda: b"MZ" + bytes(500), BAD, "a.jpg"),
    "a Linux program": ImageCase(lambda: b"\x7fELF" + bytes(500), BAD, "a.gif"),
    "a pickle that carries code": ImageCase(lambda: pickle.dumps(Bait()), BAD),
    "PostScript": ImageCase(lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n(rm) system", NO_PICTURE),
    "a Windows metafile": ImageCase(lambda: b"\xd7\xcd\xc6\x9a" + bytes(200), NO_PICTURE, "a.jpg"),
    "a font": ImageCase(lambda: b"\x00\x01\x00\x00" + bytes(300), BAD),
    "a PNG called JPEG": ImageCase(png, READ, "a.jpg"),
    "a JPEG called BMP": ImageCase(lambda: encoded("JPEG"), READ, "a.bmp"),
    # more than there is
    "text that swells to 64 MB": ImageCase(
        lambda: png(chunk(b"zTXt", b"x\x00\x00" + swelling(2**26))), f"{BAD}|^$"
    ),
    "a colour profile that swells to 64 MB": ImageCase(
        lambda: png(chunk(b"iCCP", b"x\x00\x00" + swelling(2**26))), f"{BAD}|^$"
    ),
    "pixels that swell to 64 MB behind a small header": ImageCase(
        lambda: png(pixels=swelling(2**26)), f"{BAD}|^$"
    ),
    "a GIF of 65,535 x 65,535": ImageCase(
        lambda: (
            b"GIF89a"
            + struct.pack("<HH", 65_535, 65_535)
            + b"\x00\x00\x00,"
            + struct.pack("<HHHH", 0, 0, 65_535, 65_535)
            + b"\x00\x02\x02\x44\x01\x00;"
        ),
        TOO_LARGE,
        "a.gif",
    ),
    "a TIFF of 2,000,000,000 x 2,000,000,000": ImageCase(
        lambda: tiff((256, 4, 1, 2 * 10**9), (257, 4, 1, 2 * 10**9), (262, 3, 1, 1)),
        f"{TOO_LARGE}|{NO_PICTURE}",
        "a.tif",
    ),
    "a TIFF that claims 4,000,000,000 strips": ImageCase(
        lambda: tiff((256, 4, 1, 8), (257, 4, 1, 8), (262, 3, 1, 1), (273, 4, 2**32 - 1, 99)),
        BAD,
        "a.tif",
    ),
    "a TIFF whose directories go round": ImageCase(
        lambda: tiff((256, 4, 1, 8), (257, 4, 1, 8), following=8), BAD, "a.tif"
    ),
    "a BMP of 2,000,000,000 x 2,000,000,000": ImageCase(
        lambda: bmp(2 * 10**9, 2 * 10**9), TOO_LARGE, "a.bmp"
    ),
    "a BMP with 4,000,000,000 colours": ImageCase(
        lambda: bmp(8, 8, colours=2**32 - 1), f"{BAD}|^$", "a.bmp"
    ),
    "a PPM of 99,999,999 x 99,999,999": ImageCase(
        lambda: b"P6 99999999 99999999 255\n" + bytes(99), TOO_LARGE, "a.ppm"
    ),
    "a PPM whose numbers never end": ImageCase(lambda: b"P6 " + b"9" * 10_000, BAD, "a.ppm"),
    "a PSD of 2^30 x 2^30 in 56 channels": ImageCase(psd, f"{TOO_LARGE}|{NO_PICTURE}", "a.psd"),
    "a JPEG 2000 of 2^31 x 2^31": ImageCase(jpeg_2000, f"{TOO_LARGE}|{NO_PICTURE}", "a.j2k"),
    "a DDS of 2^31 x 2^31": ImageCase(dds, f"{TOO_LARGE}|{NO_PICTURE}", "a.dds"),
    "an ICO with 65,535 pictures": ImageCase(lambda: ico(65_535), BAD, "a.ico"),
    "an ICNS longer than its file": ImageCase(icns, BAD, "a.icns"),
    "a PNG that claims 2,147,483,647 frames": ImageCase(many_frames_claimed, f"{BAD}|^$"),
    "a GIF of 500 frames": ImageCase(lambda: animation(500), READ, "a.gif"),
    # odd, and read
    "EXIF of 65,000 bytes": ImageCase(large_exif, READ, "a.jpg"),
    "EXIF that goes round": ImageCase(exif_in_circles, READ, "a.jpg"),
    "16 bits": ImageCase(sixteen_bits, READ),
    "CMYK": ImageCase(lambda: encoded("JPEG", "CMYK"), READ, "a.jpg"),
    "a BMP from the top down": ImageCase(lambda: bmp(8, -8), READ, "a.bmp"),
    "one pixel": ImageCase(lambda: png(width=1, height=1), READ),
    "a line of 60,000 pixels": ImageCase(lambda: png(width=60_000, height=1), READ),
    # damaged
    "no width": ImageCase(lambda: png(width=0), BAD),
    "a wrong checksum in the header": ImageCase(lambda: turned(png(), 20), BAD),
    "a wrong checksum in the pixels": ImageCase(lambda: turned(png(), -20), BAD),
    "a WebP cut in half": ImageCase(lambda: cut(encoded("WEBP"), 0.5), BAD, "a.webp"),
    "a TIFF cut in half": ImageCase(lambda: cut(encoded("TIFF"), 0.5), BAD, "a.tif"),
    "a GIF cut in half": ImageCase(lambda: cut(encoded("GIF"), 0.5), BAD, "a.gif"),
    "a BMP cut in half": ImageCase(lambda: cut(encoded("BMP"), 0.5), BAD, "a.bmp"),
    "only zeros": ImageCase(lambda: bytes(10_000), BAD, "a.tga"),
}
