"""The Image page."""

import shutil
from pathlib import Path

import numpy as np

from deconv_core import ImageFolder, Network, scan
from deconv_core.deconvnet import convnet_pass
from tests.app.conftest import Home, OpenPage, address, words
from tests.core import drawings

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
        maps = convnet_pass(network.graph, inputs, layer).feature_maps[0]
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
