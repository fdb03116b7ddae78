"""Which layers Start offers, and which one pages show first."""

from deconv_dashboard.depths import depths, first_shown
from tests.app.test_strip import resnet50, vgg19


def test_of_vgg19() -> None:
    layers = {layer.name: layer for layer in vgg19()}
    assert depths(layers) == ["conv1_2", "conv2_2", "conv3_4", "conv4_4", "conv5_4"]
    assert first_shown(layers) == "conv4_4"


def test_of_resnet50_what_blocks_put_out() -> None:
    layers = {layer.name: layer for layer in resnet50()}
    found = depths(layers)
    assert len(found) == 5
    assert all(name.rpartition(".")[2].isdigit() for name in found)
    assert [*layers].index(found[0]) < 10
    assert first_shown(layers) == found[3]


def test_of_a_few_layers_all() -> None:
    layers = {layer.name: layer for layer in resnet50()[:3]}
    assert depths(layers) == [*layers]
    assert first_shown(layers) == "layer1.0.conv1"
