"""Options of equal names in the real lists, which send labels and nothing else."""

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from deconv_core.images.folder import ImageFolder
from deconv_core.network.network import Network
from deconv_core.scanning.scan import scan
from tests.browser.conftest import OpenPage
from tests.browser.server import Server
from tests.core import drawings

pytestmark = pytest.mark.browser


def take(page: Page, title: str, option: str) -> None:
    page.get_by_role("combobox", name=title).click()
    page.get_by_role("option", name=option, exact=True).click()


def test_the_one_that_is_pressed_is_the_one_that_is_shown(
    server: Server, open_page: OpenPage, network: Network, weight_file: Path, tmp_path: Path
) -> None:
    registry = server.registry
    chosen = registry.add_weights(weight_file)
    datasets = {}
    for seed, where in enumerate(("holiday", "work")):
        names = ("All labels/1.png", "Dog/1.png", "dog/1.png", f"{where}.png")
        pictures = {name: drawings.noise(10 * seed + n, 16) for n, name in enumerate(names)}
        root = drawings.save(tmp_path / where / "pics", pictures)
        datasets[where] = registry.add_folder(root)
        scan(network, ImageFolder(root), registry.index_path(datasets[where], chosen))
    copied = tmp_path / "other" / weight_file.name
    copied.parent.mkdir()
    shutil.copy(weight_file, copied)
    again = registry.add_weights(copied)
    for dataset in datasets.values():
        shutil.copytree(registry.index_path(dataset, chosen), registry.index_path(dataset, again))

    page = open_page(server.url("layer", network=chosen.network_id, layer="conv1_1"))
    for where in ("work", "holiday"):
        take(page, "Dataset", f"pics · {where}")
        expect(page.get_by_text(f"{where}.png").first).to_be_visible()
        assert f"dataset={datasets[where].dataset_id}" in page.url
    take(page, "Network", f"{weight_file.name} · other")
    expect(page).to_have_url(re.compile(f"network={again.network_id}"))
    for shown, name in (("dog · 2 (1)", "dog"), ("Dog (1)", "Dog"), ("All labels · 2 (1)", "All")):
        take(page, "Label", shown)
        expect(page).to_have_url(re.compile(f"label={name}"))
    take(page, "Label", "All labels (4)")
    expect(page).to_have_url(re.compile("^((?!label=).)*$"))

    page.goto(server.url(network=chosen.network_id, dataset=datasets["work"].dataset_id))
    page.get_by_role("tab", name="Datasets and scans").click()
    row = page.locator(f".st-key-dataset_{datasets['work'].dataset_id}")
    row.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text(f"The scan with {weight_file.name} · other").click()
    dialog.get_by_role("button", name="Delete", exact=True).click()
    expect(dialog).to_be_hidden()
    assert not registry.index_path(datasets["work"], again).exists()
    assert registry.index_path(datasets["work"], chosen).exists()
    assert registry.index_path(datasets["holiday"], again).exists()
