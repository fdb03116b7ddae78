"""Lists: the clicked option is the chosen one, also for options with equal names."""

import ast
import functools
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import streamlit as st
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Dataframe

from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.network.network import Network
from deconv_core.scanning.scan import scan
from deconv_core.units import Unit
from deconv_dashboard.data.names import distinct
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.gallery import tour as stories
from deconv_dashboard.jobs.caltech import caltech_folder
from tests.app.conftest import Home, OpenPage, address, key_now, words
from tests.app.test_start import pressed, start
from tests.core import drawings

ROOT = Path(__file__).parents[2]
KINDS = ("selectbox", "multiselect", "radio", "segmented_control", "pills", "select_slider")
FIXED = "its options are written in the program"
CHART = "a click on a bar sends the bar itself"
LAYERS = "its options are layers of one network, which are numbered"
TESTED = {
    (
        "deconv_dashboard/start/caltech_panel.py",
        "caltech_classes",
    ): "test_folders_named_alike_as_labels",
    ("deconv_dashboard/start/catalogue_panel.py", "catalogue_name"): FIXED,
    ("deconv_dashboard/start/catalogue_panel.py", "catalogue_weights"): FIXED,
    ("deconv_dashboard/start/choose_images.py", "extensions"): FIXED,
    ("deconv_dashboard/start/choose_images.py", "labels"): "test_folders_named_alike_as_labels",
    ("deconv_dashboard/start/choose_images.py", "resize"): FIXED,
    ("deconv_dashboard/start/choose_images.py", "source"): FIXED,
    ("deconv_dashboard/gallery/contact_sheet.py", "maps_view"): FIXED,
    (
        "deconv_dashboard/gallery/contact_sheet.py",
        "sheet_order",
    ): "test_orders_by_labels_named_alike",
    ("deconv_dashboard/gallery/distribution.py", "key"): CHART,
    ("deconv_dashboard/gallery/image_maps.py", "pick_list"): FIXED,
    (
        "deconv_dashboard/gallery/distribution.py",
        "map_table {unit}",
    ): "test_a_row_of_the_table_is_the_tile_it_showed",
    ("deconv_dashboard/gallery/labels_panel.py", "key"): CHART,
    ("deconv_dashboard/frame/pickers.py", "pick_band"): FIXED,
    ("deconv_dashboard/frame/pickers.py", "pick_rule"): FIXED,
    ("deconv_dashboard/frame/pickers.py", "pick_once"): FIXED,
    (
        "deconv_dashboard/gallery/contact_sheet.py",
        "maps_table_{layer.name}",
    ): "test_a_row_is_the_map_it_showed",
    ("deconv_dashboard/start/hero.py", "start_layer"): LAYERS,
    ("deconv_dashboard/gallery/layer_samples_panel.py", "sampled_layers"): LAYERS,
    ("deconv_dashboard/start/add_weights.py", "weights_answer"): FIXED,
    ("deconv_dashboard/start/add_weights.py", "weights_preprocessing"): FIXED,
    ("deconv_dashboard/upload/panel.py", "key"): FIXED,
    ("deconv_dashboard/frame/pickers.py", "pick_layer"): LAYERS,
    ("deconv_dashboard/frame/pickers.py", "key"): "test_labels_called_as_no_label_is",
    ("deconv_dashboard/frame/pickers.py", "pick_scale"): FIXED,
    (
        "deconv_dashboard/frame/compare_pickers.py",
        "pick_second",
    ): "test_labels_called_as_no_label_is",
    ("deconv_dashboard/frame/compare_pickers.py", "pick_network2"): "test_networks_of_one_name",
    ("deconv_dashboard/frame/compare_pickers.py", "pick_layer2"): LAYERS,
    ("deconv_dashboard/frame/sidebar.py", "pick_dataset"): "test_datasets_of_one_name",
    ("deconv_dashboard/frame/sidebar.py", "pick_label"): "test_labels_called_as_no_label_is",
    ("deconv_dashboard/frame/sidebar.py", "pick_network"): "test_networks_of_one_name",
    (
        "deconv_dashboard/start/datasets_panel.py",
        "delete_what",
    ): "test_the_scan_that_is_chosen_is_deleted",
    ("deconv_dashboard/gallery/occlusion_panel.py", "occlusion_size_{side}"): FIXED,
    ("deconv_dashboard/gallery/occlusion_panel.py", "occlusion_stride_{side}"): FIXED,
    ("deconv_dashboard/gallery/tour.py", "tour"): "test_stops_of_one_name",
    ("deconv_dashboard/upload/panel.py", "upload_way"): FIXED,
    ("deconv_dashboard/start/value_range.py", "value_range"): FIXED,
    ("pages/3_image.py", "by_layer"): LAYERS,
    ("pages/4_export.py", "export_how"): FIXED,
    ("pages/4_export.py", "export_band"): FIXED,
    ("pages/4_export.py", "export_rule"): FIXED,
    ("pages/4_export.py", "export_label"): "test_labels_called_as_no_label_is",
    ("pages/4_export.py", "export_layers"): LAYERS,
    ("pages/4_export.py", "export_scale"): FIXED,
    ("pages/4_export.py", "export_size"): FIXED,
}


@functools.cache
def lists_of_the_product() -> dict[tuple[str, str], ast.Call]:
    """(file, key) -> call, of every widget with options and every table with rows to choose."""
    found = {}
    files = [
        ROOT / "app.py",
        *(ROOT / "pages").glob("*.py"),
        *(ROOT / "deconv_dashboard").rglob("*.py"),
    ]
    for path in files:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                named = {word.arg: word.value for word in node.keywords}
                kind = ast.unparse(node.func).rpartition(".")[2]
                if kind in KINDS or "on_select" in named:
                    keyed = named["key"] if "key" in named else node.args[2]
                    if isinstance(keyed, ast.Call):  # key_showing(name, value)
                        keyed = keyed.args[0]
                    key = ast.unparse(keyed).removeprefix("f").strip("'\"")
                    found[path.relative_to(ROOT).as_posix(), key] = node
    return found


def test_every_list_is_in_the_table_above() -> None:
    assert set(lists_of_the_product()) == set(TESTED)
    assert {name for name in TESTED.values() if name not in (FIXED, CHART, LAYERS)} <= set(
        globals()
    )


def test_lists_that_are_not_fixed_take_their_labels_from_distinct() -> None:
    for place, call in lists_of_the_product().items():
        if TESTED[place] in (FIXED, CHART, LAYERS) or "_table" in place[1]:
            continue
        options = ast.unparse(call.args[1])
        labelled = options.removeprefix("list(").removesuffix(")")
        source = (ROOT / place[0]).read_text("utf-8")
        assert f"{labelled} = distinct(" in source, place
        how = next(ast.unparse(word.value) for word in call.keywords if word.arg == "format_func")
        assert labelled in how, place


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "a", "a"], ["a", "a · 2", "a · 3"]),
        (["a · 2", "a", "a"], ["a · 2", "a", "a · 3"]),
        (["Dog", "dog"], ["Dog", "dog · 2"]),
        (["é", "e\u0301"], ["é", "e\u0301 · 2"]),
        (["a  b ", "a b", "a\u200bb", "ab"], ["a  b ", "a b · 2", "a\u200bb", "ab · 2"]),
        (["a\nb", "a b"], ["a\nb", "a b · 2"]),
        (["", ""], ["", " · 2"]),
    ],
)
def test_names_that_look_alike_are_numbered(names: list[str], expected: list[str]) -> None:
    found = distinct(range(len(names)), names.__getitem__)
    assert list(found.values()) == expected


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ([["x"], ["y"]], ["n · x", "n · y"]),
        ([["x", "1"], ["x", "2"]], ["n · 1", "n · 2"]),
        ([["x", "1"], ["x", "2"], ["y", "3"]], ["n · x · 1", "n · x · 2", "n · y"]),
        ([["x"], []], ["n · x", "n"]),
        ([["x"], ["X"]], ["n", "n · 2"]),
        ([[], []], ["n", "n · 2"]),
    ],
)
def test_only_what_differs_is_said(details: list[list[str]], expected: list[str]) -> None:
    found = distinct(range(len(details)), lambda _: "n", details.__getitem__)
    assert list(found.values()) == expected


def test_a_name_that_another_has_with_its_detail() -> None:
    names, where = ["pics · b", "pics", "pics"], [[], ["a"], ["b"]]
    found = distinct(range(3), names.__getitem__, where.__getitem__)
    assert list(found.values()) == ["pics · b", "pics · a", "pics · b · 2"]


def scanned(registry: Registry, home: Home, root: Path, **how: str) -> str:
    """A dataset with a scan of its own; returns its id."""
    dataset = registry.add_folder(root, **how)  # type: ignore[arg-type]
    shutil.copytree(home.index_path, registry.index_path(dataset, home.network))
    return dataset.dataset_id


@pytest.fixture
def pics(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a folder "pics" in another folder."""

    def make(where: str) -> Path:
        seed = sum(map(ord, where))
        return drawings.save(tmp_path / where / "pics", {"dog/1.png": drawings.noise(seed, 16)})

    return make


def by_label(app: AppTest, key: str) -> list[str]:
    """Labels of a list, as the browser has them."""
    labels = list(app.selectbox(key=key).options)
    assert len({label.casefold() for label in labels}) == len(labels)
    return labels


def test_datasets_of_one_name(
    home: Home, open_page: OpenPage, pics: Callable[[str], Path], network: Network
) -> None:
    registry = home.registry
    roots = {where: pics(where) for where in ("holiday", "work")}
    expected = {
        f"pics · {where}": registry.add_folder(root).dataset_id for where, root in roots.items()
    }
    app = start(**home.names)
    assert set(expected) < set(by_label(app, "pick_dataset"))
    for label, dataset_id in expected.items():
        app.selectbox(key="pick_dataset").set_value(label).run()
        assert not app.exception
        assert address(app)["dataset"] == dataset_id
        assert label in words(app)  # and the page says which it is


def test_one_folder_opened_in_several_ways(home: Home, pics: Callable[[str], Path]) -> None:
    registry, root = home.registry, pics("holiday")
    drawings.save(root, {"cat/1.png": drawings.noise(3, 16)})
    made = {
        "pics": registry.add_folder(root),
        "pics · cropped": registry.add_folder(root, resize="crop"),
        "pics · stretched to each file's range": registry.add_folder(root, value_range="file"),
        "pics · .png": registry.add_folder(root, extensions=["png"]),
        "pics · dog": registry.add_folder(root, labels=["dog"]),
        "pics · dog · cropped": registry.add_folder(root, labels=["dog"], resize="crop"),
    }
    app = start(**home.names)
    assert set(made) < set(by_label(app, "pick_dataset"))
    for label, dataset in made.items():
        app.selectbox(key="pick_dataset").set_value(label).run()
        assert address(app)["dataset"] == dataset.dataset_id


def test_uploads_of_one_name_and_a_folder_called_as_the_demo(
    home: Home, pics: Callable[[str], Path], tmp_path: Path
) -> None:
    registry = home.registry
    uploads = []
    for number in (1, 2):
        root = drawings.save(
            registry.home / "uploads" / f"aaaa{number}", {"a.png": drawings.noise(number, 16)}
        )
        uploads.append(registry.add_folder(root, name="Demo drawings", kind="upload").dataset_id)
    like_demo = drawings.save(tmp_path / "x" / "demo DRAWINGS", {"a.png": drawings.noise(9, 16)})
    folder = registry.add_folder(like_demo).dataset_id
    app = start(**home.names)
    labels = by_label(app, "pick_dataset")
    assert "Demo drawings · ships with the program" in labels
    assert "demo DRAWINGS · x" in labels
    ids = set()
    for label in labels:
        app.selectbox(key="pick_dataset").set_value(label).run()
        ids.add(address(app)["dataset"])
    assert ids == {"demo", folder, home.dataset.dataset_id, *uploads}


def test_no_path_of_the_server_is_in_a_name(
    home: Home, pics: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for where in ("secret/holiday", "secret/work"):
        home.registry.add_folder(pics(where))
    monkeypatch.setattr("deconv_dashboard.server.serving._LOOPBACK", ())
    monkeypatch.setenv("DECONV_FOLDERS", str(tmp_path / "secret" / "holiday"))
    app = start(network="demo")
    assert "secret" not in " ".join(by_label(app, "pick_dataset"))


def test_networks_of_one_name(
    home: Home, open_page: OpenPage, weight_file: Path, tmp_path: Path
) -> None:
    copied = tmp_path / "elsewhere" / weight_file.name
    copied.parent.mkdir()
    shutil.copy(weight_file, copied)
    other = home.registry.add_weights(copied)
    where = {home.network.network_id: weight_file.parent.name, other.network_id: "elsewhere"}
    app = start(**home.names)
    for network_id, folder in where.items():
        label = f"{weight_file.name} · {folder}"
        assert label in by_label(app, "pick_network")
        app.selectbox(key="pick_network").set_value(label).run()
        assert address(app)["network"] == network_id
    shutil.copytree(home.index_path, home.registry.index_path(home.dataset, other))
    app = open_page("feature_map", network2=other.network_id)
    assert list(by_label(app, "pick_network2")) == [f"{weight_file.name} · elsewhere"]


@pytest.fixture
def odd_labels(home: Home, network: Network, tmp_path: Path) -> str:
    """A scanned dataset whose labels are called as lists call "no label"; returns its id."""
    labels = "All labels", "All images", "Nothing", "Another map", "Dog", "dog"
    names = [f"{label}/1.png" for label in labels]
    pictures = {name: drawings.noise(seed, 16) for seed, name in enumerate([*names, "root.png"])}
    root = drawings.save(tmp_path / "odd", pictures)
    dataset = home.registry.add_folder(root)
    scan(network, ImageFolder(root), home.registry.index_path(dataset, home.network))
    return dataset.dataset_id


def test_labels_called_as_no_label_is(open_page: OpenPage, odd_labels: str) -> None:
    app = open_page("layer", dataset=odd_labels)
    for name, shown in (
        ("Dog", "Dog (1)"),
        ("dog", "dog · 2 (1)"),
        ("All labels", "All labels · 2 (1)"),
        (None, "All labels (7)"),
    ):
        app.selectbox(key="pick_label").set_value(shown).run()
        assert address(app).get("label") == name
    assert len(by_label(app, "pick_label")) == 7
    app = open_page("feature_map", dataset=odd_labels)
    assert len(by_label(app, "pick_label_here")) == 7
    for name, shown in (("Dog", "Dog"), ("dog", "dog · 2"), ("All labels", "All labels · 2")):
        app.selectbox(key="pick_label_here").set_value(shown).run()
        assert address(app).get("label") == name
    app.selectbox(key="pick_label_here").set_value("").run()
    assert "label" not in address(app)
    by_label(app, "pick_second")
    for name, shown in (
        ("Nothing", "Nothing · 2"),
        ("Another map", "Another map · 2"),
        (None, ""),
    ):
        app.selectbox(key="pick_second").set_value(shown).run()
        assert address(app).get("label2") == name
    exported = open_page("export", dataset=odd_labels)
    by_label(exported, "export_label")
    exported.selectbox(key="export_label").set_value("All images · 2").run()
    assert exported.selectbox(key="export_label").value == "All images"
    assert open_page("export", dataset=odd_labels).selectbox(key="export_label").value == ""


def test_orders_by_labels_named_alike(open_page: OpenPage, odd_labels: str) -> None:
    app = open_page("layer", dataset=odd_labels)
    for label, shown in (("Dog", "Tells apart: Dog"), ("dog", "Tells apart: dog · 2")):
        app.selectbox(key=key_now(app, "sheet_order")).set_value(shown).run()
        assert address(app)["order"] == f"label:{label}"


def test_folders_named_alike_as_labels(home: Home, tmp_path: Path) -> None:
    pictures = ("(no folder)/1.png", "a.png", "Dog/1.png", "dog/1.png")
    named = {name: drawings.noise(seed, 16) for seed, name in enumerate(pictures)}
    app = start(**home.names)
    app.text_input(key="folder_path").input(str(drawings.save(tmp_path / "odd", named))).run()
    _every_label_is_its_own(app, "labels", {"", "(no folder)", "Dog", "dog"})
    drawings.save(caltech_folder(home.registry), named)
    app.segmented_control(key="source").set_value("caltech256").run()
    _every_label_is_its_own(app, "caltech_classes", {"", "(no folder)", "Dog", "dog"})


def _every_label_is_its_own(app: AppTest, key: str, expected: set[str]) -> None:
    labels = list(app.multiselect(key=key).options)
    assert len(set(labels)) == len(labels) == len(expected)
    chosen = set()
    for label in labels:
        app.multiselect(key=key).set_value([label]).run()
        assert not app.exception
        chosen |= set(app.multiselect(key=key).value)
    assert chosen == expected


def test_the_scan_that_is_chosen_is_deleted(home: Home, weight_file: Path, tmp_path: Path) -> None:
    paths = {home.network.network_id: home.index_path}
    for where in ("a", "b"):
        copied = tmp_path / where / weight_file.name
        copied.parent.mkdir()
        shutil.copy(weight_file, copied)
        network = home.registry.add_weights(copied)
        paths[network.network_id] = home.registry.index_path(home.dataset, network)
        shutil.copytree(home.index_path, paths[network.network_id])

    def dialog(dataset_id: str) -> None:
        from deconv_dashboard.server import resources
        from deconv_dashboard.start import datasets_panel as stored_data

        registry = resources.registry()
        ask = stored_data._ask_what_to_delete.__wrapped__  # type: ignore[attr-defined]
        ask(registry, registry.dataset(dataset_id))

    app = AppTest.from_function(dialog, args=(home.dataset.dataset_id,)).run()
    labels = list(app.radio(key="delete_what").options)
    assert len(set(labels)) == len(labels) == 4
    (chosen,) = [label for label in labels if label.endswith(" · b")]
    app.radio(key="delete_what").set_value(chosen).run()
    pressed(app, "confirm_delete")
    assert [path.exists() for path in paths.values()] == [True, True, False]


def test_stops_of_one_name(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    units = [Unit("conv1_1", 1), Unit("conv1_2", 2)]
    made = tuple(stories.Stop(unit, "a *nose*", "A nose", ()) for unit in units)
    monkeypatch.setattr(stories, "stops", lambda choice: made)
    app = open_page("feature_map")
    labels = list(app.button_group(key="tour").options)
    for unit, label in zip(units, labels, strict=True):
        app.button_group(key="tour").set_value(label).run()
        assert (address(app)["layer"], address(app)["map"]) == (unit.layer, str(unit.channel))


def click_a_cell(app: AppTest, table: Dataframe, row: int, column: str) -> None:
    states = app._tree.get_widget_states()
    chosen = {"selection": {"rows": [], "columns": [], "cells": [[row, column]]}}
    states.widgets.append(WidgetState(id=table.proto.id, string_value=json.dumps(chosen)))
    app._run(states)
    assert not app.exception


def test_a_row_of_the_table_is_the_tile_it_showed(
    open_page: OpenPage, index: ActivationIndex
) -> None:
    app = open_page("feature_map", layer="conv4_1", map="1", label="dog", label2="people")
    first, second = (index.top("conv4_1", channel=1, label=name) for name in ("dog", "people"))
    table = app.dataframe(key="map_table conv4_1/1")
    row = len(first) + 1
    assert table.value["image_id"].tolist()[row] == second[1].image_id
    click_a_cell(app, table, row, "value")
    assert address(app)["rank"] == str(row + 1)
    assert f"{second[1].image_id} · activation" in words(app)


def test_a_row_is_the_map_it_showed(
    home: Home, open_page: OpenPage, index: ActivationIndex
) -> None:
    """Also if the list is another by the time the page runs, as it is while a scan goes on."""
    app = open_page("layer", layer="conv3_2")
    app.segmented_control(key=key_now(app, "maps_view")).select("Table").run()
    table = app.dataframe(key="maps_table_conv3_2")
    shown = table.value["channel"].tolist()
    app.text_input(key="maps_filter").set_value(str(shown[2]))  # shown[2] alone, in row 0
    click_a_cell(app, table, 2, "max")
    assert address(app)["map"] == str(shown[2])
    assert f"Feature map {shown[2]} of conv3_2" in words(app)
    st.cache_data.clear()


@pytest.mark.parametrize("place", [p for p, how in TESTED.items() if how == FIXED])
def test_options_written_in_the_program_have_labels_of_their_own(place: tuple[str, str]) -> None:
    from deconv_core.network.preprocessing import PREPROCESSINGS
    from deconv_dashboard.frame import address as where
    from deconv_dashboard.start import add_weights, choose_images
    from deconv_dashboard.upload import panel as upload_panel

    fixed = {
        "resize": choose_images._RESIZES,
        "source": choose_images._SOURCES,
        "weights_preprocessing": {name: add_weights._label(name) for name in ("", *PREPROCESSINGS)},
        "weights_answer": {name: add_weights._label(name) for name in PREPROCESSINGS},
        "key": upload_panel.CODE_PAGES,
        "pick_scale": where.SCALES,
        "export_scale": where.SCALES,
        "upload_way": upload_panel._WAYS,
    }
    call = lists_of_the_product()[place]
    labels = (
        list(fixed[place[1]].values())
        if place[1] in fixed
        else [ast.unparse(node) for node in getattr(call.args[1], "elts", ())]
    )
    assert len(set(labels)) == len(labels)
