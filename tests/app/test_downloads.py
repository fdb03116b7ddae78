"""What is saved says by its name, and on the page, what it was made from."""

from dataclasses import replace

import pytest

from deconv_core.index.activation_index import ActivationIndex
from deconv_dashboard.data.datasets import NetworkChoice
from deconv_dashboard.gallery.downloads import file_stem
from deconv_dashboard.values import Choice
from tests.app.conftest import Home, OpenPage, words


@pytest.fixture
def choice(home: Home, index: ActivationIndex) -> Choice:
    return Choice(home.registry, home.network, home.dataset, None, index, home.index_path)


def test_another_network_dataset_resizing_or_rule_has_another_name(choice: Choice) -> None:
    def name(**changed: object) -> str:
        return file_stem(replace(choice, page="feature_map", **changed), "conv2_1", 3, "dog")

    names = [
        name(),
        name(network=NetworkChoice("random", "VGG19, random weights", "random")),
        name(dataset=replace(choice.dataset, name="others")),
        name(dataset=replace(choice.dataset, resize="crop")),
        name(values={"rule": "guided"}),
        name(values={"copies": "each"}),
    ]
    assert len(set(names)) == len(names)
    assert all(one.startswith("conv2_1_map3_dog_") for one in names)


def test_it_is_made_from_what_the_index_says(choice: Choice, index: ActivationIndex) -> None:
    made = choice.made
    assert made.fingerprint == index.manifest.fingerprint
    assert made.preprocessing == index.manifest.preprocessing
    assert (made.dataset, made.resize) == ("my drawings", "stretch")


def test_the_heading_says_how_images_are_resized(home: Home, open_page: OpenPage) -> None:
    assert "my drawings · stretched to 224 × 224" in words(open_page("layer"))
