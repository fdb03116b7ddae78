"""Figures show the numbers they are given."""

from deconv_core.activation_index import ActivationIndex
from deconv_core.figures import peak_histogram
from deconv_core.units import Unit


def test_a_histogram_holds_every_peak_and_marks_the_top(index: ActivationIndex) -> None:
    peaks, top = index.peaks("conv3_1", 2), index.top("conv3_1", channel=2, k=5)
    bars, marks = peak_histogram(peaks, top, Unit("conv3_1", 2)).data
    assert list(bars.x) == peaks["value"].tolist()
    assert list(marks.x) == [activation.value for activation in top]
    assert [text.split(". ", 1) for text in marks.text] == [
        [str(rank), activation.image_id] for rank, activation in enumerate(top, 1)
    ]


def test_a_histogram_of_a_dead_map_can_be_drawn(index: ActivationIndex) -> None:
    peaks = index.peaks("conv3_2", 1)
    figure = peak_histogram(peaks, [], Unit("conv3_2", 1))
    assert "conv3_2/1" in figure.layout.xaxis.title.text
    assert figure.to_json()
