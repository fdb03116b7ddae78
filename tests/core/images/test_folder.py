"""Folders with real and unusual files, and their decoding."""

import io
import os
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from deconv_core.errors import DeconvError, ImageError
from deconv_core.images import folder as images_module
from deconv_core.images.decoding import decode_image, readable_extensions
from deconv_core.images.folder import ImageFolder
from deconv_core.images.picture_files import readable_formats
from tests.core import drawings
from tests.thorough import examples


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def picture(red: int, green: int, blue: int, size: tuple[int, int] = (30, 20)) -> Image.Image:
    return Image.new("RGB", size, (red, green, blue))


def assert_colour(content: bytes, red: int, green: int, blue: int, within: int = 0) -> None:
    found = decode_image(content).pixels
    assert found.shape == (224, 224, 3)
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - (red, green, blue)).max() <= within


# -- decoding ------------------------------------------------------------------------------------


def test_a_picture_of_the_networks_size_is_taken_as_it_is() -> None:
    pixels = drawings.noise(1)
    found = decode_image(encoded(Image.fromarray(pixels)))
    assert np.array_equal(found.pixels, pixels)
    assert (found.width, found.height) == (224, 224)


def test_a_picture_is_stretched_by_pillows_bilinear_without_keeping_its_aspect() -> None:
    image = Image.fromarray(drawings.noise(2)[:150, :97])
    found = decode_image(encoded(image))
    expected = image.resize((224, 224), Image.Resampling.BILINEAR)
    assert np.array_equal(found.pixels, np.asarray(expected))
    assert (found.width, found.height) == (97, 150)


@pytest.mark.parametrize("size", [(300, 500), (500, 300), (97, 150), (224, 224), (1200, 300)])
def test_crop_is_torchvisions_resize_and_centre_crop(size: tuple[int, int]) -> None:
    from torchvision.transforms import v2
    from torchvision.transforms.functional import InterpolationMode

    width, height = size
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    image = Image.fromarray(pixels)
    steps = v2.Compose([v2.Resize(256, InterpolationMode.BILINEAR), v2.CenterCrop(224)])
    found = decode_image(encoded(image), "crop").pixels
    assert np.abs(found.astype(int) - np.asarray(steps(image))).max() <= 1


def test_crop_takes_the_middle() -> None:
    pixels = np.zeros((256, 512, 3), np.uint8)
    pixels[:, 144:368] = (10, 200, 30)  # (512 - 224) / 2 = 144
    assert (decode_image(encoded(Image.fromarray(pixels)), "crop").pixels == (10, 200, 30)).all()
    pixels[:, 143] = pixels[:, 368] = 255
    assert (decode_image(encoded(Image.fromarray(pixels)), "crop").pixels == (10, 200, 30)).all()


def test_a_strip_does_not_grow_enormous_when_cropped() -> None:
    content = encoded(Image.fromarray(np.full((1, 60_000, 3), 77, np.uint8)))
    assert (decode_image(content, "crop").pixels == 77).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    upright = np.zeros((40, 60, 3), np.uint8)
    upright[:20, :30], upright[:20, 30:] = (255, 0, 0), (0, 255, 0)
    upright[20:, :30], upright[20:, 30:] = (0, 0, 255), (255, 255, 255)
    # What a camera stores for each orientation, by the EXIF standard (row 0 is / column 0 is).
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: upright.swapaxes(0, 1)[::-1],
        7: upright.swapaxes(0, 1)[::-1, ::-1],
        8: upright.swapaxes(0, 1)[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    for kind in ("PNG", "TIFF"):
        content = encoded(Image.fromarray(np.ascontiguousarray(stored)), kind, exif=exif)
        found = decode_image(content)
        assert (found.width, found.height) == (60, 40)
        assert tuple(found.pixels[20, 20]) == (255, 0, 0)
        assert tuple(found.pixels[20, 200]) == (0, 255, 0)
        assert tuple(found.pixels[200, 20]) == (0, 0, 255)


def test_greyscale_and_one_bit() -> None:
    assert_colour(encoded(Image.new("L", (9, 9), 100)), 100, 100, 100)
    assert_colour(encoded(Image.new("1", (9, 9), 1)), 255, 255, 255)


def test_cmyk() -> None:
    red = Image.new("CMYK", (32, 32), (0, 255, 255, 0))
    assert_colour(encoded(red, "JPEG", quality=100), 255, 0, 0, within=4)
    assert_colour(encoded(red, "TIFF"), 255, 0, 0)


def test_a_palette_with_transparency_is_laid_on_white() -> None:
    image = Image.new("P", (20, 20), 0)
    image.putpalette([0, 0, 200, 200, 0, 0])
    image.paste(1, (0, 0, 10, 20))
    found = decode_image(encoded(image, transparency=0)).pixels
    assert tuple(found[100, 10]) == (200, 0, 0)
    assert tuple(found[100, 210]) == (255, 255, 255)
    assert tuple(decode_image(encoded(image)).pixels[100, 210]) == (0, 0, 200)


def test_transparency_is_laid_on_white() -> None:
    assert_colour(encoded(Image.new("RGBA", (9, 9), (0, 0, 0, 0))), 255, 255, 255)
    assert_colour(encoded(Image.new("RGBA", (9, 9), (0, 0, 0, 255))), 0, 0, 0)
    assert_colour(encoded(Image.new("RGBA", (9, 9), (0, 0, 0, 128))), 127, 127, 127, within=1)
    assert_colour(encoded(Image.new("LA", (9, 9), (40, 0))), 255, 255, 255)
    assert_colour(encoded(Image.new("LA", (9, 9), (40, 255))), 40, 40, 40)


def test_one_colour_of_an_rgb_png_may_be_transparent() -> None:
    content = encoded(picture(1, 2, 3), transparency=(1, 2, 3))
    assert_colour(content, 255, 255, 255)


def test_sixteen_bits_become_eight() -> None:
    for value, expected in ((0, 0), (65535, 255), (257 * 100, 100), (32768, 128)):
        values = np.full((9, 9), value, np.uint16)
        assert_colour(encoded(Image.fromarray(values)), *[expected] * 3)
        assert_colour(encoded(Image.fromarray(values), "TIFF"), *[expected] * 3)


def test_tiff_of_32_bit_integers_and_floats() -> None:
    integers = Image.fromarray(np.full((9, 9), 257 * 60, np.int32))
    assert_colour(encoded(integers, "TIFF"), 60, 60, 60)
    for value, expected in ((0.5, 128), (1.0, 255), (0.0, 0), (200.0, 200), (1e30, 255), (-5.0, 0)):
        floats = Image.fromarray(np.full((9, 9), value, np.float32))
        assert_colour(encoded(floats, "TIFF"), *[expected] * 3)
    broken = Image.fromarray(np.full((9, 9), np.nan, np.float32))
    assert_colour(encoded(broken, "TIFF"), 0, 0, 0)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_of_an_animation_the_first_frame_is_taken(kind: str) -> None:
    frames = [picture(200, 0, 0), picture(0, 200, 0), picture(0, 0, 200)]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    with Image.open(io.BytesIO(content)) as opened:
        assert opened.n_frames == 3
    assert_colour(content, 200, 0, 0, within=2)


def test_of_several_jpegs_in_one_file_the_first_is_taken(tmp_path: Path) -> None:
    content = encoded(picture(200, 0, 0), "MPO", save_all=True, append_images=[picture(0, 200, 0)])
    with Image.open(io.BytesIO(content)) as opened:
        assert (opened.format, opened.n_frames) == ("MPO", 2)
    (tmp_path / "both eyes.MPO").write_bytes(content)
    (found,) = ImageFolder(tmp_path)
    assert found.image_id == "both eyes.MPO"
    assert_colour(content, 200, 0, 0, within=2)


def test_every_ending_that_is_offered_belongs_to_a_format_that_is_read() -> None:
    formats = set(readable_formats())
    known = {**Image.registered_extensions(), ".mpo": "JPEG"}
    assert {known[ending] for ending in readable_extensions()} <= formats
    assert not formats & {"FITS", "EPS", "WMF", "MPEG"}


def test_the_hash_is_of_the_file() -> None:
    import hashlib

    content = encoded(picture(1, 2, 3))
    assert decode_image(content).content_hash == hashlib.sha256(content).hexdigest()


# -- files that are refused with a reason --------------------------------------------------------


def test_a_truncated_jpeg_is_damaged() -> None:
    content = encoded(Image.fromarray(drawings.noise(3)), "JPEG")
    for part in (0.1, 0.5, 0.95):
        with pytest.raises(ImageError, match=r"damaged|not a picture"):
            decode_image(content[: int(len(content) * part)])


def test_text_is_not_a_picture() -> None:
    for content in (b"some text", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"<svg></svg>", b"\x00" * 5000):
        with pytest.raises(ImageError):
            decode_image(content)


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\x00" * 1000)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(60_000, 60_000), (100_000, 1001), (20_000, 5001)])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_pixel_bomb_is_refused_by_its_header(size: tuple[int, int]) -> None:
    content = png_that_claims(*size)
    assert len(content) < 200
    with pytest.raises(ImageError, match="pixels"):
        decode_image(content)


def test_an_eps_is_not_read_whatever_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import EpsImagePlugin

    def run(*_: object, **__: object) -> None:
        pytest.fail("Ghostscript would have been started")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", run)
    content = encoded(picture(1, 2, 3), "EPS")
    (tmp_path / "innocent.jpg").write_bytes(content)
    (tmp_path / "honest.eps").write_bytes(content)
    images = ImageFolder(tmp_path)
    assert [entry.image_id for entry in images] == ["innocent.jpg"]
    assert images.other_files[".eps"] == 1
    with pytest.raises(ImageError, match="not a picture in a readable format"):
        images.read(0)


def test_formats_that_start_programs_or_need_plugins_are_not_offered() -> None:
    offered = set(readable_extensions())
    assert {".jpg", ".jpeg", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".mpo"} <= offered
    assert not offered & {".eps", ".ps", ".wmf", ".emf", ".mpg", ".pdf", ".grib", ".h5", ".fits"}


@pytest.mark.filterwarnings("ignore:::PIL")
@examples(40)
@given(st.sampled_from(["PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP", "PPM", "TGA"]), st.data())
def test_damage_anywhere_is_a_picture_or_an_image_error(kind: str, data: st.DataObject) -> None:
    content = bytearray(encoded(Image.fromarray(drawings.noise(1)[:16, :16]), kind))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        decoded = decode_image(bytes(content[: data.draw(st.integers(1, len(content)))]))
    except ImageError:
        return
    assert decoded.pixels.shape == (224, 224, 3)


def test_empty_missing_and_oversized_files_have_reasons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "gone.png").write_bytes(encoded(picture(1, 2, 3)))
    (tmp_path / "large.png").write_bytes(encoded(picture(1, 2, 3)) + b"\x00" * 5000)
    images = ImageFolder(tmp_path)
    (tmp_path / "gone.png").unlink()
    monkeypatch.setattr(images_module, "LARGEST_FILE", 5000)
    for position, reason in ((0, "empty"), (1, "gone"), (2, "at most 5,000")):
        with pytest.raises(ImageError, match=reason):
            images.read(position)


def test_a_folder_named_like_an_image_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "folder.png/inner.png").write_bytes(encoded(picture(5, 6, 7)))
    images = ImageFolder(tmp_path)
    assert [entry.image_id for entry in images] == ["folder.png/inner.png"]
    assert images[0].label == "folder.png"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ImageError, match="not a file"):
        ImageFolder(tmp_path).read(0)


# -- the folder ----------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    content = encoded(picture(9, 9, 9))
    for name in (
        *("root.png", "Zebra.PNG", "dog/b.JPG", "dog/a.jpeg", "dog/puppies/c.png", "cat/x.Gif"),
        *("dog-like/z.png", "cat/notes.txt", "cat/.hidden.png", "README"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_images_are_listed_in_the_order_of_their_ids(tree: Path) -> None:
    images = ImageFolder(tree)
    assert [entry.image_id for entry in images] == [
        *("Zebra.PNG", "cat/x.Gif", "dog-like/z.png", "dog/a.jpeg"),
        *("dog/b.JPG", "dog/puppies/c.png", "root.png"),
    ]
    assert len(images) == 7
    assert images.labels == {"": 2, "cat": 1, "dog": 3, "dog-like": 1}
    assert images[5].label == "dog"
    assert images.other_files == {".txt": 1, "": 1}
    assert [skipped.name for skipped in images.skipped] == ["cat/.hidden.png"]
    assert images.passed_over == {"": 1, ".txt": 1, "hidden": 1}
    assert [images.position(entry.image_id) for entry in images] == list(range(7))


@pytest.mark.parametrize("wanted", ["jpg", ".JPG", " .jpg ", ["jpg"], [".Jpg"], ("JPG",)])
def test_extensions_are_taken_in_any_case_with_or_without_dot(tree: Path, wanted: object) -> None:
    images = ImageFolder(tree, extensions=wanted)
    assert [entry.image_id for entry in images] == ["dog/b.JPG"]
    assert images.other_files[".png"] == 4


def test_several_extensions(tree: Path) -> None:
    found = [entry.image_id for entry in ImageFolder(tree, extensions=".jpg,.jpeg,gif")]
    assert found == ["cat/x.Gif", "dog/a.jpeg", "dog/b.JPG"]


@pytest.mark.parametrize("wanted", [".txt", "eps", [], "", ".", [".png", ".docx"]])
def test_an_extension_that_cannot_be_read_is_an_error(tree: Path, wanted: object) -> None:
    with pytest.raises(DeconvError, match=r"cannot read files of type .*choose among .*\.png"):
        ImageFolder(tree, extensions=wanted)


def test_labels_choose_first_level_folders(tree: Path) -> None:
    assert {entry.label for entry in ImageFolder(tree, labels=["dog"])} == {"dog"}
    assert len(ImageFolder(tree, labels=["dog"])) == 3
    assert len(ImageFolder(tree, labels=["", "cat"])) == 3
    assert len(ImageFolder(tree, labels=[])) == 0
    assert len(ImageFolder(tree, labels=["Dog"])) == 0


def test_folders_that_are_links_are_listed_and_not_entered(tree: Path, tmp_path_factory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.png").write_bytes(encoded(picture(1, 1, 1)))
    (tree / "link").symlink_to(outside, target_is_directory=True)
    (tree / "dog/round").symlink_to(tree, target_is_directory=True)
    images = ImageFolder(tree)
    assert len(images) == 7
    assert images.passed_over["link to a folder"] == 2
    reasons = {skipped.name: skipped.reason for skipped in images.skipped}
    assert all("link to a folder" in reasons[name] for name in ("link", "dog/round"))


def test_folders_that_are_links_are_entered_on_request(tree: Path, tmp_path_factory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "bird.png").write_bytes(encoded(picture(7, 1, 1)))
    (tree / "link").symlink_to(outside, target_is_directory=True)
    (tree / "dog/round").symlink_to(tree, target_is_directory=True)
    images = ImageFolder(tree, follow_links=True)
    assert (len(images), images.labels["link"], images.links) == (8, 1, 1)
    assert images.read(images.position("link/bird.png"))[0, 0, 0] == 7
    assert "link to a folder that contains it" in images.passed_over
    within = ImageFolder(tree, follow_links=True, within=[tree])
    assert (len(within), within.passed_over["link out of the allowed folders"]) == (7, 1)


def test_links_to_nothing_are_told(tree: Path) -> None:
    (tree / "unmounted").symlink_to(tree / "nowhere")
    images = ImageFolder(tree)
    assert images.passed_over["link to nothing"] == 1
    assert ("unmounted", "a link to something that is not there") in [
        (skipped.name, skipped.reason) for skipped in images.skipped
    ]


APART, WHOLE = "gru\u0308n", "gr\u00fcn"  # u and two dots; u with two dots


@pytest.mark.parametrize(("stored", "typed"), [(APART, WHOLE), (WHOLE, APART)])
def test_labels_and_names_may_be_composed_in_another_way(
    tmp_path: Path, stored: str, typed: str
) -> None:
    for name in (f"{stored}/{stored}.png", "dog/1.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(encoded(picture(1, 2, 3)))
    images = ImageFolder(tmp_path, labels=[typed, "cat"])
    assert [entry.image_id for entry in images] == [f"{stored}/{stored}.png"]
    assert images.absent_labels == ("cat",)
    assert images.position(f"{typed}/{typed}.png") == 0


def test_folders_that_differ_only_by_composition_are_two_labels(tmp_path: Path) -> None:
    (tmp_path / APART).mkdir()
    if (tmp_path / WHOLE).exists():
        pytest.skip("this system takes both for one name")
    (tmp_path / WHOLE).mkdir()
    for name in (APART, WHOLE):
        (tmp_path / name / "1.png").write_bytes(encoded(picture(1, 2, 3)))
    for name in (APART, WHOLE):
        images = ImageFolder(tmp_path, labels=[name])
        assert [entry.image_id for entry in images] == [f"{name}/1.png"]
        both = ImageFolder(tmp_path)
        assert both[both.position(f"{name}/1.png")].label == name


@pytest.mark.skipif(sys.platform == "win32", reason="not names on Windows")
def test_strange_names_are_names(tmp_path: Path) -> None:
    names = [
        "-rf.png",
        "a\nb.png",
        "ü 日本 🐕.png",
        "' OR 1=1.png",
        "x..png",
        "%2e%2e.png",
        "a\\b.png",
    ]
    for number, name in enumerate(names):
        (tmp_path / name).write_bytes(encoded(picture(number, 0, 0)))
    images = ImageFolder(tmp_path)
    assert [entry.image_id for entry in images] == sorted(set(names))
    for name in names:
        assert images.read(images.position(name))[0, 0, 0] == names.index(name)


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes only on Linux")
def test_a_name_that_is_no_text_is_listed_and_not_read(tmp_path: Path) -> None:
    try:
        (tmp_path / os.fsdecode(b"bad\xff.png")).write_bytes(encoded(picture(1, 2, 3)))
    except OSError:
        pytest.skip("this file system takes no such names")
    images = ImageFolder(tmp_path)
    assert len(images) == 0
    assert [skipped.reason for skipped in images.skipped] == ["its name is not valid Unicode"]


def test_an_image_that_is_not_there_is_an_error(tree: Path) -> None:
    with pytest.raises(ImageError, match=r"nobody\.png is not in .*moved or deleted"):
        ImageFolder(tree).position("nobody.png")


def test_bad_folders_and_options_are_errors(tree: Path) -> None:
    for root in (tree / "missing", tree / "root.png"):
        with pytest.raises(DeconvError, match="is not a folder"):
            ImageFolder(root)
    with pytest.raises(DeconvError, match=r"resize='pad' is not known; choose 'stretch' or 'crop'"):
        ImageFolder(tree, resize="pad")
    assert len(ImageFolder(str(tree))) == 7
