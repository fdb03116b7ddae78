"""Which labels a map tells apart, against scikit-learn and the top of the index."""

import numpy as np
import pandas as pd
import pytest

from deconv_core.demo import demo_index
from deconv_core.errors import DeconvError
from deconv_core.index import label_table as module
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.index.label_table import best_labels, label_table
from deconv_core.index.layer_values import LayerValues
from tests.core.networks import DEAD

COLUMNS = ["channel", "label", "images", "auc", "auc_low", "auc_high"]
COLUMNS += ["precision_9", "precision_50"]


@pytest.fixture(scope="module")
def demo() -> ActivationIndex:
    return ActivationIndex.open(demo_index())


def check(index: ActivationIndex, layer: str, channel: int, *, copies: bool) -> None:
    from sklearn.metrics import roc_auc_score  # not where every process that runs tests imports it

    repeated = {i for group in index.equal_images for i in group[1:]}
    peaks = index.peaks(layer, channel)
    counted = peaks if copies else peaks[~peaks["image_id"].isin(repeated)]
    whole = index.label_table(layer, copies=copies)
    table = whole[whole["channel"] == channel].reset_index(drop=True)
    pd.testing.assert_frame_equal(table, index.label_table(layer, channel, copies=copies))
    assert table.columns.tolist() == COLUMNS
    assert table["label"].tolist() == sorted(set(counted["label"]))
    for row in table.itertuples():
        here = counted["label"] == row.label
        assert row.images == here.sum()
        assert row.auc == pytest.approx(roc_auc_score(here, counted["value"]), abs=1e-12)
        assert 0 <= row.auc_low <= row.auc <= row.auc_high <= 1
        for k, share in ((9, row.precision_9), (50, row.precision_50)):
            top = [a.image_id for a in index.top(layer, channel, k, copies=copies)]
            named = counted.set_index("image_id")["label"][top]
            assert share == pytest.approx((named == row.label).mean(), nan_ok=True)


@pytest.mark.parametrize(("layer", "channel"), [("conv4_4", 7), ("conv5_4", 90), ("pool3", 2)])
def test_the_table_of_the_demo_is_that_of_scikit_learn(
    demo: ActivationIndex, layer: str, channel: int
) -> None:
    check(demo, layer, channel, copies=False)


@pytest.mark.parametrize("copies", [False, True])
def test_copies_count_once_or_each_time(index: ActivationIndex, copies: bool) -> None:
    for layer, channel in (("conv4_4", 2), ("conv1_1", 0), DEAD):
        check(index, layer, channel, copies=copies)


def test_a_layer_has_a_row_for_each_map_and_label(demo: ActivationIndex) -> None:
    table = demo.label_table("conv4_4")
    assert len(table) == 128 * 16
    assert table["channel"].tolist() == sorted(list(range(128)) * 16)
    assert table.attrs == {"images": 256, "sample": None}


def test_a_dead_map_tells_nothing_apart(index: ActivationIndex) -> None:
    table = index.label_table(*DEAD)
    assert (table["auc"] == 0.5).all()
    assert table["precision_9"].isna().all()


def test_many_images_are_sampled_and_say_so(
    demo: ActivationIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = demo.label_table("conv4_4", 7)
    monkeypatch.setattr(module, "MOST_IMAGES", 200)
    table = demo.label_table("conv4_4", 7)
    assert table.attrs == {"images": 256, "sample": 200}
    assert table["images"].tolist() == exact["images"].tolist()
    for name in ("precision_9", "precision_50"):  # of all images
        assert table[name].tolist() == exact[name].tolist()
    assert (table["auc"] != exact["auc"]).any()
    assert ((exact["auc"] - table["auc"]).abs() < 0.2).all()
    pd.testing.assert_frame_equal(table, demo.label_table("conv4_4", 7))
    whole = demo.label_table("conv4_4")  # a map and its layer use the same sample
    assert whole[whole["channel"] == 7]["auc"].tolist() == table["auc"].tolist()


def test_the_best_label_of_a_map_has_enough_images() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(["few", "half", "other"], [3, 20, 17])
    values = rng.uniform(0, 1, (2, 40)).astype(np.float32)
    values[:, labels == "few"] += 5
    values[1, labels == "half"] += 2
    names = np.array([f"{n}.png" for n in range(40)], object)
    measured = LayerValues("conv", np.array([3, 8]), names, labels.astype(object), values)
    table = label_table(measured)
    assert table.loc[table["label"] == "few", "auc"].tolist() == [1, 1]
    best = best_labels(table)
    assert best["channel"].tolist() == [3, 8]
    assert best["label"][1] == "half"
    assert "few" not in set(best["label"])
    assert best_labels(table, least=1)["label"].tolist() == ["few", "few"]
    assert len(best_labels(table, least=1000)) == 0


def test_the_values_of_a_layer_are_its_peaks(index: ActivationIndex) -> None:
    for layer in ("conv2_1", "pool2"):
        for copies in (False, True):
            whole = index.values(layer, copies=copies)
            assert len(whole.image_ids) == index.counted(copies=copies)
            for channel in whole.channels.tolist():
                peaks = index.peaks(layer, channel).set_index("image_id").loc[whole.image_ids]
                assert whole.values[channel].tolist() == peaks["value"].tolist()
                assert whole.labels.tolist() == peaks["label"].tolist()
                one = index.values(layer, channel, copies=copies)
                assert one.channels.tolist() == [channel]
                assert one.values.tolist() == whole.values[[channel]].tolist()


def test_a_bad_question_is_an_error(index: ActivationIndex) -> None:
    with pytest.raises(DeconvError, match="not a layer"):
        index.label_table("fc6")
    with pytest.raises(DeconvError, match="no feature map 99"):
        index.label_table("conv1_1", 99)
    with pytest.raises(DeconvError, match="copies is 2"):
        index.label_table("conv1_1", copies=2)
