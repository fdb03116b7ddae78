"""The two passes: a worked example, Captum, and the laws unpooling and filtering obey."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st

from deconv_core.deconvnet import convnet_pass, deconvnet_pass, pool, unpool
from deconv_core.errors import DeconvError
from deconv_core.graph.steps import MaxPooling
from deconv_core.network.network import POOL, Network, build_network
from tests.core import drawings, independent
from tests.core.networks import PLAIN, random_chain
from tests.thorough import examples

FOUR = MaxPooling((2, 2), (2, 2))


def test_a_four_by_four_picture_worked_by_hand() -> None:
    # One filter: red here, plus ten times red to the right, minus green here; bias -1.
    weight = torch.zeros(1, 3, 3, 3)
    weight[0, 0, 1, 1], weight[0, 0, 1, 2], weight[0, 1, 1, 1] = 1, 10, -1
    network = build_network("by hand", [(weight, torch.tensor([-1.0])), POOL], PLAIN)
    red = torch.tensor(
        [
            [1.0, 2, 0, 0],
            [3, 0, 0, 1],
            [0, 0, 5, 0],
            [0, 1, 0, 0],
        ]
    )
    picture = torch.stack([red, torch.zeros(4, 4), torch.zeros(4, 4)])[None]

    up = convnet_pass(network.graph, picture, "conv1_1")
    assert up.feature_maps[0, 0].tolist() == [
        [20, 1, 0, 0],  # 1 + 10*2 - 1,  2 + 10*0 - 1,  ...
        [2, 0, 9, 0],
        [0, 49, 4, 0],
        [9, 0, 0, 0],
    ]

    up = convnet_pass(network.graph, picture, "pool1")
    assert up.feature_maps[0, 0].tolist() == [[20, 9], [49, 4]]
    assert up.switches[2][0, :, :, 0].tolist() == [[0, 2], [1, 0]]  # cells counted 0 1 / 2 3

    kept = keep_only(up.feature_maps, channel=0, row=0, column=1)
    assert kept[0, 0].tolist() == [[0, 9], [0, 0]]

    down = deconvnet_pass(network.graph, kept, up.switches, "pool1")
    assert down[0, 0].tolist() == [  # red: 9 where the maximum was, 10 * 9 to its right; no bias
        [0, 0, 0, 0],
        [0, 0, 9, 90],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
    ]
    assert down[0, 1].tolist() == [  # green: the picture keeps its sign
        [0, 0, 0, 0],
        [0, 0, -9, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
    ]
    assert not down[0, 2].any()


def test_the_signal_is_rectified_between_layers_but_not_after_the_last() -> None:
    # conv1_1: map 0 = red, map 1 = green. conv1_2 = 2 * map 0 - 3 * map 1.
    first, second = torch.zeros(2, 3, 3, 3), torch.zeros(1, 2, 3, 3)
    first[0, 0, 1, 1] = first[1, 1, 1, 1] = 1
    second[0, 0, 1, 1], second[0, 1, 1, 1] = 2, -3
    chain = [(first, torch.zeros(2)), (second, torch.zeros(1))]
    network = build_network("by hand", chain, PLAIN)
    down = deconvnet_pass(network.graph, torch.full((1, 1, 1, 1), 5.0), {}, "conv1_2")
    assert down.flatten().tolist() == [10, 0, 0]  # -15 in map 1 was rectified on the way


def test_codes_count_the_four_cells_in_reading_order() -> None:
    plane = torch.tensor(
        [
            [9.0, 0, 0, 8],
            [0, 0, 0, 0],
            [0, 0, 0, 0],
            [7, 0, 0, 6],
        ]
    )
    pooled, codes = pool(plane[None, None], FOUR)
    assert pooled[0, 0].tolist() == [[9, 8], [7, 6]]
    assert codes[0, :, :, 0].tolist() == [[0, 1], [2, 3]]
    assert torch.equal(unpool(pooled, codes, FOUR)[0, 0], plane)


@examples(30)
@given(
    st.integers(1, 5), st.integers(1, 7), st.integers(1, 7), st.integers(0, 10_000), st.booleans()
)
def test_pooling_is_torchs_with_ties_and_in_any_layout(
    maps: int, height: int, width: int, seed: int, last: bool
) -> None:
    generator = torch.Generator().manual_seed(seed)
    plane = torch.randint(0, 4, (2, maps, 2 * height, 2 * width), generator=generator).float()
    expected, where = F.max_pool2d(plane, 2, return_indices=True)
    layout = torch.channels_last if last else torch.contiguous_format
    pooled, codes = pool(plane.contiguous(memory_format=layout), FOUR)
    assert torch.equal(pooled, expected)
    placed = unpool(pooled, codes, FOUR)
    assert torch.equal(placed, F.max_unpool2d(expected, where, [2, 2]))


@pytest.mark.filterwarnings("ignore::UserWarning:captum")
@pytest.mark.parametrize(
    "layer", ["conv1_2", "conv2_2", "conv3_4", "conv4_4", "conv5_2", "conv5_4"]
)
def test_captum_gives_the_same_on_vgg19_of_full_width(full_width: Network, layer: str) -> None:
    from captum.attr import NeuronDeconvolution

    inputs = independent.normalised(full_width, drawings.noise(11, 5)[None])
    up = convnet_pass(full_width.graph, inputs, layer)
    channel, row, column = _strongest(up.feature_maps)
    value = float(up.feature_maps[0, channel, row, column])
    kept = keep_only(up.feature_maps, channel, row, column)
    ours = deconvnet_pass(full_width.graph, kept, up.switches, layer)

    model, ends = independent.torch_model(full_width)
    shortened = model[: list(model).index(ends[layer]) + 1]
    captum = NeuronDeconvolution(shortened, ends[layer]).attribute(
        inputs.clone(), (channel, row, column)
    )
    theirs = captum.detach() * value
    assert float(theirs.abs().max()) > 0
    assert float((ours - theirs).abs().max() / theirs.abs().max()) <= 1e-5


@pytest.mark.parametrize("layer", ["conv1_2", "pool1", "conv3_4", "conv4_4", "pool5"])
def test_twice_the_activation_gives_exactly_twice_the_picture(network: Network, layer: str) -> None:
    inputs = independent.normalised(network, drawings.noise(7, 3)[None])
    up = convnet_pass(network.graph, inputs, layer)
    channel, row, column = _strongest(up.feature_maps)
    kept = keep_only(up.feature_maps, channel, row, column)
    once = deconvnet_pass(network.graph, kept, up.switches, layer)
    assert once.abs().max() > 0
    assert torch.equal(deconvnet_pass(network.graph, 2 * kept, up.switches, layer), 2 * once)
    unit = deconvnet_pass(network.graph, kept / kept.max(), up.switches, layer)
    torch.testing.assert_close(unit * kept.max(), once, rtol=1e-5, atol=1e-6)


@examples(20)
@given(st.integers(1, 6), st.integers(1, 9), st.integers(1, 9), st.integers(0, 10_000))
def test_filtering_down_is_the_adjoint_of_filtering_up(
    maps: int, height: int, width: int, seed: int
) -> None:
    network = build_network("one layer", random_chain(seed, [maps]), PLAIN)
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn((1, 3, height, width), generator=generator)
    y = torch.rand((1, maps, height, width), generator=generator)
    (stage,) = independent.stages(network)
    up = F.conv2d(x.double(), stage.weight.double(), padding=1)
    down = deconvnet_pass(network.graph, y, {}, "conv1_1").double()
    size = float((up.abs() * y.double()).sum())
    assert abs(float((up * y).sum() - (x * down).sum())) <= 1e-5 * max(size, 1.0)


def test_a_conv1_1_reconstruction_is_the_activation_times_the_kernel(network: Network) -> None:
    inputs = independent.normalised(network, drawings.noise(8)[None])
    up = convnet_pass(network.graph, inputs, "conv1_1")
    for channel, kernel in enumerate(independent.stages(network)[0].weight):
        row, column = 100, 50 + channel
        column += int(up.feature_maps[0, channel, row, column:].argmax())
        value = up.feature_maps[0, channel, row, column]
        down = deconvnet_pass(
            network.graph, keep_only(up.feature_maps, channel, row, column), {}, "conv1_1"
        )
        there = down[0, :, row - 1 : row + 2, column - 1 : column + 2]
        torch.testing.assert_close(there, value * kernel)
        assert value > 0
        assert torch.count_nonzero(down) == torch.count_nonzero(there)


def test_the_way_up_is_what_torch_computes(network: Network) -> None:
    inputs = independent.normalised(network, drawings.noise(9, 2)[None])
    for layer, expected in independent.feature_maps(network, inputs).items():
        torch.testing.assert_close(
            convnet_pass(network.graph, inputs, layer).feature_maps, expected
        )


def test_the_passes_leave_their_arguments_alone(network: Network) -> None:
    inputs = independent.normalised(network, drawings.noise(10)[None])
    before = inputs.clone()
    up = convnet_pass(network.graph, inputs, "pool2")
    maps, switches = up.feature_maps.clone(), [where.clone() for where in up.switches.values()]
    deconvnet_pass(network.graph, up.feature_maps, up.switches, "pool2")
    assert torch.equal(inputs, before)
    assert torch.equal(up.feature_maps, maps)
    assert all(map(torch.equal, up.switches.values(), switches))


def test_an_unknown_layer_is_an_error_that_lists_the_layers(network: Network) -> None:
    with pytest.raises(DeconvError, match=r"'conv9_9' is not a layer .*conv1_1, .*pool5"):
        convnet_pass(network.graph, torch.zeros(1, 3, 224, 224), "conv9_9")
    with pytest.raises(DeconvError, match="'relu1'"):
        deconvnet_pass(network.graph, torch.zeros(1, 4, 4, 4), {}, "relu1")


def keep_only(maps: torch.Tensor, channel: int, row: int, column: int) -> torch.Tensor:
    """The maps (1, C, H, W) with everything but one activation set to zero."""
    kept = torch.zeros_like(maps)
    kept[:, channel, row, column] = maps[:, channel, row, column]
    return kept


def _strongest(maps: torch.Tensor) -> tuple[int, int, int]:
    _, height, width = maps.shape[1:]
    channel, place = divmod(int(maps[0].flatten().argmax()), height * width)
    return channel, *divmod(place, width)
