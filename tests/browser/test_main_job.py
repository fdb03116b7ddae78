"""From a folder to a downloaded picture, as a person does it."""

import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from deconv_core import ActivationIndex, ImageFolder, Scale, compose_grid, load_network, reconstruct
from tests.browser.conftest import OpenPage
from tests.browser.server import Server

pytestmark = pytest.mark.browser
LAYER = "conv3_1"


def give_folder(page: Page, folder: Path) -> None:
    field = page.get_by_label("Folder on this computer")
    field.fill(str(folder))
    field.press("Enter")


@pytest.mark.cold
def test_a_folder_becomes_a_downloaded_grid_with_the_right_pixels(
    server: Server, open_page: OpenPage, images: ImageFolder, weight_file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "my pictures"
    shutil.copytree(images.root, folder)
    network = server.registry.add_weights(weight_file)
    page = open_page(server.url(network=network.network_id))
    give_folder(page, folder)
    page.get_by_role("button", name=f"Scan {len(images)} images").click()
    expect(page.get_by_text(f"{len(images)} images scanned").first).to_be_visible(timeout=240_000)
    dataset = server.registry.datasets()[1]
    assert f"dataset={dataset.dataset_id}" in page.url
    assert str(folder) not in page.url

    page.goto(
        server.url("layer", network=network.network_id, dataset=dataset.dataset_id, layer=LAYER)
    )
    page.get_by_role("button", name="Download").first.click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Reconstructions", exact=True).click()
    downloaded = np.asarray(Image.open(io.BytesIO(Path(waiting.value.path()).read_bytes())))

    index = ActivationIndex.open(server.registry.index_path(dataset, network))
    pictures = reconstruct(load_network(weight_file), ImageFolder(folder), index.top(LAYER))
    expected = compose_grid(pictures, scale=Scale.named("clipped", pictures))
    assert downloaded.shape == (3 * 24 + 8, 3 * 24 + 8, 3)
    np.testing.assert_array_equal(downloaded, np.asarray(expected))


def test_browsing_to_a_folder(server: Server, open_page: OpenPage, images: ImageFolder) -> None:
    page = open_page(server.url())
    give_folder(page, images.root.parent)
    page.get_by_role("button", name="Browse").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name=images.root.name).click()
    place = dialog.get_by_role("textbox", name="Path of the folder")
    expect(place).to_have_value(str(images.root))
    dialog.get_by_role("button", name="dog").click()
    expect(dialog.get_by_text("6 pictures directly in this folder")).to_be_visible()
    dialog.get_by_role("button", name="Up").click()
    dialog.get_by_role("button", name="Use this folder").click()
    expect(page.get_by_label("Folder on this computer")).to_have_value(str(images.root))
    expect(page.get_by_text(f"{len(images)} images", exact=True)).to_be_visible()


def test_a_folder_that_is_none(server: Server, open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(server.url())
    give_folder(page, tmp_path / "nothing")
    expect(page.get_by_text("is not a folder; give the path of a folder")).to_be_visible()


def test_the_first_page_of_a_fresh_server_shows_the_demo(
    server: Server, open_page: OpenPage
) -> None:
    page = open_page(server.url())
    for kind, name in (("reconstruction", "Reconstruction"), ("patch", "Image patch")):
        shown = page.locator(f"section.{kind} .tile img")
        expect(shown).to_have_count(9)
        expect(shown.first).to_have_attribute("alt", re.compile(f"{name}: feature map"))
        expect(shown.last).to_be_visible()
    assert page.get_by_role("button", name="Browse").bounding_box()["y"] < 800
    assert not list(server.home.rglob("*.job.json")), "nothing is scanned"


def test_a_chosen_folder_comes_into_view_with_its_button(
    server: Server, open_page: OpenPage, images: ImageFolder
) -> None:
    page = open_page(server.url())
    expect(page.locator("section.patch .tile img")).to_have_count(9)
    give_folder(page, images.root)
    button = page.get_by_role("button", name=f"Scan {len(images)} images")
    expect(button).to_be_in_viewport()
    page.get_by_role("button", name="Back").click()
    expect(page.locator("section.patch .tile img")).to_have_count(9)
