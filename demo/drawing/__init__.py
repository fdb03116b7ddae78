"""Drawn pictures with known parts: `draw(label, seed)`."""

from .scene import LABELS, Drawing, draw

__all__ = ["LABELS", "Drawing", "draw"]
