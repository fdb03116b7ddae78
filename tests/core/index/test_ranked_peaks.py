"""Bands of the distribution of a map's peaks, against plain sorting of ``index.peaks``."""

import itertools
import math

import pytest

from deconv_core.demo import demo_index
from deconv_core.errors import DeconvError
from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.scanning.scan import scan
from deconv_core.units import Activation, Unit
from tests.core.networks import DEAD, whole_number_network

BANDS = [(0, 0.25), (0.25, 0.5), (0.75, 1), (0, 1), (0.1, 0.3), (0.33, 0.34)]
UNITS = [("conv4_4", 7), ("conv5_2", 30), ("pool3", 2), ("conv1_1", 0), ("conv5_4", 90)]


@pytest.fixture(scope="module")
def demo() -> ActivationIndex:
    return ActivationIndex.open(demo_index())


@pytest.fixture(scope="module")
def tied(images: ImageFolder, tmp_path_factory: pytest.TempPathFactory) -> ActivationIndex:
    """Whole numbers: the values of flat and striped drawings tie."""
    return scan(whole_number_network(seed=3), images, tmp_path_factory.mktemp("tied"))


def in_order(
    index: ActivationIndex, layer: str, channel: int, label: str | None, *, copies: bool
) -> list[Activation]:
    """The peaks of the counted images, the smallest first, then by id."""
    repeated: set[str] = set()
    if not copies:
        groups = index.equal_images
        if label is not None:
            labels = dict(zip(index.images["image_id"], index.images["label"], strict=True))
            groups = tuple(tuple(i for i in group if labels[i] == label) for group in groups)
        repeated = {image_id for group in groups for image_id in group[1:]}
    rows = [
        Activation(Unit(layer, channel), row.image_id, row.row, row.column, row.value)
        for row in index.peaks(layer, channel).itertuples()
        if row.image_id not in repeated and label in (None, row.label)
    ]
    return sorted(rows, key=lambda a: (a.value, a.image_id))


def check_bands(index: ActivationIndex, layer: str, channel: int, label: str | None) -> int:
    silent = 0
    for copies in (False, True):
        order = in_order(index, layer, channel, label, copies=copies)
        ranked = index.ranked(layer, channel, label, copies=copies)
        for low, high in BANDS:
            band = [a for n, a in enumerate(order) if low <= n / len(order) < high]
            fires = [a for a in band if a.value > 0]
            silent += len(band) - len(fires)
            strongest_first = sorted(fires, key=lambda a: (-a.value, a.image_id))
            firing = ranked.band(low, high).firing
            assert firing.activations() == strongest_first
            for seed in (None, 0, 1):
                found = firing.spread(4, seed).activations()
                assert len(set(found)) == min(4, len(fires))
                assert found == [a for a in strongest_first if a in found]
                if seed is None and fires:
                    assert {fires[0], fires[-1]} <= set(found)
        seed = int(copies)
        sampled = index.sample(layer, channel, 0.5, 1, 3, label, seed, copies=copies)
        assert sampled == ranked.band(0.5, 1).firing.spread(3, seed).activations()
    return silent


@pytest.mark.parametrize(("layer", "channel"), UNITS[:3])
@pytest.mark.parametrize("label", [None, "dog"])
def test_bands_of_the_demo_are_those_of_plain_sorting(
    demo: ActivationIndex, layer: str, channel: int, label: str | None
) -> None:
    check_bands(demo, layer, channel, label)


def test_bands_with_ties_copies_and_silent_images_are_those_of_plain_sorting(
    tied: ActivationIndex,
) -> None:
    units = [("conv1_1", 0), ("conv3_4", 1), ("conv4_1", 2), ("pool2", 3)]
    assert tied.equal_images
    values = [a.value for unit in units for a in in_order(tied, *unit, None, copies=False)]
    assert len(set(values)) < len(values) - len(units)
    silent = [check_bands(tied, *unit, label) for unit in units for label in (None, "dog")]
    assert any(silent)


def test_ranks_and_percentiles_are_positions_in_the_sorted_list(demo: ActivationIndex) -> None:
    ranked = demo.ranked("conv4_4", 7)
    order = in_order(demo, "conv4_4", 7, None, copies=False)
    assert ranked.table["image_id"].tolist() == [a.image_id for a in order]
    assert ranked.table["rank"].tolist() == list(range(len(order)))
    assert ranked.table["percentile"].tolist() == [n / len(order) for n in range(len(order))]
    assert len(ranked) == demo.counted()
    shown = ranked.band(0.25, 0.5).firing.spread(9).table
    for row in shown.itertuples():  # a band keeps the ranks of the whole
        assert order[row.rank].image_id == row.image_id
        assert 0.25 <= row.percentile < 0.5


def test_the_whole_spread_has_the_strongest_and_the_weakest(demo: ActivationIndex) -> None:
    for layer, channel in UNITS:
        found = demo.sample(layer, channel, 0, 1)
        assert len(found) == 9
        assert found[0] == demo.top(layer, channel, 1)[0]
        assert found[-1] == demo.top(layer, channel, 10_000)[-1]


def test_firing_and_silent_images_are_all_images(demo: ActivationIndex) -> None:
    mixed = 0
    for layer, channel in UNITS:
        ranked = demo.ranked(layer, channel)
        firing, silent = ranked.firing.table, ranked.silent.table
        assert (firing["value"] > 0).all()
        assert (silent["value"] <= 0).all()
        assert [*silent["image_id"], *firing["image_id"]] == ranked.table["image_id"].tolist()
        assert ranked.silent.activations() == []
        mixed += bool(len(firing) and len(silent))
    assert mixed


def test_the_bars_of_a_histogram_share_out_the_images(demo: ActivationIndex) -> None:
    ranked = demo.ranked("conv4_4", 7)
    largest = float(ranked.table["value"].max())
    edges = [0, largest / 3, largest / 2, math.inf]
    bars = [ranked.between(*ends) for ends in itertools.pairwise(edges)]
    assert [i for bar in bars for i in bar.table["image_id"]] == ranked.table["image_id"].tolist()
    for bar, least, below in zip(bars, edges[:-1], edges[1:], strict=True):
        assert all(least <= value < below for value in bar.table["value"])
    assert len(ranked.between(largest, largest)) == 0
    assert len(ranked.between(largest, math.inf)) == 1


def test_a_dead_map_has_no_activation_in_any_band(index: ActivationIndex) -> None:
    assert index.sample(*DEAD, 0, 1) == []
    assert len(index.ranked(*DEAD).silent) == index.counted()


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"low": 0.5, "high": 0.5}, "the band from 0.5 to 0.5 is empty"),
        ({"low": -0.1}, "give 0 <= low < high <= 1"),
        ({"high": 1.5}, "give 0 <= low < high <= 1"),
        ({"low": "half"}, "low is 'half'"),
        ({"high": math.nan}, "high is nan"),
        ({"k": 0}, "k is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 0.5}, "seed is 0.5"),
        ({"label": "unicorn"}, "label 'unicorn'"),
        ({"copies": 1}, "copies is 1"),
    ],
)
def test_a_bad_question_is_an_error_that_says_what_is_allowed(
    demo: ActivationIndex, question: dict, message: str
) -> None:
    with pytest.raises(DeconvError, match=message):
        demo.sample("conv4_4", 7, **question)


def test_a_bad_map_is_an_error(demo: ActivationIndex) -> None:
    with pytest.raises(DeconvError, match="not a layer"):
        demo.sample("fc6", 0)
    with pytest.raises(DeconvError, match="no feature map 1000"):
        demo.ranked("conv4_4", 1000)
