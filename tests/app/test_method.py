"""The Method page."""

from pathlib import Path

from torch import nn

from deconv_core import Network, load_network
from tests.app.conftest import Home, OpenPage, words


def test_the_table_is_the_loaded_networks(open_page: OpenPage, network: Network) -> None:
    table = open_page("method").dataframe[0].value
    assert list(table["layer"]) == list(network.layers)
    fields = [layer.receptive_field for layer in network.layers.values()]
    assert list(table["receptive field"]) == [field.size for field in fields]
    assert list(table["offset"]) == [field.offset for field in fields]


def test_it_says_what_the_pictures_cannot_tell(open_page: OpenPage) -> None:
    said = words(open_page("method"))
    assert "Mahendran & Vedaldi 2016" in said
    assert "Nie, Zhang & Patel 2018" in said


def test_it_says_which_preprocessing_is_used_and_why(open_page: OpenPage) -> None:
    told = "Preprocessing: torchvision (RGB, 0 to 1, then mean 0 and deviation 1), because "
    assert f"{told}the demo network was trained with it." in words(
        open_page("method", network="demo", dataset="demo")
    )
    assert f"{told}it is the default; random weights expect none." in words(
        open_page("method", network="random")
    )


def test_layers_behind_a_step_without_a_deconvnet_are_listed_with_it(
    open_page: OpenPage, home: Home, tmp_path: Path
) -> None:
    parts = [nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.Conv2d(4, 4, 1), nn.SiLU(), nn.Conv2d(4, 4, 1)]
    module = nn.Sequential(*parts, nn.ReLU()).eval()
    saved = tmp_path / "own.safetensors"
    load_network(module, input_size=(32, 48)).save(saved)
    network = home.registry.add_weights(saved)
    app = open_page("method", network=network.network_id)
    said = words(app)
    assert "An image of 32 × 48 pixels" in said
    assert "They lie behind the step silu, which has no deconvnet" in said
    assert len(app.dataframe[0].value) == 1
