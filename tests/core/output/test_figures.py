"""Figures show the numbers they are given."""

import json

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from deconv_core.index.activation_index import ActivationIndex
from deconv_core.output.figures import (
    compared_histograms,
    correlation_map,
    label_chart,
    peak_histogram,
)
from deconv_core.units import Unit


def test_a_histogram_holds_every_peak_and_marks_the_top(index: ActivationIndex) -> None:
    peaks, top = index.peaks("conv3_1", 2), index.top("conv3_1", channel=2, k=5)
    bars, marks = peak_histogram(peaks, top, Unit("conv3_1", 2)).data
    width = bars.customdata[0][1]
    assert bars.customdata[0][0] == 0
    assert 20 <= len(bars.y) <= 81
    for number, (low, high) in enumerate(bars.customdata):
        assert low == pytest.approx(number * width)
        assert high == pytest.approx((number + 1) * width)
        assert bars.x[number] == pytest.approx((low + high) / 2)
        inside = [value for value in peaks["value"] if low <= value < high]
        assert bars.y[number] == len(inside)
    assert sum(bars.y) == len(peaks)
    assert list(marks.x) == [activation.value for activation in top]
    for (low, high), activation in zip(marks.customdata, top, strict=True):
        assert low <= activation.value < high, "a mark leads to the images of its bar"
        assert [low, high] in list(bars.customdata)
    assert [text.split(". ", 1) for text in marks.text] == [
        [str(rank), activation.image_id] for rank, activation in enumerate(top, 1)
    ]


def test_a_histogram_of_a_dead_map_can_be_drawn(index: ActivationIndex) -> None:
    peaks = index.peaks("conv3_2", 1)
    figure = peak_histogram(peaks, [], Unit("conv3_2", 1))
    assert "conv3_2/1" in figure.layout.xaxis.title.text
    assert figure.to_json()
    assert list(figure.data[0].y) == [len(peaks)]


@pytest.mark.parametrize("largest", [1e-30, 3e-7, 0.0149, 1.0, 99.99, 4e5])
def test_no_peak_falls_beyond_the_last_bar(largest: float) -> None:
    values = np.linspace(0, largest, 1001, dtype=np.float32)
    figure = peak_histogram(pd.DataFrame({"value": values}), [], Unit("conv1_1", 0))
    assert sum(figure.data[0].y) == 1001


def test_a_histogram_of_no_peaks_can_be_drawn() -> None:
    figure = peak_histogram(
        pd.DataFrame({"value": np.zeros(0, np.float32)}), [], Unit("conv1_1", 0)
    )
    assert sum(figure.data[0].y) == 0


def test_histograms_of_two_groups_have_the_same_bars_and_show_shares() -> None:
    rng = np.random.default_rng(0)
    groups = {
        "a <b>": np.maximum(rng.normal(0, 1, 30), 0).astype(np.float32),
        "c": rng.uniform(0, 5, 70).astype(np.float32),
    }
    figure = compared_histograms(groups, "peaks")
    assert figure.layout.xaxis.title.text == "peaks"
    assert figure.layout.barmode == "overlay"
    assert [bars.name for bars in figure.data] == ["a &lt;b&gt;", "c"]
    assert list(figure.data[0].customdata) == list(figure.data[1].customdata)
    for bars, peaks in zip(figure.data, groups.values(), strict=True):
        assert sum(bars.y) == pytest.approx(1)
        for share, (low, high) in zip(bars.y, bars.customdata, strict=True):
            assert share == pytest.approx(sum(low <= peak < high for peak in peaks) / len(peaks))


def test_a_click_brings_back_what_a_bar_carries(index: ActivationIndex) -> None:
    histogram = peak_histogram(index.peaks("conv3_1", 2), [], Unit("conv3_1", 2))
    labels = index.label_table("conv3_1").query("channel == 2").dropna(subset="auc")
    (first, *_), *_ = sent_with_bars(label_chart(labels, few=10))
    assert first == labels["label"].iloc[0]
    for low, high in sent_with_bars(histogram):
        assert isinstance(low, float)
        assert isinstance(high, float)
        assert low < high


def sent_with_bars(figure: go.Figure) -> list[list[object]]:
    """What the browser gets and sends back; an array in binary would come back as a dict."""
    found: list[list[object]] = json.loads(figure.to_json())["data"][0]["customdata"]
    return found


def test_a_heat_map_is_square_and_has_no_grid_beside_it(index: ActivationIndex) -> None:
    table = index.correlations("conv3_1")
    figure = correlation_map(table, "conv3_1")
    np.testing.assert_allclose(np.array(figure.data[0].z), table, atol=5e-4)
    assert figure.layout.yaxis.scaleanchor == "x"
    for axis in (figure.layout.xaxis, figure.layout.yaxis):
        assert axis.constrain == "domain"
        assert not axis.showgrid
