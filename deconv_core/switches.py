"""Switches as two bits each: which of the four cells under a pooling held the maximum.

torch returns a switch as a 64-bit index into the whole plane. As a code 0..3 (row parity times 2
plus column parity) it no longer depends on how large the plane is, so switches recorded on a whole
image serve any window of it; packed four to a byte, those of a VGG19 image take 0.38 MB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


def switch_codes(where: Tensor) -> Tensor:
    """Codes uint8 (..., h, w) from the int64 indices ``max_pool2d`` returned for (..., 2h, 2w)."""
    width = 2 * where.shape[-1]
    return ((where // width % 2) * 2 + where % 2).to(torch.uint8)


def switch_indices(codes: Tensor) -> Tensor:
    """Indices for ``max_unpool2d`` from codes (..., h, w): flat in a plane (2h, 2w)."""
    height, width = codes.shape[-2:]
    rows = 2 * torch.arange(height).view(-1, 1) + (codes >> 1)
    columns = 2 * torch.arange(width) + (codes & 1)
    return rows * (2 * width) + columns


@dataclass(frozen=True, eq=False)
class Switches:
    """The switches of one image, or of a window of it.

    Attributes:
        codes: for each pooling passed, uint8 (C, h, w).
        row, column: where the window begins in the image, in pixels; a multiple of every stride.
    """

    codes: tuple[Tensor, ...]
    row: int = 0
    column: int = 0

    def crop(self, pooling: int, row: int, column: int, side: int) -> Tensor:
        """Codes (C, side, side) of a pooling (from 0), from a cell of the whole image's plane."""
        stride = 2 ** (pooling + 1)
        top, left = row - self.row // stride, column - self.column // stride
        return self.codes[pooling][:, top : top + side, left : left + side]


@dataclass(frozen=True, eq=False)
class PackedSwitches:
    """Switches of one whole image, four codes to a byte."""

    packed: tuple[Tensor, ...]
    shapes: tuple[tuple[int, int, int], ...]

    @classmethod
    def pack(cls, codes: Sequence[Tensor]) -> PackedSwitches:
        """Pack codes uint8 (C, h, w) of each pooling."""
        shifts = torch.tensor([0, 2, 4, 6], dtype=torch.uint8)
        packed = []
        for code in codes:
            flat = torch.nn.functional.pad(code.flatten(), (0, -code.numel() % 4))
            packed.append((flat.view(-1, 4) << shifts).sum(1, dtype=torch.uint8))
        return cls(tuple(packed), tuple((c.shape[0], c.shape[1], c.shape[2]) for c in codes))

    def unpack(self) -> Switches:
        """The codes again."""
        shifts = torch.tensor([0, 2, 4, 6], dtype=torch.uint8)
        return Switches(
            tuple(
                ((packed.unsqueeze(1) >> shifts) & 3).flatten()[: c * h * w].view(c, h, w)
                for packed, (c, h, w) in zip(self.packed, self.shapes, strict=True)
            )
        )

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(packed.numel() for packed in self.packed)
