"""A damaged index on the pages: a clear message, and a button that repairs it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from deconv_core.index.inspection import check_index
from deconv_dashboard.frame.repair import LABEL
from deconv_dashboard.jobs.scans import scan_state
from tests.app.conftest import APP, PAGES, Home, OpenPage, words
from tests.app.test_jobs import ended
from tests.faults.indexes import everything


@pytest.fixture
def files(home: Home) -> Iterator[dict[str, Path]]:
    """The files of the index; when the test ends it must be whole again."""
    before = everything(home.index_path)
    yield {
        "block": home.index_path / "blocks/000001.parquet",
        "images": home.index_path / "images.parquet",
        "manifest": home.index_path / "manifest.json",
        "top": next(home.index_path.glob("top-*")),
        "maps": next(home.index_path.glob("maps-*")),
    }
    assert not check_index(home.index_path)
    assert everything(home.index_path) == before


def start(home: Home) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=240)
    for name, value in home.names.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception, app.exception
    return app


def repaired(app: AppTest, home: Home) -> None:
    """Press the button and wait; the page then shows pictures again."""
    (button,) = [button for button in app.button if button.label == LABEL]
    button.click().run()
    assert not app.exception
    assert ended(home.registry, home.index_path).status == "done"
    app.run()
    assert not app.error
    assert LABEL not in [button.label for button in app.button]


@pytest.mark.parametrize(
    ("harmed", "page"),
    [
        ("block", "feature_map"),
        ("images", "layer"),
        ("manifest", "layer"),
        ("top", "layer"),
        ("maps", "feature_map"),
    ],
)
def test_the_damage_is_named_and_a_button_repairs_it(
    files: dict[str, Path], open_page: OpenPage, home: Home, harmed: str, page: str
) -> None:
    path = files[harmed]
    path.write_bytes(path.read_bytes()[:-60])
    app = open_page(page)
    assert path.name in words(app)
    repaired(app, home)


@pytest.mark.parametrize("page", ["start", *PAGES])
def test_no_page_fails_on_a_damaged_index(
    files: dict[str, Path], open_page: OpenPage, home: Home, page: str
) -> None:
    saved = {path: path.read_bytes() for path in files.values()}
    for harmed in ("block", "top", "maps", "images", "manifest"):
        files[harmed].write_bytes(saved[files[harmed]][:-60])
        st.cache_data.clear()
        st.cache_resource.clear()
        if page == "start":
            start(home)
        else:
            open_page(page, layer="conv1_1")  # checks that nothing was raised
        for path, content in saved.items():
            path.write_bytes(content)


def test_the_start_page_offers_the_repair(files: dict[str, Path], home: Home) -> None:
    files["images"].write_bytes(b"")
    app = start(home)
    assert scan_state(home.registry, home.index_path).status == "failed"
    repaired(app, home)


def test_the_shipped_index_is_not_repaired(
    home: Home, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copytree(home.index_path, tmp_path / "index")
    (tmp_path / "index" / "images.parquet").write_bytes(b"")
    monkeypatch.setattr("deconv_dashboard.data.registry.demo_index", lambda: tmp_path / "index")
    app = open_page("layer", network="demo", dataset="demo")
    assert "install it again" in words(app)
    assert LABEL not in [button.label for button in app.button]
