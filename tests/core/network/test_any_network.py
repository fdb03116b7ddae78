"""Any network: as a module, by name, by file, saved and loaded again."""

from __future__ import annotations

import collections
import copy
import functools
import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision import models

from deconv_core import load_network
from deconv_core.errors import DeconvError, PreprocessingUnclearError, WeightsError
from deconv_core.network.network import Network
from deconv_core.network.sources import published
from tests.core.network.modules import Gated, Residual, lively, values_of
from tests.core.network.test_download import Server, server  # noqa: F401  (a fixture)

SMALL_SIZE = (64, 64)


def _scores(network: Network, images: Tensor) -> Tensor:
    assert network.head is not None
    return network.head(values_of(network.graph, images)[network.head.value])


def _vgg19(classes: int = 2, norm: bool = False) -> nn.Module:
    """A narrow VGG19 of torchvision."""
    from torchvision.models.vgg import VGG, cfgs, make_layers

    torch.manual_seed(0)
    chain = [step if step == "M" else max(4, step // 64) for step in cfgs["E"]]
    features = make_layers(chain, batch_norm=norm)
    with torch.device("meta"):  # it makes a classifier of 120 million weights
        model = VGG(features, num_classes=classes, init_weights=False)
    model.classifier = nn.Sequential(nn.Linear(8 * 49, 8), nn.ReLU(), nn.Linear(8, classes))
    return lively(model)


# -- as a module ---------------------------------------------------------------------------------


def test_a_module_is_loaded_and_left_as_it_was() -> None:
    module = lively(Residual()).train()
    module(torch.randn(2, 3, 64, 48)).sum().backward()
    handle = module.register_forward_hook(lambda *_: None)
    before = copy.deepcopy(module.state_dict())
    grads = {name: p.grad.clone() for name, p in module.named_parameters()}
    network = load_network(module, input_size=(64, 48))
    assert (network.source, network.architecture) == ("Residual", "Residual")
    assert (network.input_size, network.preprocessing.name) == ((64, 48), "torchvision")
    assert module.training
    assert list(module._forward_hooks) == [handle.id]
    assert all(torch.equal(t, before[name]) for name, t in module.state_dict().items())
    assert all(torch.equal(p.grad, grads[name]) for name, p in module.named_parameters())
    images = torch.randn(2, 3, 64, 48)
    with torch.no_grad():
        torch.testing.assert_close(_scores(network, images), module.eval()(images))


def test_a_module_that_was_compiled_or_is_parallel() -> None:
    module = lively(Residual())
    expected = load_network(module, input_size=(64, 48)).fingerprint
    assert load_network(nn.DataParallel(module), input_size=(64, 48)).fingerprint == expected
    assert load_network(torch.compile(module), input_size=(64, 48)).fingerprint == expected


@pytest.mark.parametrize("norm", [False, True])
def test_a_vgg_is_the_same_as_a_module_and_by_file(tmp_path: Path, norm: bool) -> None:
    module = _vgg19(norm=norm)
    torch.save(module.state_dict(), tmp_path / "vgg.pth")
    by_file, by_module = load_network(tmp_path / "vgg.pth"), load_network(module)
    assert by_file.fingerprint == by_module.fingerprint
    assert by_file.architecture == by_module.architecture == "VGG19"
    assert by_file.head is None
    images = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        torch.testing.assert_close(_scores(by_module, images), module(images))


def test_preprocessing_of_ones_own(tmp_path: Path) -> None:
    own = (0.5, 0.4, 0.3), (0.1, 0.2, 0.25)
    network = load_network(lively(Residual()), own, input_size=(64, 48))
    assert network.preprocessing.name == "mean 0.5,0.4,0.3 deviation 0.1,0.2,0.25"
    pixels = torch.tensor([255, 102, 0], dtype=torch.uint8).view(1, 3, 1, 1)
    found = network.normalise(pixels).flatten().tolist()
    assert found == pytest.approx([5, 0, -1.2])
    again = load_network(lively(Residual()), network.preprocessing.name, input_size=(64, 48))
    assert again.preprocessing == network.preprocessing
    usual = load_network(lively(Residual()), input_size=(64, 48))
    named = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]
    same = load_network(lively(Residual()), named, input_size=(64, 48))
    assert usual.preprocessing == same.preprocessing
    network.save(tmp_path / "own.safetensors")
    assert load_network(tmp_path / "own.safetensors").preprocessing == network.preprocessing


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (((0, 0), (1, 1, 1)), "the mean is a tuple; expected three numbers"),
        (((0, 0, 0), (1, 0, 1)), "each must be above 0"),
        (((0, float("nan"), 0), (1, 1, 1)), "not finite"),
        ("bgr", "'bgr' is not known; choose 'torchvision' or 'caffe'"),
        (7, "7 is not known"),
    ],
)
def test_a_preprocessing_that_cannot_be(given: object, said: str) -> None:
    with pytest.raises(DeconvError, match=said):
        load_network("random", given)  # type: ignore[arg-type]


def test_what_timm_writes_on_a_model_is_believed() -> None:
    module = lively(Residual())
    module.pretrained_cfg = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    network = load_network(module, input_size=(64, 48))
    assert network.preprocessing.mean == network.preprocessing.deviation == (0.5, 0.5, 0.5)
    assert network.preprocessing_reason == "the model's configuration says so"


def test_layers_before_a_gate_can_be_used_and_others_say_why() -> None:
    network = load_network(Gated(), input_size=(16, 16))
    assert list(network.layers) == ["conv1"]
    assert network.unusable == {"conv3": "silu"}
    with pytest.raises(DeconvError, match="conv3 lies behind the step 'silu'"):
        network.layer("conv3")


class Blocked(nn.Module):
    """A gate before everything."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, signal: Tensor) -> Tensor:
        return torch.relu(self.conv(torch.sigmoid(signal)))


def test_a_network_without_any_layer_says_what_is_in_the_way() -> None:
    with pytest.raises(
        WeightsError, match="no layer that can be shown: the step 'sigmoid' has no deconvnet"
    ):
        load_network(Blocked(), input_size=(16, 16))


def test_other_sources_and_sizes_are_refused() -> None:
    for given in (3, None, object()):
        with pytest.raises(WeightsError, match="give a name, a path or a module"):
            load_network(given)  # type: ignore[arg-type]
    for size in (224, (0, 3), (1.5, 2), (224, 224, 3), (10**9, 1)):
        with pytest.raises(DeconvError, match="input_size"):
            load_network("random", input_size=size)  # type: ignore[arg-type]
    assert load_network("random", input_size=(96, 64)).input_size == (96, 64)


# -- saved -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("preprocessing", ["torchvision", "caffe"])
def test_a_saved_network_is_the_same(tmp_path: Path, preprocessing: str) -> None:
    network = load_network(lively(Residual()), preprocessing, input_size=(64, 48))
    network.save(tmp_path / "mine.safetensors")
    again = load_network(str(tmp_path / "mine.safetensors"))
    assert again.fingerprint == network.fingerprint
    assert again.preprocessing == network.preprocessing
    assert again.preprocessing_reason == "the weight file says so"
    assert again.architecture == "Residual"
    assert again.layers == network.layers
    images = torch.randn(1, 3, 64, 48)
    torch.testing.assert_close(_scores(again, images), _scores(network, images))
    with pytest.raises(DeconvError, match="for 64x48 images only"):
        load_network(tmp_path / "mine.safetensors", input_size=(32, 32))


def test_a_saved_network_is_told_by_what_it_holds(tmp_path: Path) -> None:
    load_network(Gated(), input_size=(16, 16)).save(tmp_path / "mine.safetensors")
    (tmp_path / "mine.safetensors").rename(tmp_path / "mine")
    assert load_network(tmp_path / "mine").unusable == {"conv3": "silu"}


def test_a_saved_network_has_its_ending(tmp_path: Path) -> None:
    with pytest.raises(DeconvError, match=r"'mine.pth' does not end in .safetensors"):
        load_network("demo").save(tmp_path / "mine.pth")


# -- by name ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "mnasnet0_5"])
def test_random_weights_leave_nothing_dead(name: str) -> None:
    network = load_network(f"{name}:random", input_size=SMALL_SIZE)
    images = torch.randn(12, 3, *SMALL_SIZE, generator=torch.Generator().manual_seed(0))
    values = values_of(network.graph, images)
    for layer, value in network.graph.layers.items():
        fires = values[value].amax((0, 2, 3)) > 0
        assert values[value].abs().max() < 1e4
        assert fires.float().mean() > 0.85, layer
    again = load_network(f"{name}:random", input_size=SMALL_SIZE)
    assert again.fingerprint == network.fingerprint


def test_names_say_what_there_is() -> None:
    assert load_network("vgg19:random").fingerprint == load_network("random").fingerprint
    with pytest.raises(WeightsError, match="efficientnet_b0 has no deconvnet: SiLU is in the way"):
        load_network("efficientnet_b0")
    with pytest.raises(WeightsError, match="'resnet51' is not the name of a network; choose"):
        load_network("resnet51")
    with pytest.raises(DeconvError, match="no weights 'V9'; choose one of resnet18:IMAGENET1K_V1"):
        load_network("resnet18:V9")


def test_the_classes_of_published_weights_have_names(tmp_path: Path) -> None:
    kind = models.SqueezeNet1_1_Weights.IMAGENET1K_V1
    kept = tmp_path / "weights" / f"{Path(kind.url).stem}.safetensors"  # as if downloaded before
    kept.parent.mkdir()
    load_network("squeezenet1_1:random", input_size=SMALL_SIZE).save(kept)
    network = load_network("squeezenet1_1:IMAGENET1K_V1", home=tmp_path)
    assert network.head is not None
    assert list(network.head.classes) == kind.meta["categories"]
    assert network.head.class_name(207) == "golden retriever"
    drawn = load_network("squeezenet1_1:random", input_size=SMALL_SIZE).head
    assert drawn is not None
    assert drawn.class_name(207) == "class 207"


@pytest.fixture
def squeezenet(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:  # noqa: F811
    """The address of a SqueezeNet of few classes, named as torchvision names its own."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    torch.manual_seed(0)
    torch.save(models.squeezenet1_1(num_classes=5).state_dict(), tmp_path / "made.pth")
    server.content = (tmp_path / "made.pth").read_bytes()
    return f"{server.url}/squeezenet1_1-{hashlib.sha256(server.content).hexdigest()[:8]}.pth"


def test_published_weights_are_converted_once_and_load_without_torchvision(
    server: Server,  # noqa: F811
    squeezenet: str,
    tmp_path: Path,
) -> None:
    file = published("squeezenet1_1", tmp_path / "home", url=squeezenet)
    assert file.name == f"{squeezenet.rsplit('/', 1)[-1].removesuffix('.pth')}.safetensors"
    assert [p for p in file.parent.iterdir() if p.suffix != ".lock"] == [file]
    assert published("squeezenet1_1", tmp_path / "home", url=squeezenet) == file
    assert len(server.asked) == 1
    found = load_network(file)
    assert found.architecture == "SqueezeNet 1.1"
    assert found.fingerprint == load_network(tmp_path / "made.pth").fingerprint


def test_a_published_file_of_another_network_is_refused(squeezenet: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"looks like resnet18, but conv1.weight is missing"):
        published("resnet18", tmp_path / "home", url=squeezenet)


def test_the_usual_networks_load_no_more_than_before() -> None:
    program = (
        "import sys\nfrom deconv_core import load_network\nload_network('demo')\n"
        "from deconv_core.network.preprocessing import expected_by\n"
        "print([m for m in ('torchvision', 'torch._dynamo') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]", done.stderr


# -- by file ---------------------------------------------------------------------------------------


def _prefixed(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return collections.OrderedDict((prefix + name, tensor) for name, tensor in state.items())


PREFIXES = (
    *("module.", "model.", "net.", "backbone.", "encoder.", "_orig_mod.", "vgg."),
    *("module._orig_mod.", "_orig_mod.module.", "model._orig_mod.", "model.backbone."),
)
WRAPPERS = (
    *("state_dict", "model", "model_state_dict", "ema", "net", "weights", "model_ema", "mine"),
)
NAMES = ("a.ckpt", "a.bin", "a.pth.tar", "a.PTH", "a (1).pt", "checkpoint-500")


@pytest.mark.parametrize("prefix", PREFIXES)
def test_prefixes(tmp_path: Path, prefix: str) -> None:
    _loads_as_it(tmp_path / "a.pth", lambda state: _prefixed(state, prefix))
    save_file(dict(_prefixed(_vgg19().state_dict(), prefix)), tmp_path / "a.safetensors")
    assert load_network(tmp_path / "a.safetensors").fingerprint == _fingerprint()


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_wrappers(tmp_path: Path, wrapper: str) -> None:
    optimizer = {"state": {0: {"momentum_buffer": torch.zeros(3)}}, "param_groups": [{"lr": 0.1}]}
    _loads_as_it(
        tmp_path / "a.pth",
        lambda state: {
            "epoch": 3,
            "best": torch.tensor(1.0),
            "optimizer": optimizer,
            wrapper: state,
        },
    )


@pytest.mark.parametrize("name", NAMES)
def test_endings_are_looked_into(tmp_path: Path, name: str) -> None:
    _loads_as_it(tmp_path / name, lambda state: {"state_dict": state})


def test_what_training_programs_save_beside(tmp_path: Path) -> None:
    import argparse

    import numpy as np

    for number, beside in enumerate(
        (
            {"args": argparse.Namespace(lr=0.1)},
            {"args": {"root": Path("/data")}, "best": np.float64(71.2)},
            {"state_dict_ema": {"features.0.weight": torch.zeros(4, 3, 3, 3)}},
            {"history": np.arange(3.0), "times": collections.defaultdict(list)},
        )
    ):
        path = tmp_path / f"{number}.pth"
        _loads_as_it(path, lambda state, beside=beside: {**beside, "state_dict": state})


def test_other_ways_of_naming(tmp_path: Path) -> None:
    parallel = _vgg19()
    parallel.features = nn.DataParallel(parallel.features)
    _loads_as_it(tmp_path / "parallel.pth", lambda _: parallel.state_dict())
    _loads_as_it(tmp_path / "features.pth", lambda _: _vgg19().features.state_dict())
    _loads_as_it(
        tmp_path / "averaged.pth",
        lambda state: {"n_averaged": torch.tensor(3), **_prefixed(state, "module.")},
    )


@functools.cache
def _fingerprint() -> str:
    return load_network(_vgg19()).fingerprint


def _loads_as_it(path: Path, saved: Callable[[dict[str, Tensor]], object]) -> None:
    torch.save(saved(_vgg19().state_dict()), path)
    assert load_network(path).fingerprint == _fingerprint()


def _two_in_one(state: dict[str, Tensor]) -> object:
    return {**_prefixed(state, "student."), **_prefixed(state, "teacher.")}


def _renamed(state: dict[str, Tensor], *endings: str) -> object:
    weight = state.pop("features.0.weight")
    return state | {f"features.0.{ending}": weight for ending in endings}


REFUSED: dict[str, tuple[Callable[[dict[str, Tensor]], object], str]] = {
    "two": (_two_in_one, "holds 2 networks, 'student' and 'teacher'; save the state dict of one"),
    "two wrapped": (
        lambda state: {"teacher": state, "student": state},
        "holds 2 networks, 'student' and 'teacher'",
    ),
    "weight norm": (lambda s: _renamed(s, "weight_g", "weight_v"), "remove_weight_norm"),
    "pruned": (lambda s: _renamed(s, "weight_orig", "weight_mask"), "prune.remove"),
    "no bias": (lambda s: _renamed(s, "weight") and s, "features.0.weight is missing"),
    "whole module": (lambda _: _vgg19(), "it is a whole pickled module; nothing in it was exec"),
    "8-bit floats": (
        lambda s: {name: t.to(torch.float8_e4m3fn) for name, t in s.items()},
        "such as 8-bit floats",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_files_that_are_refused_say_why(tmp_path: Path, kind: str) -> None:
    make, said = REFUSED[kind]
    torch.save(make(_vgg19().state_dict()), tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=said):
        load_network(tmp_path / "a.pth")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.h5", b"\x89HDF\r\n\x1a\n" + bytes(99), "a file of Keras"),
        ("a.onnx", b"\x08\x08" + bytes(99), "an ONNX file"),
        ("a.gguf", b"GGUF" + bytes(99), "a GGUF file"),
        ("a.txt", b"some text", "a.txt is no weight file"),
    ],
)
def test_files_of_others_are_told_apart(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=said):
        load_network(tmp_path / name)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_torchscript_is_told_apart(tmp_path: Path) -> None:
    torch.jit.trace(nn.Conv2d(3, 4, 3), torch.zeros(1, 3, 9, 9)).save(str(tmp_path / "a.pt"))
    with pytest.raises(WeightsError, match=r"a.pt is a TorchScript program, which holds code"):
        load_network(tmp_path / "a.pt")


@pytest.mark.parametrize(
    ("name", "half"),
    [("resnet18", False), ("resnet18", True), ("googlenet", False), ("alexnet", True)],
)
def test_a_state_dict_of_another_architecture(tmp_path: Path, name: str, half: bool) -> None:
    torch.manual_seed(2)
    options = {"init_weights": False} if name == "googlenet" else {}
    module = lively(models.get_model(name, weights=None, num_classes=5, **options))
    module.transform_input = True  # as published weights of GoogLeNet expect it
    module = module.half().float() if half else module
    state = {
        key: tensor.half() if half and tensor.is_floating_point() else tensor
        for key, tensor in module.state_dict().items()
    }
    torch.save({"model": _prefixed(state, "module.")}, tmp_path / "mine.pth")
    network = load_network(tmp_path / "mine.pth")
    assert network.architecture == {"resnet18": "ResNet-18", "googlenet": "GoogLeNet"}.get(
        name, "AlexNet"
    )
    assert network.fingerprint == load_network(module).fingerprint
    images = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        torch.testing.assert_close(_scores(network, images), module(images), rtol=1e-4, atol=1e-4)


def test_what_a_file_is_taken_for(tmp_path: Path) -> None:
    torch.save(_vgg19().state_dict(), tmp_path / "a.pth")
    assert load_network(tmp_path / "a.pth", architecture="vgg19").fingerprint == _fingerprint()
    with pytest.raises(WeightsError, match="looks like vgg19, not like vgg16"):
        load_network(tmp_path / "a.pth", architecture="vgg16")
    with pytest.raises(WeightsError, match=r"looks like resnet18, but conv1.weight is missing"):
        load_network(tmp_path / "a.pth", architecture="resnet18")


def test_a_name_that_says_caffe_asks(tmp_path: Path) -> None:
    state = models.squeezenet1_1(num_classes=2).state_dict()
    torch.save(state, tmp_path / "caffe-squeezenet.pth")
    with pytest.raises(PreprocessingUnclearError, match="the file's name says"):
        load_network(tmp_path / "caffe-squeezenet.pth")
    network = load_network(tmp_path / "caffe-squeezenet.pth", "caffe")
    first = network.graph.nodes[0].step.weight
    assert torch.equal(first, state["features.0.weight"].flip(1))
