"""Two bits a switch: there and back, whole or as a window."""

import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st

from deconv_core.switches import PackedSwitches, Switches, switch_codes, switch_indices


def test_codes_count_the_four_cells_in_reading_order() -> None:
    plane = torch.tensor(
        [
            [9.0, 0, 0, 9],
            [0, 0, 0, 0],
            [0, 0, 0, 0],
            [9, 0, 0, 9],
        ]
    )
    _, where = F.max_pool2d(plane[None, None], 2, return_indices=True)
    assert where[0, 0].tolist() == [[0, 3], [12, 15]]
    assert switch_codes(where)[0, 0].tolist() == [[0, 1], [2, 3]]


sides = st.integers(1, 7)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), sides, sides, st.integers(0, 10_000))
def test_codes_give_the_indices_of_max_pool_again(
    maps: int, height: int, width: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    plane = torch.randint(0, 4, (2, maps, 2 * height, 2 * width), generator=generator).float()
    _, where = F.max_pool2d(plane, 2, return_indices=True)
    assert torch.equal(switch_indices(switch_codes(where)), where)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), sides, sides), max_size=5), st.integers(0, 10_000))
def test_packing_loses_nothing_and_takes_two_bits_each(
    shapes: list[tuple[int, int, int]], seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    codes = [torch.randint(0, 4, shape, generator=generator).to(torch.uint8) for shape in shapes]
    packed = PackedSwitches.pack(codes)
    again = packed.unpack().codes
    assert len(again) == len(codes)
    assert all(map(torch.equal, codes, again))
    assert packed.nbytes == sum(-(-code.numel() // 4) for code in codes)


def test_a_window_of_an_image_has_the_codes_of_the_image_there() -> None:
    codes = tuple(
        torch.randint(0, 4, (3, side, side), generator=torch.Generator().manual_seed(side)).byte()
        for side in (16, 8)
    )
    whole = Switches(codes)
    # A window that begins at pixel (8, 16): at cell (4, 8) of the first pooling, then (2, 4).
    window = Switches((codes[0][:, 4:12, 8:16], codes[1][:, 2:6, 4:8]), row=8, column=16)
    for pooling, row, column, side in ((0, 5, 9, 3), (1, 3, 4, 2)):
        expected = codes[pooling][:, row : row + side, column : column + side]
        assert torch.equal(whole.crop(pooling, row, column, side), expected)
        assert torch.equal(window.crop(pooling, row, column, side), expected)
