"""How high an image's peaks stand among those of all images, against ``index.peaks`` by hand."""

import numpy as np
import pytest

from deconv_core.errors import DeconvError
from deconv_core.index.activation_index import ActivationIndex
from tests.core.networks import DEAD


@pytest.mark.parametrize("copies", [False, True])
@pytest.mark.parametrize("layer", ["conv1_1", DEAD[0], "pool2", "conv5_4"])
def test_percentiles_are_shares_of_images_with_a_smaller_peak(
    index: ActivationIndex, layer: str, *, copies: bool
) -> None:
    repeated = {i for group in index.equal_images for i in group[1:]}
    assert repeated
    tables = [index.peaks(layer, n) for n in range(index.layers[layer].channels)]
    for image_id in ("a.png", "people/red again.png", "other/black.png"):
        found = index.percentiles(layer, image_id, copies=copies)
        assert found["channel"].tolist() == list(range(len(tables)))
        for table, value, percentile in zip(
            tables, found["value"], found["percentile"], strict=True
        ):
            own = table.set_index("image_id")["value"].loc[image_id]
            counted = table if copies else table[~table["image_id"].isin(repeated)]
            assert value == own
            assert percentile == sum(counted["value"] < own) / len(counted)


def test_an_image_that_is_not_in_the_index(index: ActivationIndex) -> None:
    layer, dead = DEAD
    channels = index.layers[layer].channels
    none = index.percentiles(layer, [0.0] * channels)
    assert none["percentile"].tolist() == [0] * channels, "no peak is smaller than 0"
    most = index.maps(layer)["max"].to_numpy() * 2
    more = index.percentiles(layer, most)  # type: ignore[arg-type]
    expected = [0.0 if channel == dead else 1.0 for channel in range(channels)]
    assert more["percentile"].tolist() == expected
    known = index.percentiles(layer, "dog/noise.png")
    same = index.percentiles(layer, tuple(known["value"].tolist()))
    assert same.equals(known)


def test_an_image_is_not_smaller_than_itself(index: ActivationIndex) -> None:
    for image_id in index.images["image_id"]:
        found = index.percentiles("conv4_4", image_id)
        assert found["percentile"].between(0, 1, inclusive="left").all()


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("gone.png", "is not among the 20 images"),
        ([1.0], "image holds 1 values, but conv3_2 has"),
        (3, "image is an int alone; give a list"),
        (["a", "b"], "image holds 'a'; each item has to be a Real"),
        (None, "image is None; give a list"),
    ],
)
def test_what_is_no_image_is_told_in_words(
    index: ActivationIndex, image: object, message: str
) -> None:
    with pytest.raises(DeconvError, match=message):
        index.percentiles("conv3_2", image)  # type: ignore[arg-type]


def test_values_may_be_numpys(index: ActivationIndex) -> None:
    peaks = np.arange(index.layers["conv3_2"].channels, dtype=np.float32)
    given = index.percentiles("conv3_2", peaks)  # type: ignore[arg-type]
    assert given.equals(index.percentiles("conv3_2", peaks.tolist()))
