"""Switches as two bits each: which of the four cells under a pooling held the maximum.

torch returns a switch as a 64-bit index into the whole plane. As a code 0..3 (row parity times 2
plus column parity) it no longer depends on how large the plane is, so switches recorded on a whole
image serve any window of it; packed four to a byte, those of a VGG19 image take 0.38 MB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import Tensor

_SHIFTS = (0, 2, 4, 6)


def pack(codes: Tensor) -> Tensor:
    """Codes uint8 (..., C), four to a byte: (..., C/4, rounded up)."""
    quarters = F.pad(codes, (0, -codes.shape[-1] % 4)).chunk(4, dim=-1)
    joined = quarters[0].clone()
    for shift, quarter in zip(_SHIFTS[1:], quarters[1:], strict=True):
        joined |= quarter << shift
    return joined


def crops(
    switches: Sequence[Switches], pooling: int, starts: Sequence[tuple[int, int]], side: int
) -> Tensor:
    """Codes (N, side, side, C) of a pooling (from 0) of several images.

    Each begins at the given cell of the plane of its whole image.
    """
    cut = []
    for kept, (row, column) in zip(switches, starts, strict=True):
        top, left = row - kept.starts[pooling][0], column - kept.starts[pooling][1]
        cut.append(kept.packed[pooling][top : top + side, left : left + side])
    packed = torch.stack(cut)  # first, so that all are unpacked at once
    codes = torch.cat([(packed >> shift) & 3 for shift in _SHIFTS], dim=-1)
    return codes[..., : switches[0].channels[pooling]]


@dataclass(frozen=True, eq=False)
class Switches:
    """The switches of one image, or of a square of each of its planes, four codes to a byte.

    Attributes:
        packed: for each pooling passed, uint8 (h, w, C/4, rounded up).
        channels: C of each pooling.
        starts: the row and column, in cells of each pooling, at which its codes begin.
    """

    packed: tuple[Tensor, ...]
    channels: tuple[int, ...]
    starts: tuple[tuple[int, int], ...]

    @classmethod
    def pack(
        cls, codes: Sequence[Tensor], starts: Sequence[tuple[int, int]] | None = None
    ) -> Switches:
        """Pack codes uint8 (h, w, C) of each pooling; without ``starts`` those of whole planes."""
        begin = tuple(starts) if starts is not None else ((0, 0),) * len(codes)
        packed = tuple(pack(code) for code in codes)
        return cls(packed, tuple(code.shape[-1] for code in codes), begin)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(packed.numel() for packed in self.packed)
