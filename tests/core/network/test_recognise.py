"""State dicts are told by their names and shapes; what does not fit is named."""

from __future__ import annotations

import pytest
import torch
from torchvision import models

from deconv_core.errors import DeconvError, WeightsError
from deconv_core.network import recognise as recognise_module
from deconv_core.network.catalogue import SUPPORTED, TITLES, build, published, split_name
from deconv_core.network.recognise import Recognised, recognise
from deconv_core.network.state_dicts import plain_names, state_in


def _shapes(name: str, classes: int = 1000, prefix: str = "") -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        module = models.get_model(name, weights=None, num_classes=classes)
    return {prefix + key: tuple(tensor.shape) for key, tensor in module.state_dict().items()}


@pytest.mark.parametrize(
    "name",
    [
        *("alexnet", "vgg16", "vgg19_bn", "resnet18", "resnet50", "wide_resnet50_2"),
        *("resnext50_32x4d", "squeezenet1_1", "mobilenet_v2", "mnasnet0_5"),
    ],
)
@pytest.mark.parametrize(("classes", "prefix"), [(1000, ""), (7, "module.model.")])
def test_an_architecture_is_found(name: str, classes: int, prefix: str) -> None:
    shapes = _shapes(name, classes, prefix)
    names = plain_names(shapes, "mine.pth")
    plain = {name: shapes[old] for name, old in names.items()}
    assert recognise(plain, "mine.pth") == Recognised(name, classes)


def test_counters_of_batches_may_be_missing() -> None:
    shapes = {k: s for k, s in _shapes("resnet18").items() if "num_batches" not in k}
    assert recognise(shapes, "mine.pth").architecture == "resnet18"


def test_auxiliary_classifiers_may_be_missing() -> None:
    shapes = {
        name: tuple(tensor.shape)
        for name, tensor in build("googlenet", 10, meta=True).state_dict().items()
    }
    bare = {name: shape for name, shape in shapes.items() if not name.startswith("aux")}
    assert len(bare) < len(shapes)
    for given in (shapes, bare):
        assert recognise(given, "mine.pth") == Recognised("googlenet", 10)


def test_what_is_missing_and_left_over_is_named() -> None:
    shapes = _shapes("resnet18")
    del shapes["layer1.0.conv1.weight"]
    shapes["layer1.0.conv1.extra"] = (3,)
    with pytest.raises(
        WeightsError,
        match=r"mine.pth looks like resnet18, but layer1.0.conv1.weight is missing; "
        r"layer1.0.conv1.extra is left over",
    ):
        recognise(shapes, "mine.pth")


def test_a_missing_classifier_is_no_difference() -> None:
    shapes = {name: s for name, s in _shapes("alexnet").items() if "classifier" not in name}
    assert recognise(shapes, "mine.pth") == Recognised("alexnet", 0)


def test_what_is_asked_for_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = _shapes("resnet18")
    with pytest.raises(WeightsError, match=r"mine.pth looks like resnet34, but"):
        recognise(shapes, "mine.pth", "resnet34")
    with pytest.raises(DeconvError, match="'resnet' is not the name of a network"):
        recognise(shapes, "mine.pth", "resnet")
    known = recognise_module.shapes_of
    monkeypatch.setattr(recognise_module, "shapes_of", lambda name: known(name.replace("34", "18")))
    with pytest.raises(
        WeightsError, match=r"fits resnet18 and resnet34; say which by architecture='resnet18'"
    ):
        recognise(shapes, "mine.pth")
    assert recognise(shapes, "mine.pth", "resnet34").architecture == "resnet34"


def test_names_of_old_densenets() -> None:
    old = {"features.denseblock1.denselayer1.norm.1.weight": (64,)}
    assert plain_names(old, "a") == {
        "features.denseblock1.denselayer1.norm1.weight": (next(iter(old)))
    }


def test_two_networks_in_one_file_are_named() -> None:
    both = {**_shapes("resnet18", prefix="teacher."), **_shapes("resnet18", prefix="student.")}
    with pytest.raises(WeightsError, match="holds 2 networks, 'student' and 'teacher'"):
        plain_names(both, "mine.pth")
    tensors = {"layer.weight": (1,)}
    with pytest.raises(WeightsError, match="holds 2 networks, 'D' and 'G'"):
        state_in({"G": tensors, "D": tensors, "epoch": 3}, _is_tuple, "mine.pth")


def _is_tuple(given: object) -> bool:
    return isinstance(given, tuple)


def test_the_weights_of_training_come_before_their_average() -> None:
    mine, average = {"a.weight": (1,)}, {"a.weight": (2,)}
    optimizer = {"state": {0: {"exp_avg.weight": (3,)}}, "param_groups": []}
    loaded = {"ema": average, "optimizer": optimizer, "model": {"state_dict": mine}, "best": (4,)}
    assert state_in(loaded, _is_tuple, "mine.pth") == mine
    del loaded["model"]
    assert state_in(loaded, _is_tuple, "mine.pth") == average


def test_a_wrapper_within_itself_ends() -> None:
    loaded: dict[str, object] = {"lr": 1}
    loaded["model"] = loaded
    assert state_in(loaded, _is_tuple, "mine.pth") == {}


def test_another_shape_is_named() -> None:
    shapes = {**_shapes("vgg16"), "features.0.weight": (64, 1, 3, 3)}
    with pytest.raises(
        WeightsError, match=r"features.0.weight has shape \(64, 1, 3, 3\), expected"
    ):
        recognise(shapes, "mine.pth")


def test_no_network_at_all() -> None:
    with pytest.raises(
        WeightsError, match="holds no network that is known here: its names begin a, b; give"
    ):
        recognise({"a": (1,), "b": (2,)}, "mine.pth")


def test_names_of_torchvision() -> None:
    assert split_name("resnet50") == ("resnet50", "")
    assert set(TITLES) <= set(models.list_models(models))
    assert split_name("resnet50:IMAGENET1K_V1") == ("resnet50", "IMAGENET1K_V1")
    with pytest.raises(DeconvError, match="efficientnet_b0 has no deconvnet: SiLU is in the way"):
        split_name("efficientnet_b0")
    with pytest.raises(DeconvError, match=r"'resnet51' is not the name .* resnet50"):
        split_name("resnet51")
    others = set(models.list_models(models)) - set(SUPPORTED)
    for name in others:
        with pytest.raises(DeconvError, match="in the way"):
            split_name(name)


def test_what_torchvision_publishes() -> None:
    """Numbers typed from torchvision's documentation."""
    found = published("resnet50")
    assert list(found) == ["IMAGENET1K_V1", "IMAGENET1K_V2"]
    first = found["IMAGENET1K_V1"]
    assert first.url.endswith("resnet50-0676ba61.pth")
    assert (first.parameters, first.input_size) == (25_557_032, (224, 224))
    assert first.mean == (0.485, 0.456, 0.406)
    assert first.classes[208] == "Labrador retriever"
    assert published("inception_v3")["IMAGENET1K_V1"].input_size == (299, 299)
