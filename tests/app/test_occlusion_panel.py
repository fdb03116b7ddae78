"""What a grey square over the image changes: the Image page's section, and its pictures."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deconv_core import ImageFolder, Network, Unit
from deconv_core.output.provenance import Provenance
from deconv_core.specificity.occlusion import Occlusion, Responses, occlusions
from deconv_dashboard.gallery.occlusion_pictures import occlusion_pictures, occlusion_sheet
from deconv_dashboard.wording import activation_text
from tests.app.conftest import OpenPage, words

NAME = "dog/noise.png"
MADE = Provenance("my network", "0" * 16, "torchvision", "my images", "stretch", (40, 40))
ASKED = {"image": NAME, "layer": "conv2_2", "position": "100,60"}


@pytest.fixture
def tiles(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the last page gave the browser to draw: key -> data of the component."""
    given: dict[str, Any] = {}

    def draw(*, key: str, data: Any, **_: object) -> object:
        given[key] = data
        return object()

    monkeypatch.setattr("deconv_dashboard.gallery.tiles._tiles", draw)
    return given


def slid(open_page: OpenPage, **address: str) -> Any:
    app = open_page("image", **address)
    app.selectbox(key="occlusion_size_224").set_value(56).run()
    app.selectbox(key="occlusion_stride_224").set_value(32).run()
    app.button(key="occlude").click().run()
    assert not app.exception, app.exception
    return app


@pytest.mark.usefixtures("nothing_kept")
def test_the_square_slides_on_request_and_what_it_changes_is_kept(
    open_page: OpenPage, tiles: dict[str, Any], network: Network, images: ImageFolder
) -> None:
    app = slid(open_page, **ASKED)
    assert "came without a classifier" in words(app)
    (panel,) = tiles["occlusion"]["panels"]
    titles = [tile["title"] for tile in panel["tiles"]]
    assert len(titles) == 3
    channel = int(titles[1].removeprefix("Map "))
    pixels = images.read(images.position(NAME))
    row, column = network.layers["conv2_2"].location_at(60, 100)
    unit = Unit("conv2_2", channel)
    *_, expected = occlusions(network, pixels, unit, (row, column), 56, 32)
    assert titles[2] == f"Strongest map, {expected.strongest}"
    for tile, values in zip(
        panel["tiles"][1:], (expected.found.activations, expected.found.sums), strict=True
    ):
        assert [activation_text(values.min()) + " lowest"] == [tile["legend"][0][1]]
    assert "49 positions" in words(app)
    assert "occlude" not in [button.key for button in app.button]
    assert "occlusion" in tiles
    assert {"occlusion 0", "occlusion 1"} <= set(tiles), "the coarse ones came first"
    app.selectbox(key="occlusion_size_224").set_value(32).run()
    assert "occlude" in [button.key for button in app.button], "another square"
    app.selectbox(key="occlusion_size_224").set_value(56).run()
    assert "occlude" not in [button.key for button in app.button], "known already"


@pytest.mark.usefixtures("nothing_kept")
def test_with_a_classifier_the_classes_have_names(
    open_page: OpenPage, tiles: dict[str, Any]
) -> None:
    image = "cat/cat_2000000.jpg"
    names = {"network": "demo", "dataset": "demo", "image": image, "layer": "conv1_1"}
    app = slid(open_page, **names)
    assert "classifier" not in words(app)
    (panel,) = tiles["occlusion"]["panels"]
    shown = {tile["title"]: [row[1] for row in tile["legend"]] for tile in panel["tiles"]}
    assert any(row.endswith("% without") for row in shown["Class: cat"])
    assert shown["Most probable class"][0].startswith("cat, ")


def made(activations: list[list[float]], classes: list[list[int]]) -> Occlusion:
    found, zeros = np.array(activations, np.float32), np.zeros((2, 2), np.float32)
    without = Responses(*(np.float32(n) for n in (4, 0, 0)), np.int64(0))  # type: ignore[arg-type]
    whole = Responses(found, zeros, zeros, np.array(classes))
    return Occlusion(Unit("conv1", 7), (0, 0), 3, 20, 20, (0, 20), (0, 20), whole, without)


def test_each_pixel_has_the_colour_of_the_square_centred_nearest_to_it() -> None:
    pixels = np.full((40, 40, 3), 100, np.uint8)
    found = made([[4, 0], [6, 4]], [[0, 0], [2, 0]])
    change, _, _, most_probable = occlusion_pictures(found, pixels, None, "class {}".format)
    picture = np.asarray(change.image).astype(int)
    side = len(picture) // 2
    quarters = {
        (row, column): picture[row * side : (row + 1) * side, column * side : (column + 1) * side]
        for row in (0, 1)
        for column in (0, 1)
    }
    for quarter in quarters.values():
        assert (quarter == quarter[0, 0]).all()
    (red, _, blue) = quarters[0, 1][0, 0]
    assert red > 200 > 100 > blue, "lower: orange"
    (red, _, blue) = quarters[1, 0][0, 0]
    assert blue > red, "higher: blue"
    assert (quarters[0, 0][0, 0] == 80).all(), "the same: the image in dark grey"
    assert [words for _, words in change.legend] == [
        "0.000 lowest",
        "4.000 without",
        "6.000 highest",
    ]
    assert [words for _, words in most_probable.legend] == [
        "class 0, 3 positions",
        "class 2, 1 position",
    ]
    coloured = np.asarray(most_probable.image)
    assert (coloured[:side] == 80).all()
    assert not (coloured[side:, :side] == 80).any()
    assert (coloured[side:, side:] == 80).all()


def test_where_no_square_has_its_middle_the_image_is_dark() -> None:
    pixels = np.full((48, 40, 3), 100, np.uint8)
    found = replace(made([[4, 0], [6, 4]], [[0, 0], [2, 0]]), stride=12, tops=(4, 16))
    change, *_ = occlusion_pictures(found, pixels, None, "class {}".format)
    picture = np.asarray(change.image)
    times = len(picture) // 48
    rows = picture[::times, 10 * times].mean(1)  # middles at 14 and 26, each 6 pixels around
    assert (rows[:8] == 40).all()
    assert (rows[8:20] == 80).all()
    assert (rows[33:] == 40).all()


def test_the_sheet_holds_every_picture() -> None:
    pixels = np.full((40, 40, 3), 100, np.uint8)
    found = made([[4, 0], [6, 4]], [[0, 0], [2, 0]])
    drawn = occlusion_pictures(found, pixels, None, "class {}".format)
    sheet = Image.open(io.BytesIO(occlusion_sheet(drawn, "title", "under", MADE)))
    assert sheet.width > 4 * 300
    assert sheet.info["network"] == "my network"
    colours = {colour for _, colour in sheet.convert("RGB").getcolors(2**24) or []}
    assert {(255, 122, 26), (64, 145, 255)} <= colours
