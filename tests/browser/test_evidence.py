"""Charts that can be clicked, and tabs that stay open from map to map."""

import re
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Error as BrowserError
from playwright.sync_api import Page, expect

from deconv_core.index.activation_index import ActivationIndex
from tests.browser.conftest import OpenPage
from tests.browser.server import Scanned

pytestmark = pytest.mark.browser


def test_a_bar_shows_its_images_and_a_tab_stays_open(
    shared: Scanned, open_page: OpenPage, index: ActivationIndex
) -> None:
    page = open_page(shared.url("feature_map", layer="conv3_1", map="4"))
    copies = {image for group in index.equal_images for image in list(group)[1:]}
    peaks = index.peaks("conv3_1", channel=4).set_index("image_id")["value"].drop(list(copies))
    a_bar_of_the_histogram_shows_its_images(page, dict(peaks))
    page.get_by_role("tab", name="Labels").click()
    page.wait_for_url(re.compile("tab=labels"))
    the_tab_stays_open_from_map_to_map(page)


def a_bar_of_the_histogram_shows_its_images(page: Page, peaks: dict[str, float]) -> None:
    shown = page.locator("section.patch:not(.row) .tile img")
    expect(shown).not_to_have_count(0)
    click_bar(page, "Histogram of the peaks of conv3_1/4", "band")
    least, below = (float(end) for end in asked(page, "band").split("to"))
    inside = {name for name, peak in peaks.items() if peak > 0 and least <= peak < below}
    expect(page.get_by_text(f"Peaks from {least:g} to below {below:g}")).to_be_visible()
    expect(shown).to_have_count(min(9, len(inside)))
    for said in shown.evaluate_all("all => all.map(one => one.alt)"):
        assert said.rpartition(" in ")[2] in inside


def the_tab_stays_open_from_map_to_map(page: Page) -> None:
    for key, channel in (("ArrowRight", 5), ("ArrowLeft", 4)):
        page.keyboard.press(key)
        expect(page.get_by_role("heading", name=f"Feature map {channel} of")).to_be_visible()
        expect(page.get_by_role("tab", name="Labels")).to_have_attribute("aria-selected", "true")
        assert asked(page, "tab") == "labels"


def click_bar(page: Page, title: str, parameter: str) -> None:
    """Click the longest bar of a chart, again if it was just drawn anew."""
    bars = page.get_by_role("figure", name=title).locator(".bars .point path")
    for _ in range(20):
        expect(bars.first).to_be_attached()
        sizes = bars.evaluate_all("all => all.map(one => one.getTotalLength())")
        with suppress(BrowserError):
            bars.nth(sizes.index(max(sizes))).click(force=True, timeout=5000)  # below a layer
            page.wait_for_url(re.compile(rf"[?&]{parameter}="), timeout=5000)
            return
    raise AssertionError(f"a click on a bar did not set {parameter}: {page.url}")


def asked(page: Page, name: str) -> str:
    return parse_qs(urlsplit(page.url).query)[name][0]
