"""The Image page."""

import base64
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
import torch
from PIL import Image
from streamlit.proto.WidgetStates_pb2 import WidgetState

from deconv_core import ActivationIndex, ImageFolder, Network, scan
from deconv_core.deconvnet import convnet_pass
from tests.app.conftest import Home, OpenPage, address, key_now, words
from tests.core import drawings
from tests.core.networks import DEAD

NAME = "dog/square.png"


def test_it_opens_the_image_in_the_address(open_page: OpenPage) -> None:
    app = open_page("image", image=NAME)
    assert "dog/square.png" in words(app)
    assert address(app)["image"] == NAME


def test_an_unknown_image_falls_back_with_a_note(open_page: OpenPage) -> None:
    app = open_page("image", image="../../etc/passwd")
    assert "no image “../../etc/passwd”" in words(app)


def test_the_strongest_map_of_every_layer(
    open_page: OpenPage, network: Network, images: ImageFolder
) -> None:
    app = open_page("image", image=NAME)
    table = app.dataframe[0].value.set_index("layer")
    for layer in ("conv1_1", "conv3_4", "conv5_4"):
        maps = maps_of(network, images, layer)
        np.testing.assert_allclose(table.loc[layer, "value"], float(maps.max()), rtol=1e-5)


def test_a_position_asks_for_that_place(open_page: OpenPage) -> None:
    app = open_page("image", image=NAME, layer="conv3_1", position="70,50")
    assert "at the cross" in words(app)
    assert "Column 70, row 50" in words(app)
    app.button(key="whole_image").click().run()
    assert "position" not in address(app)


def test_a_position_outside_is_ignored(open_page: OpenPage) -> None:
    app = open_page("image", image=NAME, position="224,0")
    assert "at the cross" not in words(app)


def test_without_an_index_one_image_can_still_be_seen(open_page: OpenPage, home: Home) -> None:
    shutil.rmtree(home.index_path)
    app = open_page("image", image=NAME, layer="conv3_1")
    assert "Strongest maps of conv3\\_1 in this image" in words(app) or (
        "Strongest maps of conv3_1 in this image" in words(app)
    )


def test_names_may_be_typed_with_their_letters_composed_in_another_way(
    open_page: OpenPage, home: Home, network: Network, tmp_path: Path
) -> None:
    apart, whole = "gru\u0308n", "gr\u00fcn"
    pictures = {f"{apart}/cafe\u0301 {n}.png": drawings.noise(n) for n in (1, 2)}
    pictures |= {"dog/3.png": drawings.noise(3)}
    folder = drawings.save(tmp_path / "letters", pictures)
    dataset = home.registry.add_folder(folder)
    scan(network, ImageFolder(folder), home.registry.index_path(dataset, home.network))
    names = {"dataset": dataset.dataset_id, "label": whole}
    app = open_page("image", image=f"{whole}/caf\u00e9 2.png", **names)
    assert address(app)["label"] == apart
    assert "has no image" not in words(app)
    assert "no image of this dataset has the label" not in words(app).lower()
    assert f"{apart}/cafe\u0301 2.png" in words(app)
    app.session_state["image_menu"] = True
    app.run()
    for typed, found in (("CAF\u00c9 2", 1), ("cafe\u0301", 2), ("cafe", 0)):
        app.text_input(key="image_search").input(typed).run()
        assert not app.exception
        assert ("No image has this text in its name." in words(app)) == (found == 0), typed


@pytest.fixture
def drawn_tiles(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the last page gave the browser to draw: key -> data of the component."""
    given: dict[str, Any] = {}

    def draw(*, key: str, data: Any, **_: object) -> object:
        given[key] = data
        return object()

    monkeypatch.setattr("deconv_dashboard.gallery.tiles._tiles", draw)
    return given


def maps_of(network: Network, images: ImageFolder, layer: str, name: str = NAME) -> np.ndarray:
    """The feature maps, computed without the dashboard."""
    pixels = images.read(images.position(name))
    inputs = network.normalise(torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None])
    return convnet_pass(network.graph, inputs, layer).feature_maps[0].numpy()


def listed(drawn_tiles: dict[str, Any]) -> list[dict[str, Any]]:
    (panel,) = drawn_tiles["image_maps"]["panels"]
    return list(panel["tiles"])


def by_strength(values: np.ndarray) -> list[str]:
    order = sorted(range(len(values)), key=lambda channel: (-values[channel], channel))
    return [str(channel) for channel in order if values[channel] > 0]


def test_a_map_that_does_not_fire_is_not_shown(
    open_page: OpenPage, network: Network, images: ImageFolder, drawn_tiles: dict[str, Any]
) -> None:
    layer, dead = DEAD
    order = by_strength(maps_of(network, images, layer).max(axis=(1, 2)))
    app = open_page("image", image=NAME, layer=layer, map=str(dead))
    assert [tile["value"] for tile in listed(drawn_tiles)] == order
    assert [tile["value"] for tile in listed(drawn_tiles) if tile["chosen"]] == order[:1]
    assert f"Feature map {dead} does not fire in this image; this is map {order[0]}." in words(app)


def test_a_map_that_is_asked_for_is_in_the_list(
    open_page: OpenPage,
    network: Network,
    images: ImageFolder,
    drawn_tiles: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("deconv_dashboard.gallery.image_maps.MOST", 3)
    order = by_strength(maps_of(network, images, "conv5_4").max(axis=(1, 2)))
    assert len(order) > 4
    open_page("image", image=NAME, layer="conv5_4", map=order[-1])
    assert [tile["value"] for tile in listed(drawn_tiles)] == [*order[:2], order[-1]]
    assert [tile["chosen"] for tile in listed(drawn_tiles)] == [False, False, True]
    assert f"{len(order)}th in the list" in listed(drawn_tiles)[-1]["text"]
    open_page("image", image=NAME, layer="conv5_4", map=order[1])
    assert [tile["value"] for tile in listed(drawn_tiles)] == order[:3]


def test_at_one_place_the_patch_is_drawn_once(
    open_page: OpenPage, network: Network, images: ImageFolder, drawn_tiles: dict[str, Any]
) -> None:
    planes = maps_of(network, images, "conv3_1")
    row, column = network.layers["conv3_1"].location_at(50, 70)
    open_page("image", image=NAME, layer="conv3_1", position="70,50")
    patch, *tiles = listed(drawn_tiles)
    assert not patch["value"]
    assert patch["src"]
    assert [tile["value"] for tile in tiles] == by_strength(planes[:, row, column])
    assert all(tile["src"] and not tile["second"] for tile in tiles)
    open_page("image", image=NAME, layer="conv3_1")
    assert all(tile["second"] for tile in listed(drawn_tiles)), "elsewhere each has its own"


def test_the_most_unusual_maps_come_first(
    open_page: OpenPage, index: ActivationIndex, drawn_tiles: dict[str, Any]
) -> None:
    repeated = {i for group in index.equal_images for i in group[1:]}
    shares, values = [], []
    for channel in range(index.layers["conv5_4"].channels):
        table = index.peaks("conv5_4", channel)
        values.append(float(table.set_index("image_id")["value"].loc[NAME]))
        counted = table[~table["image_id"].isin(repeated)]
        shares.append(float((counted["value"] < values[-1]).mean()))
    order = sorted(range(len(values)), key=lambda n: (-shares[n], -values[n], n))
    order = [channel for channel in order if values[channel] > 0]
    app = open_page("image", image=NAME, layer="conv5_4")
    app.segmented_control(key=key_now(app, "pick_list")).set_value("unusual").run()
    assert not app.exception
    assert address(app)["list"] == "unusual"
    assert [tile["value"] for tile in listed(drawn_tiles)] == [str(n) for n in order]
    for tile, channel in zip(listed(drawn_tiles), order, strict=True):
        assert tile["title"].endswith(f" · {int(shares[channel] * 100)} %")
    assert "Most unusual maps of conv5_4 in this image" in words(app)
    assert f"in how many of {20 - len(repeated)} images" in words(app)


def test_an_uploaded_image_among_those_of_the_index(
    open_page: OpenPage, images: ImageFolder, drawn_tiles: dict[str, Any]
) -> None:
    app = open_page("image", image=NAME, layer="conv5_4", list="unusual")
    expected = [(tile["value"], tile["title"]) for tile in listed(drawn_tiles)]
    content = (images.root / "other/checks 4.png").read_bytes()
    app.session_state["uploaded_image"] = ("mine.png", "checks", ".png", content)
    del app.query_params["image"]
    app.run()
    assert not app.exception
    assert "mine.png (uploaded)" in words(app)
    found = [(tile["value"], tile["title"]) for tile in listed(drawn_tiles)]
    assert found
    assert found != expected
    assert all(title.endswith(" %") for _, title in found)


def test_without_an_index_no_map_is_unusual(open_page: OpenPage, home: Home) -> None:
    shutil.rmtree(home.index_path)
    app = open_page("image", image=NAME, layer="conv3_1", list="unusual")
    assert "Only a scan tells which maps are unusual" in words(app)
    assert "list" not in address(app)
    assert app.segmented_control(key=key_now(app, "pick_list")).options == ["Strongest", "All maps"]


def test_an_unknown_list_falls_back_with_a_note(open_page: OpenPage) -> None:
    app = open_page("image", image=NAME, layer="conv3_1", list="rarest")
    assert "list=“rarest”" in words(app)
    assert "Strongest maps of conv3_1" in words(app)


def test_all_maps_of_a_layer_are_drawn_at_a_glance(
    open_page: OpenPage, network: Network, images: ImageFolder, drawn_tiles: dict[str, Any]
) -> None:
    layer, dead = DEAD
    planes = maps_of(network, images, layer)
    open_page("image", image=NAME, layer=layer, list="all", map=str(dead))
    (panel,) = drawn_tiles["image_planes"]["panels"]
    assert [tile["value"] for tile in panel["tiles"]] == [str(n) for n in range(len(planes))]
    assert [tile["value"] for tile in panel["tiles"] if tile["chosen"]] == [str(dead)]
    white = np.quantile(planes[planes > 0], 0.99)
    for tile, plane in zip(panel["tiles"], planes, strict=True):
        content = base64.b64decode(tile["src"].partition(",")[2])
        seen = np.asarray(Image.open(io.BytesIO(content)), float)
        np.testing.assert_allclose(seen, np.clip(plane / white, 0, 1) * 255, atol=0.6)


def test_a_row_of_the_table_opens_its_map(open_page: OpenPage) -> None:
    app = open_page("image", image=NAME, layer="conv3_1", position="70,50")
    for row in (0, 12, 0):  # also the same row again
        table = app.dataframe(key=key_now(app, "by_layer"))
        clicked = table.value.iloc[row]
        states = app._tree.get_widget_states()
        cells = {"selection": {"rows": [], "columns": [], "cells": [[row, "value"]]}}
        states.widgets.append(WidgetState(id=table.proto.id, string_value=json.dumps(cells)))
        app._run(states)
        assert not app.exception
        shown = address(app)
        assert (shown["layer"], shown["map"]) == (clicked["layer"], str(clicked["channel"]))
        assert "position" not in shown


def test_the_next_and_the_previous_image(open_page: OpenPage, images: ImageFolder) -> None:
    names = [entry.image_id for entry in images if entry.label == "dog"]
    app = open_page("image", image=names[1], label="dog", layer="conv3_1", position="70,50")
    app.button(key="next_image").click().run()
    assert address(app)["image"] == names[2]
    assert address(app)["label"] == "dog"
    assert "position" not in address(app)
    for name in (names[1], names[0]):
        app.button(key="previous_image").click().run()
        assert address(app)["image"] == name
    assert app.button(key="previous_image").disabled
    app = open_page("image", image=names[-1], label="dog", layer="conv3_1")
    assert app.button(key="next_image").disabled
    app = open_page("image", image="z.png", label="dog", layer="conv3_1")
    assert app.button(key="next_image").disabled, "it is not one of the label's"


def test_the_tab_is_named_after_the_image_also_without_one_in_the_address(
    open_page: OpenPage, images: ImageFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    named: list[str] = []
    monkeypatch.setattr(st, "set_page_config", lambda **told: named.append(told["page_title"]))
    assert "image" not in address(open_page("image"))
    assert named[-1].startswith(f"{Path(images[0].image_id).name} · ")
