"""TIFFs of every kind against the numbers they were written from, and tifffile."""

from __future__ import annotations

import io
import itertools
import re
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from deconv_core.errors import ImageError
from deconv_core.images.picture_files import read_picture
from tests.core.files import encoded, grey, lzw, pixels, tiff, tiff_of

pytestmark = pytest.mark.filterwarnings("ignore:::PIL")
HEIGHT, WIDTH = 37, 45


def numbers(kind: str, channels: int, seed: int = 0) -> np.ndarray:
    """(H, W, C) over the whole range of a type, from black to white."""
    shape = HEIGHT, WIDTH, channels
    rng, order = np.random.default_rng(seed), np.dtype(kind)
    dtype = order.newbyteorder("=")
    if dtype.kind == "f":
        return rng.random(shape).astype(order)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True).astype(order)


def eight(values: np.ndarray) -> np.ndarray:
    white = 1.0 if values.dtype.kind == "f" else float(np.iinfo(values.dtype).max)
    return np.rint(values.astype(float) * 255 / white).astype(int)


def stored(values: np.ndarray, **options: object) -> bytes:
    planes = options.get("planarconfig") == "separate"
    return tiff(np.moveaxis(values, -1, 0) if planes else values, **options)


LAYOUTS = [
    {"byteorder": order, **part, **packed}
    for order, part, packed in itertools.product(
        "<>",
        ({}, {"rowsperstrip": 16}, {"tile": (16, 32)}),
        ({}, {"compression": "zlib"}, {"compression": "zlib", "predictor": True}),
    )
]
KINDS = ("u1", "u2", "u4", "u8", "i1", "i2", "f2", "f4", "f8")


@pytest.mark.parametrize("kind", KINDS)
def test_grey_and_rgb_of_every_type_and_layout(kind: str) -> None:
    for layout in LAYOUTS:
        if layout.get("predictor") and kind in ("u8", "f2", "f4", "f8"):
            continue  # tifffile writes these only with another library
        one, three = numbers(kind, 1)[..., 0], numbers(kind, 3)
        found = pixels(tiff(one, photometric="minisblack", **layout))
        assert np.array_equal(found, grey(eight(one))), layout
        found = pixels(tiff(one, photometric="miniswhite", **layout))
        assert np.array_equal(found, grey(255 - eight(one))), layout
        for planes in ("contig", "separate"):
            content = stored(three, photometric="rgb", planarconfig=planes, **layout)
            assert np.array_equal(pixels(content), eight(three)), (planes, layout)


@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_channels_beyond_the_colours(kind: str, planes: str) -> None:
    five = numbers(kind, 5)
    how = {"planarconfig": planes}
    content = stored(five, photometric="minisblack", extrasamples=["unspecified"] * 4, **how)
    assert np.array_equal(pixels(content), grey(eight(five)[..., 0]))
    content = stored(five, photometric="rgb", extrasamples=["unspecified"] * 2, **how)
    assert np.array_equal(pixels(content), eight(five)[..., :3])
    two = five[..., :2]
    content = stored(two, photometric="minisblack", extrasamples=["unspecified"], **how)
    assert np.array_equal(pixels(content), grey(eight(two)[..., 0]))


@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_alpha_is_laid_on_white(kind: str, planes: str) -> None:
    for colours, photometric in ((1, "minisblack"), (3, "rgb")):
        values = numbers(kind, colours + 1)
        how = {"photometric": photometric, "planarconfig": planes}
        opaque = eight(values)[..., -1:] / 255
        straight = eight(values)[..., :-1] * opaque + 255 * (1 - opaque)
        content = stored(values, extrasamples=["unassalpha"], **how)
        assert np.abs(pixels(content) - straight).max() <= 1
        values[..., :-1] = values[..., :-1] * opaque  # as programs that multiply store them
        over = eight(values)[..., :-1] + 255 * (1 - opaque)
        content = stored(values, extrasamples=["assocalpha"], **how)
        assert np.abs(pixels(content) - over).max() <= 2


def test_cmyk_of_16_bits() -> None:
    ink = numbers("u2", 4)
    c, m, y, k = np.moveaxis(eight(ink), -1, 0)
    expected = np.stack([(255 - one) * (255 - k) / 255 for one in (c, m, y)], axis=-1)
    content = stored(ink, photometric="separated", planarconfig="contig")
    assert np.abs(pixels(content) - expected).max() <= 1


@pytest.mark.parametrize("kind", ["<u2", ">u2", "<u4", "<f4", "<f8"])
@pytest.mark.parametrize("planes", [False, True])
def test_lzw(kind: str, planes: bool) -> None:
    values = numbers(kind, 3)
    form = {"u": 1, "f": 3}[values.dtype.kind]
    tags = {
        **{256: (WIDTH,), 257: (HEIGHT,), 258: (8 * values.itemsize,) * 3, 259: (5,)},
        **{262: (2,), 277: (3,), 278: (8,), 284: (1 + planes,), 339: (form,) * 3},
    }
    channels = np.moveaxis(values, -1, 0) if planes else [values]
    strips = [lzw(part[top : top + 8].tobytes()) for part in channels for top in range(0, 37, 8)]
    assert np.array_equal(pixels(tiff_of(tags, strips, kind[0])), eight(values))


def test_pack_bits() -> None:
    values = np.arange(64, dtype="<u2").reshape(8, 8) * 1000
    tags = {256: (8,), 257: (8,), 258: (16,), 259: (32773,), 262: (1,), 277: (1,), 278: (8,)}
    strip = b"".join(b"\x0f" + row.tobytes() for row in values)  # 16 bytes as they are, each row
    assert np.array_equal(pixels(tiff_of(tags, [strip])), grey(eight(values)))


def test_differences_of_floats() -> None:
    """Predictor 3: differences of bytes, the highest bytes of a row first (Adobe, TIFF note 3)."""
    values = numbers("f4", 1)
    strips = []
    for row in values[..., 0]:
        planes = row.astype(">f4").view("u1").reshape(WIDTH, 4).T.ravel()
        strips.append(lzw(np.diff(planes, prepend=np.uint8(0)).astype("u1").tobytes()))
    tags = {
        **{256: (WIDTH,), 257: (HEIGHT,), 258: (32,), 259: (5,), 262: (1,)},
        **{277: (1,), 278: (1,), 317: (3,), 339: (3,)},
    }
    for order in "<>":
        assert np.array_equal(pixels(tiff_of(tags, strips, order)), grey(eight(values)[..., 0]))


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("order", ["<", ">"])
def test_values_that_are_packed_without_regard_to_bytes(bits: int, order: str) -> None:
    values = np.random.default_rng(0).integers(0, 2**bits, (9, 7))
    rows = [
        np.packbits(np.unpackbits(row.astype(">u2").view("u1").reshape(-1, 2), axis=1)[:, -bits:])
        for row in values
    ]
    tags = {256: (7,), 257: (9,), 258: (bits,), 262: (1,), 277: (1,), 278: (9,)}
    content = tiff_of(tags, [b"".join(row.tobytes() for row in rows)], order)
    assert np.array_equal(pixels(content), grey(np.rint(values * 255.0 / (2**bits - 1))))


def test_palettes() -> None:
    rng = np.random.default_rng(0)
    for kind in ("u1", "u2"):
        colours = np.iinfo(kind).max + 1
        table = rng.integers(0, 65_536, (3, colours)).astype("u2")
        places = rng.integers(0, colours, (20, 30)).astype(kind)
        content = tiff(places, photometric="palette", colormap=table)
        expected = np.moveaxis(table[:, places], 0, -1) / 257
        assert np.abs(pixels(content) - expected).max() <= 1
        eight_bits = (table >> 8).astype("u2")  # what is written: v * 257, v * 256, or v itself
        for meant in (eight_bits * 257, eight_bits * 256, eight_bits):
            content = tiff(places, photometric="palette", colormap=meant.astype("u2"))
            assert np.array_equal(pixels(content), np.moveaxis(eight_bits[:, places], 0, -1))


def test_the_first_of_several_pages_is_taken_and_bigtiff_is_read() -> None:
    pages = np.random.default_rng(0).integers(0, 65_536, (3, 20, 30)).astype("u2")
    for options in ({}, {"bigtiff": True}):
        content = tiff(pages, photometric="minisblack", **options)
        assert np.array_equal(pixels(content), grey(eight(pages[0])))
    content = tiff(pages, photometric="minisblack", bigtiff=True, byteorder=">")
    with pytest.raises(ImageError, match="BigTIFF whose high bytes come first is not read"):
        read_picture(content)


def test_bits_in_the_other_order() -> None:
    values = np.arange(256, dtype=np.uint16).reshape(8, 32) * 257
    tags = {256: (32,), 257: (8,), 258: (16,), 262: (1,), 266: (2,), 277: (1,), 278: (8,)}
    turned = np.packbits(np.unpackbits(values.astype("<u2").view("u1"), bitorder="little"))
    content = tiff_of(tags, [turned.tobytes()])
    assert np.array_equal(pixels(content), grey(np.arange(256).reshape(8, 32)))


def test_numbers_are_those_that_tifffile_reads() -> None:
    """Another reader of the same bytes, for what was not written by it."""
    values = numbers("u2", 3)
    tags = {
        **{256: (WIDTH,), 257: (HEIGHT,), 258: (16,) * 3, 262: (2,), 277: (3,), 278: (10,)},
        **{284: (2,), 317: (2,), 259: (8,)},
    }
    channels = np.moveaxis(values, -1, 0)
    steps = np.diff(channels, axis=2, prepend=np.zeros((3, HEIGHT, 1), "u2")).astype("<u2")
    strips = [part[top : top + 10].tobytes() for part in steps for top in range(0, 37, 10)]
    content = tiff_of(tags, [zlib.compress(strip) for strip in strips])
    assert np.array_equal(np.moveaxis(tifffile.imread(io.BytesIO(content)), 0, -1), values)
    assert np.array_equal(pixels(content), eight(values))


def test_orientation_of_a_deep_tiff() -> None:
    values = np.zeros((4, 6), np.uint16)
    values[0, 0] = 65_535
    turned = tiff(values, photometric="minisblack", extratags=[(274, 3, 1, 6, True)])
    found = read_picture(turned)
    assert (found.width, found.height) == (4, 6)
    assert tuple(np.argwhere(pixels(turned)[..., 0] == 255)[0]) == (0, 3)


def test_missing_values_do_not_count_in_the_range_of_a_file() -> None:
    heights = np.linspace(100, 355, 256, dtype=np.float32).reshape(16, 16)
    heights[0, 0] = -9999
    tag = (42113, 2, 6, "-9999", True)
    content = tiff(heights, photometric="minisblack", extratags=[tag])
    found = pixels(content, "file")[..., 0].ravel()
    assert found[0] == 0
    assert np.array_equal(found[1:], np.arange(1, 256) - 1 + np.rint(np.arange(1, 256) / 255))


# -- what is not read ----------------------------------------------------------------------------


def refused(content: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        read_picture(content)
    return str(caught.value)


def test_kinds_that_are_not_pictures_are_refused_by_their_tags() -> None:
    values = np.arange(16 * 16, dtype=np.uint16).reshape(16, 16)
    volume = np.zeros((16, 16, 16), np.uint16)
    assert "complex numbers" in refused(tiff(values.astype("c8"), photometric="minisblack"))
    assert "not read (16-bit, 1 channel, colours of kind 32803)" in refused(
        tiff(values, photometric="cfa")
    )
    volume = tiff(volume, photometric="minisblack", volumetric=True, tile=(16, 16, 16))
    assert "a volume is not read" in refused(volume)
    tags = {256: (4,), 257: (4,), 258: (5, 6, 5), 262: (2,), 277: (3,), 278: (4,)}
    assert "channels have 5 and 6 bits" in refused(tiff_of(tags, [bytes(32)]))
    shared = {256: (4,), 257: (4,), 258: (8, 8, 8), 262: (6,), 277: (3,), 278: (4,)}
    assert "subsampled" in refused(tiff_of(shared, [bytes(24)]))


def test_packings_that_are_not_read_are_named() -> None:
    tags = {256: (4,), 257: (4,), 258: (16,), 259: (34887,), 262: (1,), 277: (1,), 278: (4,)}
    assert re.search(r"not read \(16-bit, 1 channel, LERC", refused(tiff_of(tags, [bytes(32)])))


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
def test_a_cut_file_is_damaged(compression: str | None, kind: str) -> None:
    content = tiff(numbers(kind, 1)[..., 0], photometric="minisblack", compression=compression)
    for part in (0.5, 0.8, 0.98):
        assert refused(content[: int(len(content) * part)])


def test_a_damaged_lzw_stream_is_damaged(capfd: pytest.CaptureFixture[str]) -> None:
    tags = {256: (40,), 257: (4,), 258: (16,), 259: (5,), 262: (1,), 277: (1,), 278: (4,)}
    packed = lzw(np.random.default_rng(0).bytes(320))
    for broken in (packed[:100], b"\xff" * 200):
        assert "damaged" in refused(tiff_of(tags, [broken]))


def test_strips_that_are_missing_or_elsewhere_are_damage() -> None:
    tags = {256: (4,), 257: (4,), 258: (16,), 262: (1,), 277: (1,), 278: (2,)}
    assert "parts of the TIFF are missing" in refused(tiff_of(tags, [bytes(16)]))
    content = bytearray(tiff_of(tags, [bytes(16), bytes(16)]))
    assert refused(bytes(content[:-1])).startswith("damaged")


WRONG = {
    "a place of EXIF outside the file": {34665: (2**31,)},
    "a place of EXIF in the pixels": {34665: (400,)},
    "a place of GPS outside the file": {34853: (2**32 - 1,)},
    "an orientation that there is not": {274: (99,)},
    "a resolution that is a number": {282: (0,), 283: (0,), 296: (2,)},
    "a profile that is a number": {34675: (7,)},
    "XMP that is a number": {700: (2**32 - 1,)},
    "a date that is a number": {306: (1,)},
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_wrong_metadata_costs_no_picture(what: str, kind: str) -> None:
    values = numbers(kind, 3)
    tags = {
        **{256: (WIDTH,), 257: (HEIGHT,), 258: (8 * values.itemsize,) * 3, 262: (2,)},
        **{277: (3,), 278: (HEIGHT,), **WRONG[what]},
    }
    assert np.array_equal(pixels(tiff_of(tags, [values.tobytes()])), eight(values))


def test_ordinary_tiffs_are_read_as_pillow_reads_them() -> None:
    image = Image.fromarray(numbers("u1", 3))
    for options in ({}, {"compression": "tiff_lzw"}, {"compression": "jpeg", "quality": 95}):
        for mode in ("RGB", "L", "1", "P", "CMYK", "RGBA"):
            if mode in ("RGBA", "P", "1") and options.get("compression") == "jpeg":
                continue
            content = encoded(image.convert(mode), "TIFF", **options)
            with Image.open(io.BytesIO(content)) as opened:
                assert np.array_equal(pixels(content), np.asarray(opened.convert("RGB")))
