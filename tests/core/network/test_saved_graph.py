"""Saved networks: the same numbers after a round trip; what a file must not say is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from deconv_core.errors import DeconvError, WeightsError
from deconv_core.network.from_module import trace
from deconv_core.network.preprocessing import own_preprocessing
from deconv_core.network.saved_graph import MOST_NODES, SavedNetwork, is_saved, load, save
from tests.core.network.modules import SMALL, Gated, lively, values_of

_OWN = own_preprocessing((0.5, 0.4, 0.3), (0.2, 0.25, 0.3))


def _saved(path: Path, name: str = "residual") -> SavedNetwork:
    make, size = SMALL[name]
    traced = trace(lively(make()), size)
    network = SavedNetwork(name, traced.graph, traced.head, _OWN)
    save(network, path)
    return network


@pytest.mark.parametrize("name", SMALL)
def test_a_round_trip_changes_no_bit(name: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    path = tmp_path / "mine.safetensors"
    network = _saved(path, name)
    assert is_saved(path)
    again = load(path)
    assert (again.architecture, again.preprocessing) == (name, _OWN)
    assert again.graph.layers == network.graph.layers
    images = torch.randn(1, *network.graph.input_shape)
    before, after = values_of(network.graph, images), values_of(again.graph, images)
    assert all(map(torch.equal, before, after))
    assert (network.head is None) == (again.head is None)
    if network.head and again.head:
        maps = before[network.head.value]
        torch.testing.assert_close(again.head(maps), network.head(maps))


def test_names_of_classes_are_kept(tmp_path: Path) -> None:
    network = _saved(tmp_path / "mine.safetensors")
    assert network.head is not None
    count = len(network.head(torch.zeros(1, *network.graph.shape(network.head.value)))[0])
    classes = tuple(f"<b>{number}</b>, jack-o'-lantern" for number in range(count))
    named = replace(network, head=replace(network.head, classes=classes))
    save(named, tmp_path / "named.safetensors")
    again = load(tmp_path / "named.safetensors").head
    assert again is not None
    assert again.classes == classes
    assert again.class_name(1) == classes[1]
    assert network.head.class_name(1) == "class 1"


def test_a_gate_is_kept_by_its_name(tmp_path: Path) -> None:
    graph = trace(Gated(), (16, 16)).graph
    save(SavedNetwork("gated", graph, None, _OWN), tmp_path / "gated.safetensors")
    again = load(tmp_path / "gated.safetensors").graph
    assert [again.blocked.get(value, "") for value in again.layers.values()] == ["", "silu"]


def _rewrite(path: Path, change: Callable[[dict[str, Any], dict[str, torch.Tensor]], None]) -> None:
    with safe_open(path, framework="pt") as file:
        metadata = dict(file.metadata())
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    described = json.loads(metadata["network"])
    change(described, tensors)
    save_file(tensors, path, {**metadata, "network": json.dumps(described)})


def _circle(network: dict[str, Any], _: Any) -> None:
    network["nodes"][0]["inputs"] = [3]


def _unknown_step(network: dict[str, Any], _: Any) -> None:
    network["nodes"][1]["step"] = {"step": "eval", "code": "print(1)"}


def _more_fields(network: dict[str, Any], _: Any) -> None:
    network["nodes"][1]["code"] = "print(1)"


def _too_many(network: dict[str, Any], _: Any) -> None:
    network["nodes"] += [{"step": {"step": "rectification"}, "inputs": [1]}] * 100_000


def _markup(network: dict[str, Any], _: Any) -> None:
    network["nodes"][1]["layer"] = "<img src=x onerror=alert(1)>"


def _twice(network: dict[str, Any], _: Any) -> None:
    for node in network["nodes"]:
        node["layer"] = node["layer"] and "same"


def _lying_groups(network: dict[str, Any], _: Any) -> None:
    network["nodes"][0]["step"]["groups"] = 2


def _other_weight(_: Any, tensors: dict[str, torch.Tensor]) -> None:
    tensors["nodes.0.weight"] = tensors["nodes.0.weight"][:, :2].contiguous()


def _missing(_: Any, tensors: dict[str, torch.Tensor]) -> None:
    del tensors["nodes.0.bias"]


def _left_over(_: Any, tensors: dict[str, torch.Tensor]) -> None:
    tensors["nodes.99.bias"] = torch.zeros(3)


def _not_finite(_: Any, tensors: dict[str, torch.Tensor]) -> None:
    tensors["nodes.0.bias"][0] = torch.nan


def _whole_numbers(_: Any, tensors: dict[str, torch.Tensor]) -> None:
    tensors["nodes.0.bias"] = torch.zeros(8, dtype=torch.int64)


def _endless_padding(network: dict[str, Any], _: Any) -> None:
    network["nodes"][0]["step"]["padding"] = [60_000, 60_000]


def _huge_input(network: dict[str, Any], _: Any) -> None:
    network["input_size"] = [1_000_000, 1_000_000]


def _conv_as_layer(network: dict[str, Any], _: Any) -> None:
    network["nodes"][0]["layer"] = "mine"


def _new_line(network: dict[str, Any], _: Any) -> None:
    network["nodes"][1]["layer"] = "conv1\n"


def _huge_unknown(network: dict[str, Any], _: Any) -> None:
    network["nodes"][1] = {
        "step": {"step": "unknown", "name": "x", "shape": [65_536] * 3},
        "inputs": [1],
    }


def _huge_head(network: dict[str, Any], _: Any) -> None:
    network["head"][0] = {"step": "mean pooling", "size": [65_536, 65_536]}


def _other_scores(_: Any, tensors: dict[str, torch.Tensor]) -> None:
    name = next(name for name in tensors if name.startswith("head") and name.endswith("weight"))
    tensors[name] = tensors[name][:, :2].contiguous()


def _bytes(network: dict[str, Any], _: Any) -> None:
    network["nodes"][0]["step"]["stride"] = [-1, 1]


def _own_input(network: dict[str, Any], _: Any) -> None:
    network["nodes"][3]["inputs"] = [4]


def _head_elsewhere(network: dict[str, Any], _: Any) -> None:
    network["head_value"] = 1


def _few_classes(network: dict[str, Any], _: Any) -> None:
    network["classes"] = ["ant", "bee"]


def _sum_of_unlike(network: dict[str, Any], _: Any) -> None:
    place = next(p for p, n in enumerate(network["nodes"]) if n["step"]["step"] == "addition")
    network["nodes"][place]["inputs"][1] = 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_circle, "step 0 of mine.safetensors takes a value that is computed later: a circle"),
        (_unknown_step, "cannot be read: Invalid value 'eval'"),
        (_more_fields, "cannot be read: Object contains unknown field `code`"),
        (_too_many, f"cannot be read: Expected `array` of length <= {MOST_NODES}"),
        (_markup, "cannot be read: Expected `str` matching regex"),
        (_twice, "two layers of mine.safetensors are called same"),
        (_lying_groups, "step 0 of mine.safetensors does not fit what it takes"),
        (_other_weight, "step 0 of mine.safetensors does not fit what it takes"),
        (_missing, "has no tensor 'nodes.0.bias', which its graph needs"),
        (_left_over, "holds tensors that its graph does not name: nodes.99.bias"),
        (_not_finite, "nodes.0.bias in mine.safetensors holds values that are not finite"),
        (_whole_numbers, "nodes.0.bias in mine.safetensors holds torch.int64"),
        (_endless_padding, "puts out 8 x"),
        (_huge_input, "cannot be read: Expected `int` <= 4096"),
        (_conv_as_layer, "step 0 of mine.safetensors is called the layer mine, and is no rectif"),
        (_new_line, "cannot be read: Expected `str` matching regex"),
        (_huge_unknown, "step 1 of mine.safetensors puts out 65536 x 65536 x 65536 numbers"),
        (_huge_head, "the head in mine.safetensors computes more than"),
        (_other_scores, "the head in mine.safetensors does not fit its graph"),
        (_bytes, "cannot be read: Expected `int` >= 1"),
        (_own_input, "step 3 of mine.safetensors takes a value that is computed later: a circle"),
        (_head_elsewhere, "the head in mine.safetensors does not fit its graph"),
        (_few_classes, "the head in mine.safetensors names 2 classes for"),
        (_sum_of_unlike, "adds values of other shapes"),
    ],
    ids=lambda given: given.__name__.strip("_") if callable(given) else "",
)
def test_what_cannot_be_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any], dict[str, torch.Tensor]], None], said: str
) -> None:
    path = tmp_path / "mine.safetensors"
    _saved(path)
    _rewrite(path, change)
    with pytest.raises(WeightsError, match=said):
        load(path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "preprocessing '' is not known"),
        ("mean 0,0,0 deviation 1,0,1", "each must be above 0"),
        ("mean 0,0,0 deviation 1,1,1e", "not finite"),
        ("mean 0,0,0 deviation 1,1,1e999", "not finite"),
        ("<b>", "preprocessing '<b>' is not known"),
    ],
)
def test_a_preprocessing_that_cannot_be_is_refused(tmp_path: Path, name: str, said: str) -> None:
    path = tmp_path / "mine.safetensors"
    _saved(path)
    with safe_open(path, framework="pt") as file:
        metadata = {**file.metadata(), "preprocessing": name}
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    save_file(tensors, path, metadata)
    with pytest.raises(DeconvError, match=said):
        load(path)


def test_another_version_says_so(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    _saved(path)
    with safe_open(path, framework="pt") as file:
        metadata = {**file.metadata(), "deconvnet": "2"}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, path, metadata)
    with pytest.raises(
        WeightsError, match=r"version '2' .* reads version 1: save the network again"
    ):
        load(path)


def test_half_a_file_and_no_file_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    _saved(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        load(path)
    assert not is_saved(path)
    other = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(1)}, other)
    assert not is_saved(other)
