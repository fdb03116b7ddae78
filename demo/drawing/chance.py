"""The only source of randomness of a drawing: a seeded generator."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Chance:
    """A seeded generator; the same seed always gives the same drawing."""

    def __init__(self, *seed: int) -> None:
        self.generator = np.random.default_rng(seed)

    def between(self, low: float, high: float) -> float:
        """A uniform random number between two bounds."""
        return low + (high - low) * float(self.generator.random())

    def about(self, centre: float, spread: float) -> float:
        """A number near a centre: uniform within the spread on either side."""
        return self.between(centre - spread, centre + spread)

    def whole(self, low: int, high: int) -> int:
        """A whole number, both bounds included."""
        return int(self.generator.integers(low, high + 1))

    def yes(self, probability: float) -> bool:
        """True with the given probability."""
        return float(self.generator.random()) < probability

    def sign(self) -> int:
        """Minus one or one."""
        return 1 if self.yes(0.5) else -1

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices."""
        return choices[int(self.generator.integers(len(choices)))]
