"""Graphs of modules: the same numbers up, the layers' names, the head, what is refused."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from deconv_core.errors import DeconvError
from deconv_core.graph.steps import Affine, Unknown
from deconv_core.network.from_module import trace
from tests.core.network.modules import SMALL, Chain, Gated, Residual, lively, values_of
from tests.core.network.rectified_gradients import RectifiedGradients


@pytest.mark.parametrize("name", SMALL)
def test_every_layer_is_what_the_module_computes(name: str) -> None:
    torch.manual_seed(3)
    make, size = SMALL[name]
    module = lively(make()).double()
    graph = trace(module, size, torch.float64).graph
    images = torch.randn(2, 3, *size, dtype=torch.float64)
    with RectifiedGradients() as watched, torch.no_grad():
        module(images)
    names = list(graph.layers)
    values = values_of(graph, images)
    assert [tuple(signal.shape[1:]) for signal in values[1:]] == [n.shape for n in graph.nodes]
    for layer, expected in zip(names, watched.layers, strict=False):
        assert (expected > 0).any()
        found = values[graph.layers[layer]]
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-13)
    assert len(names) >= 3


def test_the_module_is_left_as_it_was() -> None:
    module = lively(Residual()).train()
    before = copy.deepcopy(module.state_dict())
    grads = [parameter.requires_grad for parameter in module.parameters()]
    trace(module, (64, 48))
    assert module.training
    assert [parameter.requires_grad for parameter in module.parameters()] == grads
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_hooks_neither_see_the_export_nor_go() -> None:
    seen: list[object] = []
    module = lively(Residual())
    module.conv1.register_forward_hook(lambda *given: seen.append(given))
    module.register_forward_pre_hook(lambda *given: seen.append(given))
    trace(module, (64, 48))
    assert seen == []
    module(torch.zeros(1, 3, 64, 48))
    assert len(seen) == 2


def test_weights_that_are_computed_are_taken_as_they_are() -> None:
    normalised = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3))
    module, images = nn.Sequential(normalised, nn.ReLU()), torch.randn(1, 3, 9, 9)
    torch.testing.assert_close(values_of(trace(module, (9, 9)).graph, images)[-1], module(images))
    assert "weight" in normalised.parametrizations


def test_a_module_that_cannot_be_copied_says_so() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    module.watched = module[0].weight * 2  # torch copies no tensor that has a history
    with pytest.raises(DeconvError, match="Sequential cannot be copied: Only Tensors created"):
        trace(module, (9, 9))


def test_modules_with_odd_names_give_plain_names() -> None:
    module = nn.Sequential()
    module.add_module("größe <b>", nn.Conv2d(3, 4, 3))
    module.add_module("-relu", nn.ReLU())
    module.add_module("add", Residual().layer1[0].conv2.__class__(4, 4, 3, groups=2))
    module.add_module("relu 2", nn.ReLU())
    module.add_module("norm", nn.LocalResponseNorm(3))
    layers = trace(module, (9, 9)).graph.layers
    assert list(layers) == ["gr__e__b_", "add"]


def test_a_plain_chain_is_numbered_as_in_papers() -> None:
    layers = trace(Chain(), (63, 47)).graph.layers
    assert list(layers) == ["conv1", "pool1", "conv2", "conv3", "pool3"]


def test_blocks_are_named_by_their_paths() -> None:
    assert list(trace(lively(Residual()), (64, 48)).graph.layers) == [
        *("conv1", "maxpool"),
        *("layer1.0.conv1", "layer1.0", "layer1.1.conv1", "layer1.1"),
    ]


def test_vgg_has_its_own_names() -> None:
    vgg = nn.Sequential(
        *(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()),
        *(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(4, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2, 2)),
    )
    layers = trace(lively(vgg), (32, 32)).graph.layers
    assert list(layers) == ["conv1_1", "conv1_2", "pool1", "conv2_1", "pool2"]


def test_batch_normalisation_is_folded_only_where_nobody_else_looks() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

        def forward(self, signal: Tensor) -> Tensor:
            signal = self.conv(signal)
            return torch.relu(self.norm(signal)) + torch.relu(signal)

    kinds = [type(node.step) for node in trace(lively(Twice()), (8, 8)).graph.nodes]
    assert Affine in kinds
    kinds = [type(node.step) for node in trace(lively(Residual()), (64, 48)).graph.nodes]
    assert Affine not in kinds


@pytest.mark.parametrize("make", [Chain, Residual])
def test_the_head_gives_the_scores_of_the_module(make: type[nn.Module]) -> None:
    torch.manual_seed(5)
    module, images = lively(make()), torch.randn(2, 3, 64, 48)
    size = (64, 48)
    traced = trace(module, size)
    assert traced.head is not None
    scores = traced.head(values_of(traced.graph, images)[traced.head.value])
    with torch.no_grad():
        torch.testing.assert_close(scores, module(images), rtol=1e-5, atol=1e-6)


def test_a_network_without_a_classifier_has_no_head() -> None:
    make, size = SMALL["branches"]
    assert trace(lively(make()), size).head is None


def test_layers_behind_a_gate_name_what_is_in_the_way() -> None:
    graph = trace(Gated(), (16, 16)).graph
    assert {name: graph.blocked.get(value, "") for name, value in graph.layers.items()} == {
        "conv1": "",
        "conv3": "silu",
    }
    with pytest.raises(DeconvError, match="behind the step 'silu', which has no deconvnet"):
        graph.value_of("conv3")


class Shuffled(nn.Module):
    """Channels are shuffled by views: no step knows that."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)

    def forward(self, signal: Tensor) -> Tensor:
        signal = torch.relu(self.conv1(signal))
        one, channels, height, width = signal.shape
        signal = signal.view(one, 2, 2, height, width).transpose(1, 2)
        return torch.relu(self.conv2(signal.reshape(one, channels, height, width)))


def test_what_leaves_the_planes_and_comes_back_is_in_the_way_too() -> None:
    graph = trace(Shuffled(), (16, 16)).graph
    assert [graph.blocked.get(value, "") for value in graph.layers.values()] == ["", "view"]
    assert sum(isinstance(node.step, Unknown) for node in graph.nodes) == 1


class Branching(nn.Module):
    """Takes another way for another picture: there is no graph of it."""

    def forward(self, signal: Tensor) -> Tensor:
        return torch.relu(signal) if float(signal.sum()) > 0 else signal


def test_a_module_that_branches_on_values_is_refused() -> None:
    with pytest.raises(DeconvError, match="Branching cannot be exported"):
        trace(Branching(), (16, 16))
