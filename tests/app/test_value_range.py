"""Pictures of more than 8 bits on the pages: a warning if they look black, stretched on request."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from deconv_core.index.activation_index import ActivationIndex
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.jobs.scans import start_scan
from tests.app.conftest import Home, OpenPage, address, words
from tests.app.test_jobs import ended
from tests.app.test_start import pressed, start
from tests.core import drawings

NOTE = "nearly black: its values go from 0 to 4,095; 0 is black, 65,535 white"


@pytest.fixture
def dark(tmp_path: Path) -> Path:
    """A picture of 12 bits in 16, and an ordinary one."""
    folder = drawings.save(tmp_path / "microscope", {"plain.png": drawings.noise(1, 28)})
    Image.fromarray(np.arange(4096, dtype=np.uint16).reshape(64, 64)).save(folder / "dark.png")
    return folder


def reasons(app: AppTest) -> list[list[str]]:
    """The tables of files with their reasons, together."""
    tables = [frame.value for frame in app.dataframe if list(frame.value) == ["File", "Reason"]]
    return [row for table in tables for row in table.to_numpy().tolist()]


def test_a_preview_tells_and_stretches(home: Home, dark: Path) -> None:
    app = start(**home.names)
    app.text_input(key="folder_path").input(str(dark)).run()
    assert "1 of the 2 pictures above would be nearly black, white or cut off" in words(app)
    assert reasons(app) == [["dark.png", NOTE]]
    app.selectbox(key="value_range").set_value("file").run()
    assert "would be nearly black" not in words(app)
    pressed(app, "use_only")
    chosen = home.registry.dataset(address(app)["dataset"])
    assert chosen.value_range == "file"
    assert not app.exception


def test_a_scan_lists_them_and_offers_the_other_range(home: Home, dark: Path) -> None:
    registry = home.registry
    dataset = registry.add_folder(dark, name="cells")
    (dark / "broken.png").write_bytes(b"no picture")
    start_scan(registry, dataset, home.network)
    path = registry.index_path(dataset, home.network)
    assert ended(registry, path).status == "done"
    app = start(dataset=dataset.dataset_id, network=home.network.network_id)
    assert reasons(app) == [
        ["broken.png", "not a picture in a readable format"],
        ["dark.png", NOTE],
    ]
    pressed(app, "stretch_scanned")
    other = registry.dataset(address(app)["dataset"])
    assert (other.value_range, other.root) == ("file", dark)
    assert other.dataset_id != dataset.dataset_id
    start_scan(registry, other, home.network)
    stretched = registry.index_path(other, home.network)
    assert ended(registry, stretched).status == "done"
    made = ActivationIndex.open(stretched)
    assert (made.manifest.value_range, made.notes) == ("file", {})
    assert made.peaks("conv1_1", 0)["value"].tolist() != (
        ActivationIndex.open(path).peaks("conv1_1", 0)["value"].tolist()
    )


def test_the_image_page_tells(home: Home, dark: Path, open_page: OpenPage) -> None:
    dataset = home.registry.add_folder(dark)
    start_scan(home.registry, dataset, home.network)
    assert ended(home.registry, home.registry.index_path(dataset, home.network)).status == "done"
    app = open_page("image", dataset=dataset.dataset_id, image="dark.png")
    assert f"This picture is {NOTE}" in words(app)
    app = open_page("image", dataset=dataset.dataset_id, image="plain.png")
    assert "This picture is" not in words(app)


def test_the_range_is_part_of_what_a_dataset_is(home: Home, dark: Path) -> None:
    registry = home.registry
    plain, stretched = (registry.add_folder(dark, value_range=name) for name in ("type", "file"))
    assert plain.dataset_id != stretched.dataset_id
    assert registry.add_folder(dark).dataset_id == plain.dataset_id
    again = Registry(registry.home)
    assert again.dataset(stretched.dataset_id).value_range == "file"
    assert again.dataset(plain.dataset_id).value_range == "type"
    names = start(**home.names).selectbox(key="pick_dataset").options
    assert "microscope · stretched to each file's range" in names
    assert "microscope" in names
