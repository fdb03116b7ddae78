"""The pages in a real browser: cold links, pictures one can click, positions one can pick."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from deconv_core.activation_index import ActivationIndex
from deconv_core.images import ImageFolder
from tests.browser.conftest import OpenPage, Server
from tests.browser.scanned import Scanned, filled, serving

pytestmark = pytest.mark.browser


@pytest.fixture
def scanned(
    server: Server, images: ImageFolder, index: ActivationIndex, weight_file: Path
) -> Scanned:
    """A server of its own that was asked nothing yet."""
    return filled(server, images, index, weight_file)


@pytest.fixture(scope="module")
def shared(
    images: ImageFolder,
    index: ActivationIndex,
    weight_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Scanned]:
    """One server for the tests of this module."""
    home = tmp_path_factory.mktemp("home")
    with serving(home, images, index, weight_file) as found:
        yield found


SHOWN = {
    "layer": "All 7 feature maps",
    "feature_map": "Peaks over the images",
    "image": "The strongest map of every layer",
    "method": "What they cannot tell",
}


def tiles(page: Page, kind: str) -> object:
    return page.locator(f"section.{kind} .tile")


@pytest.mark.parametrize("name", list(SHOWN))
def test_a_cold_link_opens_the_whole_page(
    scanned: Scanned,
    open_page: OpenPage,
    name: str,
) -> None:
    page = open_page(scanned.url(name, layer="conv4_4"))
    expect(page.get_by_text(SHOWN[name]).first).to_be_visible()
    sidebar = page.get_by_test_id("stSidebar")
    expect(sidebar.get_by_role("link", name="Feature map")).to_be_visible()
    expect(sidebar.get_by_text("20 images scanned")).to_be_visible()
    expect(page).to_have_title(re.compile("Deconvnet dashboard"))


def test_a_link_shows_the_same_in_another_browser(
    shared: Scanned,
    open_page: OpenPage,
) -> None:
    asked = {"layer": "conv3_1", "map": "4", "label": "dog", "label2": "people", "k": "4"}
    first = open_page(shared.url("feature_map", **asked, scale="99"))
    expect(first.get_by_role("heading", name="Feature map 4 of conv3_1")).to_be_visible()
    expect(tiles(first, "patch").first).to_be_visible()
    second = open_page(first.url)
    expect(second.get_by_text("each tile on its own scale")).to_be_visible()
    expect(tiles(second, "patch")).to_have_count(tiles(first, "patch").count())
    assert second.url == first.url


def test_a_tile_opens_its_feature_map_in_the_same_session(
    shared: Scanned,
    open_page: OpenPage,
    index: ActivationIndex,
) -> None:
    page = open_page(shared.url("layer", layer="conv4_4"))
    tile = tiles(page, "reconstruction").nth(2)
    expect(tile.locator("img")).to_be_visible()
    tile.click()
    channel = index.top("conv4_4")[2].unit.channel
    page.wait_for_url(re.compile(rf"/feature_map\?.*map={channel}(&|$)"))
    expect(page.get_by_role("heading", name=f"Feature map {channel} of conv4_4")).to_be_visible()
    assert len(page.context.pages) == 1


def test_enter_on_a_tile_opens_it(
    shared: Scanned,
    open_page: OpenPage,
) -> None:
    page = open_page(shared.url("layer", layer="conv4_4"))
    tile = tiles(page, "patch").first
    expect(tile.locator("img")).to_be_visible()
    tile.focus()
    tile.press("Enter")
    page.wait_for_url(re.compile("/feature_map"))


def test_the_strip_changes_the_layer(shared: Scanned, open_page: OpenPage) -> None:
    page = open_page(shared.url("layer", layer="conv4_4"))
    page.locator("button[data-layer=conv2_2]").click()
    page.wait_for_url(re.compile("layer=conv2_2"))
    expect(page.get_by_role("heading", name="conv2_2: the 9 images")).to_be_visible()


def test_a_chosen_tile_shows_where_it_fired(
    shared: Scanned,
    open_page: OpenPage,
) -> None:
    page = open_page(shared.url("feature_map", layer="conv3_1", map="4"))
    tiles(page, "patch").nth(1).click()
    expect(page.get_by_role("heading", name="Where it fired: rank 2")).to_be_visible()
    page.get_by_role("link", name="Open the image").click()
    page.wait_for_url(re.compile("/image.*image="))
    expect(page.locator(".position img").first).to_be_visible()


def test_a_position_is_picked_on_the_picture(
    shared: Scanned,
    open_page: OpenPage,
) -> None:
    page = open_page(shared.url("image", image="dog/square.png", layer="conv3_1"))
    picture = page.locator(".position")
    expect(picture.locator("img")).to_be_visible()
    box = picture.bounding_box()
    assert box is not None
    picture.click(position={"x": box["width"] * 100.5 / 224, "y": box["height"] * 60.5 / 224})
    page.wait_for_url(re.compile("position="))
    picked = re.search(r"position=(\d+)%2C(\d+)", page.url)
    assert picked is not None
    column, row = int(picked[1]), int(picked[2])
    assert (column, row) == (pytest.approx(100, abs=1), pytest.approx(60, abs=1))
    expect(page.get_by_text(f"Column {column}, row {row}")).to_be_visible()


def test_a_position_is_picked_with_the_keyboard(
    shared: Scanned,
    open_page: OpenPage,
) -> None:
    page = open_page(shared.url("image", image="dog/square.png", layer="conv3_1"))
    picture = page.locator(".position")
    expect(picture.locator("img")).to_be_visible()
    picture.focus()
    for key in ("ArrowRight", "ArrowUp", "Enter"):
        picture.press(key)
    page.wait_for_url(re.compile("position=116%2C108"))


def test_names_of_files_are_only_text(
    shared: Scanned,
    open_page: OpenPage,
) -> None:
    label = "<img src=x onerror=alert(1)>"
    page = open_page(shared.url("feature_map", label=label))
    expect(page.get_by_text(label)).to_be_visible()
    expect(page.locator("img[src=x]")).to_have_count(0)
