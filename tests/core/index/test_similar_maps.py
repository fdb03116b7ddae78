"""Similar and opposed maps of an index, against numpy.corrcoef of ``index.peaks``."""

import numpy as np
import pytest

from deconv_core.demo import demo_index
from deconv_core.errors import DeconvError
from deconv_core.index.activation_index import ActivationIndex
from tests.core.networks import DEAD


@pytest.fixture(scope="module")
def demo() -> ActivationIndex:
    return ActivationIndex.open(demo_index())


def expected(index: ActivationIndex, layer: str, *, copies: bool) -> np.ndarray:
    repeated = {i for group in index.equal_images for i in group[1:]}
    peaks = [index.peaks(layer, n) for n in range(index.layers[layer].channels)]
    if not copies:
        peaks = [table[~table["image_id"].isin(repeated)] for table in peaks]
    with np.errstate(invalid="ignore"):
        return np.corrcoef(np.array([table["value"].to_numpy(float) for table in peaks]))


@pytest.mark.parametrize("copies", [False, True])
def test_similar_maps_of_drawings_are_those_of_numpy(index: ActivationIndex, copies: bool) -> None:
    for layer in ("conv1_1", DEAD[0], "pool2"):
        matrix = expected(index, layer, copies=copies)
        for channel, row in enumerate(matrix):
            others = [n for n in range(len(row)) if n != channel and not np.isnan(row[n])]
            for opposed, sign in ((False, -1), (True, 1)):
                asked = index.similar(layer, channel, 3, opposed=opposed, copies=copies)
                order = sorted(others, key=lambda n: (sign * row[n], n))[:3]
                assert asked.columns.tolist() == ["channel", "correlation"]
                np.testing.assert_allclose(asked["correlation"], row[order], atol=1e-6)
                assert len(set(asked["channel"])) == len(order)
                np.testing.assert_allclose(row[asked["channel"]], row[order], atol=1e-6)


def test_dead_maps_are_left_out(index: ActivationIndex) -> None:
    layer, dead = DEAD
    assert len(index.similar(layer, dead)) == 0
    assert dead not in index.correlations(layer).index
    alive = next(n for n in index.correlations(layer).index)
    assert dead not in index.similar(layer, alive, 100)["channel"].tolist()


def test_six_maps_are_what_similar_gives_unasked(demo: ActivationIndex) -> None:
    found, opposed = demo.similar("conv4_4", 7), demo.similar("conv4_4", 7, opposed=True)
    assert len(found) == len(opposed) == 6
    assert found["correlation"].is_monotonic_decreasing
    assert opposed["correlation"].is_monotonic_increasing
    assert 7 not in found["channel"].tolist()


def test_all_correlations_of_a_layer_are_those_of_numpy(demo: ActivationIndex) -> None:
    matrix, table = expected(demo, "conv2_1", copies=False), demo.correlations("conv2_1")
    order = table.index.to_numpy()
    assert table.columns.tolist() == order.tolist()
    assert sorted(order) == [n for n in range(len(matrix)) if not np.isnan(matrix[n, n])]
    np.testing.assert_allclose(table.to_numpy(), matrix[np.ix_(order, order)], atol=1e-9)
    alive = np.sort(order)
    beside = np.diagonal(table.to_numpy(), 1).mean()
    assert beside > np.diagonal(matrix[np.ix_(alive, alive)], 1).mean() + 0.05


def test_a_bad_question_is_an_error(demo: ActivationIndex) -> None:
    with pytest.raises(DeconvError, match="not a layer"):
        demo.similar("fc6", 0)
    with pytest.raises(DeconvError, match="no feature map 500"):
        demo.similar("conv4_4", 500)
    with pytest.raises(DeconvError, match="k is 0"):
        demo.similar("conv4_4", 0, 0)
    with pytest.raises(DeconvError, match="opposed is 1"):
        demo.similar("conv4_4", 0, opposed=1)
    with pytest.raises(DeconvError, match="not a layer"):
        demo.correlations("fc6")
