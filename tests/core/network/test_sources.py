"""Weight files of every kind that people have, and of every kind that must be refused."""

import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torchvision import models

from deconv_core import load_network
from deconv_core.errors import DeconvError, WeightsError
from deconv_core.network.network import Network
from deconv_core.network.sources import save_features
from tests.conftest import Run
from tests.core.independent import stages
from tests.core.weight_writers import (
    CAFFE_NAMES,
    TORCHVISION_NUMBERS,
    HugeArray,
    Payload,
    State,
    caffe_arrays,
    features,
    payloads,
    python2_npy,
)
from tests.thorough import examples


def with_classifier() -> State:
    return features() | {
        "classifier.0.weight": torch.randn(10, 8 * 49),
        "classifier.0.bias": torch.randn(10),
        "classifier.6.weight": torch.randn(3, 10),
        "classifier.6.bias": torch.randn(3),
    }


def assert_is_features(network: Network, state: State | None = None) -> None:
    state = state or features()
    convolutions = [stage for stage in stages(network) if stage.weight is not None]
    assert [stage.name for stage in convolutions] == list(CAFFE_NAMES)
    for number, stage in zip(TORCHVISION_NUMBERS, convolutions, strict=True):
        assert torch.equal(stage.weight, state[f"features.{number}.weight"])
        assert torch.equal(stage.bias, state[f"features.{number}.bias"])
    assert list(network.layers)[-1] == "pool5"
    assert len(network.layers) == 21


# -- files that load -----------------------------------------------------------------------------

WRITERS: dict[str, Callable[[Path], None]] = {
    "zip.pth": lambda path: torch.save(with_classifier(), path),
    "legacy.pth": lambda path: torch.save(
        with_classifier(), path, _use_new_zipfile_serialization=False
    ),
    "zip.pt": lambda path: torch.save(features(), path),
    "features only, legacy.PTH": lambda path: torch.save(
        features(), path, _use_new_zipfile_serialization=False
    ),
    "from several GPUs.pth": lambda path: torch.save(
        {f"module.{name}": tensor for name, tensor in with_classifier().items()}, path
    ),
    "checkpoint.pth": lambda path: torch.save(
        {"epoch": 3, "state_dict": with_classifier(), "best": 0.5}, path
    ),
    "checkpoint of several GPUs.pth": lambda path: torch.save(
        {"model": {f"module.{name}": tensor for name, tensor in features().items()}}, path
    ),
    "parameters.pth": lambda path: torch.save(
        {name: torch.nn.Parameter(tensor) for name, tensor in features().items()}, path
    ),
    "shuffled.pth": lambda path: torch.save(dict(sorted(features().items())), path),
    "plain.safetensors": lambda path: save_file(with_classifier(), path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_of_vgg19_loads(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name)
    network = load_network(tmp_path / name)
    assert_is_features(network)
    assert network.architecture == "VGG19"
    assert network.preprocessing.name == "torchvision"
    assert network.source == str(tmp_path / name)
    assert load_network(str(tmp_path / name)).fingerprint == network.fingerprint


def test_torchvision_itself_makes_such_a_file(tmp_path: Path) -> None:
    from torchvision.models.vgg import VGG, cfgs, make_layers

    chain = [step if step == "M" else max(4, step // 64) for step in cfgs["E"]]
    model = VGG(make_layers(chain), num_classes=2, init_weights=False)
    state = {name: t for name, t in model.state_dict().items() if name.startswith("features")}
    torch.save(state, tmp_path / "made.pth")
    assert_is_features(load_network(tmp_path / "made.pth"), state)


@pytest.mark.parametrize(
    ("configuration", "name"), [("A", "VGG11"), ("B", "VGG13"), ("D", "VGG16"), ("E", "VGG19")]
)
def test_the_smaller_ones_of_the_family_load(tmp_path: Path, configuration: str, name: str) -> None:
    from torchvision.models.vgg import cfgs, make_layers

    chain = [step if step == "M" else max(4, step // 64) for step in cfgs[configuration]]
    state = torch.nn.ModuleDict({"features": make_layers(chain)}).state_dict()
    torch.save(state, tmp_path / "made.pth")
    network = load_network(tmp_path / "made.pth")
    assert network.architecture == name
    assert [n for n in network.layers if n.startswith("pool")] == [f"pool{n}" for n in range(1, 6)]
    assert [layer.channels for layer in network.layers.values() if not layer.is_pool] == [
        step for step in chain if step != "M"
    ]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floating_types_become_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    torch.save({name: t.to(dtype) for name, t in features().items()}, tmp_path / "a.pth")
    expected = {name: t.to(dtype).float() for name, t in features().items()}
    network = load_network(tmp_path / "a.pth")
    assert_is_features(network, expected)
    assert stages(network)[0].weight.dtype == torch.float32


def test_the_preprocessing_can_be_overridden_and_is_part_of_the_fingerprint(
    tmp_path: Path,
) -> None:
    torch.save(features(), tmp_path / "converted.pth")
    implied = load_network(tmp_path / "converted.pth")
    caffe = load_network(tmp_path / "converted.pth", preprocessing="caffe")
    assert (implied.preprocessing.name, caffe.preprocessing.name) == ("torchvision", "caffe")
    assert implied.fingerprint != caffe.fingerprint
    first = features()["features.0.weight"]
    assert torch.equal(stages(caffe)[0].weight, first[:, [2, 1, 0]])


def test_what_is_saved_loads_as_it_was(tmp_path: Path) -> None:
    torch.save(features(), tmp_path / "a.pth")
    for preprocessing in ("torchvision", "caffe"):
        network = load_network(tmp_path / "a.pth", preprocessing)
        save_features(network, tmp_path / "saved.safetensors")
        again = load_network(tmp_path / "saved.safetensors")
        assert again.fingerprint == network.fingerprint
        assert again.preprocessing.name == preprocessing


def test_the_random_network_is_vgg19_of_full_width_and_always_the_same() -> None:
    network = load_network("random")
    assert sum(layer.channels for layer in network.layers.values() if not layer.is_pool) == 5504
    convolutions = [stage for stage in stages(network) if stage.weight is not None]
    numbers = sum(stage.weight.numel() + stage.bias.numel() for stage in convolutions)
    assert numbers == 20_024_384  # torchvision's VGG19 without its classifier
    assert load_network("random").fingerprint == network.fingerprint
    assert load_network("random", "caffe").fingerprint != network.fingerprint


# -- the original's vgg19.npy --------------------------------------------------------------------


def test_the_originals_npy_loads_without_its_classifier(tmp_path: Path) -> None:
    (tmp_path / "vgg19.npy").write_bytes(python2_npy(caffe_arrays()))
    network = load_network(tmp_path / "vgg19.npy")
    assert network.preprocessing.name == "caffe"
    state = features()
    # The file expects blue first; here red is first everywhere.
    state["features.0.weight"] = state["features.0.weight"][:, [2, 1, 0]]
    assert_is_features(network, state)


def test_the_originals_npy_sees_what_the_original_saw(tmp_path: Path) -> None:
    # By hand: red, green, blue minus the means, blue first, then the HWIO filter at its centre.
    arrays = caffe_arrays()
    arrays["conv1_1"] = [np.zeros((3, 3, 3, 4), np.float32), np.zeros(4, np.float32)]
    for channel in range(3):
        arrays["conv1_1"][0][1, 1, channel, channel] = 1  # map 0 answers to the file's channel 0
    (tmp_path / "vgg19.npy").write_bytes(python2_npy(arrays))
    network = load_network(tmp_path / "vgg19.npy")
    red_green_blue = torch.tensor([200, 150, 110], dtype=torch.uint8).view(1, 3, 1, 1)
    inputs = network.normalise(red_green_blue)
    stage = stages(network)[0]
    found = torch.nn.functional.conv2d(inputs, stage.weight, stage.bias, padding=1).flatten()
    assert found.tolist() == pytest.approx([110 - 103.939, 150 - 116.779, 200 - 123.68, 0])


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_an_npy_that_todays_numpy_saved_loads_too(tmp_path: Path, protocol: int) -> None:
    boxed = np.empty((), object)
    boxed[()] = caffe_arrays()
    whole = python2_npy({})
    header = whole[: 10 + int.from_bytes(whole[8:10], "little")]
    (tmp_path / "a.npy").write_bytes(header + pickle.dumps(boxed, protocol=protocol))
    np.save(tmp_path / "b.npy", caffe_arrays(), allow_pickle=True)
    assert load_network(tmp_path / "a.npy").fingerprint == (
        load_network(tmp_path / "b.npy").fingerprint
    )


def test_arrays_in_fortran_order_and_of_other_float_types(tmp_path: Path) -> None:
    arrays = {
        name: [np.asfortranarray(weight.astype(np.float64)), bias.astype(">f4")]
        for name, (weight, bias) in caffe_arrays().items()
    }
    (tmp_path / "a.npy").write_bytes(python2_npy(arrays))
    (tmp_path / "b.npy").write_bytes(python2_npy(caffe_arrays()))
    assert load_network(tmp_path / "a.npy").fingerprint == (
        load_network(tmp_path / "b.npy").fingerprint
    )


# -- files that must be refused ------------------------------------------------------------------


def test_the_payloads_do_work_on_the_careless(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    for payload in payloads(marker):
        pickle.loads(pickle.dumps(payload, protocol=2))
        assert marker.exists()
        marker.unlink()


@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_pth_is_not_run(tmp_path: Path, number: int, legacy: bool) -> None:
    marker, path = tmp_path / "marker", tmp_path / "evil.pth"
    torch.save(payloads(marker)[number], path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(WeightsError, match=r"evil\.pth .*carries code; nothing in it was executed"):
        load_network(path)
    assert not marker.exists()


@pytest.mark.parametrize("number", range(5))
def test_code_in_a_bare_pickle_named_pth_is_not_run(tmp_path: Path, number: int) -> None:
    marker, path = tmp_path / "marker", tmp_path / "evil.pt"
    path.write_bytes(pickle.dumps(payloads(marker)[number], protocol=2))
    with pytest.raises(WeightsError):
        load_network(path)
    assert not marker.exists()


@pytest.mark.parametrize("number", range(5))
def test_code_in_an_npy_is_not_run(tmp_path: Path, number: int) -> None:
    marker, path = tmp_path / "marker", tmp_path / "evil.npy"
    path.write_bytes(python2_npy(payloads(marker)[number]))
    with pytest.raises(WeightsError, match="it carries code; nothing in it was executed"):
        load_network(path)
    assert not marker.exists()


def test_a_whole_model_instead_of_its_state_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3)), tmp_path / "model.pth")
    with pytest.raises(WeightsError, match=r"Save the state dict alone"):
        load_network(tmp_path / "model.pth")


def broken(**changes: torch.Tensor | None) -> State:
    """The features with some tensors replaced, or left out for None; dots written as __."""
    state = with_classifier()
    for name, tensor in changes.items():
        state.pop(name.replace("__", "."))
        if tensor is not None:
            state[name.replace("__", ".")] = tensor
    return state


def described(first: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Payload:
    """A tensor of four values as a checkpoint may describe it."""
    storage = torch.zeros(4)._typed_storage()
    return Payload(torch._utils._rebuild_tensor_v2, storage, first, shape, strides, False, {})


NAN = torch.full((4,), float("nan"))
STATES: dict[str, tuple[Callable[[], object], str]] = {
    "a weight of another shape": (
        lambda: broken(features__2__weight=torch.zeros(4, 9, 3, 3)),
        r"weight of conv1_2 has shape \(4, 9, 3, 3\); expected \(4, 4, 3, 3\)",
    ),
    "5x5 filters": (
        lambda: broken(features__0__weight=torch.zeros(4, 3, 5, 5)),
        r"conv1_1 has shape \(4, 3, 5, 5\); expected \(4, 3, 3, 3\)",
    ),
    "a flat weight": (lambda: broken(features__2__weight=torch.zeros(9)), "conv1_2 has shape"),
    "a single number": (lambda: broken(features__2__weight=torch.tensor(1.0)), "shape"),
    "a weight of no filters": (
        lambda: broken(features__34__weight=torch.zeros(0, 8, 3, 3)),
        "conv5_4 has shape",
    ),
    "a bias too long": (
        lambda: broken(features__0__bias=torch.zeros(5)),
        r"bias of conv1_1 has shape \(5,\); expected \(4,\)",
    ),
    "a bias left out": (lambda: broken(features__5__bias=None), "features.5: found weight"),
    "a layer left out": (
        lambda: broken(features__12__weight=None, features__12__bias=None),
        "does not continue as a VGG at features.14",
    ),
    "NaN": (lambda: broken(features__0__bias=NAN), "bias of conv1_1 holds values .*not finite"),
    "infinity": (
        lambda: broken(features__7__weight=torch.full((5, 5, 3, 3), float("inf"))),
        "weight of conv2_2 holds values that are not finite",
    ),
    "a double too large for float32": (
        lambda: broken(features__0__bias=torch.full((4,), 1e300, dtype=torch.float64)),
        "not finite",
    ),
    "whole numbers": (
        lambda: broken(features__0__weight=torch.ones(4, 3, 3, 3, dtype=torch.int64)),
        "int64 weights; expected floating point",
    ),
    "complex numbers": (
        lambda: broken(features__0__bias=torch.zeros(4, dtype=torch.complex64)),
        "complex64 weights",
    ),
    "a sparse tensor": (
        lambda: broken(features__0__bias=torch.ones(4).to_sparse()),
        "features.0.bias .* dense",
    ),
    "a tensor without values": (
        lambda: broken(features__0__bias=torch.zeros(4, device="meta")),
        "features.0.bias .* expected dense tensors",
    ),
    "a tensor that claims to be enormous": (
        lambda: broken(features__0__bias=torch.zeros(1).expand(10**14)),
        "features.0.bias .* does not hold a value for each place",
    ),
    "values outside a storage": (
        lambda: broken(features__0__bias=described(1, (4,), (1,))),
        "not a readable PyTorch checkpoint",
    ),
    "fewer places than none": (
        lambda: broken(features__0__bias=described(0, (-1, -4), (-4, 1))),
        "features.0.bias .* does not hold a value for each place",
    ),
    "a truth for a size": (
        lambda: broken(features__0__bias=described(0, (True,), (1,))),
        "features.0.bias .* does not hold a value for each place",
    ),
    "batch normalisation": (
        lambda: features() | {"features.1.running_mean": torch.zeros(4)},
        "VGG with batch normalisation at features.1: found running_mean; expected bias, running",
    ),
    "no features": (
        lambda: {"conv.weight": torch.zeros(3)},
        "holds no network that is known here: its names begin conv.weight; give weights of one of",
    ),
    "nothing": (dict, "it has no tensors"),
    "a list": (lambda: [torch.zeros(3)], "holds a list; expected a state dict"),
    "a tensor": (lambda: torch.zeros(3), "holds a Tensor; expected a state dict"),
}


@pytest.mark.parametrize("kind", STATES)
def test_a_state_that_is_not_vgg_is_refused_with_what_was_found(tmp_path: Path, kind: str) -> None:
    make, message = STATES[kind]
    torch.save(make(), tmp_path / "wrong.pth")
    with pytest.raises(WeightsError, match=message):
        load_network(tmp_path / "wrong.pth")


@pytest.mark.parametrize(
    ("name", "left_out", "said"),
    [
        ("vgg19_bn", "features.50.", "found nothing; expected"),
        ("alexnet", "features.3.", "looks like alexnet, but features.3.weight is missing; f"),
        ("squeezenet1_1", "features.12.squeeze.bias", "looks like squeezenet1_1, but features.12"),
        ("resnet18", "layer4", "looks like resnet18, but layer4.0.conv1.weight is missing"),
    ],
)
def test_half_a_network_is_refused(tmp_path: Path, name: str, left_out: str, said: str) -> None:
    with torch.device("meta"):
        model = models.get_model(name, weights=None)
    state = {
        # Only the shapes matter; the large fully connected layers are left out.
        key: torch.zeros(tensor.shape)
        for key, tensor in model.state_dict().items()
        if "classifier" not in key and not key.startswith(left_out)
    }
    torch.save(state, tmp_path / f"{name}.pth")
    with pytest.raises(WeightsError, match=f"{name}.pth .*{said}"):
        load_network(tmp_path / f"{name}.pth")


@pytest.mark.parametrize("name", ["zip.pth", "legacy.pth", "plain.safetensors", "vgg19.npy"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path: Path, name: str, part: float) -> None:
    path = tmp_path / name
    if name in WRITERS:
        WRITERS[name](path)
    else:
        arrays = {k: v for k, v in caffe_arrays().items() if k.startswith("conv")}
        path.write_bytes(python2_npy(arrays))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(WeightsError, match=name):
        load_network(path)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors", ".npy"])
@pytest.mark.parametrize(
    "content",
    [b"", b"this is text", b"PK\x03\x04", b"\x93NUMPY", b"<html>404</html>" * 99, b"\x80\x02."],
)
def test_a_file_that_is_something_else_is_refused(
    tmp_path: Path, suffix: str, content: bytes
) -> None:
    (tmp_path / f"other{suffix}").write_bytes(content)
    with pytest.raises(WeightsError, match=f"other{suffix}"):
        load_network(tmp_path / f"other{suffix}")


@examples(30)
@given(
    st.sampled_from([".pth", ".safetensors", ".npy"]), st.binary(max_size=300), st.integers(0, 9)
)
def test_no_bytes_at_all_can_raise_anything_else(
    tmp_path: Path, suffix: str, content: bytes, start: int
) -> None:
    whole = python2_npy({"conv1_1": [np.zeros(2), np.zeros(2)]})
    (tmp_path / f"a{suffix}").write_bytes(whole[: start * len(whole) // 9] + content)
    with pytest.raises(WeightsError):
        load_network(tmp_path / f"a{suffix}")


def test_one_format_under_the_name_of_another_is_refused(tmp_path: Path) -> None:
    save_file(features(), tmp_path / "a.pth")
    torch.save(features(), tmp_path / "b.safetensors")
    torch.save(features(), tmp_path / "c.npy")
    np.save(tmp_path / "d.npy", np.zeros(3))
    (tmp_path / "e.pth").write_bytes(python2_npy(caffe_arrays()))
    for name in ("a.pth", "b.safetensors", "c.npy", "d.npy", "e.pth"):
        with pytest.raises(WeightsError, match=name):
            load_network(tmp_path / name)


NPYS: dict[str, tuple[Callable[[], object], str]] = {
    "no layers": (lambda: {"fc6": [np.zeros(3), np.zeros(3)]}, r"has no conv1_1"),
    "a list": (lambda: [1, 2], "holds a list; expected the dict"),
    "no bias": (
        lambda: caffe_arrays() | {"conv1_1": [np.zeros((3, 3, 3, 4), np.float32)]},
        "conv1_1 .* is not a list of weight and bias",
    ),
    "text": (lambda: caffe_arrays() | {"conv2_1": ["weight", "bias"]}, "conv2_1 .* is not a list"),
    "whole numbers": (
        lambda: caffe_arrays() | {"conv1_1": [np.zeros((3, 3, 3, 4), int), np.zeros(4)]},
        "holds int64; expected floating point",
    ),
    "objects": (
        lambda: caffe_arrays() | {"conv1_1": [np.full((3, 3, 3, 4), None), np.zeros(4)]},
        "holds object",
    ),
    "too few axes": (
        lambda: caffe_arrays() | {"conv1_1": [np.zeros((3, 4)), np.zeros(4)]},
        r"shape \(3, 4\); expected \(3, 3, in, out\)",
    ),
    "a single number for a bias": (
        lambda: caffe_arrays() | {"conv1_1": [np.zeros((3, 3, 3, 4)), np.array(1.0)]},
        "bias of conv1_1",
    ),
    "filters transposed": (
        lambda: caffe_arrays() | {"conv1_1": [np.zeros((4, 3, 3, 3)), np.zeros(4)]},
        "conv1_1 has shape",
    ),
    "NaN": (
        lambda: caffe_arrays() | {"conv1_1": [np.full((3, 3, 3, 4), np.nan), np.zeros(4)]},
        "conv1_1 holds values that are not finite",
    ),
    "a missing layer": (
        lambda: {k: v for k, v in caffe_arrays().items() if k != "conv4_3"},
        "15 convolutions in 5 blocks",
    ),
}


@pytest.mark.parametrize("kind", NPYS)
def test_an_npy_that_is_not_vgg_is_refused_with_what_was_found(tmp_path: Path, kind: str) -> None:
    make, message = NPYS[kind]
    (tmp_path / "wrong.npy").write_bytes(python2_npy(make()))
    with pytest.raises(WeightsError, match=message):
        load_network(tmp_path / "wrong.npy")


HUGE = {
    "objects": HugeArray((2**24,), "O", []),
    "floats": HugeArray((2**24,), "f4", b"1234"),
    "more floats": HugeArray((2**50, 3, 3), "f4", b"1234"),
    "more objects": HugeArray((2**50,), "O", [None]),
    "made": Payload(np.ndarray, (2**24,)),
    "more made": Payload(np.ndarray, (2**50,)),
    "negative": HugeArray((-1,), "f4", b"1234"),
}


def test_an_array_that_claims_to_be_huge_takes_no_memory(run: Run, tmp_path: Path) -> None:
    for kind, huge in HUGE.items():
        content = python2_npy({"conv1_1": [huge, np.zeros(4)]})
        (tmp_path / f"{kind}.npy").write_bytes(content)
    # By itself: CPython before 3.12.9 may crash when tracemalloc is stopped beside other threads.
    program = (
        "import pathlib, sys, tracemalloc\n"
        "from deconv_core import DeconvError\n"
        "from deconv_core.network.caffe_npy import read_caffe_npy\n"
        "from deconv_core.network.pickled_weights import converted\n"
        "tracemalloc.start()\n"
        "for path in pathlib.Path(sys.argv[1]).glob('*.npy'):\n"
        "    tracemalloc.reset_peak()\n"
        "    try: list(converted(path))\n"
        "    except DeconvError: print(tracemalloc.get_traced_memory()[1], path.stem)\n"
    )
    done = run([sys.executable, "-c", program, str(tmp_path)])
    assert done.returncode == 0, done.stderr[-2000:]
    peaks = dict(reversed(line.split(" ", 1)) for line in done.stdout.splitlines())
    assert set(peaks) == set(HUGE)
    assert all(int(peak) < 20_000_000 for peak in peaks.values()), peaks


def test_bad_arguments_say_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(
        WeightsError, match=r"'resnet' is not the name of a network; choose 'demo', 'r"
    ):
        load_network("resnet")
    with pytest.raises(WeightsError, match="there is no weight file at"):
        load_network(tmp_path / "missing.pth")
    (tmp_path / "folder.pth").mkdir()
    with pytest.raises(WeightsError, match="there is no weight file at"):
        load_network(tmp_path / "folder.pth")
    with pytest.raises(
        DeconvError, match=r"preprocessing 'bgr' is not known; choose 'torchvision'"
    ):
        load_network("random", preprocessing="bgr")


def test_an_unknown_preprocessing_named_in_a_file_is_refused(tmp_path: Path) -> None:
    save_file(features(), tmp_path / "a.safetensors", {"preprocessing": "mine"})
    with pytest.raises(DeconvError, match="preprocessing 'mine' is not known"):
        load_network(tmp_path / "a.safetensors")
    assert_is_features(load_network(tmp_path / "a.safetensors", "torchvision"))
