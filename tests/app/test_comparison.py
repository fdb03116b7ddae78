"""Labels, maps and networks compared on the Feature map page: verdict, numbers, one picture."""

import io
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from deconv_core import (
    ActivationIndex,
    ImageFolder,
    Network,
    Scale,
    load_network,
    reconstruct,
    scan,
)
from deconv_core.network.sources import save_features
from deconv_core.output.figures import ACCENT, BARS
from deconv_core.output.provenance import Provenance
from deconv_core.output.rendering import Kind, tile
from deconv_core.statistics import roc
from deconv_core.statistics.agreement import Agreement
from deconv_dashboard.data.datasets import NetworkChoice
from deconv_dashboard.gallery import answers
from deconv_dashboard.gallery.comparison import TwoLabels, TwoMaps
from deconv_dashboard.gallery.comparison_sheet import Half, comparison_sheet
from deconv_dashboard.values import Answer, Pictures
from tests.app.conftest import Home, OpenPage, address, words
from tests.core.networks import DEAD, narrow_network, shallow_network

LAYER, MAP = "conv4_1", 1
MADE = Provenance("my network", "abc", "caffe", "my pictures", "stretch", (224, 224))


def comparison(first: list[float], second: list[float]) -> TwoLabels:
    peaks = np.array(first, np.float32), np.array(second, np.float32)
    return TwoLabels(("dog", "cat"), peaks, roc.between(*peaks))


LOW, HIGH = [0.0, 1.0] * 10, [2.0, 3.0] * 10


@pytest.mark.parametrize(
    ("first", "second", "verdict", "share"),
    [
        (HIGH, LOW, "Responds more to dog than to cat", "100 %"),
        (LOW[:12], HIGH, "Responds more to cat than to dog", "100 %"),
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
    dog, cat = f"{len(first)} images", f"{len(second)} images"
    if verdict.startswith("Responds more to cat"):
        assert f"an image of cat has a larger peak than one of dog in {share} of" in said
        assert said.endswith(f"({cat} against {len(first)}).")
    else:
        assert f"an image of dog has a larger peak than one of cat in {share} of" in said
        assert said.endswith(f"({dog} against {len(second)}).")


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
    halves = [Half(answer, network.layers[LAYER], scale, MADE) for answer in shown]
    png = comparison_sheet(made, halves, "dog and cat")
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
    none = [Half(Answer(name, []), layer, scale, MADE) for name in ("dog", "cat")]
    paper = drawn(comparison_sheet(made, none, "")).astype(int)

    def columns(colour: str) -> tuple[int, int, int]:
        """First and last column of a bar in this colour, and its height."""
        whole = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])
        pale = np.abs(paper - (0.6 * whole + 0.4 * 255)).max(axis=2) <= 2
        rows, found = np.flatnonzero(pale.any(axis=1)), np.flatnonzero(pale.any(axis=0))
        return int(found[0]), int(found[-1]), int(rows[-1] - rows[0])

    (first, last, tall), (zero, end, as_tall) = columns(ACCENT), columns(BARS)
    assert zero < end < paper.shape[1] / 4 < paper.shape[1] * 0.7 < first < last
    assert tall == as_tall > 80


def agreeing(low: float, high: float, firing: int = 10) -> TwoMaps:
    found = Agreement((low + high) / 2, low, high, 100, (9, 4), 3, 0.36, 1)
    peaks = np.repeat(np.float32([1, 0]), [firing, 100 - firing])
    return TwoMaps(("conv4_4/1", "conv4_4/2"), (peaks, peaks), found)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.1, 0.5, "conv4_4/1 and conv4_4/2 tend to respond to the same images"),
        (-0.5, -0.1, "conv4_4/1 and conv4_4/2 tend to respond to different images"),
        (-0.1, 0.5, "No clear relation between conv4_4/1 and conv4_4/2"),
    ],
)
def test_the_verdict_on_two_maps_follows_the_interval(
    low: float, high: float, verdict: str
) -> None:
    said = agreeing(low, high).sentence
    shown = [f"{number:.3f}".replace("-", "\u2212") for number in ((low + high) / 2, low, high)]
    assert said == (
        f"{verdict}: the rank correlation of their peaks in 100 images is {shown[0]} (95 % "
        f"interval {shown[1]} to {shown[2]}). 3 of their 9 and 4 strongest images are the same; by "
        "chance it would be 0.36 on average, and at most 1 in 95 % of all cases."
    )
    assert agreeing(low, high, 9).sentence.startswith("Too few images to compare conv4_4/1 and ")


def once(index: ActivationIndex, layer: str, channel: int, label: str | None = None) -> pd.Series:
    """Oracle: image id -> peak, copies left out."""
    copies = {image for group in index.equal_images for image in list(group)[1:]}
    peaks = index.peaks(layer, channel).set_index("image_id").drop(sorted(copies))
    return (peaks if label is None else peaks[peaks["label"] == label])["value"]


def strongest(peaks: pd.Series) -> set[str]:
    firing = peaks[peaks > 0].sort_index()
    return set(firing.sort_values(ascending=False, kind="stable").index[:9])


def check_said(said: str, one: pd.Series, other: pd.Series) -> None:
    rank = spearmanr(one, other[one.index]).statistic
    number = f"{rank:.3f}".replace("-", "\u2212")
    assert f"peaks in {len(one)} images is {number} (95 % interval " in said
    tops = strongest(one), strongest(other)
    assert f"). {len(tops[0] & tops[1])} of their " in said
    chance = len(tops[0]) * len(tops[1]) / len(one)
    assert f"by chance it would be {chance:.2g} on average" in said
    assert "Activations of two maps have different scales" in said


@pytest.fixture
def grids(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Heading of a grid that the page draws -> the texts under its tiles, or what a click sends."""
    found: dict[str, list[str]] = {}
    panels = answers.side_by_side

    def watched(*asked: object) -> object:
        made = panels(*asked)  # type: ignore[arg-type]
        found.update({panel.heading: [tile.text for tile in panel.tiles] for panel in made})
        return made

    monkeypatch.setattr(answers, "side_by_side", watched)
    return found


def test_two_maps_of_different_layers_are_compared_in_the_same_images(
    open_page: OpenPage, index: ActivationIndex, grids: dict[str, list[str]]
) -> None:
    other = "conv5_2", 3
    app = open_page("feature_map", layer=LAYER, map=str(MAP), map2="conv5_2/3")
    check_said(words(app), once(index, LAYER, MAP), once(index, *other))
    assert list(grids) == [
        *("Reconstructions, conv4_1/1", "Image patches, conv4_1/1"),
        *("Reconstructions, conv5_2/3", "Image patches, conv5_2/3"),
    ]
    tops = index.top(LAYER, MAP), index.top(*other)
    listed = app.dataframe[0].value
    assert listed["image_id"].tolist() == [a.image_id for top in tops for a in top]
    assert listed["layer"].tolist() == [LAYER] * len(tops[0]) + ["conv5_2"] * len(tops[1])
    assert "conv4_1/1: fires in " in words(app)
    assert "conv5_2/3: fires in " in words(app)
    assert "conv5_2/3: grey is 0; same colour scale in all tiles" in words(app)
    assert address(app)["map2"] == "conv5_2/3"


def test_two_maps_are_compared_within_the_label(
    open_page: OpenPage, index: ActivationIndex
) -> None:
    app = open_page("feature_map", layer=LAYER, map=str(MAP), map2="conv4_1/2", label="dog")
    check_said(words(app), *(once(index, LAYER, channel, "dog") for channel in (MAP, 2)))


def test_a_tile_of_the_second_map_is_looked_into_with_its_map(
    open_page: OpenPage, index: ActivationIndex
) -> None:
    tops = index.top(LAYER, MAP), index.top("conv5_2", 3)
    asked = {"layer": LAYER, "map": str(MAP), "map2": "conv5_2/3", "tab": "fired"}
    app = open_page("feature_map", **asked, rank=str(len(tops[0]) + 2))
    assert "Where it fired: rank 2, conv5_2/3" in words(app)
    assert f"{tops[1][1].image_id} · activation {tops[1][1].value:.4g}" in words(app)
    assert "Feature map 3 over the image" in words(app)


def test_the_pickers_of_another_map(open_page: OpenPage, index: ActivationIndex) -> None:
    app = open_page("feature_map", layer=LAYER, map=str(MAP), label2="people")
    assert "Another network" not in app.selectbox(key="pick_second").options
    app.selectbox(key="pick_second").select("/map").run()
    assert (address(app)["map2"], address(app).get("label2")) == ("conv4_1/2", None)
    app.selectbox(key="pick_layer2").select("conv5_2").run()
    app.number_input(key="pick_map2").set_value(4).run()
    assert address(app)["map2"] == "conv5_2/4"
    app.button(key="next_map").click().run()
    assert (address(app)["map"], address(app)["map2"]) == ("2", "conv5_2/4")
    app.selectbox(key="pick_second").select("dog").run()
    assert (address(app)["label2"], address(app).get("map2")) == ("dog", None)
    app.selectbox(key="pick_second").select("").run()
    assert "label2" not in address(app)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"map2": "conv4_1/999"}, "has no feature map “conv4_1/999” to compare with"),
        ({"map2": "noses"}, "has no feature map “noses” to compare with"),
        ({"network2": "vgg19"}, "No other network “vgg19” has scanned my drawings"),
        (
            {"map2": "conv4_1/2", "label2": "dog"},
            "names a label and another map or network to compare with",
        ),
    ],
)
def test_what_cannot_be_compared_is_said(
    open_page: OpenPage, asked: dict[str, str], said: str
) -> None:
    app = open_page("feature_map", layer=LAYER, map=str(MAP), **asked)
    assert said in words(app)
    assert list(asked)[-1] not in address(app)


def test_a_map_beside_itself_or_a_dead_one_has_no_verdict(open_page: OpenPage) -> None:
    for other in (f"{LAYER}/{MAP}", f"{DEAD[0]}/{DEAD[1]}"):
        app = open_page("feature_map", layer=LAYER, map=str(MAP), map2=other)
        assert "rank correlation" not in words(app)
        assert address(app)["map2"] == other


@pytest.fixture(scope="module")
def scanned_by_another(
    images: ImageFolder, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """Weights and scan of a network of the same shape with other random weights."""
    folder = tmp_path_factory.mktemp("another")
    other = narrow_network(7)
    save_features(other, folder / "another.safetensors")
    scan(load_network(str(folder / "another.safetensors")), images, folder / "index")
    return folder / "another.safetensors", folder / "index"


@pytest.fixture
def another(home: Home, scanned_by_another: tuple[Path, Path]) -> NetworkChoice:
    """A second network that has scanned the home's dataset."""
    added = home.registry.add_weights(scanned_by_another[0])
    shutil.copytree(scanned_by_another[1], home.registry.index_path(home.dataset, added))
    return added


def test_two_networks_are_compared_in_the_same_images(
    open_page: OpenPage,
    home: Home,
    index: ActivationIndex,
    another: NetworkChoice,
    grids: dict[str, list[str]],
) -> None:
    app = open_page("feature_map", layer=LAYER, map=str(MAP))
    grids.clear()
    app.selectbox(key="pick_second").select("/network").run()
    assert address(app)["network2"] == another.network_id
    assert "map2" not in address(app)
    there = ActivationIndex.open(home.registry.index_path(home.dataset, another))
    check_said(words(app), once(index, LAYER, MAP), once(there, LAYER, MAP))
    tops = index.top(LAYER, MAP), there.top(LAYER, MAP)
    listed = app.dataframe[0].value
    assert listed["image_id"].tolist() == [a.image_id for top in tops for a in top]
    assert listed["value"].tolist() == [a.value for top in tops for a in top]
    names = home.network.name, another.name
    assert listed["network"].tolist() == [
        name for name, top in zip(names, tops, strict=True) for _ in top
    ]
    assert list(grids)[::2] == [f"Reconstructions, {name}" for name in names]
    offered = [
        one.proto.popover.label for one in app.get("popover") if one.proto.HasField("popover")
    ]
    assert [f"Pictures of {name}" for name in names] == offered, "no networks are downloaded"
    assert all("gone" not in text for texts in grids.values() for text in texts)


def test_a_tile_of_the_second_network_is_looked_into_with_its_network(
    open_page: OpenPage, home: Home, index: ActivationIndex, another: NetworkChoice
) -> None:
    there = ActivationIndex.open(home.registry.index_path(home.dataset, another))
    before, found = len(index.top(LAYER, MAP)), there.top(LAYER, MAP)[0]
    asked = {"layer": LAYER, "map": str(MAP), "network2": another.network_id, "tab": "fired"}
    app = open_page("feature_map", **asked, rank=str(before + 1))
    assert f"Where it fired: rank 1, {another.name}" in words(app)
    assert f"{found.image_id} · activation {found.value:.4g}" in words(app)


def test_images_that_changed_between_two_scans_are_left_out(
    open_page: OpenPage, home: Home, index: ActivationIndex, another: NetworkChoice, tmp_path: Path
) -> None:
    path = home.registry.index_path(home.dataset, another)
    changed = set(once(index, LAYER, MAP).index[:3])
    images = ImageFolder(home.dataset.root)
    root = tmp_path / "changed"
    for entry in images:
        target = root / entry.image_id
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(home.dataset.root / entry.image_id, target)
    for number, name in enumerate(sorted(changed)):
        Image.new("RGB", (50, 40 + number), "red").save(root / name)
    shutil.rmtree(path)
    there = scan(load_network(another.source), ImageFolder(root), path)
    app = open_page("feature_map", layer=LAYER, map=str(MAP), network2=another.network_id)
    one, other = (once(this, LAYER, MAP).drop(sorted(changed)) for this in (index, there))
    check_said(words(app), one, other)


def test_another_network_without_this_map_shows_its_strongest_one(
    open_page: OpenPage, home: Home, images: ImageFolder, tmp_path: Path
) -> None:
    other = shallow_network()
    other.save(tmp_path / "shallow.safetensors")
    added = home.registry.add_weights(tmp_path / "shallow.safetensors")
    path = home.registry.index_path(home.dataset, added)
    there = scan(load_network(str(tmp_path / "shallow.safetensors")), images, path)
    app = open_page("feature_map", layer=LAYER, map=str(MAP), network2=added.network_id)
    layer, channel = app.selectbox(key="pick_layer2").value, app.number_input(key="pick_map2").value
    assert there.top(layer, k=1)[0].unit.channel == channel
    assert f"{LAYER}/{MAP} of {home.network.name} and {layer}/{channel} of {added.name}" in words(
        app
    )


def test_the_picture_of_two_networks_names_both(network: Network, shown: list[Answer]) -> None:
    other = replace(MADE, network="another", fingerprint="def")
    halves = [
        Half(
            replace(answer, side=name),
            network.layers[LAYER],
            Scale.shared(answer.pictures.all),
            made,
        )
        for answer, name, made in zip(shown, ("my network", "another"), (MADE, other), strict=True)
    ]
    png = comparison_sheet(agreeing(0.1, 0.5), halves, "both")
    about = Image.open(io.BytesIO(png)).info
    assert (about["network"], about["network 2"]) == ("my network", "another")
    assert (about["weights"], about["weights 2"]) == ("abc", "def")
    assert "dataset 2" not in about
    paper = drawn(png)
    for half in halves:
        wanted = np.asarray(
            tile(half.answer.pictures.all[0], "reconstruction", half.scale, half.side)
        )
        row_of(paper[:, 8 : 8 + half.side], wanted)  # each on its own scale


@pytest.mark.usefixtures("nothing_kept")
def test_a_second_network_without_its_weights_says_so_beside_the_first_one(
    open_page: OpenPage, home: Home, index: ActivationIndex, another: NetworkChoice, tmp_path: Path
) -> None:
    moved = tmp_path / "moved.safetensors"
    shutil.copy(another.source, moved)
    home.registry.move_weights(another, moved)
    moved.unlink()
    app = open_page("feature_map", layer=LAYER, map=str(MAP), network2=another.network_id)
    assert "The file of moved.safetensors is not where it was" in words(app)
    assert "rank correlation of their peaks" in words(app)
    assert len(app.dataframe[0].value) > len(index.top(LAYER, MAP))


def test_without_the_images_two_networks_say_so_once(
    open_page: OpenPage, home: Home, another: NetworkChoice, tmp_path: Path
) -> None:
    root = tmp_path / "moved"
    root.mkdir()
    home.registry.move_dataset(home.dataset, root)
    root.rmdir()
    app = open_page("feature_map", layer=LAYER, map=str(MAP), network2=another.network_id)
    assert words(app).count("The table still shows values and locations.") == 1
