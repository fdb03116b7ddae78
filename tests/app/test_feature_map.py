"""The Feature map page."""

import io
import threading
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from deconv_core import ImageFolder, Network, Scale, Unit, compose_grid, reconstruct
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.network.sources import VGG19_CHAIN
from deconv_dashboard.gallery import downloads
from deconv_dashboard.gallery import tour as stories
from deconv_dashboard.wording import shortened
from tests.app.conftest import OpenPage, address, words
from tests.core.independent import chain_layers
from tests.core.networks import DEAD


def test_the_table_is_what_the_index_answers(open_page: OpenPage, index: ActivationIndex) -> None:
    app = open_page("feature_map", layer="conv4_4", map="3", label="dog")
    found = index.top("conv4_4", channel=3, label="dog")
    assert list(app.dataframe[0].value["image_id"]) == [a.image_id for a in found]


def test_next_previous_and_random(open_page: OpenPage, index: ActivationIndex) -> None:
    app = open_page("feature_map", layer="conv4_4", map="3")
    app.button(key="next_map").click().run()
    assert address(app)["map"] == "4"
    app.button(key="previous_map").click().run()
    assert address(app)["map"] == "3"
    app.button(key="random_map").click().run()
    assert 0 <= int(address(app)["map"]) < index.layers["conv4_4"].channels


def test_the_ends_are_ends(open_page: OpenPage, index: ActivationIndex) -> None:
    last = str(index.layers["conv4_4"].channels - 1)
    assert open_page("feature_map", map="0").button(key="previous_map").disabled
    assert open_page("feature_map", map=last).button(key="next_map").disabled


def test_going_to_a_map_and_a_layer(open_page: OpenPage, index: ActivationIndex) -> None:
    app = open_page("feature_map", layer="conv5_1", map="2")
    app.number_input(key="pick_map").set_value(6).run()
    assert address(app)["map"] == "6"
    app.selectbox(key="pick_layer").select("conv1_1").run()
    kept = min(6, index.layers["conv1_1"].channels - 1)
    assert (address(app)["layer"], address(app)["map"]) == ("conv1_1", str(kept))


def test_two_labels_side_by_side(open_page: OpenPage, index: ActivationIndex) -> None:
    app = open_page("feature_map", layer="conv4_1", map="1", label="dog", label2="people")
    listed = app.dataframe[0].value
    expected = [
        a.image_id
        for label in ("dog", "people")
        for a in index.top("conv4_1", channel=1, label=label)
    ]
    assert list(listed["image_id"]) == expected
    assert address(app)["label2"] == "people"


def test_the_link_names_the_chosen_rank(open_page: OpenPage, index: ActivationIndex) -> None:
    app = open_page("feature_map", layer="conv4_4", map="3", tab="fired", rank="3")
    assert "Where it fired: rank 3" in words(app)
    assert f"{index.top('conv4_4', channel=3)[2].image_id} · activation" in words(app)
    assert address(app)["rank"] == "3"


def test_ranks_go_on_in_the_second_label(open_page: OpenPage, index: ActivationIndex) -> None:
    asked = {"layer": "conv4_1", "map": "1", "label": "dog", "label2": "people", "tab": "fired"}
    first, second = (index.top("conv4_1", channel=1, label=name) for name in ("dog", "people"))
    app = open_page("feature_map", **asked, rank=str(len(first) + 2))
    assert "Where it fired: rank 2, people" in words(app)
    assert f"{second[1].image_id} · activation" in words(app)
    beyond = open_page("feature_map", **asked, rank=str(len(first) + len(second) + 1))
    assert "Where it fired: rank 1, dog" in words(beyond)


def test_another_map_forgets_the_rank_and_another_scale_keeps_it(open_page: OpenPage) -> None:
    app = open_page("feature_map", layer="conv4_4", map="3", rank="2")
    app.segmented_control(key="pick_scale").select("99").run()
    assert address(app)["rank"] == "2"
    app.button(key="next_map").click().run()
    assert "rank" not in address(app)


def test_a_dead_map_says_so(open_page: OpenPage, index: ActivationIndex) -> None:
    app = open_page("feature_map", layer=DEAD[0], map=str(DEAD[1]))
    assert f"Fires in none of {sum(index.labels.values())} images" in words(app)


def test_k_and_scale_are_in_the_address(open_page: OpenPage) -> None:
    app = open_page("feature_map", k="4", scale="shared")
    assert len(app.dataframe[0].value) == 4
    assert "clipped" not in words(app)
    app.number_input(key="pick_k").set_value(9).run()
    assert "k" not in address(app)
    app.segmented_control(key="pick_scale").select("99").run()
    assert address(app)["scale"] == "99"
    assert "strongest 1 % clipped" in words(app)


def test_no_tour_for_other_weights(open_page: OpenPage) -> None:
    assert "tour" not in [group.key for group in open_page("feature_map").button_group]


def test_the_published_stories_are_the_original_four() -> None:
    told = [str(stop.unit) for stop in stories.PUBLISHED]
    assert told == ["conv2_2/59", "conv3_4/166", "conv4_4/349", "conv4_4/171"]


@pytest.mark.parametrize(("layer", "native"), [("conv1_2", 23), ("conv3_4", 152)])
def test_the_native_download_has_the_original_size(
    network: Network, images: ImageFolder, index: ActivationIndex, layer: str, native: int
) -> None:
    pictures = reconstruct(network, images, index.top(layer))
    scale = Scale.shared(pictures)
    png = downloads.grid(pictures, "reconstruction", scale, None)
    drawn = np.asarray(Image.open(io.BytesIO(png)))
    assert drawn.shape == (native, native, 3)
    np.testing.assert_array_equal(drawn, np.asarray(compose_grid(pictures, scale=scale)))


def test_long_names_keep_their_beginning_and_end() -> None:
    assert shortened("a" * 40 + "_0042.jpg", 20) == "aaaaaaaaa…a_0042.jpg"
    assert shortened("short.jpg") == "short.jpg"


def test_the_published_stories_are_for_the_caffe_weights_only(index: ActivationIndex) -> None:
    full = replace(index.manifest, layers=chain_layers(VGG19_CHAIN), preprocessing="caffe")
    assert stories.is_caffe_vgg19(full)
    assert not stories.is_caffe_vgg19(replace(full, preprocessing="torchvision"))
    assert not stories.is_caffe_vgg19(replace(full, layers=index.manifest.layers))
    assert not stories.is_caffe_vgg19(replace(full, network="random"))


def test_a_tour_leads_from_map_to_map(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    told = (
        stories.Stop(Unit("conv3_1", 2), "curves", "Responds to curves", ("dog", "people"), "So."),
        stories.Stop(Unit("conv4_1", 1), "noses", "Responds to noses", ("owl",)),
    )
    monkeypatch.setattr(stories, "stops", lambda choice: told)
    app = open_page("feature_map", layer="conv3_1", map="2")
    assert "Responds to curves" in words(app)
    assert app.button_group(key="tour").value == 0
    app = open_page("feature_map", layer="conv3_1", map="3")
    assert "Responds to curves" not in words(app)
    assert app.button_group(key="tour").value is None
    app.button_group(key="tour").set_value(1).run()
    assert (address(app)["layer"], address(app)["map"]) == ("conv4_1", "1")
    assert "label" not in address(app)
    app.button_group(key="tour").set_value(0).run()
    assert address(app)["label2"] == "people"


def test_pictures_paint_before_the_first_charts_of_a_session_only(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    class Flag(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waited.append(timeout or 0.0)
            return False

    monkeypatch.setattr("deconv_dashboard.server.locks.Newest.begin", lambda self: Flag())
    monkeypatch.setattr("deconv_dashboard.server.reconstructing.PAINT_SECONDS", 0.125)
    app = open_page("feature_map", layer="conv4_4", map="3")
    assert waited == [0.125]
    app.button(key="next_map").click().run()
    assert waited == [0.125]


def test_only_the_open_tab_is_made_and_it_stays_open(open_page: OpenPage) -> None:
    app = open_page("feature_map", layer="conv4_4", map="3")
    assert "Peaks over all images" in words(app)
    assert "The image and the receptive field" not in words(app)
    app = open_page("feature_map", layer="conv4_4", map="3", tab="fired")
    assert "The image and the receptive field" in words(app)
    assert "Peaks over all images" not in words(app)
    app.button(key="next_map").click().run()
    assert address(app)["tab"] == "fired"
    assert "The image and the receptive field" in words(app)


def test_an_unknown_tab_is_said(open_page: OpenPage) -> None:
    app = open_page("feature_map", layer="conv4_4", map="3", tab="<b>")
    assert any("This page has no tab" in warning.value for warning in app.warning)
    assert "Peaks over all images" in words(app)
    assert "tab" not in address(app)
