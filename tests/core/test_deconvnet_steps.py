"""The walks over graphs: pictures equal to autograd's, on windows and on whole planes."""

from __future__ import annotations

import pytest
import torch
from deconv_core.deconvnet_steps import (
    Place,
    Trace,
    Window,
    ascend,
    descend,
    max_pool,
    unpool,
)

from deconv_core.graph.geometry import fields
from deconv_core.graph.steps import Graph, MaxPooling
from deconv_core.network.from_module import trace
from tests.core.network.architectures import compare
from tests.core.network.modules import SMALL, lively
from tests.core.network.rectified_gradients import deconvnet_by_autograd


def _picture(
    graph: Graph,
    value: int,
    passed: Trace,
    channel: int,
    row: int,
    column: int,
    size: tuple[int, int],
) -> torch.Tensor:
    """From the window of one activation, on the whole input."""
    activation = passed.feature_maps[:, channel, row, column]
    signal = torch.zeros(len(activation), graph.shape(value)[0], 1, 1, dtype=activation.dtype)
    signal[:, channel, 0, 0] = activation
    found, window = descend(graph, signal, value, passed, window=Window(row, column, 1, 1))
    picture = torch.zeros(len(activation), 3, *size, dtype=activation.dtype)
    rows = slice(window.top, window.top + window.height)
    picture[:, :, rows, window.left : window.left + window.width] = found
    return picture


@pytest.mark.parametrize("name", SMALL)
def test_every_layer_equals_rectified_gradients(name: str) -> None:
    torch.manual_seed(4)
    make, size = SMALL[name]
    module = lively(make()).double()
    for part in module.modules():
        if hasattr(part, "inplace"):
            part.inplace = False
    graph = trace(module, size, torch.float64).graph
    images = torch.randn(2, 3, *size, dtype=torch.float64)
    for number, (layer, value) in enumerate(graph.layers.items()):
        passed = ascend(graph, images, value)
        _, height, width = graph.shape(value)
        channel = int(passed.feature_maps.amax((0, 2, 3)).argmax())
        best = divmod(int(passed.feature_maps[0, channel].argmax()), width)
        for row, column in {best, (0, 0), (height - 1, width - 1)}:
            expected = deconvnet_by_autograd(module, images, number, channel, row, column)[1]
            made = _picture(graph, value, passed, channel, row, column, size)
            torch.testing.assert_close(made, expected, rtol=1e-10, atol=1e-12, msg=layer)
            if (row, column) == best:
                assert expected[0].abs().max() > 0, layer


@pytest.mark.parametrize("name", SMALL)
def test_whole_planes_and_windows_agree(name: str) -> None:
    torch.manual_seed(6)
    make, size = SMALL[name]
    graph = trace(lively(make()), size).graph
    images = torch.randn(1, 3, *size)
    value = list(graph.layers.values())[-1]
    passed = ascend(graph, images, value)
    channel, place = divmod(int(passed.feature_maps[0].argmax()), passed.feature_maps[0, 0].numel())
    row, column = divmod(place, graph.shape(value)[2])
    signal = torch.zeros_like(passed.feature_maps)
    signal[:, channel, row, column] = passed.feature_maps[:, channel, row, column]
    whole, window = descend(graph, signal, value, passed)
    picture = _picture(graph, value, passed, channel, row, column, size)
    part = torch.zeros_like(picture)
    rows = slice(window.top, window.top + window.height)
    part[:, :, rows, window.left : window.left + window.width] = whole
    torch.testing.assert_close(picture, part, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", SMALL)
def test_nothing_outside_the_receptive_field_matters(name: str) -> None:
    """Numerically: other pixels outside the box leave an activation as it is."""
    torch.manual_seed(7)
    make, size = SMALL[name]
    graph = trace(lively(make()).double(), size, torch.float64).graph
    images = torch.randn(1, 3, *size, dtype=torch.float64)
    seen = fields(graph)
    for value in graph.layers.values():
        _, height, width = graph.shape(value)
        row, column = int(torch.randint(height, ())), int(torch.randint(width, ()))
        rows, columns = seen[value]  # type: ignore[misc]
        top, left = (
            axis.offset + place * axis.stride for axis, place in ((rows, row), (columns, column))
        )
        inside = torch.zeros(size, dtype=torch.bool)
        inside[max(top, 0) : top + rows.size, max(left, 0) : left + columns.size] = True
        other = torch.where(inside, images, torch.randn_like(images))
        before, after = (
            ascend(graph, given, value).feature_maps[0, :, row, column] for given in (images, other)
        )
        assert torch.equal(before, after)


def test_overlapping_windows_add_where_they_share_a_maximum() -> None:
    """Size 4, stride 2 over (0, 0, 9, 0, 0, 0, 1, 0): three ones come down as 2 and 1."""
    step = MaxPooling((1, 4), (1, 2))
    signal = torch.tensor([0.0, 0, 9, 0, 0, 0, 1, 0]).view(1, 1, 1, 8)
    pooled, switches = max_pool(step, signal)
    assert pooled.flatten().tolist() == [9, 9, 1]
    whole = Place(Window(0, 0, 1, 3), Window(0, 0, 1, 8), (1, 8), (1,))
    down = unpool(torch.ones(1, 1, 1, 3), switches, whole)
    assert down.flatten().tolist() == [0, 0, 2, 0, 0, 0, 1, 0]


@pytest.mark.parametrize("name", ["resnet18", "googlenet", "mobilenet_v2"])
def test_whole_architectures_equal_rectified_gradients(name: str) -> None:
    for found in compare(name, 96):
        assert found.strongest > 0
        assert found.up < 1e-11
        assert found.down < 1e-10
