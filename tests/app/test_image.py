"""The Image page."""

import shutil

import numpy as np

from deconv_core import ImageFolder, Network
from deconv_core.deconvnet import convnet_pass
from tests.app.conftest import Home, OpenPage, address, words

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
    pixels = images.read(images.position(NAME))
    import torch

    inputs = network.normalise(torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None])
    for layer in ("conv1_1", "conv3_4", "conv5_4"):
        maps = convnet_pass(network, inputs, layer).feature_maps[0]
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
