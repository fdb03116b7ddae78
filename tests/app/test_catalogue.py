"""The catalogue of torchvision's classifiers, and networks that are added from it."""

from pathlib import Path

import pytest

from deconv_core.errors import DeconvError
from deconv_core.network.catalogue import TITLES
from deconv_core.network.sources import load_network
from deconv_dashboard.data.catalogue import classifiers, published
from deconv_dashboard.data.registry import RANDOM, VGG19, Registry
from deconv_dashboard.frame.job_words import job_doing
from deconv_dashboard.queue.state import JobState
from deconv_dashboard.start import catalogue_panel
from tests.app.catalogue_table import row_of
from tests.app.conftest import Home, address, words
from tests.app.test_start import pressed, start


def test_the_table_is_what_torchvision_says() -> None:
    assert list(classifiers()) == list(TITLES)
    for name, row in classifiers().items():
        assert row == row_of(name, row.layers)


@pytest.mark.parametrize("name", ["alexnet", "squeezenet1_1", "resnet18"])
def test_the_layers_are_counted(name: str) -> None:
    assert classifiers()[name].layers == len(load_network(f"{name}:random").layers)


def test_the_layers_of_well_known_networks() -> None:
    layers = {name: row.layers for name, row in classifiers().items()}
    assert (layers["vgg19"], layers["resnet50"], layers["densenet121"]) == (21, 50, 125)
    assert max(layers.values()) < 256


def test_the_kept_file_is_found_by_its_name(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    network = registry.add_classifier("resnet50")
    assert (network.name, network.source) == ("ResNet-50 (ImageNet)", "resnet50")
    assert not registry.ready(network)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "resnet50-11ad3fa6.safetensors").touch()
    assert registry.ready(network)


def test_added_networks_are_listed_and_can_be_removed(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    drawn = registry.add_classifier("resnet18", at_random=True)
    assert registry.ready(drawn)
    assert registry.network(drawn.network_id).name == "ResNet-18, random weights"
    assert registry.add_classifier("resnet18", at_random=True) == drawn
    assert registry.add_classifier("vgg19") == VGG19
    assert registry.add_classifier("vgg19", at_random=True) == RANDOM
    assert [one.network_id for one in registry.networks()] == [
        *("demo", "vgg19", drawn.network_id, "random")
    ]
    registry.delete_network(drawn)
    assert len(registry.networks()) == 3
    with pytest.raises(DeconvError, match="the catalogue has no network"):
        registry.add_classifier("../resnet18")


def test_sources() -> None:
    assert published("resnet50") is not None
    assert published("/home/resnet50") is None
    assert not VGG19.is_file
    assert not RANDOM.is_file


def test_a_download_is_named_in_words(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    network = registry.add_classifier("googlenet")
    state = JobState("running", "weights", "weights googlenet", network=network.network_id)
    assert job_doing(registry, state) == "Downloading the weights of GoogLeNet (ImageNet)"


def test_a_network_is_added_from_the_list(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []
    monkeypatch.setattr(
        *(catalogue_panel, "start_weights_download"),
        lambda _, network: begun.append(network.source),
    )
    app = start(**home.names)
    app.session_state["start_tab"] = "Networks"
    app.run()
    listed = app.selectbox(key="catalogue_name")
    assert "ResNet-50 · 25.6 M parameters · 50 layers · 103 MB" in listed.options
    listed.select("resnet50").run()
    assert app.button(key="catalogue_add").label == "Add, 103 MB"
    pressed(app, "catalogue_add")
    assert begun == ["resnet50"]
    network = next(one for one in home.registry.networks() if one.source == "resnet50")
    assert address(app)["network"] == network.network_id
    assert "25.6 million parameters, 50 layers, trained on ImageNet by torchvision" in words(app)
