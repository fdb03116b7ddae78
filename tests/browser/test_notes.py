"""Names and notes in two browsers at once, and the box that finds them."""

import re
from contextlib import suppress

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.server import Scanned

pytestmark = pytest.mark.browser
NAME = "mouths <b>x</b> **y** $z$ :smile: [a](b)"


def notes(page: Page) -> tuple[object, object]:
    return page.get_by_label("Name", exact=True), page.get_by_label("Note", exact=True)


def ask(page: Page, text: str, key: str = "g") -> None:
    """Open the box by its key and type; while a page is being drawn there may be no box to hear."""
    box = page.get_by_role("combobox", name="Go to")
    for _ in range(20):
        expect(box).to_be_visible()
        with suppress(AssertionError):
            page.keyboard.press(key)
            expect(box).to_be_focused(timeout=3000)
            page.keyboard.type(text)
            expect(box).to_have_value(text, timeout=3000)
            return
        page.keyboard.press("Escape")


def test_typed_saved_found_and_shown_as_text(scanned: Scanned, open_page: OpenPage) -> None:
    url = scanned.url("feature_map", layer="conv3_1", map="2", tab="notes")
    page, other = open_page(url), open_page(url, another_browser=True)
    name, _ = notes(page)
    _, note = notes(other)
    expect(note).to_be_visible()
    name.fill(NAME)
    name.press("Enter")
    expect(page.get_by_text("Saved.")).to_be_visible()
    heading = f"Feature map 2 of conv3_1 · {NAME}"
    expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
    expect(page).to_have_title(re.compile(re.escape(f"conv3_1/2 · {NAME}")))
    note.fill("=1+1\nof the other")  # on a page that does not know the name yet
    other.get_by_role("button", name="Next").click()  # leaves the field: this saves it
    other.wait_for_url(re.compile("map=3"))
    expect(other.get_by_role("heading", name="Feature map 3 of conv3_1")).to_be_visible()
    expect(notes(other)[1]).to_have_count(1)  # while the page runs again, the old one is there too
    expect(notes(other)[1]).to_have_value("")
    page.reload()
    name, note = notes(page)
    expect(name).to_have_value(NAME)
    expect(note).to_have_value("=1+1\nof the other")

    name.focus()
    page.keyboard.type("g")  # a letter here
    expect(name).to_have_value(f"{NAME}g")
    page.keyboard.press("Backspace")
    page.keyboard.press("Escape")
    ask(other, "MOUTHS")
    option = other.get_by_role("option", name="Feature map")
    expect(option).to_contain_text(f"conv3_1/2 · {NAME}")
    other.keyboard.press("Enter")
    other.wait_for_url(re.compile("layer=conv3_1&map=2&"))
    expect(other.get_by_role("heading", name=heading, exact=True)).to_be_visible()


def test_the_keyboard_alone_goes_everywhere(shared: Scanned, open_page: OpenPage) -> None:
    page = open_page(shared.url("feature_map", layer="conv4_3", map="2"))
    box = page.get_by_role("combobox", name="Go to")
    ask(page, "4_4 1", key="/")
    page.keyboard.press("Enter")  # before the answer is there
    page.wait_for_url(re.compile("/feature_map.*layer=conv4_4&map=1"))
    expect(page.get_by_role("heading", name="Feature map 1 of conv4_4")).to_be_visible()
    ask(page, "dog")
    expect(page.get_by_role("option").first).to_be_visible()
    expect(page.get_by_role("option", selected=True)).to_contain_text("Label")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option", selected=True)).to_contain_text("Image")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/layer.*label=dog"))
    expect(page.get_by_role("heading", name="conv4_4: the 9 images")).to_be_visible()
    ask(page, "dog/noise.png")
    expect(page.get_by_role("option").first).to_contain_text("dog/noise.png")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/image.*image=dog%2Fnoise.png"))
    expect(page.get_by_role("heading", name="dog/noise.png")).to_be_visible()
    ask(page, "nothing like it")
    expect(page.get_by_text("Nothing fits")).to_be_visible()
    page.keyboard.press("Escape")
    expect(box).to_have_value("")
    expect(page.get_by_text("Nothing fits")).to_be_hidden()
    page.keyboard.press("ArrowUp")
    assert "/image" in page.url
