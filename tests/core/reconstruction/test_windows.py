"""One location and its support, against passes over the whole image."""

import numpy as np
import pytest
import torch

from deconv_core import Network, load_network
from deconv_core.graph.geometry import Support, reached, share_of_work, supports
from deconv_core.graph.steps import Addition, Convolution, Graph, MaxPooling, Node
from deconv_core.reconstruction import windowed_passes as support_passes
from deconv_core.reconstruction.switches import crops
from deconv_core.reconstruction.windowed_passes import ascend, descend
from tests.core import independent

PLACES = {"conv2_2": [(0, 0), (111, 50)], "conv3_4": [(55, 55), (0, 20), (30, 31)]}
DEEP = {"conv4_4": [(0, 27), (13, 9)], "conv5_2": [(13, 13)], "pool5": [(6, 0)]}


def as_codes(where: torch.Tensor) -> torch.Tensor:
    """Codes (N, h, w, C): row parity times 2 plus column parity of flat indices (N, C, h, w)."""
    width = 2 * where.shape[-1]
    return ((where // width % 2) * 2 + where % 2).permute(0, 2, 3, 1)


def check_bits(network: Network, picture: np.ndarray, layer: str, places: list) -> None:
    # Two pictures at once, since for a single small input torch rounds differently.
    inputs = independent.normalised(network, np.stack([picture, picture]))
    maps, switches = independent.whole(network, inputs, layer)
    codes = [as_codes(where)[0] for where in switches]
    for batch in (places, *([place] for place in places)):
        values, kept = ascend(network, network.layers[layer], [picture] * len(batch), batch)
        for item, (row, column) in enumerate(batch):
            assert torch.equal(values[item], maps[0, :, row, column])
            for (place, recorded), plane in zip(kept[item].items(), codes, strict=True):
                (top, left), (height, width) = recorded.start, recorded.packed.shape[:2]
                expected = plane[top : top + height, left : left + width]
                where = Support((0, 0), height, width, (recorded.start,))
                (made,) = crops([kept[item]], place, where)
                assert torch.equal(made.long(), expected)


@pytest.mark.parametrize("layer", [*PLACES, *DEEP])
@pytest.mark.parametrize("source", ["narrow", "demo"])
def test_values_and_switches_are_those_of_the_whole_image_bit_for_bit(
    network: Network, pictures: dict[str, np.ndarray], layer: str, source: str
) -> None:
    used = network if source == "narrow" else load_network("demo")
    check_bits(used, pictures["people/noise.png"], layer, (PLACES | DEEP)[layer])


@pytest.mark.parametrize("layer", PLACES)
def test_so_they_are_on_vgg19_of_full_width(
    full_width: Network, pictures: dict[str, np.ndarray], layer: str
) -> None:
    check_bits(full_width, pictures["people/noise.png"], layer, PLACES[layer])


def pass_both_ways(network: Network, layer: str, pixels: list) -> tuple:
    """Both passes at three locations at once; two of them are at borders."""
    top = network.layers[layer]
    last = top.height - 1
    places = [(0, last), (last // 2, last // 2), (last, 1)]
    values, switches = ascend(network, top, pixels, places)
    channels = values.argmax(dim=1).tolist()
    down, _ = descend(network, top, channels, places, values.amax(dim=1).tolist(), switches)
    return values, switches, down


@pytest.mark.parametrize("together", [1, 30_000, 200_000])
@pytest.mark.parametrize("layer", ["conv2_2", "conv4_4", "pool5"])
def test_how_many_pass_at_a_time_does_not_matter(
    network: Network,
    pictures: dict[str, np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
    layer: str,
    together: int,
) -> None:
    pixels = list(pictures.values())[:3]
    monkeypatch.setattr(support_passes, "_TOGETHER", 10**9)
    values, switches, down = pass_both_ways(network, layer, pixels)
    monkeypatch.setattr(support_passes, "_TOGETHER", together)
    few_values, few_switches, few_down = pass_both_ways(network, layer, pixels)
    assert torch.equal(few_values, values)
    for one, other in zip(few_switches, switches, strict=True):
        assert list(one) == list(other)
        for place in one:
            assert (one[place].start, one[place].channels) == (
                other[place].start,
                other[place].channels,
            )
            assert torch.equal(one[place].packed, other[place].packed)
    assert down.abs().max() > 0
    assert (few_down - down).abs().max() <= 1e-6 * down.abs().max()


def convolution(outputs: int, inputs: int, side: int = 3) -> Convolution:
    return Convolution(torch.zeros(outputs, inputs, side, side), torch.zeros(outputs))


def test_a_support_grows_by_a_step_and_stays_in_the_plane() -> None:
    corner = Support((8, 8), 3, 3, ((0, 5), (2, 2)))
    filtered = reached(convolution(1, 1), corner, (8, 8))
    assert filtered == Support((8, 8), 5, 5, ((-1, 4), (1, 1)))
    assert filtered.inside() == Support((8, 8), 5, 5, ((0, 3), (1, 1)))
    pooled = reached(MaxPooling((2, 2), (2, 2)), corner, (16, 16))
    assert pooled == Support((16, 16), 6, 6, ((0, 10), (4, 4)))
    small = reached(convolution(1, 1), Support((4, 4), 3, 3, ((0, 1),)), (4, 4)).inside()
    assert small == Support((4, 4), 4, 4, ((0, 0),))
    wide = reached(MaxPooling((3, 1), (2, 1), (1, 0)), corner, (16, 8))
    assert wide == Support((16, 8), 7, 3, ((-1, 5), (3, 2)))


def test_of_two_consumers_a_support_holds_what_both_need() -> None:
    near, far = Support((9, 9), 1, 3, ((2, 3),)), Support((9, 9), 2, 2, ((4, 6),))
    assert near.union(far) == Support((9, 9), 4, 5, ((2, 3),))
    # A 5x5 and a 1x1 filter over the same value, side by side: the 5x5's.
    nodes = (
        Node(Convolution(torch.zeros(1, 3, 5, 5), torch.zeros(1), padding=(2, 2)), (0,), (1, 9, 9)),
        Node(Convolution(torch.zeros(1, 3, 1, 1), torch.zeros(1), padding=(0, 0)), (0,), (1, 9, 9)),
        Node(Addition(), (1, 2), (1, 9, 9)),
    )
    found = supports(Graph(nodes, (3, 9, 9)), 3, [(4, 5), (0, 0)])
    assert found[0] == Support((9, 9), 5, 5, ((2, 3), (0, 0)))


def test_the_share_of_the_work_by_hand() -> None:
    nodes = tuple(
        Node(convolution(outputs, inputs), (place,), (outputs, 224, 224))
        for place, (inputs, outputs) in enumerate([(3, 2), (2, 4)])
    )
    # conv1_1 at 3 x 3 locations with 54 weights, conv1_2 at one with 72; or both everywhere.
    expected = (54 * 9 + 72) / ((54 + 72) * 224**2)
    assert share_of_work(Graph(nodes, (3, 224, 224)), 2) == expected
