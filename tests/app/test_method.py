"""The Method page."""

from deconv_core import Network
from tests.app.conftest import OpenPage, words


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
