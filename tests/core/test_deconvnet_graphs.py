"""The walks over graphs: pictures equal to autograd's, on windows and on whole planes."""

from __future__ import annotations

import pytest
import torch

from deconv_core.deconvnet import pool, unpool, up, walk_up
from deconv_core.graph.geometry import layers_of, supports, whole_plane
from deconv_core.graph.steps import MaxPooling
from deconv_core.network.from_module import trace
from deconv_core.pictures import RULES, Rule
from tests.core.network.architectures import compare
from tests.core.network.modules import SMALL, lively
from tests.core.network.rectified_gradients import deconvnet_by_autograd
from tests.core.pictures import ascend, strongest, whole_picture, windowed_picture


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", SMALL)
def test_every_layer_equals_rectified_gradients(name: str, rule: Rule) -> None:
    torch.manual_seed(4)
    make, size = SMALL[name]
    module = lively(make()).double()
    for part in module.modules():
        if hasattr(part, "inplace"):
            part.inplace = False
    graph = trace(module, size, torch.float64).graph
    images = torch.randn(2, 3, *size, dtype=torch.float64)
    for number, layer in enumerate(graph.layers):
        passed = ascend(graph, images, layer, rule)
        channel, *best = strongest(passed.feature_maps)
        height, width = passed.feature_maps.shape[2:]
        for row, column in {tuple(best), (0, 0), (height - 1, width - 1)}:
            unit = channel, row, column
            expected = deconvnet_by_autograd(module, images, number, *unit, rule)[1]
            for picture in (windowed_picture, whole_picture):
                made = picture(graph, passed, layer, *unit, rule)
                torch.testing.assert_close(made, expected, rtol=1e-10, atol=1e-12, msg=layer)
            if [row, column] == best:
                assert expected[0].abs().max() > 0, layer


@pytest.mark.parametrize("name", SMALL)
def test_a_window_of_the_way_up_is_that_of_the_whole_plane(name: str) -> None:
    torch.manual_seed(6)
    make, size = SMALL[name]
    graph = trace(lively(make()).double(), size, torch.float64).graph
    images = torch.randn(1, 3, *size, dtype=torch.float64)
    for layer, value in graph.layers.items():
        whole = ascend(graph, images, layer)
        height, width = graph.plane(value)
        for row, column in {(0, 0), (height - 1, width - 1), (height // 2, width // 2)}:
            made, switches = up_on_support(graph, images, value, (row, column))
            torch.testing.assert_close(made, whole.feature_maps[:, :, row, column], msg=layer)
            lies = supports(graph, value, [(row, column)])
            for place, codes in switches.items():
                (top, left), where = lies[place + 1].starts[0], lies[place + 1]
                rows = slice(top, top + where.height)
                expected = whole.switches[place][:, rows, left : left + where.width]
                assert torch.equal(codes, expected), (layer, place)


def up_on_support(graph, images, value, place):  # type: ignore[no-untyped-def]
    lies = supports(graph, value, [place])
    (top, left), where = lies[0].starts[0], lies[0]
    cut = images[:, :, top : top + where.height, left : left + where.width].clone()
    switches: dict[int, torch.Tensor] = {}

    def watch(node: int, _: torch.Tensor, codes: torch.Tensor | None) -> None:
        if codes is not None:
            switches[node] = codes

    with torch.inference_mode():
        values = walk_up(graph, graph.needed(value), {0: cut}, lies, graph.last_use(value), watch)
    return values[value][..., 0, 0], switches


@pytest.mark.parametrize("name", SMALL)
def test_without_switches_the_way_up_is_the_same(name: str) -> None:
    torch.manual_seed(8)
    make, size = SMALL[name]
    graph = trace(lively(make()).double(), size, torch.float64).graph
    images = torch.randn(2, 3, *size, dtype=torch.float64)
    values = {0: images}
    for place, node in enumerate(graph.nodes):
        values[place + 1] = up(node.step, [values[taken].clone() for taken in node.inputs])
    for layer, value in graph.layers.items():
        torch.testing.assert_close(values[value], ascend(graph, images, layer).feature_maps)


@pytest.mark.parametrize("name", SMALL)
def test_nothing_outside_the_receptive_field_matters(name: str) -> None:
    """Other pixels outside the box leave an activation as it is, and its picture is zero there."""
    torch.manual_seed(7)
    make, size = SMALL[name]
    graph = trace(lively(make()).double(), size, torch.float64).graph
    images = torch.randn(1, 3, *size, dtype=torch.float64)
    for layer, seen in layers_of(graph).items():
        row, column = int(torch.randint(seen.height, ())), int(torch.randint(seen.width, ()))
        box = seen.box(row, column)
        inside = torch.zeros(size, dtype=torch.bool)
        inside[box.top : box.bottom, box.left : box.right] = True
        other = torch.where(inside, images, torch.randn_like(images))
        before, after = (ascend(graph, given, layer) for given in (images, other))
        assert torch.equal(
            before.feature_maps[0, :, row, column], after.feature_maps[0, :, row, column]
        )
        picture = whole_picture(graph, before, layer, 0, row, column)
        assert not picture[..., ~inside].any()


def test_overlapping_windows_add_where_they_share_a_maximum() -> None:
    """Size 4, stride 2 over (0, 0, 9, 0, 0, 0, 1, 0): three ones come down as 2 and 1."""
    step = MaxPooling((1, 4), (1, 2))
    signal = torch.tensor([0.0, 0, 9, 0, 0, 0, 1, 0]).view(1, 1, 1, 8)
    pooled, switches = pool(signal, step)
    assert pooled.flatten().tolist() == [9, 9, 1]
    assert switches.flatten().tolist() == [2, 0, 2]
    down = unpool(torch.ones(1, 1, 1, 3), switches, step)
    assert down.flatten().tolist() == [0, 0, 2, 0, 0, 0, 1, 0]
    assert whole_plane((1, 8), 1).whole


@pytest.mark.parametrize("name", ["resnet18", "googlenet", "mobilenet_v2"])
def test_whole_architectures_equal_rectified_gradients(name: str) -> None:
    for found in compare(name, 96):
        assert found.strongest > 0
        assert found.up < 1e-11
        assert found.down < 1e-10
