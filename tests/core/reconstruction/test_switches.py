"""Two bits a switch: there and back, whole or as a window."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deconv_core.reconstruction.switches import Switches, crops
from tests.thorough import examples

sides = st.integers(1, 7)


@examples(30)
@given(st.lists(st.tuples(sides, sides, st.integers(1, 9)), max_size=5), st.integers(0, 10_000))
def test_packing_loses_nothing_and_takes_two_bits_each(
    shapes: list[tuple[int, int, int]], seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    codes = [torch.randint(0, 4, shape, generator=generator).to(torch.uint8) for shape in shapes]
    packed = Switches.pack(codes)
    for pooling, code in enumerate(codes):
        side = min(code.shape[:2])
        assert torch.equal(crops([packed], pooling, [(0, 0)], side)[0], code[:side, :side])
    assert packed.nbytes == sum(h * w * -(-channels // 4) for h, w, channels in shapes)


@pytest.mark.parametrize(
    ("pooling", "row", "column", "side"), [(0, 5, 9, 3), (1, 3, 4, 2), (0, 4, 8, 8)]
)
def test_a_square_of_an_image_has_the_codes_of_the_image_there(
    pooling: int, row: int, column: int, side: int
) -> None:
    codes = [
        torch.randint(
            0, 4, (plane, plane, 3), generator=torch.Generator().manual_seed(plane)
        ).byte()
        for plane in (16, 8)
    ]
    whole = Switches.pack(codes)
    square = Switches.pack([codes[0][4:12, 8:16], codes[1][2:6, 4:8]], [(4, 8), (2, 4)])
    expected = codes[pooling][row : row + side, column : column + side]
    for kept in crops([whole, square], pooling, [(row, column)] * 2, side):
        assert torch.equal(kept, expected)
