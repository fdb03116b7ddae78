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
