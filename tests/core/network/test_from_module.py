"""Graphs of modules: the same numbers up, the layers' names, the head, what is refused."""

from __future__ import annotations

import copy

import pytest
import torch
from deconv_core.deconvnet_steps import ascend
from torch import Tensor, nn

from deconv_core.errors import DeconvError
from deconv_core.graph.steps import Affine, Unknown
from deconv_core.network.from_module import trace
from tests.core.network.modules import SMALL, Chain, Gated, Residual, lively
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
    seen: dict[str, Tensor] = {}

    def watch(value: int, signal: Tensor) -> None:
        seen[graph.nodes[value - 1].layer] = signal
        assert tuple(signal.shape[1:]) == graph.shape(value)

    ascend(graph, images, len(graph.nodes), watch)
    for layer, expected in zip(names, watched.layers, strict=False):
        assert (expected > 0).any()
        torch.testing.assert_close(seen[layer], expected, rtol=1e-12, atol=1e-13)
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
    scores = traced.head(ascend(traced.graph, images, traced.head.value).feature_maps)
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
        ascend(graph, torch.zeros(1, 3, 16, 16), graph.layers["conv3"])


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
