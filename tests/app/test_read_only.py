"""A read-only data folder: pages show the existing data, buttons give a clear message."""

import builtins
import io
import os
import shutil
from collections.abc import Callable, Iterator
from errno import EROFS
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from deconv_core.errors import DeconvError
from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.output.selection import Selection
from deconv_core.units import Unit
from deconv_dashboard.data.notes_files import UnitNote
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.data.unit_notes import NotesStore
from deconv_dashboard.jobs.exports import exports, start_export
from deconv_dashboard.server.reconstructing import LATER
from deconv_dashboard.writing import can_write
from tests.app.conftest import APP, PAGES, Home, words
from tests.app.raw_zips import png, raw_zip

REFUSED = "The data folder cannot be written to"
SAID = "data folder cannot be written to (Read-only file system)"


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch, home: Home) -> Iterator[Callable[[], None]]:
    """Makes the home's folder read-only when it is called: the tests may run as root."""
    folder = home.registry.home

    def check(path: Any) -> None:
        if not isinstance(path, int) and Path(os.fsdecode(path)).is_relative_to(folder):
            raise OSError(EROFS, os.strerror(EROFS), str(path))

    def refusing(owner: Any, name: str, writes: Callable[..., bool] = lambda *_: True) -> None:
        really = getattr(owner, name)

        def tried(path: Any, *rest: Any, **how: Any) -> Any:
            if writes(*rest, *how.values()):
                check(path)
            return really(path, *rest, **how)

        monkeypatch.setattr(owner, name, tried)

    def make() -> None:
        before = contents(folder)
        flags = os.O_WRONLY | os.O_RDWR | os.O_CREAT
        refusing(os, "open", lambda *how: bool(how[0] & flags))
        for owner in (io, builtins):
            refusing(owner, "open", lambda *how: bool(set("wax+") & set(str(how[:1]))))
        for name in ("mkdir", "replace", "rename", "unlink", "remove", "rmdir", "utime"):
            refusing(os, name)
        refusing(shutil, "rmtree")
        really = os.access
        inside = folder.is_relative_to
        monkeypatch.setattr(
            os,
            "access",
            lambda path, mode, **how: (
                not (mode & os.W_OK and Path(path).is_relative_to(folder))
                and really(path, mode, **how)
            ),
        )
        assert inside(folder)
        made.append(before)

    made: list[dict[str, bytes]] = []
    yield make
    LATER.wait()
    monkeypatch.undo()
    assert made == [contents(folder)]


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def start(**parameters: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=240)
    for name, text in parameters.items():
        app.query_params[name] = text
    return whole(app.run())


def whole(app: AppTest) -> AppTest:
    assert not app.exception, app.exception
    return app


def pressed(app: AppTest, key: str) -> str:
    """The texts of the page after a click on a button; nothing may crash."""
    whole(app.button(key=key).click().run())
    return words(app)


@pytest.mark.parametrize("page", PAGES)
def test_pages_show_what_is_there(
    page: str, open_page: Callable[..., AppTest], read_only: Callable[[], None]
) -> None:
    read_only()
    app = open_page(page, layer="conv3_1", map="2")
    assert not app.error
    assert (REFUSED in words(app)) == (page == "export")


def test_start_says_it_before_anything_is_tried(home: Home, read_only: Callable[[], None]) -> None:
    assert REFUSED not in words(start(**home.names))
    read_only()
    app = start(**home.names)
    assert REFUSED in words(app)
    assert "images scanned**" in words(app)


def test_a_folder_that_is_chosen(
    home: Home, images: ImageFolder, read_only: Callable[[], None]
) -> None:
    read_only()
    app = start(**home.names)
    app.text_input(key="folder_path").set_value(str(Path(images.root).parent)).run()
    for key in ("use_only", "use_and_scan"):
        assert SAID in pressed(app, key)
    assert len(home.registry.datasets()) == 2


def test_an_update_and_a_scan(home: Home, read_only: Callable[[], None]) -> None:
    read_only()
    assert SAID in pressed(start(**home.names), "update_scan")
    other = start(**{**home.names, "network": "random"})
    assert SAID in pressed(other, "start_scan")


def test_a_repair(home: Home, read_only: Callable[[], None]) -> None:
    (home.index_path / "images.parquet").write_bytes(b"x")
    read_only()
    assert SAID in pressed(start(**home.names), "repair_index")


@pytest.mark.parametrize("name", ["a.zip", "a.png"])
def test_an_upload(home: Home, read_only: Callable[[], None], name: str) -> None:
    content = raw_zip([b"dog/a.png"]).getvalue() if name == "a.zip" else png()
    read_only()
    app = start(**home.names)
    app.segmented_control(key="source").set_value("upload").run()
    app.file_uploader[0].set_value([(name, content, "")]).run()
    assert SAID in pressed(app, "use_upload")


def test_what_is_kept_is_not_deleted(home: Home, read_only: Callable[[], None]) -> None:
    def dialog(dataset_id: str) -> None:
        from deconv_dashboard.server import resources
        from deconv_dashboard.start import datasets_panel as stored_data

        registry = resources.registry()
        stored_data._say_trouble(registry)
        ask = stored_data._ask_what_to_delete.__wrapped__  # type: ignore[attr-defined]
        ask(registry, registry.dataset(dataset_id))

    read_only()
    app = AppTest.from_function(dialog, args=(home.dataset.dataset_id,)).run()
    for chosen in app.radio(key="delete_what").options:
        app.radio(key="delete_what").set_value(chosen).run()
        assert SAID in pressed(app, "confirm_delete")
    assert home.registry.dataset(home.dataset.dataset_id)


def test_names_and_notes(
    home: Home,
    open_page: Callable[..., AppTest],
    index: ActivationIndex,
    read_only: Callable[[], None],
) -> None:
    store = NotesStore(home.registry.home, index.manifest.fingerprint)
    unit = Unit("conv1_1", 0)
    store.save(UnitNote(unit), UnitNote(unit, "edges"))
    read_only()
    app = open_page("feature_map", layer="conv1_1", map="0", tab="notes")
    assert REFUSED in words(app)
    field = app.text_input(key="note_name conv1_1/0")
    assert (field.value, field.disabled) == ("edges", True)
    with pytest.raises(DeconvError, match="nothing was saved: the data folder cannot be written"):
        store.save(UnitNote(unit), UnitNote(unit, "other"))


def test_weights_and_downloads(
    home: Home, weight_file: Path, read_only: Callable[[], None]
) -> None:
    read_only()
    app = start(**home.names)
    app.session_state["start_tab"] = "Networks"
    whole(app.run())
    assert SAID in pressed(app, f"forget {home.network.network_id}")
    assert SAID in pressed(app, "weights_download")
    app.text_input(key="weights_path").set_value(str(weight_file))
    app.selectbox(key="weights_preprocessing").select_index(2)
    assert SAID in pressed(app, "weights_add")
    app = start(**home.names)
    app.segmented_control(key="source").set_value("caltech256").run()
    assert SAID in pressed(whole(app), "caltech_download")


def test_exports(
    home: Home, open_page: Callable[..., AppTest], read_only: Callable[[], None]
) -> None:
    export_id = start_export(
        home.registry, home.dataset, home.network, Selection(layers=("conv1_1",), k=1)
    )
    while exports(home.registry)[0].state.active:
        pass
    read_only()
    app = open_page("export", layer="conv3_1")
    assert f"The export did not start: the {SAID}" in pressed(app, "export_build")
    assert SAID in pressed(app, f"delete {export_id}")
    assert exports(home.registry)[0].state.status == "done"


def test_a_data_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("DECONV_HOME", str(tmp_path / "file" / "home"))
    assert not can_write(tmp_path / "file" / "home")
    assert can_write(tmp_path / "not there" / "yet")
    app = start()
    assert REFUSED in words(app)
    assert "256 images scanned" in words(app)
    assert len(Registry(tmp_path / "file" / "home").datasets()) == 1
