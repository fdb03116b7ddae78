"""Pictures of any size are read in bounded memory, or refused with a suggested size."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deconv_core.errors import ImageError
from deconv_core.images import picture_files
from deconv_core.images.decoding import decode_image
from deconv_core.images.metadata import jpeg_parts
from deconv_core.images.picture_files import read_picture
from tests.core import drawings
from tests.core.files import chunk, encoded, tiff_of

pytestmark = pytest.mark.filterwarnings("ignore:::PIL")


def grey_jpeg(width: int, height: int) -> bytes:
    """A JPEG of one grey in three colours, its sides multiples of 16.

    Every 8 x 8 block has the same 14 bits: 00 (no change) and 1010 (no more) of the brightness, 00
    and 00 of each colour (tables K.3 to K.6 of the standard).
    """
    small = encoded(Image.new("RGB", (16, 16), (128, 128, 128)), "JPEG", subsampling=0)
    place = small.index(b"\xff\xc0") + 5
    head = small[:place] + struct.pack(">HH", height, width) + small[place + 4 :]
    scan = head.index(b"\xff\xda")
    start = scan + 2 + int.from_bytes(head[scan + 2 : scan + 4], "big")
    four_blocks = int("00101000000000" * 4, 2).to_bytes(7, "big")
    return head[:start] + four_blocks * (width * height // 256) + b"\xff\xd9"


def test_the_made_jpegs_are_right() -> None:
    with Image.open(io.BytesIO(grey_jpeg(320, 160))) as opened:
        assert np.abs(np.asarray(opened).astype(int) - 128).max() <= 1


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted by Linux")
@pytest.mark.parametrize(("width", "height"), [(12_000, 9008), (20_000, 20_000)])
def test_photographs_of_108_and_400_megapixels_take_bounded_memory(
    width: int, height: int, tmp_path: Path
) -> None:
    (tmp_path / "large.jpg").write_bytes(grey_jpeg(width, height))
    program = (
        "import sys; from pathlib import Path\n"
        "from deconv_core.images.decoding import decode_image\n"
        "def most(): return int(Path('/proc/self/status').read_text()"
        ".split('VmHWM:')[1].split()[0]) / 1000\n"
        "content = Path(sys.argv[1]).read_bytes(); before = most()\n"
        "found = decode_image(content)\n"
        "print(found.width, found.height, found.pixels.min(), found.pixels.max(), most() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(tmp_path / "large.jpg")],
        capture_output=True,
        text=True,
        check=True,
    )
    *said, megabytes = done.stdout.split()
    assert said[:2] == [str(width), str(height)]
    assert 127 <= int(said[2]) <= int(said[3]) <= 129
    assert float(megabytes) < 800  # of which the picture takes 108 or 100


def test_a_jpeg_is_reduced_only_beyond_the_limit() -> None:
    for width, height, reduction in (
        *((12_500, 8000, 1), (4000, 3000, 1), (100_000_000, 1, 1)),
        *((12_501, 8000, 2), (12_000, 9000, 2), (20_000, 20_000, 2), (20_001, 20_000, 4)),
        *((40_000, 40_000, 4), (65_535, 65_535, 8)),
    ):
        assert picture_files._reduction(width, height, 0, None) == reduction


def test_a_jpeg_that_has_to_be_kept_whole_counts_more() -> None:
    assert picture_files._reduction(12_000, 9000, 3, None) == 4
    assert picture_files._reduction(12_500, 8000, 3, None) == 1
    with pytest.raises(ImageError, match=r"20,000 x 10,000 pixels would take .*make it smaller"):
        picture_files._reduction(20_000, 10_000, 3, None)


def test_a_reduced_jpeg_shows_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image.fromarray(drawings.noise(1, 28)).resize((900, 600))
    content = encoded(image, "JPEG", quality=95)
    exact = decode_image(content)
    with Image.open(io.BytesIO(content)) as opened:
        plain = opened.resize((224, 224), Image.Resampling.BILINEAR)
    assert np.array_equal(exact.pixels, np.asarray(plain))
    monkeypatch.setattr(picture_files, "LARGEST_MEMORY", 900 * 600 * 4)
    reduced = decode_image(content)
    assert (reduced.width, reduced.height) == (900, 600)
    difference = np.abs(reduced.pixels.astype(int) - exact.pixels)
    assert 0 < difference.mean() < 2


def test_several_passes_are_counted_though_not_progressive() -> None:
    content = encoded(Image.new("RGB", (64, 64)), "JPEG")
    scan = content.index(b"\xff\xda")
    one_colour = content[:scan] + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + content[scan + 14 :]
    assert not jpeg_parts(content).whole
    assert jpeg_parts(one_colour).whole
    assert jpeg_parts(encoded(Image.new("RGB", (64, 64)), "JPEG", progressive=True)).whole


def png_head(width: int, height: int, depth: int = 8, colour: int = 2) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = chunk(b"IDAT", b"x\x9c")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + pixels + chunk(b"IEND", b"")


def test_what_cannot_be_reduced_is_refused_with_a_size_that_would_do() -> None:
    with pytest.raises(ImageError) as caught:
        read_picture(png_head(12_000, 9000))
    assert str(caught.value) == (
        "12,000 x 9,000 pixels would take 864 MB to decode; one picture may take at most 800 MB: "
        "make it smaller, for example 11,547 x 8,660"
    )
    with pytest.raises(ImageError, match="damaged"):
        read_picture(png_head(11_547, 8660))  # of that size it is looked into
    sixteen = b"P6 30000 30000 65535\n" + bytes(10)
    tags = {256: (2**20,), 257: (2**10,), 258: (16,), 262: (1,), 277: (1,), 278: (2**10,)}
    large_tiff = tiff_of(tags, [bytes(10)])
    for content in (png_head(9000, 9000, 16), sixteen, large_tiff):
        with pytest.raises(
            ImageError, match=r"to decode; one picture may take at most 800 MB.*make it smaller"
        ):
            read_picture(content)


def test_a_thumbnail_of_a_jpeg_is_reduced_and_of_nothing_else() -> None:
    image = Image.fromarray(drawings.noise(1, 28)).resize((1600, 1200))
    sizes = []

    def seen(image: Image.Image) -> Image.Image:
        sizes.append(image.size)
        return image

    read_picture(encoded(image, "JPEG"), enough=256).drawn(seen)
    read_picture(encoded(image, "JPEG")).drawn(seen)
    read_picture(encoded(image, "PNG"), enough=256).drawn(seen)
    assert sizes == [(400, 300), (1600, 1200), (1600, 1200)]
