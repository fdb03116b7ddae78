"""One location and its support, against passes over the whole image."""

import numpy as np
import pytest
import torch
from deconv_core.reconstruction.windows import Support, share_of_work

from deconv_core import Network, load_network
from deconv_core.layers import Layer, ReceptiveField
from deconv_core.network.network import Convolution
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
            for pooling, (top, left) in enumerate(kept[item].starts):
                side = kept[item].packed[pooling].shape[0]
                expected = codes[pooling][top : top + side, left : left + side]
                (made,) = crops([kept[item]], pooling, [(top, left)], side)
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
        assert (one.starts, one.channels) == (other.starts, other.channels)
        assert all(map(torch.equal, one.packed, other.packed))
    assert down.abs().max() > 0
    assert (few_down - down).abs().max() <= 1e-6 * down.abs().max()


def test_a_support_grows_by_a_step_and_stays_in_the_plane() -> None:
    corner = Support(plane=8, side=3, starts=((0, 5), (2, 2)))
    assert corner.below_convolution() == Support(8, 5, ((0, 3), (1, 1)))
    assert corner.below_pooling() == Support(16, 6, ((0, 10), (4, 4)))
    assert Support(4, 3, ((0, 1),)).below_convolution() == Support(4, 4, ((0, 0),))


def test_the_share_of_the_work_by_hand() -> None:
    layers = {
        name: Layer(name, channels, 224, 224, ReceptiveField(0, 1, 0))
        for name, channels in (("conv1_1", 2), ("conv1_2", 4))
    }
    weights = torch.zeros(2, 3, 3, 3), torch.zeros(4, 2, 3, 3)
    stages = tuple(
        Convolution(name, weight, torch.zeros(len(weight)))
        for name, weight in zip(layers, weights, strict=True)
    )
    network = Network("two", None, stages, layers, "")  # type: ignore[arg-type]
    # conv1_1 at 3 x 3 locations with 54 weights, conv1_2 at one with 72; or both everywhere.
    assert share_of_work(network, "conv1_2") == (54 * 9 + 72) / ((54 + 72) * 224**2)
