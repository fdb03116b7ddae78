"""Windowed reconstructions against the whole image, walked by plain torch functions."""

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from deconv_core.errors import CancelledError, DeconvError, ImageError
from deconv_core.images.folder import ImageFolder
from deconv_core.network.network import Network
from deconv_core.pictures import Reconstruction, Rule
from deconv_core.reconstruction.cache import ReconstructionCache
from deconv_core.reconstruction.reconstruct import reconstruct
from deconv_core.reconstruction.whole_image import image_passes, pass_image
from deconv_core.units import Activation, Unit
from tests.core import drawings, independent
from tests.core.independent import GEOMETRY, LAYERS
from tests.core.networks import DEAD, whole_number_network

PICTURE = "dog/noise.png"


@pytest.fixture(scope="module")
def inputs(network: Network, pictures: dict[str, np.ndarray]) -> torch.Tensor:
    return independent.normalised(network, pictures[PICTURE][None])


@pytest.fixture(scope="module")
def maps(network: Network, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
    return independent.feature_maps(network, inputs)


def strongest_at(maps: dict[str, torch.Tensor], layer: str, row: int, column: int) -> Activation:
    """What answers most at a location (its value may be 0)."""
    here = maps[layer][0, :, row, column]
    channel = int(here.argmax())
    return Activation(Unit(layer, channel), PICTURE, row, column, float(here[channel]))


def locations(layer: str) -> list[tuple[int, int]]:
    """The four corners, on borders, next to borders, and inside."""
    last = GEOMETRY[layer][0] - 1
    middle, near = last // 2, min(3, last)
    return [
        *((0, 0), (0, last), (last, 0), (last, last), (0, middle), (middle, last)),
        *((last - near, 1), (middle, middle)),
    ]


@pytest.fixture(scope="module")
def whole_numbers() -> Network:
    return whole_number_network(seed=3)


@pytest.fixture(scope="module")
def whole_maps(
    whole_numbers: Network, pictures: dict[str, np.ndarray]
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    inputs = independent.normalised(whole_numbers, pictures[PICTURE][None])
    return inputs, independent.feature_maps(whole_numbers, inputs)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_window_gives_exactly_what_the_whole_image_gives(
    whole_numbers: Network,
    images: ImageFolder,
    whole_maps: tuple[torch.Tensor, dict[str, torch.Tensor]],
    layer: str,
) -> None:
    # In whole numbers nothing is rounded, so a window and the image must agree in every bit.
    inputs, maps = whole_maps
    found = [strongest_at(maps, layer, *place) for place in locations(layer)]
    found = [activation for activation in found if activation.value > 0]
    assert len(found) >= 7, "the picture must answer at corners, borders and inside"
    places = [(a.unit.channel, a.row, a.column) for a in found]
    values, whole = independent.reconstructions(whole_numbers, inputs, layer, places)
    assert values == [activation.value for activation in found]
    assert 0 < np.abs(whole).max() < 2**24
    uncached = reconstruct(whole_numbers, images, found)
    cached = reconstruct(whole_numbers, images, found, ReconstructionCache())
    for activation, picture, same, expected in zip(found, uncached, cached, whole, strict=True):
        box = independent.window_of(layer, activation.row, activation.column)
        assert (picture.box.top, picture.box.bottom, picture.box.left, picture.box.right) == box
        top, bottom, left, right = box
        assert np.array_equal(picture.pixels, expected[:, top:bottom, left:right])
        assert np.array_equal(same.pixels, picture.pixels)
        outside = expected.copy()
        outside[:, top:bottom, left:right] = 0
        assert not outside.any(), "energy outside the receptive field"


@pytest.mark.parametrize(
    ("layer", "row", "column"), [("conv2_2", 50, 111), ("conv3_4", 0, 30), ("conv4_4", 13, 9)]
)
def test_a_window_gives_what_the_whole_image_gives_on_vgg19_of_full_width(
    full_width: Network,
    images: ImageFolder,
    pictures: dict[str, np.ndarray],
    layer: str,
    row: int,
    column: int,
) -> None:
    inputs = independent.normalised(full_width, pictures[PICTURE][None])
    maps = independent.feature_maps(full_width, inputs, until=layer)
    found = [strongest_at(maps, layer, row, column)]
    places = [(a.unit.channel, a.row, a.column) for a in found]
    _, whole = independent.reconstructions(full_width, inputs, layer, places)
    for activation, made, expected in zip(
        found, reconstruct(full_width, images, found), whole, strict=True
    ):
        assert activation.value > 0
        top, bottom, left, right = independent.window_of(layer, activation.row, activation.column)
        difference = np.abs(made.pixels - expected[:, top:bottom, left:right]).max()
        # On the way down another memory layout adds up in another order, and that is all:
        # test_support proves the switches equal, the test above that nothing else differs.
        assert difference <= 5e-6 * np.abs(expected).max()


@pytest.mark.filterwarnings("ignore::UserWarning:captum")
def test_captum_agrees_from_folder_to_picture(
    network: Network, images: ImageFolder, inputs: torch.Tensor, maps: dict[str, torch.Tensor]
) -> None:
    from captum.attr import NeuronDeconvolution

    model, ends = independent.torch_model(network)
    for layer in ("conv2_2", "conv4_4"):
        activation = strongest_at(maps, layer, 5, 9)
        assert activation.value > 0
        (made,) = reconstruct(network, images, [activation])
        shortened = model[: list(model).index(ends[layer]) + 1]
        theirs = NeuronDeconvolution(shortened, ends[layer]).attribute(
            inputs.clone(), (activation.unit.channel, 5, 9)
        )
        expected = activation.value * theirs[0].detach().numpy()
        top, bottom, left, right = independent.window_of(layer, 5, 9)
        difference = np.abs(made.pixels - expected[:, top:bottom, left:right]).max()
        assert difference <= 1e-5 * np.abs(expected).max()


@pytest.mark.filterwarnings("ignore::UserWarning:captum")
@pytest.mark.parametrize("layer", ["conv1_2", "conv2_2", "pool2", "conv3_4", "conv4_4", "conv5_4"])
@pytest.mark.parametrize("rule", ["guided", "gradient"])
def test_other_rules_equal_captum(
    network: Network,
    images: ImageFolder,
    inputs: torch.Tensor,
    maps: dict[str, torch.Tensor],
    layer: str,
    rule: Rule,
) -> None:
    from captum.attr import NeuronGradient, NeuronGuidedBackprop

    model, ends = independent.torch_model(network)
    activation = strongest_at(maps, layer, 5, 9)
    assert activation.value > 0
    cache = ReconstructionCache()
    reconstruct(network, images, [activation], cache)  # a pass without masks does not serve
    image_passes(network, images, layer, [images.position(activation.image_id)], cache)
    made = [
        *reconstruct(network, images, [activation], rule=rule),
        *reconstruct(network, images, [activation], cache, rule=rule),
        *reconstruct(network, images, [activation], cache, rule=rule),
    ]
    shortened = model[: list(model).index(ends[layer]) + 1]
    captum = {"guided": NeuronGuidedBackprop, "gradient": NeuronGradient}[rule]
    theirs = captum(shortened, ends[layer]).attribute(
        inputs.clone(), (activation.unit.channel, 5, 9)
    )
    expected = activation.value * theirs[0].detach().numpy()
    top, bottom, left, right = independent.window_of(layer, 5, 9)
    assert np.abs(expected).max() > 0
    for picture in made:
        assert picture.rule == rule
        difference = np.abs(picture.pixels - expected[:, top:bottom, left:right]).max()
        assert difference <= 1e-5 * np.abs(expected).max()


def test_an_unknown_rule(network: Network, images: ImageFolder) -> None:
    with pytest.raises(DeconvError, match="choose one of deconvnet, guided, gradient"):
        reconstruct(network, images, [], rule="smooth")  # type: ignore[arg-type]


def test_masks_count_for_the_bound_of_a_cache(network: Network, images: ImageFolder) -> None:
    plain, _ = pass_image(network, images.read(0), "conv3_1")
    masked, _ = pass_image(network, images.read(0), "conv3_1", masks=True)
    before = [name for name in network.layers if name.startswith(("conv1", "conv2", "conv3_1"))]
    bits = sum(
        -(-layer.channels // 8) * layer.height * layer.width
        for name, layer in network.layers.items()
        if name in before
    )
    assert masked.nbytes - plain.nbytes == bits


@pytest.mark.parametrize("layer", LAYERS)
def test_pixels_outside_the_receptive_field_do_not_matter(
    network: Network,
    inputs: torch.Tensor,
    maps: dict[str, torch.Tensor],
    images: ImageFolder,
    layer: str,
) -> None:
    # The window the program gives; the maps are computed by torch alone, on the whole image.
    side = GEOMETRY[layer][0]
    row, column = side // 2, side // 4
    activation = strongest_at(maps, layer, row, column)
    assert activation.value > 0
    (made,) = reconstruct(network, images, [activation])
    inside = np.zeros((224, 224), bool)
    inside[made.box.top : made.box.bottom, made.box.left : made.box.right] = True
    noise = torch.randn(inputs.shape, generator=torch.Generator().manual_seed(1))
    elsewhere = torch.where(torch.from_numpy(inside), inputs, noise)
    again = independent.feature_maps(network, elsewhere)[layer][0, activation.unit.channel]
    assert float(again[row, column]) == pytest.approx(activation.value, rel=1e-5)


@pytest.mark.parametrize("layer", ["conv1_1", "conv1_2", "pool1", "conv2_2", "conv3_1", "pool2"])
def test_the_receptive_field_is_no_larger_than_it_must_be(
    network: Network, inputs: torch.Tensor, maps: dict[str, torch.Tensor], layer: str
) -> None:
    # Each of its four edges can change the activations of the location.
    _, stride, size, offset = GEOMETRY[layer]
    row, column = 20, 25
    top, left = row * stride + offset, column * stride + offset
    before = maps[layer][0, :, row, column]
    for rows, columns in (
        (top, slice(left, left + size)),
        (top + size - 1, slice(left, left + size)),
        (slice(top, top + size), left),
        (slice(top, top + size), left + size - 1),
    ):
        changed = inputs.clone()
        changed[:, :, rows, columns] *= -20
        after = independent.feature_maps(network, changed)[layer][0, :, row, column]
        assert not torch.equal(after, before)


def test_the_patch_is_the_image_in_the_same_box(
    network: Network,
    images: ImageFolder,
    pictures: dict[str, np.ndarray],
    maps: dict[str, torch.Tensor],
) -> None:
    places = [("conv1_2", 0, 0), ("conv3_4", 20, 55), ("conv4_4", 27, 3), ("pool5", 3, 3)]
    found = [strongest_at(maps, *place) for place in places]
    for activation, made in zip(found, reconstruct(network, images, found), strict=True):
        layer = activation.unit.layer
        top, bottom, left, right = independent.window_of(layer, activation.row, activation.column)
        assert np.array_equal(made.patch, pictures[PICTURE][top:bottom, left:right])
        _, stride, size, offset = GEOMETRY[layer]
        window = made.window
        assert (window.top, window.left) == (
            activation.row * stride + offset,
            activation.column * stride + offset,
        )
        assert (window.height, window.width) == (size, size)
        assert made.activation == activation
        assert made.pixels.dtype == np.float32
        assert made.patch.dtype == np.uint8


@pytest.fixture(scope="module")
def mixed(network: Network, pictures: dict[str, np.ndarray]) -> list[Activation]:
    """Activations of seven layers and two images, in no order."""
    found = []
    for image_id in ("people/noise.png", PICTURE):
        inputs = independent.normalised(network, pictures[image_id][None])
        for layer, maps in independent.feature_maps(network, inputs).items():
            if layer in LAYERS[2::3]:
                channel = int(maps[0].amax((1, 2)).argmax())
                value, row, column, _ = independent.peak_of_plane(maps[0, channel].numpy(), channel)
                found.append(Activation(Unit(layer, channel), image_id, row, column, value))
    order = np.random.default_rng(0).permutation(len(found))
    return [found[place] for place in order]


def same_bits(first: list[Reconstruction], second: list[Reconstruction]) -> bool:
    return all(
        np.array_equal(one.pixels, other.pixels) and np.array_equal(one.patch, other.patch)
        for one, other in zip(first, second, strict=True)
    )


def test_a_warm_cache_gives_the_same_bits_as_a_cold_one(
    network: Network, images: ImageFolder, mixed: list[Activation]
) -> None:
    cache = ReconstructionCache()
    cold = reconstruct(network, images, mixed, cache)
    assert cache.nbytes > 0
    assert same_bits(cold, reconstruct(network, images, mixed, cache))


def test_no_cache_or_one_too_small_gives_the_same(
    network: Network, images: ImageFolder, mixed: list[Activation]
) -> None:
    expected = reconstruct(network, images, mixed, ReconstructionCache())
    for cache in (None, ReconstructionCache(0), ReconstructionCache(160_000)):
        assert_close(reconstruct(network, images, mixed, cache), expected)


def test_order_mix_and_company_do_not_matter(
    network: Network, images: ImageFolder, mixed: list[Activation]
) -> None:
    together = reconstruct(network, images, mixed)
    assert_close(reconstruct(network, images, mixed[::-1])[::-1], together)
    alone = [reconstruct(network, images, [activation])[0] for activation in mixed]
    assert_close(alone, together)
    cache = ReconstructionCache()
    reconstruct(network, images, mixed[:4], cache)  # some passes are there, some are not
    assert_close(reconstruct(network, images, mixed, cache), together)


def assert_close(made: list[Reconstruction], expected: list[Reconstruction]) -> None:
    for one, other in zip(made, expected, strict=True):
        assert one.activation == other.activation
        limit = 1e-6 * np.abs(other.pixels).max()
        assert np.abs(one.pixels - other.pixels).max() <= limit
        assert np.array_equal(one.patch, other.patch)


def test_the_same_activation_twice_comes_twice(
    network: Network, images: ImageFolder, mixed: list[Activation]
) -> None:
    first, second = reconstruct(network, images, [mixed[0], mixed[0]])
    assert np.array_equal(first.pixels, second.pixels)


def test_nothing_asked_nothing_given(network: Network, images: ImageFolder) -> None:
    assert reconstruct(network, images, []) == []


def test_progress_counts_to_the_number_asked_for(
    network: Network, images: ImageFolder, mixed: list[Activation]
) -> None:
    told: list[tuple[int, int]] = []
    reconstruct(network, images, mixed, progress=lambda done, total: told.append((done, total)))
    counts = [done for done, _ in told]
    assert counts == sorted(set(counts))
    assert told[-1] == (len(mixed), len(mixed))


def test_cancel_stops_between_batches(
    network: Network, images: ImageFolder, mixed: list[Activation]
) -> None:
    cancel, told = threading.Event(), []

    def progress(done: int, _: int) -> None:
        told.append(done)
        cancel.set()

    with pytest.raises(CancelledError, match=f"of {len(mixed)}"):
        reconstruct(network, images, mixed, progress=progress, cancel=cancel)
    assert len(told) == 1


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_an_activation_that_is_not_above_zero_is_an_error(
    network: Network, images: ImageFolder, value: float
) -> None:
    dead = Activation(Unit(*DEAD), PICTURE, 0, 0, value)
    with pytest.raises(DeconvError, match=f"conv3_2/1 in {PICTURE} is .*does not respond"):
        reconstruct(network, images, [dead])


@pytest.mark.parametrize(
    ("layer", "channel", "row", "column"),
    [
        ("conv1_1", 4, 0, 0),
        ("conv1_1", -1, 0, 0),
        ("conv1_1", 0, 224, 0),
        ("conv1_1", 0, -1, 0),
        ("pool5", 0, 0, 7),
        ("pool5", 0, 0, -1),
    ],
)
def test_an_address_that_does_not_exist_is_an_error(
    network: Network, images: ImageFolder, layer: str, channel: int, row: int, column: int
) -> None:
    with pytest.raises(DeconvError, match="does not exist"):
        reconstruct(network, images, [Activation(Unit(layer, channel), PICTURE, row, column, 1.0)])


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("layer", ["conv2_1", "conv5_3", "pool5"])
def test_a_value_that_the_image_does_not_give_is_an_error(
    network: Network,
    images: ImageFolder,
    maps: dict[str, torch.Tensor],
    layer: str,
    cached: bool,
) -> None:
    right = strongest_at(maps, layer, 3, 4)
    wrong = Activation(right.unit, PICTURE, 3, 4, right.value * 1.01 + 1e-7)
    with pytest.raises(DeconvError, match=r"was given as .* but is .*not the one that was scanned"):
        reconstruct(network, images, [wrong], ReconstructionCache() if cached else None)


def test_the_recomputed_value_is_what_goes_down(
    network: Network, images: ImageFolder, maps: dict[str, torch.Tensor]
) -> None:
    right = strongest_at(maps, "conv3_1", 30, 31)
    near = Activation(right.unit, PICTURE, 30, 31, right.value * (1 + 2e-5))
    exact, given = reconstruct(network, images, [right, near])
    assert np.array_equal(exact.pixels, given.pixels)


def test_a_missing_image_is_named(network: Network, tmp_path: Path) -> None:
    drawings.save(tmp_path, {"here.png": drawings.noise(1), "gone.png": drawings.noise(2)})
    images = ImageFolder(tmp_path)
    with pytest.raises(ImageError, match=r"elsewhere.png is not in"):
        reconstruct(network, images, [Activation(Unit("conv1_1", 0), "elsewhere.png", 5, 5, 1.0)])
    (tmp_path / "gone.png").unlink()
    with pytest.raises(ImageError, match="gone"):
        reconstruct(network, images, [Activation(Unit("conv1_1", 0), "gone.png", 5, 5, 1.0)])


def test_many_threads_get_the_same_pictures(
    network: Network, images: ImageFolder, mixed: list[Activation]
) -> None:
    expected = reconstruct(network, images, mixed)
    cache, made = ReconstructionCache(), {}

    def work(number: int) -> None:
        made[number] = reconstruct(network, images, mixed, cache)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(3):
        assert_close(made[number], expected)
