"""The Layer page."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from deconv_core.index.activation_index import ActivationIndex
from deconv_dashboard.gallery import contact_sheet
from deconv_dashboard.gallery.answers import columns_of
from deconv_dashboard.gallery.map_orders import title_of
from deconv_dashboard.gallery.tiles import Panel
from tests.app.conftest import Home, OpenPage, address, key_now, words
from tests.app.test_kept_pictures import restart
from tests.core.networks import DEAD


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
    assert "grey is 0; same colour scale in all tiles" in words(open_page("layer"))


def test_dead_maps_are_counted(open_page: OpenPage) -> None:
    assert "1 map never fires in these images" in words(open_page("layer", layer="conv3_2"))


def test_all_maps_as_a_table(open_page: OpenPage, index: ActivationIndex) -> None:
    app = open_page("layer", layer="conv3_2")
    app.segmented_control(key=key_now(app, "maps_view")).select("Table").run()
    table = app.dataframe(key="maps_table_conv3_2").value
    assert sorted(table["channel"]) == list(range(index.layers["conv3_2"].channels))
    app.toggle(key="maps_alive").set_value(True).run()
    alive = app.dataframe(key="maps_table_conv3_2").value["channel"]
    assert set(table["channel"]) - set(alive) == {DEAD[1]}


def test_the_address_says_which_maps_the_table_lists(open_page: OpenPage) -> None:
    app = open_page("layer", layer="conv3_2", show="table", find="2", alive="only")
    assert list(app.dataframe(key="maps_table_conv3_2").value["channel"]) == [2]
    assert app.text_input(key=key_now(app, "maps_filter")).value == "2"
    assert app.toggle(key=key_now(app, "maps_alive")).value
    app.text_input(key=key_now(app, "maps_filter")).set_value(str(DEAD[1])).run()
    assert address(app)["find"] == str(DEAD[1])
    app.toggle(key=key_now(app, "maps_alive")).set_value(False).run()
    assert "alive" not in address(app)
    assert DEAD[1] in set(app.dataframe(key="maps_table_conv3_2").value["channel"])
    app.text_input(key=key_now(app, "maps_filter")).set_value("").run()
    assert "find" not in address(app)


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


@pytest.mark.usefixtures("nothing_kept")
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


@pytest.mark.parametrize("order", ["strongest", "rarest", "number"])
def test_the_order_is_in_the_address(
    open_page: OpenPage, index: ActivationIndex, order: str
) -> None:
    app = open_page("layer", layer="conv3_2", show="table")
    app.selectbox(key=key_now(app, "sheet_order")).set_value(title_of(order)).run()
    assert address(app).get("order", "number") == order
    maps = index.maps("conv3_2")
    expected = {
        "number": list(maps["channel"]),
        "strongest": sorted(maps["channel"], key=lambda c: (-maps["max"][c], c)),
        "rarest": sorted(maps["channel"], key=lambda c: (maps["dead"][c], maps["share"][c], c)),
    }
    assert list(app.dataframe(key="maps_table_conv3_2").value["channel"]) == expected[order]


def test_maps_in_the_order_of_a_label(open_page: OpenPage, index: ActivationIndex) -> None:
    app = open_page("layer", layer="conv3_2", show="table", order="label:dog")
    table = app.dataframe(key="maps_table_conv3_2").value
    values = index.values("conv3_2")
    areas = {
        int(channel): roc_auc_score(values.labels == "dog", found)
        for channel, found in zip(values.channels, values.values, strict=True)
    }
    assert list(table["channel"]) == sorted(areas, key=lambda c: (-areas[c], c))
    assert np.allclose(table["auc"], sorted(areas.values(), reverse=True))
    app = open_page("layer", layer="conv3_2", order="label:dog")
    assert "area under the ROC curve for dog" in words(app)


def test_the_label_that_a_map_tells_apart_best(open_page: OpenPage, index: ActivationIndex) -> None:
    app = open_page("layer", layer="conv3_2", show="table")
    table = app.dataframe(key="maps_table_conv3_2").value.set_index("channel")
    areas = index.label_table("conv3_2")
    areas = areas[areas["images"] >= 10]
    for channel, rows in areas.groupby("channel"):
        best = rows.loc[rows["auc"].idxmax()]
        found = table.loc[channel, ["best_label", "best_auc"]].tolist()
        assert found == [best["label"], best["auc"]]


def test_correlations_are_drawn_in_their_tab(open_page: OpenPage, index: ActivationIndex) -> None:
    app = open_page("layer", layer="conv3_2", view="correlations")
    assert "1 map with the same peak in every image is left out" in words(app)
    assert "All 16 feature maps" not in words(app)
    figure = json.loads(app.get("plotly_chart")[0].proto.spec)["data"][0]
    assert figure["x"] == [str(c) for c in index.correlations("conv3_2").index]


def test_an_order_of_another_dataset_is_by_number(open_page: OpenPage) -> None:
    app = open_page("layer", layer="conv3_2", order="label:nothing of the kind")
    assert app.selectbox(key=key_now(app, "sheet_order")).value == "number"


def test_pages_hold_sixty_four_maps() -> None:
    assert contact_sheet.PAGE == 64


@pytest.mark.usefixtures("nothing_kept")
def test_the_contact_sheet_is_made_when_it_is_asked_for(
    open_page: OpenPage, index: ActivationIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    plain = contact_sheet.gallery

    def gallery(panels: list[Panel], *rest: object, **how: object) -> object:
        drawn.append(sum(bool(tile.png) for panel in panels for tile in panel.tiles))
        return plain(panels, *rest, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(contact_sheet, "gallery", gallery)
    maps = index.maps("conv3_1")
    alive = int((~maps["dead"]).sum())
    app = open_page("layer", layer="conv3_1")
    assert not drawn
    app.button(key="draw_sheet").click().run()
    assert drawn == [alive]
    app.selectbox(key=key_now(app, "sheet_order")).set_value(title_of("strongest")).run()
    assert drawn == [alive] * 2, "it was asked for"
    assert open_page("layer", layer="conv3_3").button(key="draw_sheet")
    assert drawn == [alive] * 2
    restart()  # what is kept in the data folder is at hand, in any session
    app = open_page("layer", layer="conv3_1")
    assert drawn == [alive] * 3
    assert "draw_sheet" not in [button.key for button in app.button]


def test_each_map_once_shows_nine_different_maps(
    home: Home, open_page: OpenPage, index: ActivationIndex
) -> None:
    layer = "conv2_2"
    app = open_page("layer", layer=layer, once="maps")
    assert "the 9 strongest maps" in words(app)
    (table,) = [frame.value for frame in app.dataframe if "rank" in frame.value.columns]
    best = [top[0] for c in range(index.layers[layer].channels) if (top := index.top(layer, c, 1))]
    best.sort(key=lambda found: -found.value)
    assert table["channel"].tolist() == [found.unit.channel for found in best[:9]]
    assert table["image_id"].tolist() == [found.image_id for found in best[:9]]
    assert len(set(table["channel"])) == len(table)
    assert address(app)["once"] == "maps"
    other = open_page("layer", layer=layer)
    (usual,) = [frame.value for frame in other.dataframe if "rank" in frame.value.columns]
    assert usual["image_id"].tolist() == [found.image_id for found in index.top(layer)]


def test_a_wrong_once_is_said(open_page: OpenPage) -> None:
    app = open_page("layer", once="twice")
    assert "once=“twice”" in words(app)
    assert "once" not in address(app)


@pytest.mark.parametrize(("tiles", "columns"), [(1, 3), (9, 3), (10, 5), (12, 4), (16, 4), (25, 5)])
def test_grids_of_up_to_25(tiles: int, columns: int) -> None:
    assert columns_of(tiles) == columns


@pytest.mark.parametrize("tiles", range(10, 101))
def test_the_last_row_of_a_grid_is_never_nearly_empty(tiles: int) -> None:
    columns = columns_of(tiles)
    assert -tiles % columns <= 0.6 * columns, "empty places in the last row"
