"""The preprocessing of weights and its reason; unclear weights always lead to a question."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from deconv_core import ActivationIndex, DeconvError, ImageFolder, Network, load_network, scan
from deconv_core.demo import demo_index, demo_weights
from deconv_core.errors import PreprocessingUnclearError, WeightsError
from deconv_core.network.preprocessing import expected_by
from tests.core import drawings
from tests.core.independent import stages
from tests.core.weight_writers import State, caffe_arrays, features, python2_npy

# As printed by programs that read the releases: conv1_1 of Caffe's VGG19 and VGG16.
VGG19_BIASES = [0.73017758, 0.06493629, 0.03428847, 0.8260386, 0.2578029, 0.54867655, -0.01243854]
VGG19_BIASES += [0.34789944, 0.55108708, 0.06297145, 0.60699058, 0.26703122, 0.649414]
VGG16_BIASES = [0.73429835, 0.093403675, 0.06775674, 0.8862966, 0.25994542, 0.66426694]
VGG16_BIASES += [-0.015828926, 0.3249065, 0.68600726, 0.062479325]
BLUE_GREEN_RED = [0.34119523, 0.46418372, 0.39416704]  # the first filter's corner, of VGG19


def demo_state() -> State:
    """The demo network with torchvision's names and nothing said about preprocessing."""
    return {name: tensor.clone() for name, tensor in load_file(demo_weights()).items()}


def for_caffe(state: State) -> State:
    """The same function of an image, of Caffe's input: worked out from the two definitions.

    x = ((c + m) / 255 - mean) / deviation, where c is Caffe's input and m its mean.
    """
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    shift = (torch.tensor([123.68, 116.779, 103.939]) / 255).view(1, 3, 1, 1)
    shift = (shift - torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)) / deviation
    weight = state["features.0.weight"]
    bias = state["features.0.bias"] + (weight * shift).sum((1, 2, 3))
    small = (weight / (255 * deviation)).flip(1).contiguous()
    return {**state, "features.0.weight": small, "features.0.bias": bias}


def released(biases: list[float], corner: list[float]) -> State:
    """A stand-in for the release: full width at conv1_1, its biases and its first filter."""
    state = features()
    weight = torch.randn((64, 3, 3, 3), generator=torch.Generator().manual_seed(3)) * 0.2
    weight[0, :, 0, 0] = torch.tensor(corner)
    rest = torch.linspace(0.1, 1, 64 - len(biases)).tolist()
    state["features.0.weight"], state["features.0.bias"] = weight, torch.tensor(biases + rest)
    state["features.2.weight"] = torch.randn(4, 64, 3, 3) * 0.05
    return state


def first_map(network: Network) -> np.ndarray:
    pixels = torch.from_numpy(drawings.noise(4)).permute(2, 0, 1)[None]
    stage = stages(network)[0]
    inputs = network.normalise(pixels)
    return torch.nn.functional.conv2d(inputs, stage.weight, stage.bias).numpy()


def asked(path: Path) -> PreprocessingUnclearError:
    with pytest.raises(WeightsError) as caught:
        load_network(path)
    assert isinstance(caught.value, PreprocessingUnclearError)
    said = str(caught.value)
    assert path.name in said
    for answer in (caught.value.suggested, "torchvision"):
        assert f'preprocessing="{answer}"' in said
        assert load_network(path, answer).preprocessing.name == answer
    assert f"--preprocessing {caught.value.suggested}" in said
    return caught.value


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
def test_weights_made_for_0_to_255_are_not_taken_for_torchvisions(
    tmp_path: Path, suffix: str
) -> None:
    state, path = for_caffe(demo_state()), tmp_path / f"mine{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    error = asked(path)
    assert error.suggested == "caffe"
    (reason,) = error.reasons
    assert "very small (0.004), as for pixels of 0 to 255" in reason  # 0.23 / 57.6
    # Caffe's preprocessing is indeed the right one: the same answers as the demo network's.
    right = first_map(load_network("demo"))
    np.testing.assert_allclose(first_map(load_network(path, "caffe")), right, atol=2e-3)
    assert np.abs(first_map(load_network(path, "torchvision")) - right).max() > 1


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("vgg19-d01eb7cb.pth", "caffe"),
        ("VGG19-D01EB7CB (1).PTH", "caffe"),
        ("vgg16-00b39a1b.pth", "caffe"),
        ("vgg16_features-amdegroot-88682ab5.pth", "caffe-rgb"),
        ("vgg19_Caffe.pth", "caffe"),
        ("caffe-vgg19.safetensors", "caffe"),
    ],
)
def test_names_of_published_caffe_weights_ask(tmp_path: Path, name: str, suggested: str) -> None:
    path = tmp_path / name
    save_file(features(), path) if name.endswith("tensors") else torch.save(features(), path)
    assert asked(path).suggested == suggested


@pytest.mark.parametrize(("network", "biases"), [("VGG19", VGG19_BIASES), ("VGG16", VGG16_BIASES)])
@pytest.mark.parametrize(("suggested", "turn"), [("caffe", 1), ("caffe-rgb", -1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_the_release_under_another_name_is_known_by_its_biases(
    tmp_path: Path, network: str, biases: list[float], suggested: str, turn: int, dtype: torch.dtype
) -> None:
    state = released(biases, BLUE_GREEN_RED[::turn])
    path = tmp_path / "style transfer.safetensors"
    save_file({name: t.to(dtype).contiguous() for name, t in state.items()}, path)
    error = asked(path)
    assert error.suggested == suggested
    assert error.reasons == (f"the biases of the first layer equal those of Caffe's {network}",)


def test_the_published_name_of_torchvisions_weights_does_not_ask(tmp_path: Path) -> None:
    torch.save(features(), tmp_path / "vgg19-dcbb9e9d.pth")
    network = load_network(tmp_path / "vgg19-dcbb9e9d.pth")
    assert network.preprocessing.name == "torchvision"
    assert network.preprocessing_reason == "the weights have torchvision's names"


@pytest.mark.parametrize("width", [1, 4, 16, 64, 128])
@pytest.mark.parametrize("start", ["VGG", "PyTorch", "Xavier", "He", "0.01"])
def test_networks_of_ones_own_are_not_held_up(tmp_path: Path, width: int, start: str) -> None:
    torch.manual_seed(width)
    first = torch.nn.Conv2d(3, width, 3)
    match start:
        case "VGG":
            torch.nn.init.kaiming_normal_(first.weight, mode="fan_out", nonlinearity="relu")
        case "Xavier":
            torch.nn.init.xavier_uniform_(first.weight)
        case "He":
            torch.nn.init.kaiming_normal_(first.weight, nonlinearity="relu")
        case "0.01":
            torch.nn.init.normal_(first.weight, std=0.01)
    state = features()
    state["features.0.weight"], state["features.0.bias"] = first.weight, first.bias
    state["features.2.weight"] = torch.randn(4, width, 3, 3)
    save_file({k: v.detach() for k, v in state.items()}, tmp_path / "mine.safetensors")
    assert load_network(tmp_path / "mine.safetensors").preprocessing.name == "torchvision"
    if start != "0.01":  # the same network for 0 to 255 would be asked about
        state["features.0.weight"] = first.weight.detach() / 57.4
        if float(state["features.0.weight"].square().mean().sqrt()) < 0.008:
            save_file({k: v.detach() for k, v in state.items()}, tmp_path / "small.safetensors")
            assert asked(tmp_path / "small.safetensors").suggested == "caffe"
        else:
            assert (width, start) == (1, "VGG")  # three weights in a hundred of such are larger


def test_weights_of_zero_are_no_sign(tmp_path: Path) -> None:
    state = features() | {"features.0.weight": torch.zeros(4, 3, 3, 3)}
    torch.save(state, tmp_path / "zero.pth")
    assert load_network(tmp_path / "zero.pth").preprocessing.name == "torchvision"


def test_a_file_that_says_its_preprocessing_is_believed(tmp_path: Path) -> None:
    for name in ("torchvision", "caffe", "caffe-rgb"):
        path = tmp_path / "caffe.safetensors"
        save_file(for_caffe(demo_state()), path, {"preprocessing": name})
        network = load_network(path)
        assert network.preprocessing.name == name
        assert network.preprocessing_reason == "the weight file says so"


def test_caffe_rgb_is_caffe_without_turning_the_weights_round(tmp_path: Path) -> None:
    state = for_caffe(demo_state())
    state["features.0.weight"] = state["features.0.weight"].flip(1).contiguous()
    torch.save(state, tmp_path / "rgb.pth")
    made = load_network(tmp_path / "rgb.pth", "caffe-rgb")
    np.testing.assert_allclose(first_map(made), first_map(load_network("demo")), atol=2e-3)


def test_every_source_says_why(tmp_path: Path) -> None:
    (tmp_path / "vgg19.npy").write_bytes(python2_npy(caffe_arrays()))
    torch.save(features(), tmp_path / "mine.pth")
    told = {
        "demo": ("torchvision", "the demo network was trained with it"),
        "random": ("torchvision", "it is the default; random weights expect none"),
        str(tmp_path / "vgg19.npy"): ("caffe", "holds Caffe's weights"),
        str(tmp_path / "mine.pth"): ("torchvision", "the weights have torchvision's names"),
    }
    for source, (name, reason) in told.items():
        network = load_network(source)
        assert network.preprocessing.name == name
        assert reason in network.preprocessing_reason
        expected = expected_by(source)  # what pages show before anything is loaded
        assert (expected.name, expected.reason) == (name, network.preprocessing_reason)
    chosen = load_network(tmp_path / "mine.pth", "caffe")
    assert chosen.preprocessing_reason == "it was chosen for these weights"


def test_the_index_keeps_the_reason(tmp_path: Path) -> None:
    torch.save(features(), tmp_path / "mine.pth")
    images = ImageFolder(drawings.save(tmp_path / "photos", {"1.png": drawings.noise(1)}))
    for given, reason in ((None, "names"), ("caffe", "it was chosen for these weights")):
        index = scan(load_network(tmp_path / "mine.pth", given), images, tmp_path / str(given))
        assert reason in index.manifest.preprocessing_reason
    shipped = ActivationIndex.open(demo_index()).manifest
    assert shipped.preprocessing_reason == load_network("demo").preprocessing_reason


def test_a_name_that_is_none_lists_what_there_is() -> None:
    with pytest.raises(DeconvError, match="'torchvision' or 'caffe' or 'caffe-rgb'"):
        load_network("demo", "bgr")
