"""The drawings: repeatable, and every part's mask marks what is seen of the part."""

import numpy as np
import pytest

from demo.drawing import LABELS, Drawing, draw

# Parts that every drawing of a label has, whatever is chosen by chance.
CERTAIN_PARTS = {
    "bicycle": {"wheel", "frame", "saddle", "handlebar", "pedal"},
    "bird": {"eye", "beak", "wing", "tail"},
    "boat": {"hull", "sail", "mast", "window"},
    "butterfly": {"wing", "spots", "body"},
    "car": {"wheel", "window", "door"},
    "cat": {"eye", "nose", "mouth", "ear", "whiskers", "muzzle"},
    "checks": {"checks"},
    "dog": {"eye", "nose", "mouth", "ear", "muzzle"},
    "fish": {"eye", "fin", "tail", "scales"},
    "flower": {"petals", "centre"},
    "house": {"window", "door", "roof"},
    "letters": {"o"},
    "owl": {"eye", "beak", "ear"},
    "people": {"eye", "nose", "mouth", "shirt"},
    "stripes": {"stripes"},
    "tree": {"crown", "trunk"},
}


@pytest.fixture(scope="module", params=LABELS)
def drawings(request: pytest.FixtureRequest) -> list[Drawing]:
    return [draw(request.param, seed) for seed in range(5)]


def test_same_seed_same_pixels(drawings: list[Drawing]) -> None:
    again = draw(drawings[3].label, 3)
    assert np.array_equal(np.asarray(again.image), np.asarray(drawings[3].image))
    assert again.parts.keys() == drawings[3].parts.keys()
    for part, mask in again.parts.items():
        assert np.array_equal(mask, drawings[3].parts[part])


def test_another_seed_is_another_picture(drawings: list[Drawing]) -> None:
    first, second = (np.asarray(drawing.image, dtype=float) for drawing in drawings[:2])
    assert np.abs(first - second).mean() > 5


def test_size_mode_and_contrast(drawings: list[Drawing]) -> None:
    for drawing in drawings:
        assert drawing.image.size == (224, 224)
        assert drawing.image.mode == "RGB"
        assert np.asarray(drawing.image).std() > 8


def test_every_label_shows_its_parts(drawings: list[Drawing]) -> None:
    for drawing in drawings:
        assert CERTAIN_PARTS[drawing.label] <= drawing.parts.keys()


def test_masks_share_no_pixel(drawings: list[Drawing]) -> None:
    for drawing in drawings:
        masks = np.stack(list(drawing.parts.values()))
        assert masks.shape[1:] == (224, 224)
        assert masks.dtype == bool
        assert masks.any(axis=(1, 2)).all()
        assert masks.sum(axis=0).max() == 1
