"""Two, four or eight bits a switch: there and back, whole or as a window."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deconv_core.graph.geometry import Support, whole_plane
from deconv_core.graph.steps import MaxPooling
from deconv_core.reconstruction.switches import PackedCodes, bits_of, crops, nbytes, pack
from tests.thorough import examples

sides = st.integers(1, 7)


def packed(codes: torch.Tensor, bits: int, start: tuple[int, int] = (0, 0)) -> PackedCodes:
    return PackedCodes(pack(codes, bits), codes.shape[-1], bits, start)


@pytest.mark.parametrize(("cells", "bits"), [(2, 2), (3, 4), (4, 4), (5, 8), (15, 8)])
def test_a_code_takes_as_few_bits_as_the_cells_need(cells: int, bits: int) -> None:
    assert bits_of(MaxPooling((cells, cells), (2, 2))) == bits


@examples(30)
@given(
    st.lists(st.tuples(sides, sides, st.integers(1, 9)), max_size=5),
    st.sampled_from([2, 4, 8]),
    st.integers(0, 10_000),
)
def test_packing_loses_nothing(shapes: list[tuple[int, int, int]], bits: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    codes = [
        torch.randint(0, 2**bits, shape, generator=generator).to(torch.uint8) for shape in shapes
    ]
    kept = {place: packed(code, bits) for place, code in enumerate(codes)}
    for place, code in enumerate(codes):
        assert torch.equal(crops([kept], place, whole_plane(tuple(code.shape[:2]), 1))[0], code)
    fit = 8 // bits
    assert nbytes(kept) == sum(h * w * -(-channels // fit) for h, w, channels in shapes)


@pytest.mark.parametrize("bits", [2, 4])
@pytest.mark.parametrize(
    ("pooling", "row", "column", "side"), [(0, 5, 9, 3), (1, 3, 4, 2), (0, 4, 8, 8)]
)
def test_a_square_of_an_image_has_the_codes_of_the_image_there(
    pooling: int, row: int, column: int, side: int, bits: int
) -> None:
    codes = [
        torch.randint(
            0, 2**bits, (plane, plane, 3), generator=torch.Generator().manual_seed(plane)
        ).byte()
        for plane in (16, 8)
    ]
    whole = {place: packed(code, bits) for place, code in enumerate(codes)}
    square = {
        0: packed(codes[0][4:12, 8:16], bits, (4, 8)),
        1: packed(codes[1][2:6, 4:8], bits, (2, 4)),
    }
    expected = codes[pooling][row : row + side, column : column + side]
    where = Support((16, 16), side, side, ((row, column),) * 2)
    for kept in crops([whole, square], pooling, where):
        assert torch.equal(kept, expected)
