"""Copies of one picture on the pages: they count once, are named, and count each on request."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.delta_generator import DeltaGenerator
from streamlit.testing.v1 import AppTest

from deconv_core.exact import ExactTop
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.index.copies import EqualFiles
from deconv_core.output.selection import Selection
from deconv_dashboard.gallery import tiles
from deconv_dashboard.jobs.exports import file_name
from deconv_dashboard.start import found_copies
from tests.app.conftest import APP, Home, OpenPage, address, words
from tests.app.test_export import finished, unpacked
from tests.core import drawings

PAIRS = {
    "dog/grey again.png": "dog/grey.png",
    "dog/noise again.png": "dog/noise.png",
    "people/red again.png": "people/red.png",
}
"""The drawings that are equal: the first by id, and the other one."""


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tiles.Panel]:
    """The panels of tiles that pages draw, the last ones last."""
    seen: list[tiles.Panel] = []
    plain = tiles.gallery

    def gallery(panels: list[tiles.Panel], *rest: object, **how: object) -> object:
        seen.extend(panels)
        return plain(panels, *rest, **how)  # type: ignore[arg-type]

    for page in (
        "deconv_dashboard.gallery.tiles",
        "deconv_dashboard.start.hero",
        "deconv_dashboard.gallery.contact_sheet",
    ):
        monkeypatch.setattr(f"{page}.gallery", gallery)
    return seen


def patches(drawn: list[tiles.Panel]) -> tiles.Panel:
    return [panel for panel in drawn if panel.kind == "patch"][-1]


@pytest.mark.parametrize("page", ["layer", "feature_map"])
def test_each_picture_takes_one_place_and_names_its_copies(
    open_page: OpenPage, index: ActivationIndex, drawn: list[tiles.Panel], page: str
) -> None:
    asked = {"layer": "conv3_1"} | ({"map": "2", "k": "20"} if page == "feature_map" else {})
    app = open_page(page, **asked)
    channel, k = (2, 20) if page == "feature_map" else (None, 9)
    top = index.top("conv3_1", channel, k)
    expected = [PAIRS.get(found.image_id, "") for found in top]
    assert any(expected)
    assert app.toggle(key="pick_copies").value is True
    shown = patches(drawn).tiles
    assert [tile.copies for tile in shown] == ["and 1 copy" if other else "" for other in expected]
    assert [tile.names for tile in shown] == expected
    table = app.dataframe[0].value
    assert table["image_id"].tolist() == [found.image_id for found in top]
    assert table["copies"].tolist() == [int(bool(other)) for other in expected]
    assert table["copy_ids"].tolist() == expected


@pytest.mark.parametrize("page", ["layer", "feature_map"])
def test_every_copy_is_counted_on_request_and_the_link_says_so(
    open_page: OpenPage, index: ActivationIndex, drawn: list[tiles.Panel], page: str
) -> None:
    asked = {"layer": "conv3_1", "label": "dog"} | ({"map": "2"} if page == "feature_map" else {})
    app = open_page(page, **asked)
    assert "copies" not in address(app)
    app.toggle(key="pick_copies").set_value(False).run()
    assert address(app)["copies"] == "each"
    for shown in (app, open_page(page, **asked, copies="each")):
        channel = 2 if page == "feature_map" else None
        expected = index.top("conv3_1", channel, 9, "dog", copies=True)
        table = shown.dataframe[0].value
        assert table["image_id"].tolist() == [found.image_id for found in expected]
        assert "copies" not in table
        assert not any(tile.copies for tile in patches(drawn).tiles)
    app.toggle(key="pick_copies").set_value(True).run()
    assert "copies" not in address(app)


def test_numbers_over_all_files_say_so(open_page: OpenPage) -> None:
    said = words(open_page("feature_map", layer="conv1_1"))
    assert "every file counts here, also copies" in said
    assert "Every file counts here, also copies." in said


def test_what_the_address_may_say(open_page: OpenPage) -> None:
    app = open_page("layer", copies="none")
    assert "The address says copies=“none”" in words(app)
    assert "copies" not in address(app)
    assert app.toggle(key="pick_copies").value is True


def test_no_switch_and_no_column_where_there_are_no_copies(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch, drawn: list[tiles.Panel]
) -> None:
    monkeypatch.setattr(ActivationIndex, "equal_images", ())
    for page in ("layer", "feature_map", "export"):
        app = open_page(page)
        assert "Count copies once" not in [part.label for part in (*app.toggle, *app.checkbox)]
        assert "copies" not in words(app)
        assert not any("copies" in frame.value for frame in app.dataframe)


def test_start_counts_each_picture_once_whatever_was_chosen_elsewhere(
    home: Home, open_page: OpenPage, index: ActivationIndex, drawn: list[tiles.Panel]
) -> None:
    app = open_page("layer", layer="conv3_1", copies="each")
    app.switch_page("app.py")
    app.run()
    assert not app.exception
    layer = app.segmented_control(key="start_layer").value
    expected = [PAIRS.get(found.image_id, "") for found in index.top(layer)]
    assert [tile.names for tile in patches(drawn).tiles] == expected


def test_where_it_fired_names_the_copies(open_page: OpenPage, index: ActivationIndex) -> None:
    question = {"layer": "conv1_1", "map": "0", "label": "people"}
    found = index.top("conv1_1", 0, 9, "people")
    rank = [activation.image_id in PAIRS for activation in found].index(True) + 1
    app = open_page("feature_map", **question, tab="fired", rank=str(rank))
    assert "Files of equal content: people/red.png." in words(app)


def test_export_keeps_the_choice(home: Home, open_page: OpenPage) -> None:
    app = open_page("export", layer="conv3_1", copies="each")
    assert address(app)["copies"] == "each"
    assert app.checkbox(key="export_once").value is False
    assert open_page("export").checkbox(key="export_once").value is True
    app.number_input(key="export_count").set_value(0).run()
    app.button(key="export_build").click().run()
    export = finished(home)
    manifest = json.loads((unpacked(export) / "manifest.json").read_bytes())
    assert manifest["copies_counted"] is True
    assert export.name.endswith("_copies.zip")


def test_files_are_named_after_what_counts() -> None:
    assert file_name("d", "n", Selection(layers=("conv1_1",), copies=True)).endswith("_copies.zip")
    assert "copies" not in file_name("d", "n", Selection(layers=("conv1_1",)))


def test_an_exact_answer_counts_as_it_was_asked(
    home: Home, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answers of both ways of counting have separate cache entries."""
    asked: list[bool] = []
    monkeypatch.setattr(ActivationIndex, "precision", "bfloat16")

    def exact_top(*question: object, copies: bool, **how: object) -> ExactTop:
        asked.append(copies)
        index: ActivationIndex = question[2]  # type: ignore[assignment]
        return ExactTop(index.top(*question[3:], copies=copies), exact=True)  # type: ignore[arg-type]

    monkeypatch.setattr("deconv_core.exact.exact_top", exact_top)
    app = open_page("layer", layer="conv3_1", label="dog")
    once = app.dataframe[0].value["image_id"].tolist()
    app.toggle(key="pick_copies").set_value(False).run()
    each = app.dataframe[0].value["image_id"].tolist()
    assert list(dict.fromkeys(asked)) == [False, True]  # a run that was replaced asks again
    assert sorted(each) == sorted([*once, *(PAIRS[name] for name in once if name in PAIRS)])


# -- before a scan -------------------------------------------------------------------------------


@pytest.fixture
def chosen(home: Home, tmp_path: Path) -> Callable[[], AppTest]:
    """Start, with a folder of six pictures in its field: two that are equal, and one thrice."""
    folder = tmp_path / "photos"
    drawings.save(
        folder,
        {name: drawings.noise(1, 9) for name in ("a.png", "b/*a*.png", "b/z.png")}
        | {name: drawings.noise(2, 9) for name in ("c.png", "d.png")}
        | {"e.png": drawings.noise(3, 9)},
    )

    def open_() -> AppTest:
        app = AppTest.from_file(str(APP), default_timeout=240)
        app.run()
        app.text_input(key="folder_path").set_value(str(folder)).run()
        assert not app.exception
        return app

    return open_


def test_copies_are_named_before_a_scan(chosen: Callable[[], AppTest]) -> None:
    app = chosen()
    assert (
        "3 copies of 2 pictures: a.png = b/*a*.png = b/z.png, c.png = d.png. Each picture takes "
        "one place among the strongest." in words(app)
    )
    app.multiselect(key="labels").set_value(["b"]).run()
    assert "1 copy of 1 picture: b/*a*.png = b/z.png." in words(app)


def test_a_copy_that_becomes_another_picture_is_none(
    chosen: Callable[[], AppTest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(found_copies, "_FRESH", 600.0)
    app = chosen()
    path = tmp_path / "photos/d.png"
    path.write_bytes(path.read_bytes()[:-1] + b"x")  # of the same size, in the same folder
    os.utime(path, ns=(1, 1))
    assert "3 copies of 2 pictures" in words(app.run())  # as it was some seconds ago at most
    monkeypatch.setattr(found_copies, "_FRESH", 0.0)
    monkeypatch.setattr(found_copies, "_PATIENCE", 0.0)
    app.session_state["found_copies"] = {}
    assert "2 copies of 1 picture: a.png = b/*a*.png = b/z.png" in words(app.run())


def test_a_search_that_is_stopped_says_so(
    chosen: Callable[[], AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(found_copies, "_LONGEST", 0.0)
    app = chosen()
    assert "Too many files have equal sizes." in words(app)
    found = EqualFiles((("a.png", "b.png"),), complete=False)
    monkeypatch.setattr(found_copies, "copies_in", lambda folder: found)
    monkeypatch.setattr("deconv_dashboard.start.preview_panel.copies_in", lambda folder: found)
    assert "At least 1 copy of 1 picture: a.png = b.png" in words(app.run())


def test_how_far_a_long_search_is_is_said(
    chosen: Callable[[], AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    plain = DeltaGenerator.progress

    def progress(self: DeltaGenerator, value: float, text: str = "") -> object:
        told.append(text)
        return plain(self, value, text)

    monkeypatch.setattr(DeltaGenerator, "progress", progress)
    chosen()
    assert not [text for text in told if "copies" in text]
    monkeypatch.setattr(found_copies, "_SILENT", -1.0)
    chosen()
    assert any("Looking for copies: 5 of 5 files of equal size" in text for text in told)
