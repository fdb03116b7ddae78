"""The Layer page."""

import shutil
from pathlib import Path

import pytest

from deconv_core.index.activation_index import ActivationIndex
from deconv_dashboard.gallery import contact_sheet
from tests.app.conftest import Home, OpenPage, words


def test_the_table_is_what_the_index_answers(open_page: OpenPage, index: ActivationIndex) -> None:
    app = open_page("layer", layer="conv3_4")
    table = app.dataframe[0].value
    assert list(table["image_id"]) == [a.image_id for a in index.top("conv3_4")]
    assert list(table["channel"]) == [a.unit.channel for a in index.top("conv3_4")]


def test_within_a_label(open_page: OpenPage, index: ActivationIndex) -> None:
    app = open_page("layer", layer="pool5", label="dog")
    table = app.dataframe[0].value
    assert list(table["image_id"]) == [a.image_id for a in index.top("pool5", label="dog")]


def test_fewer_images_than_nine(open_page: OpenPage, index: ActivationIndex) -> None:
    app = open_page("layer", layer="conv1_1", label="people")
    found = len(index.top("conv1_1", label="people"))
    assert found < 9
    assert index.labels["people"] == 5  # of which two are equal
    assert f"Fires in {found} of 4 different images with label people" in words(app)


def test_the_scale_is_named(open_page: OpenPage) -> None:
    assert "grey is 0; one scale for all tiles" in words(open_page("layer"))


def test_dead_maps_are_counted(open_page: OpenPage) -> None:
    assert "1 map never fires in these images" in words(open_page("layer", layer="conv3_2"))


def test_all_maps_as_a_table(open_page: OpenPage, index: ActivationIndex) -> None:
    app = open_page("layer", layer="conv3_2")
    app.segmented_control(key="maps_view").select("Table").run()
    table = app.dataframe(key="maps_table_conv3_2").value
    assert sorted(table["channel"]) == list(range(index.layers["conv3_2"].channels))
    app.toggle(key="maps_alive").set_value(True).run()
    assert not app.dataframe(key="maps_table_conv3_2").value["dead"].any()


def test_a_moved_folder_leaves_the_numbers(
    open_page: OpenPage, home: Home, tmp_path: Path, images: object
) -> None:
    copied = tmp_path / "moved away"
    shutil.copytree(home.dataset.root, copied)
    dataset = home.registry.add_folder(copied)
    shutil.copytree(home.index_path, home.registry.index_path(dataset, home.network))
    shutil.rmtree(copied)
    app = open_page("layer", dataset=dataset.dataset_id)
    assert "not where it was" in words(app)
    assert len(app.dataframe[0].value) == 9


def test_missing_weights_leave_the_numbers(
    open_page: OpenPage, home: Home, tmp_path: Path, weight_file: Path
) -> None:
    copied = tmp_path / "gone.safetensors"
    shutil.copy(weight_file, copied)
    network = home.registry.add_weights(copied)
    shutil.copytree(home.index_path, home.registry.index_path(home.dataset, network))
    copied.unlink()
    app = open_page("layer", network=network.network_id)
    assert "is not where it was" in words(app)
    assert len(app.dataframe[0].value) == 9


def test_one_image_gone_leaves_the_others(
    open_page: OpenPage, home: Home, tmp_path: Path, index: ActivationIndex
) -> None:
    copied = tmp_path / "changed"
    shutil.copytree(home.dataset.root, copied)
    dataset = home.registry.add_folder(copied)
    shutil.copytree(home.index_path, home.registry.index_path(dataset, home.network))
    (copied / index.top("conv4_4")[2].image_id).unlink()
    app = open_page("layer", dataset=dataset.dataset_id)
    assert [e.label for e in app.expander if "1 image missing" in e.label]


@pytest.mark.parametrize("order", ["Strongest first", "Rarest first"])
def test_the_sheet_can_be_ordered(open_page: OpenPage, order: str) -> None:
    app = open_page("layer", layer="conv3_2")
    app.selectbox(key="sheet_order").select(order).run()
    assert not app.exception


def test_pages_hold_sixty_four_maps() -> None:
    assert contact_sheet.PAGE == 64
