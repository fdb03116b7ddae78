"""Questions to an index against brute force over all images, and what happens to damaged files."""

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from deconv_core.errors import DeconvError, IndexDamagedError, IndexMismatchError
from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.index.inspection import check_index
from deconv_core.network.network import Network
from deconv_core.scanning.scan import scan
from deconv_core.units import Activation, Unit
from tests.core import drawings, independent
from tests.core.independent import LAYERS, Peak
from tests.core.networks import DEAD, whole_number_network
from tests.thorough import one_in

CONVOLUTIONS = [layer for layer in LAYERS if layer.startswith("conv")]
POOLS = [layer for layer in LAYERS if layer.startswith("pool")]
LABELS = ["", "dog", "other", "people"]
COPIES = ("dog/grey.png", "dog/noise.png", "people/red.png")
"""Drawings that are equal to one with a smaller id ("dog/grey again.png")."""

Truth = dict[str, dict[str, list[Peak]]]
"""layer -> image_id -> the peak of each map"""


def brute_force(network: Network, pictures: dict[str, np.ndarray]) -> Truth:
    """Every map of every layer of every image; the largest value, and its first place.

    In the batches and memory layout of the scan, so that the same numbers are rounded the same.
    """
    truth: Truth = {layer: {} for layer in LAYERS}
    names = list(pictures)

    def channels_last(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.contiguous(memory_format=torch.channels_last)

    for first in range(0, len(names), 8):
        here = names[first : first + 8]
        inputs = independent.normalised(network, np.stack([pictures[name] for name in here]))
        for layer, maps in independent.feature_maps(network, inputs, channels_last).items():
            for name, planes in zip(here, maps.numpy(), strict=True):
                truth[layer][name] = [
                    independent.peak_of_plane(plane, channel)
                    for channel, plane in enumerate(planes)
                ]
    return truth


def expected_top(
    truth: Truth,
    layer: str,
    channel: int | None,
    k: int,
    label: str | None = None,
    *,
    copies: bool = False,
) -> list[Activation]:
    chosen = [
        (image_id, peaks if channel is None else [peaks[channel]])
        for image_id, peaks in truth[layer].items()
        if (copies or image_id not in COPIES)
        and (label is None or image_id.rpartition("/")[0] == label)
    ]
    return [
        Activation(Unit(layer, found), image_id, row, column, value)
        for image_id, (value, row, column, found) in independent.ranked(chosen, k)
    ]


@pytest.fixture(scope="module")
def truth(network: Network, pictures: dict[str, np.ndarray]) -> Truth:
    return brute_force(network, pictures)


@pytest.fixture(scope="module")
def scanned_in_batches_of_eight(
    network: Network, images: ImageFolder, tmp_path_factory: pytest.TempPathFactory
) -> ActivationIndex:
    return scan(network, images, tmp_path_factory.mktemp("eights"), block_size=8)


@pytest.mark.parametrize("layer", CONVOLUTIONS)
def test_top_of_a_layer_is_brute_force(
    scanned_in_batches_of_eight: ActivationIndex, truth: Truth, layer: str
) -> None:
    for copies, most in ((False, 17), (True, 20)):
        for k in (1, 9, 20, 500):  # up to 100 from the summary, beyond from the blocks
            found = scanned_in_batches_of_eight.top(layer, k=k, copies=copies)
            assert found == expected_top(truth, layer, None, k, copies=copies)
        assert len(found) == most


@pytest.mark.parametrize("layer", CONVOLUTIONS)
def test_top_of_every_map_is_brute_force(
    scanned_in_batches_of_eight: ActivationIndex, truth: Truth, layer: str
) -> None:
    for channel in range(scanned_in_batches_of_eight.layers[layer].channels):
        for k in (9, 500):
            for copies in (False, True):
                found = scanned_in_batches_of_eight.top(layer, channel, k, copies=copies)
                assert found == expected_top(truth, layer, channel, k, copies=copies)


@pytest.mark.parametrize("layer", ["conv1_1", "conv3_4", "conv5_4"])
@pytest.mark.parametrize("label", LABELS)
def test_top_within_a_label_is_brute_force(
    scanned_in_batches_of_eight: ActivationIndex, truth: Truth, layer: str, label: str
) -> None:
    for channel in (None, 2):
        for copies in (False, True):
            found = scanned_in_batches_of_eight.top(layer, channel, 4, label, copies=copies)
            assert found == expected_top(truth, layer, channel, 4, label, copies=copies)


# In whole numbers the values of flat and striped drawings tie everywhere, and nothing is rounded.
@pytest.fixture(scope="module")
def whole_numbers() -> Network:
    return whole_number_network(seed=3)


@pytest.fixture(scope="module")
def tied(
    whole_numbers: Network, images: ImageFolder, tmp_path_factory: pytest.TempPathFactory
) -> ActivationIndex:
    return scan(whole_numbers, images, tmp_path_factory.mktemp("tied"), block_size=5)


@pytest.fixture(scope="module")
def tied_truth(whole_numbers: Network, pictures: dict[str, np.ndarray]) -> Truth:
    return brute_force(whole_numbers, pictures)


def test_the_drawings_do_tie(tied_truth: Truth) -> None:
    between_images = between_maps = 0
    for layer in CONVOLUTIONS:
        best = [max(peak[0] for peak in peaks) for peaks in tied_truth[layer].values()]
        between_images += len(best) - len(set(best))
        for peaks in tied_truth[layer].values():
            values = [peak[0] for peak in peaks]
            between_maps += values.count(max(values)) > 1
    assert between_images >= 16 * 3
    assert between_maps >= 8


@pytest.mark.parametrize("layer", CONVOLUTIONS)
def test_ties_are_ordered_by_image_row_column_and_channel(
    tied: ActivationIndex, tied_truth: Truth, layer: str
) -> None:
    for channel in (None, *range(tied.layers[layer].channels))[:: one_in(2)]:
        for copies in (False, True):
            expected = expected_top(tied_truth, layer, channel, 500, copies=copies)
            for k in (1, 4, 9, 500):
                assert tied.top(layer, channel, k, copies=copies) == expected[:k]


@pytest.mark.parametrize("layer", POOLS)
def test_a_pool_is_its_convolution_at_half_the_location(
    tied: ActivationIndex, tied_truth: Truth, layer: str
) -> None:
    below = LAYERS[LAYERS.index(layer) - 1]
    halved = {
        layer: {
            image_id: [(value, row // 2, column // 2, channel) for value, row, column, channel in p]
            for image_id, p in tied_truth[below].items()
        }
    }
    for channel in (None, *range(tied.layers[layer].channels)):
        assert tied.top(layer, channel=channel, k=9) == expected_top(halved, layer, channel, 9)


@pytest.mark.parametrize("layer", POOLS)
def test_a_pool_is_brute_force_where_nothing_ties(
    scanned_in_batches_of_eight: ActivationIndex,
    network: Network,
    truth: Truth,
    pictures: dict[str, np.ndarray],
    layer: str,
) -> None:
    compared = 0
    below = LAYERS[LAYERS.index(layer) - 1]
    for image_id in ("a.png", "dog/noise.png", "dog/coarse.png", "people/noise.png"):
        inputs = independent.normalised(network, pictures[image_id][None])
        maps = independent.feature_maps(network, inputs)[below][0]
        for channel, (value, row, column, _) in enumerate(truth[layer][image_id]):
            if value > 0 and int((maps[channel] >= value * (1 - 1e-5)).sum()) == 1:
                peaks = scanned_in_batches_of_eight.peaks(layer, channel).set_index("image_id")
                found = peaks.loc[image_id, ["value", "row", "column"]].tolist()
                assert found == [value, row, column]
                compared += 1
    assert compared >= 10


def test_copies_asked_for_come_in_the_order_of_their_ids(index: ActivationIndex) -> None:
    found = index.top("conv3_1", k=100, copies=True)
    places = {activation.image_id: place for place, activation in enumerate(found)}
    for first, second in (
        ("dog/noise again.png", "dog/noise.png"),
        ("people/red again.png", "people/red.png"),
    ):
        assert places[second] == places[first] + 1
        one, other = found[places[first]], found[places[second]]
        assert (one.value, one.row, one.column) == (other.value, other.row, other.column)


def test_an_image_never_appears_twice(index: ActivationIndex) -> None:
    for layer in ("conv1_2", "conv4_4", "pool2"):
        names = [activation.image_id for activation in index.top(layer, k=1000, copies=True)]
        assert len(names) == len(set(names)) == 20
        names = [activation.image_id for activation in index.top(layer, k=1000)]
        assert len(names) == len(set(names)) == 17


def test_fewer_images_than_k_is_a_result(index: ActivationIndex, truth: Truth) -> None:
    sizes = set()
    for layer in CONVOLUTIONS:
        for channel in range(index.layers[layer].channels):
            above = sum(peaks[channel][0] > 0 for peaks in truth[layer].values())
            found = index.top(layer, channel=channel, k=20, copies=True)
            assert len(found) == above
            assert all(activation.value > 0 for activation in found)
            sizes.add(above)
    assert any(0 < size < 20 for size in sizes), "some map must answer to some images only"


def test_a_dead_map_gives_an_empty_list(index: ActivationIndex) -> None:
    layer, channel = DEAD
    assert index.top(layer, channel=channel) == []
    assert index.top(layer, channel=channel, label="dog") == []
    assert (index.peaks(layer, channel)["value"] == 0).all()


def test_nine_is_what_top_gives_unasked(index: ActivationIndex) -> None:
    assert len(index.top("conv4_4")) == 9
    assert index.top("conv4_4") == index.top("conv4_4", k=9)


def test_peaks_of_a_map_are_brute_force_one_row_an_image(
    scanned_in_batches_of_eight: ActivationIndex, truth: Truth, pictures: dict[str, np.ndarray]
) -> None:
    for layer, channel in (("conv1_1", 0), ("conv2_2", 4), ("conv5_4", 7)):
        table = scanned_in_batches_of_eight.peaks(layer, channel)
        assert list(table.columns) == ["image_id", "label", "row", "column", "value"]
        assert table["image_id"].tolist() == list(pictures)
        for row in table.itertuples():
            assert (row.value, row.row, row.column, channel) == truth[layer][row.image_id][channel]
            assert row.label == row.image_id.rpartition("/")[0]


def test_maps_of_a_layer_are_brute_force(
    scanned_in_batches_of_eight: ActivationIndex, truth: Truth
) -> None:
    for label in (None, "dog"):
        table = scanned_in_batches_of_eight.maps("conv3_2", label=label)
        values = np.array(
            [
                [peak[0] for peak in peaks]
                for image_id, peaks in truth["conv3_2"].items()
                if label is None or image_id.startswith(f"{label}/")
            ]
        )
        assert table["channel"].tolist() == list(range(6))
        np.testing.assert_allclose(table["max"], values.max(axis=0), rtol=1e-6)
        np.testing.assert_allclose(table["mean"], values.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(table["share"], (values > 0).mean(axis=0))
        assert table["dead"].tolist() == (values.max(axis=0) == 0).tolist()
        assert bool(table["dead"][DEAD[1]])


def test_stored_values_are_found_again_in_the_reference_layout(
    index: ActivationIndex, network: Network, pictures: dict[str, np.ndarray]
) -> None:
    for layer in ("conv1_2", "conv3_4", "conv5_4", "pool5"):
        for activation in index.top(layer, k=5):
            inputs = independent.normalised(network, pictures[activation.image_id][None])
            plane = independent.feature_maps(network, inputs)[layer][0, activation.unit.channel]
            value = float(plane[activation.row, activation.column])
            assert value == pytest.approx(activation.value, rel=1e-5)
            assert value >= float(plane.max()) * (1 - 1e-5)


def test_an_index_tells_what_it_was_made_of(
    index: ActivationIndex, images: ImageFolder, network: Network, pictures: dict[str, np.ndarray]
) -> None:
    assert index.complete
    assert index.precision == "float32"
    assert dict(index.layers) == dict(network.layers)
    assert index.total == len(images) == 20
    assert list(index.images.columns) == ["image_id", "label", "width", "height", "error"]
    assert index.images["image_id"].tolist() == list(pictures)
    assert (index.images[["width", "height"]] == 224).all(axis=None)
    assert (index.images["error"] == "").all()
    assert index.labels == {"": 2, "dog": 6, "other": 7, "people": 5}


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"layer": "conv6_1"}, r"'conv6_1' is not a layer of this index; choose one of conv1_1"),
        ({"layer": "CONV1_1"}, "not a layer"),
        ({"layer": "conv1_1", "channel": 4}, r"conv1_1 has no feature map 4; its 4 maps .* to 3"),
        ({"layer": "pool5", "channel": 8}, "pool5 has no feature map 8"),
        ({"layer": "conv1_1", "channel": -1}, "no feature map -1"),
        ({"layer": "conv1_1", "label": "cat"}, r"label 'cat'; there are: '', 'dog', 'other'"),
        ({"layer": "conv1_1", "k": 0}, "k is 0"),
        ({"layer": "conv1_1", "k": -3}, "k is -3"),
    ],
)
def test_a_bad_question_is_an_error_that_says_what_there_is(
    index: ActivationIndex, question: dict, message: str
) -> None:
    with pytest.raises(DeconvError, match=message):
        index.top(**question)


def test_bad_questions_to_peaks_and_maps(index: ActivationIndex) -> None:
    with pytest.raises(DeconvError, match="not a layer"):
        index.peaks("fc6", 0)
    with pytest.raises(DeconvError, match="no feature map 9"):
        index.peaks("conv1_1", 9)
    with pytest.raises(DeconvError, match="label 'cat'"):
        index.maps("conv1_1", label="cat")


# -- files ---------------------------------------------------------------------------------------


@pytest.fixture
def copied(index: ActivationIndex, tmp_path: Path) -> Path:
    """A copy of the index to break: four blocks of at most six images."""
    copy = tmp_path / "index"
    shutil.copytree(index._folder.path, copy)
    assert len(list((copy / "blocks").iterdir())) == 4
    return copy


FROM_BLOCKS = 200
"""More than the summary keeps: the blocks themselves have to be read."""


def ask_everything(path: Path) -> dict[tuple[str, int | None], list[Activation]]:
    index = ActivationIndex.open(path)
    return {
        (layer, channel): index.top(layer, channel=channel, k=FROM_BLOCKS)
        for layer in CONVOLUTIONS
        for channel in (None, 0, 3)
    }


def test_a_truncated_block_is_named(copied: Path) -> None:
    block = copied / "blocks" / "000001.parquet"
    block.write_bytes(block.read_bytes()[:-1000])
    with pytest.raises(
        IndexDamagedError, match=r"000001\.parquet .*scan the same images into this index again"
    ):
        ask_everything(copied)


def test_a_deleted_block_is_named(copied: Path) -> None:
    (copied / "blocks" / "000002.parquet").unlink()
    with pytest.raises(IndexDamagedError, match=r"000002\.parquet"):
        ask_everything(copied)


def test_an_empty_block_is_named(copied: Path) -> None:
    (copied / "blocks" / "000000.parquet").write_bytes(b"")
    with pytest.raises(IndexDamagedError, match=r"000000\.parquet"):
        ask_everything(copied)


def test_a_flipped_byte_is_found_or_changes_nothing(copied: Path) -> None:
    before = ask_everything(copied)
    block = copied / "blocks" / "000003.parquet"
    whole, found = block.read_bytes(), 0
    places = np.random.default_rng(0).integers(4, len(whole) - 8, 25)[:: one_in(2)]
    for place in places:
        flipped = bytearray(whole)
        flipped[place] ^= 0x10
        block.write_bytes(bytes(flipped))
        try:
            assert ask_everything(copied) == before
        except IndexDamagedError as error:
            assert "000003.parquet" in str(error)  # noqa: PT017
            found += 1
    assert found >= len(places) // 4


def test_a_flipped_byte_among_the_values_is_found(copied: Path, index: ActivationIndex) -> None:
    # The value is written in a checksummed page, and again in its header as a statistic.
    before = index.top("conv4_1", channel=2, k=FROM_BLOCKS)
    stored, found = np.float32(before[0].value).tobytes(), 0
    for block in (copied / "blocks").iterdir():
        whole = block.read_bytes()
        place = whole.find(stored)
        while place >= 0:
            flipped = bytearray(whole)
            flipped[place + 2] ^= 0x08
            block.write_bytes(bytes(flipped))
            try:
                assert ActivationIndex.open(copied).top("conv4_1", 2, FROM_BLOCKS) == before
            except IndexDamagedError as error:
                assert block.name in str(error)  # noqa: PT017
                found += 1
            block.write_bytes(whole)
            place = whole.find(stored, place + 1)
    assert found >= 1


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"format_version": 3}', b"\xff\xfe"])
def test_a_damaged_manifest_is_named(copied: Path, content: bytes) -> None:
    (copied / "manifest.json").write_bytes(content)
    with pytest.raises(IndexDamagedError, match=r"manifest\.json"):
        ActivationIndex.open(copied)


def test_a_damaged_list_of_images_is_named(copied: Path) -> None:
    images = copied / "images.parquet"
    images.write_bytes(images.read_bytes()[:100])
    with pytest.raises(IndexDamagedError, match=r"images\.parquet"):
        ActivationIndex.open(copied)
    images.unlink()
    with pytest.raises(IndexDamagedError, match=r"images\.parquet"):
        ActivationIndex.open(copied)


@pytest.mark.parametrize("version", [1, 2, 99])
def test_another_format_is_refused(copied: Path, version: int) -> None:
    manifest = copied / "manifest.json"
    text = manifest.read_text()
    assert '"format_version": 4' in text
    manifest.write_text(text.replace('"format_version": 4', f'"format_version": {version}'))
    for ask in (ActivationIndex.open, check_index):
        with pytest.raises(IndexMismatchError, match=rf"has format {version}.*images anew"):
            ask(copied)


def test_format_3_which_knows_networks_like_vgg_only_is_read(
    copied: Path, index: ActivationIndex
) -> None:
    path = copied / "manifest.json"
    content = json.loads(path.read_text())
    content.pop("checksum")
    content["format_version"] = 3
    for layer in content["layers"]:
        for name in ("is_pool", "pooled_from", "input_size"):
            del layer[name]
        del layer["receptive_field"]["across"]
    plain = json.dumps(content, sort_keys=True).encode()
    content["checksum"] = hashlib.sha256(plain).hexdigest()[:16]
    path.write_text(json.dumps(content))
    again = ActivationIndex.open(copied)
    assert again.layers == index.layers
    for layer in index.layers:
        assert again.top(layer) == index.top(layer)
    assert not check_index(copied)


def test_no_index_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(IndexMismatchError, match="there is no index at"):
        ActivationIndex.open(tmp_path)


def test_a_moved_index_answers_the_same(copied: Path, index: ActivationIndex) -> None:
    assert ActivationIndex.open(copied).top("conv4_4") == index.top("conv4_4")


def test_asking_an_index_loads_no_torch(index: ActivationIndex) -> None:
    program = (
        "import sys\n"
        "from deconv_core import ActivationIndex\n"
        "index = ActivationIndex.open(sys.argv[1])\n"
        "assert len(index.top('conv4_4')) == 9 and len(index.top('pool3', channel=1, k=2)) == 2\n"
        "index.peaks('conv1_1', 0), index.maps('conv1_1'), index.images, index.labels\n"
        "print([name for name in ('torch', 'torchvision', 'PIL') if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(index._folder.path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.stdout.strip() == "[]"


def test_top_of_photographs_is_brute_force(
    network: Network, photographs: ImageFolder, tmp_path: Path
) -> None:
    few = {
        entry.image_id: photographs.read(position)
        for position, entry in enumerate(photographs)
        if position % max(len(photographs) // 32, 1) == 0
    }
    chosen = ImageFolder(drawings.save(tmp_path / "few", _as_png(few)))
    index = scan(network, chosen, tmp_path / "index", block_size=16)
    truth = brute_force(network, dict(sorted(_as_png(few).items())))
    for layer in CONVOLUTIONS:
        for channel in (None, 0, 2):
            found, expected = index.top(layer, channel), expected_top(truth, layer, channel, 9)
            assert [replace(one, value=0.0) for one in found] == [
                replace(one, value=0.0) for one in expected
            ]
            # Brute force sees one image at a time, which may be rounded in another order.
            values = [one.value for one in expected]
            assert [one.value for one in found] == pytest.approx(values, rel=1e-5)


def _as_png(pictures: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {f"{image_id}.png": pixels for image_id, pixels in pictures.items()}


APART, WHOLE = "gru\u0308n", "gr\u00fcn"  # u and two dots; u with two dots


def scan_of_labels(network: Network, folder: Path, *labels: str) -> ActivationIndex:
    pictures = {f"{label}/{n}.png": drawings.noise(n) for n, label in enumerate(labels)}
    images = ImageFolder(drawings.save(folder / "images", pictures))
    return scan(network, images, folder / "index")


def test_a_label_may_be_typed_with_its_letters_composed_in_another_way(
    network: Network, tmp_path: Path
) -> None:
    index = scan_of_labels(network, tmp_path, APART, "dog")
    assert list(index.labels) == ["dog", APART]
    (found,) = index.top("conv3_2", k=3, label=WHOLE)
    assert found.image_id == f"{APART}/0.png"
    assert index.maps("conv3_2", label=WHOLE).equals(index.maps("conv3_2", label=APART))
    with pytest.raises(DeconvError, match="label 'grun'"):
        index.top("conv3_2", label="grun")


def test_labels_that_differ_only_by_how_letters_are_composed_stay_two(
    network: Network, tmp_path: Path
) -> None:
    (tmp_path / APART).mkdir()
    if (tmp_path / WHOLE).exists():
        pytest.skip("this system takes both for one name")
    index = scan_of_labels(network, tmp_path, APART, WHOLE)
    for place, label in enumerate((APART, WHOLE)):
        (found,) = index.top("conv3_2", label=label)
        assert found.image_id == f"{label}/{place}.png"
