"""A server for others: it shows its data folder and the demo, and no other folders."""

import io
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from deconv_core.demo import demo_images
from deconv_core.errors import DeconvError
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.server.serving import rules
from deconv_dashboard.upload.unpacking import store_files
from tests.app.conftest import APP, words
from tests.app.raw_zips import png
from tests.core import drawings


@pytest.fixture(params=["", "offered"], ids=["nothing offered", "one folder offered"])
def shared(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Registry:
    """The registry of a server that other computers reach."""
    listed = tmp_path / request.param if request.param else None
    drawings.save(tmp_path / "offered" / "photos", {"a.png": drawings.noise(1, 16)})
    drawings.save(tmp_path / "private", {"a.png": drawings.noise(1, 16)})
    monkeypatch.setenv("DECONV_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DECONV_FOLDERS", str(listed or ""))
    monkeypatch.setattr("deconv_dashboard.server.serving._LOOPBACK", ())
    return Registry(tmp_path / "home", rules())


def start(**parameters: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=240)
    for name, text in parameters.items():
        app.query_params[name] = text
    app.run()
    assert not app.exception, app.exception
    return app


def no_trouble(app: AppTest) -> None:
    said = words(app)
    for trouble in ("not where it was", "missing from this installation", "cannot be listed"):
        assert trouble not in said
    assert not app.error
    assert not app.warning


def uploaded(registry: Registry) -> str:
    files = [("dog/a.png", io.BytesIO(png())), ("cat/b.png", io.BytesIO(png(1)))]
    return store_files(registry, files, "zoo").dataset.dataset_id


def test_an_upload_that_is_not_scanned_is_shown(shared: Registry) -> None:
    app = start(dataset=uploaded(shared))
    no_trouble(app)
    assert "**2 images** · 2 labels" in words(app)
    assert app.button(key="start_scan").label == "Scan 2 images"


def test_the_demos_pictures_before_another_network_scans_them(shared: Registry) -> None:
    app = start(dataset="demo", network="random")
    no_trouble(app)
    assert "**256 images**" in words(app)


def test_a_download_in_the_data_folder_is_shown(shared: Registry) -> None:
    folder = shared.home / "downloads" / "caltech256"
    drawings.save(folder, {"dog/a.png": drawings.noise(1, 16), "cat/b.png": drawings.noise(2, 16)})
    app = start()
    app.segmented_control(key="source").set_value("caltech256").run()
    assert not app.exception, app.exception
    no_trouble(app)
    assert "**2 images** · 2 labels" in words(app)
    app.button(key="use_only").click().run()
    assert not app.exception, app.exception
    no_trouble(app)


def test_the_data_folder_and_the_demo_cannot_be_typed(shared: Registry, tmp_path: Path) -> None:
    uploaded(shared)
    root = shared.datasets()[1].root
    for folder in (root, shared.home, demo_images(), tmp_path / "private", tmp_path / "nothing"):
        with pytest.raises(DeconvError, match="outside the folders this server offers"):
            shared.check_folder(folder)
    with pytest.raises(DeconvError, match="outside the folders this server offers"):
        shared.check_listed(tmp_path / "private")


def test_an_upload_that_is_gone_is_told_as_gone(shared: Registry) -> None:
    dataset_id = uploaded(shared)
    root = shared.dataset(dataset_id).root
    root.rename(root.with_name("elsewhere"))
    app = start(dataset=dataset_id)
    assert "is not where it was. Upload the pictures again" in words(app)
    assert str(root) not in words(app)
