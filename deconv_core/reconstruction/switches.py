"""Switches in few bits: which of the cells under a pooling held the maximum.

torch returns a switch as a 64-bit index into the whole plane. As the number of a cell in its window
it no longer depends on how large the plane is, so switches recorded on a whole image serve any
window of it. Two bits are enough for 2x2 cells, four for 3x3; packed so, those of a VGG19 image
take 0.38 MB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import Tensor

from deconv_core.graph.geometry import Place, Support
from deconv_core.graph.steps import MaxPooling, Rectification


def bits_of(step: MaxPooling | Rectification) -> int:
    """Bits for the number of a cell: 2, 4 or 8; 1 for open or closed."""
    if isinstance(step, Rectification):
        return 1
    cells = step.kernel[0] * step.kernel[1]
    return next(bits for bits in (2, 4, 8) if cells <= 2**bits)


def pack(codes: Tensor, bits: int) -> Tensor:
    """Codes uint8 (..., C), as many to a byte as fit."""
    shifts = range(0, 8, bits)
    parts = F.pad(codes, (0, -codes.shape[-1] % len(shifts))).chunk(len(shifts), dim=-1)
    joined = parts[0].clone()
    for shift, part in zip(shifts[1:], parts[1:], strict=True):
        joined |= part << shift
    return joined


@dataclass(frozen=True, eq=False)
class PackedCodes:
    """The switches of one pooling in one image, or where one rectification was open (1 bit).

    Attributes:
        packed: uint8 (h, w, C * bits / 8, rounded up).
        channels: C.
        bits: for each code.
        start: row and column, in cells of the pooling, at which they begin.
    """

    packed: Tensor
    channels: int
    bits: int
    start: Place = (0, 0)


Switches = Mapping[int, PackedCodes]
"""Node of each max pooling passed -> its switches in one image.

For rules other than deconvnet, also node of each rectification passed -> where it was open.
"""


def crops(switches: Sequence[Switches], place: int, where: Support) -> Tensor:
    """Codes (N, h, w, C) of a node in several images, on these rectangles."""
    cut = []
    for kept, (row, column) in zip(switches, where.starts, strict=True):
        codes = kept[place]
        top, left = row - codes.start[0], column - codes.start[1]
        cut.append(codes.packed[top : top + where.height, left : left + where.width])
    packed = torch.stack(cut)  # first, so that all are unpacked at once
    bits = codes.bits
    if bits == 8:
        return packed
    mask = 2**bits - 1
    unpacked = torch.cat([(packed >> shift) & mask for shift in range(0, 8, bits)], dim=-1)
    return unpacked[..., : codes.channels]


def nbytes(switches: Switches) -> int:
    """Bytes held."""
    return sum(codes.packed.numel() for codes in switches.values())
