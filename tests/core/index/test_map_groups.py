"""A planted map that answers to two labels is split along them, one that answers to one is not."""

from pathlib import Path

import numpy as np
import pytest

from deconv_core.errors import DeconvError
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.units import label_of
from tests.core.index.planted import LAYER, planted_index
from tests.core.statistics.test_groups import planted

TWO, ONE, NOBODY, FEW = range(64, 68)
"""A map that fires for dogs and people, one for dogs, one for no image, one for 39 images."""
NAMES = ("cat", "dog", "people", "tree")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> ActivationIndex:
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat([0, 1, 2, 3], 120))
    others = planted(rng, labels)
    strength = rng.uniform(1, 2, len(labels))
    own = np.stack(
        [
            strength * np.isin(labels, [1, 2]),
            strength * (labels == 1),
            np.zeros(len(labels)),
            strength * (np.arange(len(labels)) < 39),
        ]
    )
    names = [f"{NAMES[label]}/{n:03d}.png" for n, label in enumerate(labels)]
    order = np.argsort(names)
    values = np.concatenate([others, own])[:, order]
    folder: Path = tmp_path_factory.mktemp("planted") / "index"
    return planted_index(folder, values, [names[n] for n in order])


def test_a_map_of_two_labels_is_split_along_them(index: ActivationIndex) -> None:
    found = index.groups(LAYER, TWO)
    assert found.several
    assert found.stability is not None
    assert found.stability > 0.8
    named = [{label_of(activation.image_id) for activation in group} for group in found.groups]
    assert sorted(map(sorted, named)) == [["dog"], ["people"]]
    top = index.top(LAYER, TWO, 100)
    assert found.groups[0][0] == top[0]
    for group in found.groups:
        assert list(group) == [activation for activation in top if activation in group]
    assert sum(map(len, found.groups)) == 100


def test_a_map_of_one_label_is_one_group(index: ActivationIndex) -> None:
    found = index.groups(LAYER, ONE)
    assert not found.several
    assert found.stability is None
    assert found.groups == (tuple(index.top(LAYER, ONE, 100)),)


def test_fewer_than_forty_images_are_not_compared(index: ActivationIndex) -> None:
    assert index.groups(LAYER, NOBODY).groups == ()
    assert index.groups(LAYER, FEW).groups == ()


def test_a_bad_question_is_an_error(index: ActivationIndex) -> None:
    with pytest.raises(DeconvError, match="not a layer"):
        index.groups("fc6", 0)
    with pytest.raises(DeconvError, match="no feature map 99"):
        index.groups(LAYER, 99)
    with pytest.raises(DeconvError, match="copies is 2"):
        index.groups(LAYER, TWO, copies=2)
