"""What notebooks show: the right numbers, and names of files as plain text."""

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deconv_core import html
from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.network.network import Network
from deconv_core.output.reconstructions import MOST_SHOWN, Reconstructions
from deconv_core.reconstruction.reconstruct import reconstruct
from deconv_core.scanning.scan import scan
from tests.core import drawings

HOSTILE = "<img src=x onerror=alert(1)>' \" &lt; $\\href{javascript:alert(1)}{x}$ \u202egpj"


class Reader(HTMLParser):
    """Reads HTML as a browser does: rows of cells, tags with attributes, and text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self._cell = "", False
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        self._cell = tag in ("td", "th")

    def handle_endtag(self, tag: str) -> None:
        self._cell = False

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._cell:
            self.rows[-1][-1] += data


def test_texts_from_files_are_text() -> None:
    source = html.block(
        HOSTILE, html.table((HOSTILE, "n"), [(HOSTILE, 1)]), html.picture(b"", HOSTILE, 9)
    )
    read = Reader(source)
    shown = HOSTILE.replace("\u202e", "\ufffd")
    assert read.rows == [[shown, "n"], [shown, "1"]]
    assert {tag for tag, _ in read.tags} == {
        *("div", "p", "b", "table"),
        *("thead", "tbody", "tr", "th", "td", "img"),
    }
    images = [attributes for tag, attributes in read.tags if tag == "img"]
    assert [one["alt"] for one in images] == [shown]
    assert not [name for _, attributes in read.tags for name in attributes if name[:2] == "on"]
    assert read.tags[0] == ("div", {"class": "tex2jax_ignore mathjax_ignore"})


def test_a_long_table_ends() -> None:
    read = Reader(html.table(("n",), [(n,) for n in range(html.MOST_ROWS + 3)]))
    assert len(read.rows) == 1 + html.MOST_ROWS
    assert "and 3 more" in read.text


def test_a_network_shows_its_layers(network: Network) -> None:
    read = Reader(network._repr_html_())
    assert [row[0] for row in read.rows[1:]] == list(network.layers)
    row = next(row for row in read.rows if row[0] == "conv4_4")
    channels = network.layers["conv4_4"].channels
    assert row == ["conv4_4", str(channels), "28 × 28", "116 × 116", "8", "-54"]


def test_a_folder_shows_its_labels(tmp_path: Path) -> None:
    names = ["dog/a.png", "dog/b.png", "cat/c.png", "d.png"]
    root = drawings.save(tmp_path / "photos", {name: drawings.noise(1, 9) for name in names})
    read = Reader(ImageFolder(root)._repr_html_())
    assert read.rows == [["label", "images"], ["(no folder)", "1"], ["cat", "1"], ["dog", "2"]]
    assert "4 images in photos" in read.text
    assert str(root) not in read.text


def test_an_index_shows_images_done_and_failed(tmp_path: Path, shallow: Network) -> None:
    names = ["dog/a.png", "dog/b.png", "cat/c.png"]
    root = drawings.save(tmp_path / "photos", {name: drawings.noise(1, 9) for name in names})
    (root / "dog/broken.png").write_bytes(b"no picture")
    index = scan(shallow, ImageFolder(root), tmp_path / "index")
    read = Reader(index._repr_html_())
    assert read.rows == [["label", "scanned", "not readable"], ["cat", "1", "0"], ["dog", "2", "1"]]
    assert "photos by" in read.text
    assert "4 of 4 images scanned" in read.text


@pytest.fixture(scope="module")
def made(network: Network, images: ImageFolder, index: ActivationIndex) -> Reconstructions:
    top = [*index.top("conv4_4", k=2), *index.top("conv1_2", k=1)]
    return reconstruct(network, images, top)


def test_reconstructions_are_a_list_and_show_their_pixels(made: Reconstructions) -> None:
    assert isinstance(made, list)
    assert made == list(made)
    source = made._repr_html_()
    read = Reader(source)
    for rank, one in enumerate(made, 1):
        for text in (f"{rank} · {one.activation.unit}", one.activation.image_id):
            assert text in read.text
    assert source.count("<figcaption") == 3
    drawn = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
        for data in re.findall(r'base64,([^"]+)"', source)
    ]
    assert len(drawn) == 2 * 3
    small = made[2]
    assert drawn[5].shape == (5, 5, 3)
    top, left = small.box.top - small.window.top, small.box.left - small.window.left
    inside = drawn[5][top : top + small.box.height, left : left + small.box.width]
    assert np.array_equal(inside, small.patch)
    assert drawn[0].shape == (96, 96, 3)


def test_none_and_many(made: Reconstructions) -> None:
    assert "no image activates the map" in Reconstructions()._repr_html_()
    many = Reconstructions([*made[2:]] * (MOST_SHOWN + 4))._repr_html_()
    assert many.count("<figure ") == MOST_SHOWN
    assert "and 4 more" in many
