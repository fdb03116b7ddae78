"""The photograph of an enlarged tile: the original, and where the receptive field is in it."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deconv_core import Activation, ImageFolder, Unit
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.network.network import Network
from deconv_core.scanning.scan import scan
from deconv_dashboard.gallery.photograph import asking_for, photograph
from deconv_dashboard.server import resources
from deconv_dashboard.values import Choice
from tests.app.conftest import Home, OpenPage
from tests.app.test_kept import tiles

__all__ = ["tiles"]
LAYER = "conv1_1"  # one location sees 3 x 3 pixels, one pixel around its own


def chosen(home: Home, network: Network, folder: Path, resize: str) -> Choice:
    dataset = home.registry.add_folder(folder, resize=resize)
    path = home.registry.index_path(dataset, home.network)
    index = scan(network, ImageFolder(folder, resize=resize), path)
    where = index, path, resources.index_stamp(path)
    return Choice(home.registry, home.network, dataset, None, *where)


def asking(choice: Choice, activation: Activation) -> str:
    return asking_for(activation, choice.layers[activation.unit.layer])


@pytest.mark.parametrize(
    ("resize", "field", "more"),
    [
        # 896 x 448 pixels: four and two pixels for one of the network's
        ("stretch", [396, 18, 408, 24], ""),
        # The middle 392 x 392 of it: 1.75 for one; 252 and 28 beside it
        ("crop", [425.25, 43.75, 430.5, 49], " The network saw its centre crop."),
    ],
)
def test_the_field_in_the_original(
    home: Home,
    network: Network,
    tmp_path: Path,
    resize: str,
    field: list[float],
    more: str,
) -> None:
    (tmp_path / "photos").mkdir()
    original = np.random.default_rng(1).integers(0, 256, (448, 896, 3), np.uint8)
    Image.fromarray(original).save(tmp_path / "photos" / "a b.png")
    choice = chosen(home, network, tmp_path / "photos", resize)
    asked = asking(choice, Activation(Unit(LAYER, 0), "a b.png", 10, 100, 1.0))
    found = photograph(choice, None, asked)
    assert found["field"] == pytest.approx(field)
    assert (found["width"], found["height"]) == (896, 448)
    said = "a b.png: 896 × 448 pixels. The frame is the receptive field."
    assert found["caption"] == said + more
    shown = Image.open(io.BytesIO(base64.b64decode(str(found["src"]).partition(",")[2])))
    assert shown.size == (896, 448)
    assert np.abs(np.asarray(shown, float) - original).mean() < 6


def test_a_large_photograph_is_made_smaller_and_says_so(
    home: Home, network: Network, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # a reader turns it by 90 degrees
    Image.new("RGB", (4000, 3000), "teal").save(tmp_path / "photos" / "a.jpg", exif=exif)
    choice = chosen(home, network, tmp_path / "photos", "stretch")
    asked = asking(choice, Activation(Unit("conv5_4", 0), "a.jpg", 7, 7, 1.0))
    found = photograph(choice, None, asked)
    assert "3,000 × 4,000 pixels, shown at 1,200 × 1,600." in str(found["caption"])
    assert found["field"] == [0, 0, 3000, 4000], "it sees the whole image"


def test_a_photograph_that_was_changed_is_not_shown(
    home: Home, network: Network, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    for name, colour in (("a.png", "teal"), ("b.png", "navy")):
        Image.new("RGB", (60, 40), colour).save(tmp_path / "photos" / name)
    choice = chosen(home, network, tmp_path / "photos", "stretch")
    Image.new("RGB", (60, 40), "red").save(tmp_path / "photos" / "a.png")
    (tmp_path / "photos" / "b.png").unlink()
    for name in ("a.png", "b.png"):
        asked = asking(choice, Activation(Unit(LAYER, 0), name, 10, 100, 1.0))
        found = photograph(choice, None, asked)
        assert list(found) == ["caption"]
        assert str(found["caption"]).startswith("The photograph cannot be shown: ")


@pytest.mark.parametrize(
    "asked",
    [
        *("", " ", "0 0 3 3 224 224", "a.png", "0 0 3 3 224 224 ../secret.png"),
        *("-1 0 3 3 224 224 z.png", "0 x 3 3 224 224 z.png", "0 0 3 3 0 0 z.png"),
        "0 0 3 999999999999 224 224 z.png",
    ],
)
def test_a_question_that_no_tile_asks(home: Home, index: ActivationIndex, asked: str) -> None:
    stamp = resources.index_stamp(home.index_path)
    where = index, home.index_path, stamp
    choice = Choice(home.registry, home.network, home.dataset, None, *where)
    assert "src" not in photograph(choice, None, asked)


@pytest.mark.parametrize(
    ("page", "gallery"),
    [("layer", "layer_top"), ("feature_map", "map_top"), ("image", "image_maps")],
)
def test_tiles_ask_for_their_photograph(
    open_page: OpenPage, index: ActivationIndex, tiles: dict[str, Any], page: str, gallery: str
) -> None:
    open_page(page, layer="conv3_1", map="2")
    panels = tiles[gallery]["panels"]
    asked = [[tile["photograph"] for tile in panel["tiles"]] for panel in panels]
    if page == "feature_map":
        layer = index.layers["conv3_1"]
        assert asked == [[asking_for(one, layer) for one in index.top("conv3_1", 2)]] * 2
    assert all(text.count(" ") >= 6 for texts in asked for text in texts)
