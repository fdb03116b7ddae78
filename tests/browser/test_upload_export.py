"""Uploads and exports in a browser, and deep links to a server that just started."""

import io
import json
import re
import shutil
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import expect

from deconv_core import ActivationIndex, ImageFolder, Network, scan
from deconv_dashboard.jobs.scans import scan_state
from tests.browser.conftest import OpenPage
from tests.browser.server import Server
from tests.core import drawings

pytestmark = pytest.mark.browser


def zip_of(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.rglob("*.png")):
            archive.write(path, f"zoo/{path.relative_to(folder).as_posix()}")
        archive.writestr("zoo/notes.txt", "no picture")
    return target


def test_a_zip_becomes_a_scanned_dataset(
    server: Server, open_page: OpenPage, images: ImageFolder, weight_file: Path, tmp_path: Path
) -> None:
    network = server.registry.add_weights(weight_file)
    page = open_page(server.url(network=network.network_id))
    page.get_by_text("Upload", exact=True).first.click()
    page.locator("input[type=file]").set_input_files(zip_of(images.root, tmp_path / "zoo.zip"))
    page.get_by_role("button", name="Use this upload").click()
    expect(page.get_by_text("1 file of the upload left out")).to_be_visible()
    page.get_by_role("button", name=f"Scan {len(images)} images").click()
    expect(page.get_by_text(f"{len(images)} images scanned").first).to_be_visible(timeout=240_000)
    dataset = server.registry.datasets()[1]
    assert (dataset.name, dataset.kind) == ("zoo", "upload")
    assert set(ImageFolder(dataset.root).labels) == set(images.labels)


def test_of_many_files_twelve_are_listed_and_all_are_stored(
    server: Server, open_page: OpenPage, tmp_path: Path
) -> None:
    files = {f"{n:02}.png": drawings.noise(n, 16) for n in range(30)}
    page = open_page(server.url())
    page.get_by_text("Upload", exact=True).first.click()
    page.locator("input[type=file]").set_input_files(
        sorted(drawings.save(tmp_path / "many", files).iterdir())
    )
    expect(page.get_by_text("30 files")).to_be_visible()
    expect(page.get_by_test_id("stFileChip")).to_have_count(30)
    expect(page.get_by_test_id("stFileChip").filter(visible=True)).to_have_count(12)
    page.get_by_role("button", name="Use this upload").click()
    expect(page.get_by_role("button", name="Scan 30 images")).to_be_visible()


def test_a_bad_zip_is_refused_in_words(server: Server, open_page: OpenPage, tmp_path: Path) -> None:
    bad = tmp_path / "bad.zip"
    with zipfile.ZipFile(bad, "w") as archive:
        archive.writestr("../out.png", b"x")
    page = open_page(server.url())
    page.get_by_text("Upload", exact=True).first.click()
    page.locator("input[type=file]").set_input_files(bad)
    page.get_by_role("button", name="Use this upload").click()
    expect(page.get_by_text("a name that leads out of it")).to_be_visible()
    assert len(server.registry.datasets()) == 1


@pytest.fixture(scope="module")
def small_scan(network: Network, tmp_path_factory: pytest.TempPathFactory) -> ActivationIndex:
    """Four drawn images, scanned. Do not write to its folder."""
    place = tmp_path_factory.mktemp("small")
    folder = drawings.save(place / "drawn", {f"{n}.png": drawings.noise(n, 8) for n in range(4)})
    return scan(network, ImageFolder(folder), place / "index")


@pytest.fixture
def scanned(server: Server, small_scan: ActivationIndex, weight_file: Path) -> dict[str, str]:
    """Query parameters of a small scan."""
    network = server.registry.add_weights(weight_file)
    dataset = server.registry.add_folder(Path(small_scan.image_root))
    path = server.registry.index_path(dataset, network)
    shutil.copytree(small_scan._folder.path, path)
    assert scan_state(server.registry, path).status == "done"
    return {"network": network.network_id, "dataset": dataset.dataset_id}


def test_cold_link_to_start_shows_the_pictures(
    server: Server, open_page: OpenPage, scanned: dict[str, str]
) -> None:
    page = open_page(server.url(**scanned))
    expect(page.get_by_text("4 images scanned").first).to_be_visible()
    expect(page.get_by_role("link", name="Layer", exact=True)).to_be_visible()
    expect(page.get_by_alt_text(re.compile("Reconstruction: feature map .*")).first).to_be_visible()
    page.get_by_alt_text(re.compile("Reconstruction: feature map .*")).first.click()
    page.wait_for_url(re.compile("/feature_map"))


def test_cold_link_to_export_and_a_downloaded_zip(
    server: Server, open_page: OpenPage, scanned: dict[str, str]
) -> None:
    page = open_page(server.url("export", **scanned, layer="conv2_1"))
    expect(page.get_by_role("link", name="Layer", exact=True)).to_be_visible()
    page.get_by_role("button", name="Build the zip").click()
    with page.expect_download(timeout=240_000) as waiting:
        page.get_by_role("button", name="Download").click(timeout=240_000)
    content = zipfile.ZipFile(io.BytesIO(Path(waiting.value.path()).read_bytes()))
    manifest = json.loads(content.read("drawn_narrow_conv2-1/manifest.json"))
    assert manifest["maps"][0]["folder"] == "conv2_1/layer"
    assert "drawn_narrow_conv2-1/conv2_1/layer/reconstructions.png" in content.namelist()
    assert waiting.value.suggested_filename == "drawn_narrow_conv2-1.zip"
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Nothing has been exported yet")).to_be_visible()


def test_delete_a_dataset_only_after_asking(
    server: Server, open_page: OpenPage, scanned: dict[str, str]
) -> None:
    page = open_page(server.url(**scanned))
    page.get_by_role("tab", name="Datasets and scans").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("button", name="Delete", exact=True)).to_have_count(0)
    assert [dataset.dataset_id for dataset in server.registry.datasets()] == ["demo"]
