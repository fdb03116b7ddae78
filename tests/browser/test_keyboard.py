"""Arrow keys: every press counts, and only the newest request is worked on."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.server import Scanned

pytestmark = pytest.mark.browser


def opened(page: Page, channel: int, layer: str) -> None:
    page.wait_for_url(re.compile(rf"layer={layer}&map={channel}(&|$)"))
    heading = page.get_by_role("heading", name=f"Feature map {channel} of {layer}")
    expect(heading).to_be_visible()


def pictures_of(page: Page, channel: int) -> None:
    shown = page.locator(f'section.patch img[alt*="map {channel} of"]')
    expect(shown.first).to_be_visible()


def test_arrows_and_the_back_button(shared: Scanned, open_page: OpenPage) -> None:
    page = open_page(shared.url("feature_map", layer="conv4_3", map="2"))
    pictures_of(page, 2)
    arrows_change_map_and_layer(page)
    the_back_button_goes_back(page)
    pictures_of(page, 2)
    arrows_in_a_field_belong_to_the_field(page)


def arrows_change_map_and_layer(page: Page) -> None:
    page.keyboard.press("ArrowRight")
    opened(page, 3, "conv4_3")
    pictures_of(page, 3)
    page.keyboard.press("ArrowLeft")
    opened(page, 2, "conv4_3")
    pictures_of(page, 2)
    page.keyboard.press("ArrowUp")
    opened(page, 2, "conv4_4")
    pictures_of(page, 2)
    page.keyboard.press("ArrowDown")
    opened(page, 2, "conv4_3")


def arrows_in_a_field_belong_to_the_field(page: Page) -> None:
    said = page.get_by_role("status").filter(has_text="feature map")
    expect(said).to_have_count(0)
    field = page.get_by_label(re.compile("Feature map \\(0 to"))
    expect(field).to_have_count(1)  # while a page runs again, the old one may still be there
    expect(field).to_have_value("2")
    field.focus()
    field.press("ArrowLeft")
    expect(said).to_have_count(0)
    assert "map=2" in page.url


def the_back_button_goes_back(page: Page) -> None:
    pictures_of(page, 2)
    page.get_by_role("button", name="Next").click()
    opened(page, 3, "conv4_3")
    pictures_of(page, 3)
    page.go_back()
    opened(page, 2, "conv4_3")


def test_of_twenty_quick_presses_only_the_newest_is_worked_on(
    shared: Scanned,
    open_page: OpenPage,
) -> None:
    server = shared.server
    page = open_page(shared.url("feature_map", layer="conv5_4", map="0"))
    pictures_of(page, 0)
    before = server.log().count("reconstructing")
    page.evaluate(
        """() => { for (let n = 0; n < 20; n++) window.dispatchEvent(
             new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true })); }"""
    )
    opened(page, 7, "conv5_4")  # the narrow network's last map
    pictures_of(page, 7)
    assert 1 <= server.log().count("reconstructing") - before <= 2


def test_nothing_moves_while_pictures_are_exchanged(shared: Scanned, open_page: OpenPage) -> None:
    page = open_page(shared.url("feature_map", layer="conv5_3", map="4"))
    pictures_of(page, 4)
    grid = page.locator("section.reconstruction").first
    expect(grid).to_be_visible()
    grid.evaluate(
        """(grid) => {
            const host = grid.getRootNode().host ?? grid;
            window.tops = [];
            const look = () => {
                window.tops.push(host.getBoundingClientRect().top);
                requestAnimationFrame(look);
            };
            look();
        }"""
    )
    for channel in (5, 6):
        page.keyboard.press("ArrowRight")
        opened(page, channel, "conv5_3")
        pictures_of(page, channel)
    tops = page.evaluate("window.tops")
    assert max(tops) - min(tops) <= 1, (min(tops), max(tops))
