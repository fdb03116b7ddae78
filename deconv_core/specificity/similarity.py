"""The similarity of two pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd


@dataclass(frozen=True, slots=True)
class Similarity:
    """How similar two pictures are; 0 if one of them is constant.

    Attributes:
        spearman: Spearman's correlation of the absolute values, -1 to 1.
        cosine: of the signed values, -1 to 1.
    """

    spearman: float
    cosine: float


def similarities(
    picture: npt.NDArray[np.floating[Any]], others: npt.NDArray[np.floating[Any]]
) -> tuple[Similarity, ...]:
    """The similarity of a picture (3, height, width) to each of others (N, 3, height, width)."""
    own, own_ranks = picture.ravel().astype(np.float64), _ranks(picture)
    return tuple(
        Similarity(
            _cosine(own_ranks, _ranks(other)), _cosine(own, other.ravel().astype(np.float64))
        )
        for other in others
    )


def _ranks(picture: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """Ranks of the absolute values, less their mean."""
    ranks: npt.NDArray[np.float64] = np.array(pd.Series(np.abs(picture).ravel()).rank())
    ranks -= ranks.mean()
    return ranks


def _cosine(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> float:
    size = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / size if size > 0 else 0.0
