"""``exact_top`` gives the float32 answer, whatever the precision of the index."""

import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from deconv_core import exact as exact_module
from deconv_core.errors import CancelledError, DeconvError, ImageChangedError, IndexMismatchError
from deconv_core.exact import exact_top
from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.network.network import Network
from deconv_core.reconstruction.cache import ReconstructionCache
from deconv_core.reconstruction.reconstruct import reconstruct
from deconv_core.scanning.scan import scan
from tests.core import drawings, independent
from tests.core.networks import narrow_network, whole_number_network

QUESTIONS = [("conv1_1", None), ("conv2_2", 3), ("conv3_4", None), ("conv5_4", 2), ("pool4", None)]


@pytest.fixture(scope="module")
def whole_numbers() -> Network:
    """Nothing is rounded in float32, so its answers do not depend on the memory layout."""
    return whole_number_network(seed=3)


@pytest.fixture(scope="module")
def float32(
    whole_numbers: Network, images: ImageFolder, tmp_path_factory: pytest.TempPathFactory
) -> ActivationIndex:
    return scan(whole_numbers, images, tmp_path_factory.mktemp("32"), precision="float32")


@pytest.fixture(scope="module")
def bfloat16(
    whole_numbers: Network, images: ImageFolder, tmp_path_factory: pytest.TempPathFactory
) -> ActivationIndex:
    return scan(whole_numbers, images, tmp_path_factory.mktemp("16"), precision="bfloat16")


def test_a_float32_index_answers_by_itself(
    index: ActivationIndex, network: Network, images: ImageFolder
) -> None:
    for layer, channel in QUESTIONS:
        found = exact_top(network, images, index, layer, channel, k=5, label="dog")
        assert found == index.top(layer, channel, k=5, label="dog")
        assert found.exact


def test_a_bfloat16_index_is_near_and_says_what_it_is(
    bfloat16: ActivationIndex, float32: ActivationIndex
) -> None:
    assert bfloat16.precision == "bfloat16"
    assert float32.precision == "float32"
    differ = 0
    for layer, channel in QUESTIONS:
        near, exact = bfloat16.top(layer, channel), float32.top(layer, channel)
        assert near[0].value == pytest.approx(exact[0].value, rel=0.1)
        differ += near != exact
    assert differ, "else the test below shows nothing"


@pytest.mark.parametrize(("layer", "channel"), QUESTIONS)
def test_from_a_bfloat16_index_comes_the_float32_answer(
    whole_numbers: Network,
    images: ImageFolder,
    bfloat16: ActivationIndex,
    float32: ActivationIndex,
    layer: str,
    channel: int | None,
) -> None:
    cache = ReconstructionCache()
    for k, label in ((1, None), (9, None), (100, None), (3, "other"), (9, "dog")):
        for copies in (False, True):
            found = exact_top(
                *(whole_numbers, images, bfloat16, layer, channel, k, label),
                copies=copies,
                cache=cache,
            )
            assert list(found) == float32.top(layer, channel, k, label, copies=copies)
            assert found.exact


def test_its_values_are_those_of_the_whole_image(
    whole_numbers: Network,
    images: ImageFolder,
    bfloat16: ActivationIndex,
    pictures: dict[str, np.ndarray],
) -> None:
    for activation in exact_top(whole_numbers, images, bfloat16, "conv4_4", k=4):
        inputs = independent.normalised(whole_numbers, pictures[activation.image_id][None])
        maps = independent.feature_maps(whole_numbers, inputs)["conv4_4"][0]
        assert float(maps.max()) == activation.value
        assert (
            float(maps[activation.unit.channel, activation.row, activation.column])
            == activation.value
        )


def test_what_it_finds_can_be_reconstructed_with_the_same_cache(
    whole_numbers: Network, images: ImageFolder, bfloat16: ActivationIndex
) -> None:
    cache = ReconstructionCache()
    found = exact_top(whole_numbers, images, bfloat16, "conv3_4", k=3, cache=cache)
    assert len(reconstruct(whole_numbers, images, found, cache)) == 3


def test_the_approximate_answer_can_be_reconstructed_where_it_stands(
    network: Network, images: ImageFolder, tmp_path: Path
) -> None:
    near = scan(network, images, tmp_path, precision="bfloat16").top("conv2_2", k=9)
    made = reconstruct(network, images, near)
    assert [picture.activation for picture in made] == near


def test_where_it_stops_short_it_says_so(
    whole_numbers: Network,
    images: ImageFolder,
    bfloat16: ActivationIndex,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exact_module, "MOST_EXAMINED", 8)
    found = exact_top(whole_numbers, images, bfloat16, "conv1_1", k=9)
    assert not found.exact
    assert found.examined == 8


def test_only_images_that_could_count_are_seen_again(
    whole_numbers: Network, images: ImageFolder, bfloat16: ActivationIndex
) -> None:
    told: list[tuple[int, int]] = []
    found = exact_top(
        whole_numbers,
        images,
        bfloat16,
        "conv4_4",
        0,
        k=1,
        progress=lambda done, most: told.append((done, most)),
    )
    assert found.exact
    assert found.examined == told[-1][0] < 20


def test_cancel(whole_numbers: Network, images: ImageFolder, bfloat16: ActivationIndex) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(CancelledError):
        exact_top(whole_numbers, images, bfloat16, "conv1_1", cancel=cancel)


def test_another_network_or_resizing_is_refused(
    index: ActivationIndex, network: Network, images: ImageFolder
) -> None:
    with pytest.raises(IndexMismatchError, match=network.fingerprint):
        exact_top(narrow_network(seed=1), images, index, "conv1_1")
    with pytest.raises(IndexMismatchError, match="'crop'"):
        exact_top(network, ImageFolder(images.root, resize="crop"), index, "conv1_1")


def test_an_image_that_was_changed_is_no_part_of_an_answer(
    whole_numbers: Network, images: ImageFolder, bfloat16: ActivationIndex, tmp_path: Path
) -> None:
    """Its value now and the value of the scan belong to two pictures."""
    shutil.copytree(images.root, tmp_path / "photos")
    strongest = bfloat16.top("conv2_2", 3)[0].image_id
    folder = ImageFolder(tmp_path / "photos")
    assert exact_top(whole_numbers, folder, bfloat16, "conv2_2", 3).exact
    drawings.save(tmp_path / "photos", {strongest: drawings.noise(77, 3)})
    with pytest.raises(ImageChangedError, match=strongest):
        exact_top(whole_numbers, folder, bfloat16, "conv2_2", 3)


def test_bad_questions_are_errors_from_any_index(
    whole_numbers: Network, images: ImageFolder, bfloat16: ActivationIndex
) -> None:
    for question in ({"layer": "fc6"}, {"layer": "conv1_1", "channel": 99}):
        with pytest.raises(DeconvError, match=r"is not a layer|has no feature map"):
            exact_top(whole_numbers, images, bfloat16, **question)
    with pytest.raises(DeconvError, match="k is 0"):
        exact_top(whole_numbers, images, bfloat16, "conv1_1", k=0)


def test_error_bounds_of_a_bfloat16_scan_hold_for_nearly_all_of_its_images(
    bfloat16: ActivationIndex, float32: ActivationIndex
) -> None:
    bounds = bfloat16.manifest.compute.error_bounds
    assert set(bounds) == {name for name in bfloat16.layers if name.startswith("conv")}
    # They are measured on eight images: a few pairs of image and map may lie beyond.
    beyond, within = 0, 0
    for layer, bound in bounds.items():
        for channel in range(bfloat16.layers[layer].channels):
            near, exact = (
                made.peaks(layer, channel)["value"].to_numpy() for made in (bfloat16, float32)
            )
            outside = np.abs(near - exact) > exact_module.SAFETY * bound
            beyond, within = beyond + outside.sum(), within + (~outside).sum()
    assert beyond <= 0.005 * within
