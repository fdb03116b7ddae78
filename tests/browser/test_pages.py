"""The pages in a real browser: cold links, pictures one can click, positions one can pick."""

import re

import pytest
from playwright.sync_api import Page, expect

from deconv_core.index.activation_index import ActivationIndex
from tests.browser.conftest import OpenPage
from tests.browser.server import Scanned

pytestmark = pytest.mark.browser


SHOWN = {
    "layer": "All 7 feature maps",
    "feature_map": "Peaks over all images",
    "image": "The strongest map of every layer",
    "method": "What they cannot tell",
}


def tiles(page: Page, kind: str) -> object:
    return page.locator(f"section.{kind} .tile")


def test_a_cold_link_opens_the_whole_page(scanned: Scanned, open_page: OpenPage) -> None:
    assert_whole(open_page(scanned.url("feature_map", layer="conv4_4")), "feature_map")


def assert_whole(page: Page, name: str) -> None:
    expect(page.get_by_text(SHOWN[name]).first).to_be_visible()
    sidebar = page.get_by_test_id("stSidebar")
    expect(sidebar.get_by_role("link", name="Feature map")).to_be_visible()
    expect(sidebar.get_by_text("20 images scanned")).to_be_visible()
    expect(page).to_have_title(re.compile("Deconvnet dashboard"))


def test_the_method_page_is_whole(shared: Scanned, open_page: OpenPage) -> None:
    assert_whole(open_page(shared.url("method", layer="conv4_4")), "method")


def test_a_layers_page(shared: Scanned, open_page: OpenPage, index: ActivationIndex) -> None:
    page = open_page(shared.url("layer", layer="conv4_4", order="strongest"))
    assert_whole(page, "layer")
    the_magnifier_enlarges_and_does_not_choose(page)
    the_strip_changes_the_layer(page, "conv2_2")
    the_strip_changes_the_layer(page, "conv4_4")
    back_returns_to_where_the_page_was_left(page, index)
    enter_on_a_tile_opens_it(page)


def the_magnifier_enlarges_and_does_not_choose(page: Page) -> None:
    tile = tiles(page, "patch").nth(3)
    expect(tile.locator("img")).to_be_visible()
    tile.hover()
    tile.get_by_role("button", name="Enlarge").click()
    large = page.get_by_role("dialog", name="Enlarged pictures")
    expect(large).to_contain_text("Image patches · 4")
    expect(large.locator(".photograph img")).to_be_visible()
    expect(large).to_contain_text("The frame is the receptive field")
    large.get_by_role("button", name="Close").click()
    expect(large).to_have_count(0)
    assert "/layer" in page.url


def the_strip_changes_the_layer(page: Page, layer: str) -> None:
    page.locator(f"button[data-layer={layer}]").click()
    page.wait_for_url(re.compile(f"layer={layer}"))
    expect(page.get_by_role("heading", name=f"{layer}: the 9 images")).to_be_visible()


def a_tile_opens_its_feature_map_in_the_same_session(page: Page, index: ActivationIndex) -> None:
    tile = tiles(page, "reconstruction").nth(2)
    channel = index.top("conv4_4")[2].unit.channel
    picture = tile.get_by_alt_text(re.compile(f"feature map {channel} of conv4_4"))
    expect(picture).to_be_visible()
    tile.click()
    page.wait_for_url(re.compile(rf"/feature_map\?.*map={channel}(&|$)"))
    expect(page.get_by_role("heading", name=f"Feature map {channel} of conv4_4")).to_be_visible()
    assert len(page.context.pages) == 1


def back_returns_to_where_the_page_was_left(page: Page, index: ActivationIndex) -> None:
    left, main = page.url, page.get_by_test_id("stMain")
    assert "order=strongest" in left
    main.evaluate("main => { main.scrollTop = 60; }")
    a_tile_opens_its_feature_map_in_the_same_session(page, index)
    page.go_back()
    expect(page.get_by_role("heading", name="conv4_4: the 9 images")).to_be_visible()
    page.wait_for_url(left)
    expect(main).to_have_js_property("scrollTop", 60)


def enter_on_a_tile_opens_it(page: Page) -> None:
    tile = tiles(page, "patch").first
    expect(tile.locator("img")).to_be_visible()
    tile.focus()
    tile.press("Enter")
    page.wait_for_url(re.compile("/feature_map"))


def test_a_feature_maps_page(shared: Scanned, open_page: OpenPage) -> None:
    page = open_page(shared.url("feature_map", layer="conv3_1", map="4"))
    a_tile_can_be_enlarged_and_gone_through(page)
    a_chosen_tile_shows_where_it_fired(page)


def a_tile_can_be_enlarged_and_gone_through(page: Page) -> None:
    tile = tiles(page, "reconstruction").nth(1)
    expect(tile.locator("img")).to_be_visible()
    tile.focus()
    tile.press("z")
    large = page.get_by_role("dialog", name="Enlarged pictures")
    expect(large.locator("figure")).to_have_count(2)
    expect(large).to_contain_text("Reconstructions · 2")
    page.keyboard.press("ArrowRight")
    expect(large).to_contain_text("Reconstructions · 3")
    assert "map=4" in page.url, "arrow keys go through the tiles, not the maps"
    sides = [figure.bounding_box()["width"] for figure in large.locator("img").all()]
    assert min(sides) >= 500
    page.keyboard.press("Escape")
    expect(large).to_have_count(0)
    expect(tiles(page, "reconstruction").nth(2)).to_be_focused()


def a_chosen_tile_shows_where_it_fired(page: Page) -> None:
    tiles(page, "patch").nth(1).click()
    expect(page.get_by_role("heading", name="Where it fired: rank 2")).to_be_in_viewport()
    expect(page.locator(".st-key-chosen_tile .position").nth(2)).to_be_in_viewport()
    assert "rank=2" in page.url
    link = page.get_by_role("link", name="Open the image")
    expect(link).to_have_count(1)  # while a page runs again, the old one may still be there
    link.click()
    page.wait_for_url(re.compile("/image.*image="))
    expect(page.locator(".position img").first).to_be_visible()


def test_an_images_page(shared: Scanned, open_page: OpenPage) -> None:
    page = open_page(shared.url("image", image="dog/square.png", layer="conv3_1"))
    assert_whole(page, "image")
    a_position_is_picked_with_the_keyboard(page)
    a_position_is_picked_on_the_picture(page)
    all_maps_are_pictures_to_click(page)
    the_next_image_has_a_key(page)


def all_maps_are_pictures_to_click(page: Page) -> None:
    page.get_by_text("All maps", exact=True).click()
    page.wait_for_url(re.compile("list=all"))
    planes = page.locator(".planes .tile")
    expect(planes).to_have_count(6)
    planes.nth(4).click()
    page.wait_for_url(re.compile("map=4"))
    expect(page.get_by_text("Feature map 4 over the image")).to_be_visible()


def the_next_image_has_a_key(page: Page) -> None:
    page.keyboard.press("n")
    page.wait_for_url(re.compile("image=other%2Fblack.png"))
    expect(page.get_by_role("heading", name="other/black.png")).to_be_visible()
    page.keyboard.press("p")
    page.wait_for_url(re.compile("image=dog%2Fsquare.png"))


def a_position_is_picked_with_the_keyboard(page: Page) -> None:
    picture = page.locator(".position")
    expect(picture.locator("img")).to_be_visible()
    picture.focus()
    for key in ("ArrowRight", "ArrowUp", "Enter"):
        picture.press(key)
    page.wait_for_url(re.compile("position=116%2C108"))
    expect(page.get_by_text("Column 116, row 108")).to_be_visible()


def a_position_is_picked_on_the_picture(page: Page) -> None:
    picture = page.locator(".position")
    box = picture.bounding_box()
    assert box is not None
    picture.click(position={"x": box["width"] * 100.5 / 224, "y": box["height"] * 60.5 / 224})
    near = re.compile(r"position=(99|100|101)%2C(59|60|61)(&|$)")
    page.wait_for_url(near)
    picked = re.search(r"position=(\d+)%2C(\d+)", page.url)
    assert picked is not None
    expect(page.get_by_text(f"Column {picked[1]}, row {picked[2]}")).to_be_visible()


def test_a_link_shows_the_same_in_another_browser(
    shared: Scanned,
    open_page: OpenPage,
) -> None:
    asked = {"layer": "conv3_1", "map": "4", "label": "dog", "label2": "people", "k": "4"}
    first = open_page(shared.url("feature_map", **asked, scale="99"))
    expect(first.get_by_role("heading", name="Feature map 4 of conv3_1")).to_be_visible()
    expect(tiles(first, "patch").first).to_be_visible()
    second = open_page(first.url, another_browser=True)
    expect(second.get_by_text("each tile on its own scale")).to_be_visible()
    expect(tiles(second, "patch")).to_have_count(tiles(first, "patch").count())
    assert second.url == first.url


def test_names_of_files_are_only_text(
    shared: Scanned,
    open_page: OpenPage,
) -> None:
    label = "<img src=x onerror=alert(1)>"
    page = open_page(shared.url("feature_map", label=label))
    expect(page.get_by_text(label)).to_be_visible()
    expect(page.locator("img[src=x]")).to_have_count(0)


def test_the_page_begins_at_the_top_and_fits_a_desktop(
    shared: Scanned, open_page: OpenPage
) -> None:
    page = open_page(shared.url("feature_map", layer="conv4_4", map="1"))
    heading = page.get_by_role("heading", name="Feature map 1 of conv4_4")
    expect(tiles(page, "patch").first.locator("img")).to_be_visible()
    assert heading.bounding_box()["y"] < 40
    last = tiles(page, "patch").nth(8).locator("img").bounding_box()
    assert last["y"] + last["height"] <= 800, "both grids are in the first screen"
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    page.get_by_test_id("stSidebar").hover()
    page.get_by_test_id("stSidebarCollapseButton").get_by_role("button").click()
    opener = page.get_by_test_id("stExpandSidebarButton")
    expect(opener).to_be_visible()
    expect(page.get_by_role("heading", name="Feature map 1 of conv4_4")).to_be_visible()
    assert (
        opener.bounding_box()["y"] + opener.bounding_box()["height"]
        <= (heading.bounding_box()["y"])
    ), "the button does not cover the title"
    opener.click()
    expect(page.get_by_role("link", name="Layer", exact=True)).to_be_visible()
    focus_is_told_apart_from_the_current_page(page)


def focus_is_told_apart_from_the_current_page(page: Page) -> None:
    sidebar = page.get_by_test_id("stSidebar")
    current, focused = (
        sidebar.get_by_role("link", name=name, exact=True) for name in ("Feature map", "Image")
    )
    focused.focus()
    page.keyboard.press("Shift")  # now the focus is the keyboard's
    expect(focused).to_have_css("outline-style", "solid")
    expect(current).to_have_css("outline-style", "none")


def test_on_a_phone(shared: Scanned, open_page: OpenPage) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    page = open_page(shared.url("layer", layer="conv4_4"), **phone)
    pictures_are_large_enough(page)
    expect(page.locator(".strip.more-left.more-right")).to_have_count(1)
    expect(page.locator("button[data-layer=conv4_4]")).to_be_in_viewport()
    a_picture_is_enlarged_by_touch(page)
    the_menu_closes_after_a_choice(page)
    page.wait_for_url(re.compile("/image"))
    pictures_are_large_enough(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def pictures_are_large_enough(page: Page) -> None:
    frames = page.locator("section .tile .frame")
    expect(frames.first.locator("img")).to_be_visible()
    widths = [frame.bounding_box()["width"] for frame in frames.all()]
    assert min(widths) >= 96


def a_picture_is_enlarged_by_touch(page: Page) -> None:
    tiles(page, "patch").nth(3).get_by_role("button", name="Enlarge").tap()
    large = page.get_by_role("dialog", name="Enlarged pictures")
    expect(large.locator(".photograph img")).to_be_visible()
    box = large.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    large.get_by_role("button", name="Next").tap()
    expect(large).to_contain_text("Image patches · 5")
    large.get_by_role("button", name="Close").tap()
    expect(large).to_have_count(0)


def the_menu_closes_after_a_choice(page: Page) -> None:
    page.get_by_test_id("stExpandSidebarButton").tap()
    link = page.get_by_test_id("stSidebar").get_by_role("link", name="Image", exact=True)
    expect(link).to_be_in_viewport()
    keys = page.get_by_text("Keys: ")
    expect(keys).to_be_attached()
    expect(keys).to_be_hidden()  # it has none
    link.tap()
    expect(link).not_to_be_in_viewport()
