"""A folder is renamed while pages show it: clear messages, and everything works when it is back."""

import shutil
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from deconv_core.output.selection import Selection
from deconv_core.units import Unit
from deconv_dashboard.data.datasets import Dataset
from deconv_dashboard.jobs.exports import exports, start_export
from tests.app.conftest import APP, PAGES, Home, words
from tests.app.test_start import keys, start
from tests.app.tiny_queue import until
from tests.core import drawings

GONE = (
    "The folder of moving is not where it was. Put it back, or choose the folder where it is now."
)


@pytest.fixture
def moving(home: Home, tmp_path: Path) -> Dataset:
    """A scanned dataset whose folder may be renamed."""
    folder = shutil.copytree(home.dataset.root, tmp_path / "moving")
    dataset = home.registry.add_folder(folder)
    shutil.copytree(home.index_path, home.registry.index_path(dataset, home.network))
    return dataset


def opened(page: str, **parameters: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=240)
    if page != "start":
        app.switch_page(PAGES[page])
    for name, text in parameters.items():
        app.query_params[name] = text
    app.run()
    assert not app.exception, app.exception
    return app


@pytest.mark.parametrize("page", ["start", *PAGES])
def test_words_while_it_is_away_and_nothing_when_it_is_back(
    home: Home, moving: Dataset, page: str
) -> None:
    names = {**home.names, "dataset": moving.dataset_id, "layer": "conv2_1"}
    app = opened(page, **names)
    away = moving.root.with_name("renamed")
    moving.root.rename(away)
    st.cache_resource.clear()  # also what was remembered of the folder
    app.run()
    assert not app.exception, app.exception
    if page != "method":  # needs no images
        assert GONE in words(app)
        assert str(moving.root) not in words(app)
    if page == "export":
        assert app.button(key="export_build").disabled
    away.rename(moving.root)
    app.run()
    assert not app.exception, app.exception
    assert GONE not in words(app)


def test_while_it_is_only_looked_at(home: Home, tmp_path: Path) -> None:
    """Typed into the field of Start, not yet a dataset."""
    folder = drawings.save(tmp_path / "typed", {"a.png": drawings.noise(1, 8)})
    app = start(**home.names)
    app.text_input(key="folder_path").input(str(folder)).run()
    assert "**1 image**" in words(app)
    folder.rename(tmp_path / "renamed")
    app.run()
    assert not app.exception, app.exception
    assert f"{folder} is not a folder" in words(app)
    assert "use_and_scan" not in keys(app)
    (tmp_path / "renamed").rename(folder)
    app.run()
    assert "**1 image**" in words(app)


def test_an_export_of_images_that_are_away_says_so(home: Home, moving: Dataset) -> None:
    selection = Selection((Unit("conv1_1", 0),))
    start_export(home.registry, moving, home.network, selection)
    moving.root.rename(moving.root.with_name("renamed"))
    until(lambda: not exports(home.registry)[0].state.active)
    state = exports(home.registry)[0].state
    assert (state.status, "is not a folder" in state.message) == ("failed", True)
