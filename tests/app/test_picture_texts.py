"""Texts inside pictures (EXIF, XMP, PNG texts, comments) are not shown and not passed on."""

from __future__ import annotations

import base64
import io
import re
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from deconv_core import ActivationIndex, ImageFolder, Network, scan
from deconv_core.__main__ import main
from deconv_core.export import export
from deconv_core.output.selection import Selection
from deconv_core.units import Unit
from deconv_dashboard.start.previews import thumbnail
from tests.app.conftest import Home, OpenPage
from tests.app.test_start import start
from tests.core.files import chunk, encoded, segment, with_chunks, with_segments

MARK = "leaked-text"
TEXT = (
    f'=HYPERLINK("http://x.example") {MARK}<img src=x onerror=alert(1)><script>alert(2)</script>'
    " [a](javascript:alert(3)) ![b](http://x.example/b.png) \u202etxt.exe\u2066 \x07\x1b[31m"
)
RAW = TEXT.encode()
LONG = RAW + b" long" * 2_000_000
"""10 MB, as the texts of one file."""
GPS = {1: "N", 2: (52.0, 30.0, 59.0), 3: "E", 4: (13.0, 22.0, 39.0), 27: RAW}


def exif() -> bytes:
    """ImageDescription, Artist, UserComment and the place where the picture was taken."""
    made = Image.Exif()
    made[0x010E] = made[0x013B] = made[0x8298] = TEXT
    made.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + RAW
    made.get_ifd(0x8825).update(GPS)
    return made.tobytes()


def xmp() -> bytes:
    return b"<x:xmpmeta><dc:description>%s</dc:description></x:xmpmeta>" % RAW


def png_texts(text: bytes, packed: bytes) -> list[bytes]:
    """Every chunk that can hold a text, with ImageMagick's and Adobe's names among them."""
    names = (b"Comment", b"Raw profile type exif", b"Raw profile type xmp", b"XML:com.adobe.xmp")
    found = [chunk(b"eXIf", exif()[6:])]
    for name in names:
        found += [chunk(b"tEXt", name + b"\0" + text), chunk(b"zTXt", name + b"\0\0" + packed)]
        for method, content in ((b"\0\0", text), (b"\1\0", packed)):
            found.append(chunk(b"iTXt", name + b"\0" + method + b"en\0\0" + content))
    return found


def jpeg_texts() -> list[bytes]:
    photoshop = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x80\x1c\x02\x78\0\x70" + RAW
    return [
        *(segment(0xE1, exif()), segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp())),
        *(segment(0xED, photoshop), segment(0xFE, RAW), segment(0xE7, RAW)),
        *[segment(0xFE, LONG[at : at + 65_000]) for at in range(0, len(LONG), 65_000)],
    ]


def files() -> dict[str, bytes]:
    """One picture a format, each with every text that the format can hold."""
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 255, (40, 60, 3), np.uint8))
    png, jpeg = encoded(picture), encoded(picture, "JPEG")
    swelling = zlib.compressobj(9)
    bomb = b"".join(swelling.compress(bytes(2**20)) for _ in range(64)) + swelling.flush()
    return {
        "a.png": with_chunks(png, *png_texts(RAW, zlib.compress(RAW))),
        "b.png": with_chunks(png, *png_texts(RAW, zlib.compress(RAW)), after=True),
        "c.png": with_chunks(png, chunk(b"tEXt", b"Comment\0" + LONG), *png_texts(RAW, bomb)),
        "d.jpg": with_segments(jpeg, *jpeg_texts()),
        "e.webp": encoded(picture, "WEBP", exif=exif(), xmp=xmp()),
        "f.avif": encoded(picture, "AVIF", exif=exif(), xmp=xmp()),
        "g.gif": encoded(picture.convert("P"), "GIF", comment=RAW),
        "h.jp2": encoded(picture, "JPEG2000", comment=RAW[:200]),
        "i.tif": encoded(picture, "TIFF", description=TEXT, artist=TEXT, software=TEXT),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("pictures")
    for name, content in files().items():
        assert MARK.encode() in content
        (place / name).write_bytes(content)
    return place


@pytest.fixture(scope="module")
def scanned(
    network: Network, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> ActivationIndex:
    index = scan(network, ImageFolder(folder), tmp_path_factory.mktemp("index"))
    assert set(index.images["error"]) == {""}
    return index


SAID = {"Software", "Title", "network", "weights", "preprocessing", "dataset", "resize", "rule"}
SAID |= {"program"}
"""What a saved PNG says in its metadata."""


def check(content: bytes, what: str, *, saved: bool = False) -> None:
    """Nothing of the texts, in any way to write them; a picture has its pixels and no more.

    A saved one also says what it was made from.
    """
    for written in (MARK, MARK.encode("utf-16-le").decode("latin-1")):
        assert written.encode("latin-1") not in content, what
    if content.startswith(b"\x89PNG"):
        kinds, place = set(), 8
        while place < len(content):
            length = int.from_bytes(content[place : place + 4], "big")
            kinds.add(content[place + 4 : place + 8])
            place += length + 12
        more = {b"tEXt", b"iTXt"} if saved else set()
        assert kinds <= {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"} | more, what
        with Image.open(io.BytesIO(content)) as opened:
            assert set(opened.info) - {"transparency"} == (SAID if saved else set()), what
    if content.startswith(b"\xff\xd8"):
        with Image.open(io.BytesIO(content)) as opened:
            assert set(opened.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}, what
            assert not opened.getexif(), what


def test_what_a_scan_and_an_export_write(
    network: Network, folder: Path, scanned: ActivationIndex, tmp_path: Path
) -> None:
    for path in Path(scanned._folder.path).rglob("*"):
        if path.is_file():
            check(path.read_bytes(), path.name)
    for table in (scanned.images, scanned.peaks("conv1_1", 0), scanned.maps("conv1_1")):
        check(table.to_csv().encode(), "a table")
    chosen = Selection((Unit("conv2_1", 3),), ("conv1_1",))
    target = export(network, ImageFolder(folder), scanned, chosen, tmp_path / "out.zip")
    with zipfile.ZipFile(target) as archive:
        assert len(archive.namelist()) > 10
        for name in archive.namelist():
            check(archive.read(name), name, saved=name.endswith(".png"))
            assert archive.getinfo(name).extra == archive.getinfo(name).comment == b""


def test_what_the_command_line_writes_and_says(
    folder: Path,
    scanned: ActivationIndex,
    weight_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    index, out = str(scanned._folder.path), tmp_path / "results"
    asked = ["top", index, "--layer", "conv1_1", "--images", str(folder)]
    assert main([*asked, "--network", str(weight_file), "--out", str(out)]) == 0
    assert len(list(out.iterdir())) == 3
    for path in out.iterdir():
        assert MARK.encode() not in path.read_bytes()
        if path.suffix == ".png":  # it says which result it is, and nothing of the pictures
            with Image.open(path) as opened:
                assert set(opened.info) == SAID
    check("".join(capsys.readouterr()).encode(), "the terminal")


@pytest.mark.parametrize("name", files())
def test_thumbnails(name: str, folder: Path) -> None:
    made = thumbnail(name, folder / name)
    assert made.error == ""
    assert made.jpeg
    check(made.jpeg, name)


def sent(app: AppTest) -> Iterable[bytes]:
    """Every element of a page as a browser gets it, and every picture that is part of one."""
    nodes = [app._tree]
    while nodes:
        node = nodes.pop()
        nodes += getattr(node, "children", {}).values()
        if (proto := getattr(node, "proto", None)) is not None:
            content = proto.SerializeToString()
            yield content
            for packed in re.findall(rb"data:image/\w+;base64,([A-Za-z0-9+/=]+)", content):
                yield base64.b64decode(packed)


def test_pages(home: Home, open_page: OpenPage, folder: Path, network: Network) -> None:
    dataset = home.registry.add_folder(folder)
    scan(network, ImageFolder(folder), home.registry.index_path(dataset, home.network))
    pages = [open_page("layer", dataset=dataset.dataset_id, layer="conv1_1")]
    pages += [open_page("feature_map", dataset=dataset.dataset_id, layer="conv2_1", map="3")]
    pages += [open_page("image", dataset=dataset.dataset_id, image="c.png")]
    app = start()
    app.text_input(key="folder_path").input(str(folder)).run()
    pictures = 0
    for page in [*pages, app]:
        assert not page.exception
        for content in sent(page):
            pictures += content.startswith((b"\x89PNG", b"\xff\xd8"))
            check(content, str(page.query_params))
    assert pictures > 20
