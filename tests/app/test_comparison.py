"""Two labels compared on the Feature map page: the verdict, its numbers, the picture of both."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from deconv_core import ActivationIndex, ImageFolder, Network, Scale, reconstruct
from deconv_core.output.figures import ACCENT, BARS
from deconv_core.output.provenance import Provenance
from deconv_core.output.rendering import Kind, tile
from deconv_core.statistics import roc
from deconv_dashboard.gallery.comparison import Comparison
from deconv_dashboard.gallery.comparison_sheet import comparison_sheet
from deconv_dashboard.values import Answer, Pictures
from tests.app.conftest import OpenPage, words
from tests.core.networks import DEAD

LAYER, MAP = "conv4_1", 1
MADE = Provenance("my network", "abc", "caffe", "my pictures", "stretch", (224, 224))


def comparison(first: list[float], second: list[float]) -> Comparison:
    peaks = np.array(first, np.float32), np.array(second, np.float32)
    return Comparison(("dog", "cat"), peaks, roc.between(*peaks))


LOW, HIGH = [0.0, 1.0] * 10, [2.0, 3.0] * 10


@pytest.mark.parametrize(
    ("first", "second", "verdict", "share"),
    [
        (HIGH, LOW, "Responds more to dog than to cat", "100 %"),
        (LOW, HIGH, "Responds more to cat than to dog", "0 %"),
        (LOW, LOW, "No clear difference between dog and cat", "50 %"),
        (LOW, [*LOW, 0.5], "No clear difference between dog and cat", "50 %"),
        (HIGH[:9], LOW, "Too few images to compare dog and cat", "100 %"),
        (HIGH, LOW[:9], "Too few images to compare dog and cat", "100 %"),
    ],
)
def test_the_verdict_follows_the_interval(
    first: list[float], second: list[float], verdict: str, share: str
) -> None:
    said = comparison(first, second).sentence
    assert said.startswith(f"{verdict}: the area under the ROC curve is ")
    assert f"a larger peak than one of cat in {share} of all pairs" in said
    assert said.endswith(f"({len(first)} images against {len(second)}).")


@pytest.fixture
def each_once(index: ActivationIndex) -> pd.DataFrame:
    """Oracle: the peak of the map in each image, copies left out."""
    copies = {image for group in index.equal_images for image in list(group)[1:]}
    peaks = index.peaks(LAYER, MAP)
    return peaks[~peaks["image_id"].isin(copies)]


def test_the_page_says_the_area_between_two_labels(
    open_page: OpenPage, each_once: pd.DataFrame
) -> None:
    app = open_page("feature_map", layer=LAYER, map=str(MAP), label="dog", label2="people")
    both = each_once[each_once["label"].isin(["dog", "people"])]
    area = roc_auc_score(both["label"] == "dog", both["value"])
    assert f"the area under the ROC curve is {area:.3f} (95 % interval " in words(app)
    counts = both["label"].value_counts()
    assert f"pairs ({counts['dog']} images against {counts['people']})." in words(app)
    assert "Peaks in both groups of images" in words(app)


def test_one_label_against_all_is_against_the_others(
    open_page: OpenPage, each_once: pd.DataFrame
) -> None:
    app = open_page("feature_map", layer=LAYER, map=str(MAP), label2="people")
    area = roc_auc_score(each_once["label"] == "people", each_once["value"])
    assert f"the area under the ROC curve is {area:.3f}" in words(app)
    assert "an image of people has a larger peak than one of the others in " in words(app)


def test_nothing_is_compared_with_nothing(open_page: OpenPage) -> None:
    for asked in ({"label": "dog"}, {"layer": DEAD[0], "map": str(DEAD[1]), "label2": "dog"}):
        app = open_page("feature_map", **{"layer": LAYER, "map": str(MAP), **asked})
        assert "area under the ROC curve is" not in words(app)
        assert "Peaks over all images" in words(app)


def drawn(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


@pytest.fixture
def shown(network: Network, images: ImageFolder, index: ActivationIndex) -> list[Answer]:
    answers = []
    for label in ("dog", "people"):
        top = index.top(LAYER, MAP, 4, label)
        found = dict(enumerate(reconstruct(network, images, top), 1))
        answers.append(Answer(label, top, Pictures(found, {}, {})))
    return answers


def test_the_picture_of_both_holds_every_tile_and_says_what_it_was_made_from(
    network: Network, shown: list[Answer]
) -> None:
    scale = Scale.shared([one for answer in shown for one in answer.pictures.all])
    made = comparison(HIGH, LOW)
    png = comparison_sheet(made, shown, "dog and cat", network.layers[LAYER], scale, MADE)
    paper, about = drawn(png), Image.open(io.BytesIO(png)).info
    assert (about["Title"], about["network"], about["dataset"]) == (
        *("dog and cat", "my network"),
        "my pictures",
    )
    side = (paper.shape[1] - 4 * 8) // 6 - 8
    kinds: tuple[Kind, Kind] = ("reconstruction", "patch")
    for answer in shown:
        rows = []
        for place, picture in enumerate(answer.pictures.all):
            for half, kind in enumerate(kinds):
                left = 8 + half * (3 * (side + 8) + 16) + (place % 3) * (side + 8)
                wanted = np.asarray(tile(picture, kind, scale, side))
                rows.append(row_of(paper[:, left : left + side], wanted))
        assert rows == sorted(rows), "one row of tiles after the other"
        assert rows[0] == rows[1], "a patch is beside its reconstruction"


def row_of(strip: np.ndarray, wanted: np.ndarray) -> int:
    """Where the picture is in a strip of equal width."""
    first = np.flatnonzero((strip == wanted[0]).all(axis=(1, 2)))
    (row,) = [y for y in first if np.array_equal(strip[y : y + len(wanted)], wanted)]
    return int(row)


def test_the_picture_of_both_holds_both_histograms(network: Network) -> None:
    made = comparison([10.0] * 20, [0.0] * 20)
    layer, scale = network.layers[LAYER], Scale("shared", 1.0)
    none = [Answer("dog", []), Answer("cat", [])]
    paper = drawn(comparison_sheet(made, none, "", layer, scale, MADE)).astype(int)

    def columns(colour: str) -> tuple[int, int, int]:
        """First and last column of a bar in this colour, and its height."""
        whole = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])
        pale = np.abs(paper - (0.6 * whole + 0.4 * 255)).max(axis=2) <= 2
        rows, found = np.flatnonzero(pale.any(axis=1)), np.flatnonzero(pale.any(axis=0))
        return int(found[0]), int(found[-1]), int(rows[-1] - rows[0])

    (first, last, tall), (zero, end, as_tall) = columns(ACCENT), columns(BARS)
    assert zero < end < paper.shape[1] / 4 < paper.shape[1] * 0.7 < first < last
    assert tall == as_tall > 80
