"""The tab About this picture: what is measured about the chosen tile."""

import json

import numpy as np
import pytest

from deconv_core import ImageFolder, Network, reconstruct
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.specificity.measurement import measure
from tests.app.conftest import OpenPage, words

UNIT = "conv3_1", 3


def test_a_picture_is_measured_on_request_and_kept(
    open_page: OpenPage, index: ActivationIndex, network: Network, images: ImageFolder
) -> None:
    app = open_page("feature_map", layer=UNIT[0], map=str(UNIT[1]), tab="about")
    assert not app.get("plotly_chart")
    app.button(key="measure").click().run()
    assert not app.exception
    (picture,) = reconstruct(network, images, index.top(*UNIT)[:1])
    pixels = images.read(images.position(picture.activation.image_id))
    *_, expected = measure(network, picture, pixels)
    assert expected.sentence in words(app)
    dots, curves = (json.loads(chart.proto.spec)["data"] for chart in app.get("plotly_chart"))
    assert np.allclose(dots[0]["x"], [one.spearman for one in expected.other_maps], atol=1e-3)
    assert expected.deletion is not None
    assert np.allclose(curves[-1]["y"], expected.deletion.own, atol=1e-3)
    assert curves[-1]["x"] == list(range(9))
    assert curves[0]["x"] == [0, 4, 8]
    assert np.allclose(curves[0]["y"], expected.deletion.others[0], atol=1e-3)
    again = open_page("feature_map", layer=UNIT[0], map=str(UNIT[1]), tab="about")
    assert expected.sentence in words(again)
    assert "measure" not in [button.key for button in again.button]


@pytest.mark.usefixtures("nothing_kept")
def test_what_is_kept_belongs_to_one_rule(open_page: OpenPage) -> None:
    app = open_page("feature_map", layer=UNIT[0], map=str(UNIT[1]), tab="about")
    app.button(key="measure").click().run()
    other = open_page("feature_map", layer=UNIT[0], map=str(UNIT[1]), tab="about", rule="guided")
    assert "measure" in [button.key for button in other.button]
