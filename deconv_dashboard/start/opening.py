"""The stored pictures of Start for the demo: the page shows them without computing."""

from __future__ import annotations

from dataclasses import replace

from deconv_core.demo import Opening, demo_index
from deconv_dashboard.server import resources
from deconv_dashboard.values import Answer, Choice


def opening_for(choice: Choice, layer: str, answer: Answer) -> Opening | None:
    """The stored pictures, if they belong to exactly these activations of the demo."""
    asked_of_demo = choice.index_path == demo_index() and choice.network.network_id == "demo"
    if not asked_of_demo or answer.label is not None:
        return None
    opening = resources.opening()
    asked = layer, tuple(answer.activations)
    if opening is None or (opening.layer, opening.activations) != asked:
        return None
    images = [activation.image_id for activation in opening.activations]
    return opening if resources.unchanged(choice, images) else None


def with_opening(answer: Answer, opening: Opening) -> Answer:
    """The answer with the stored tiles in place of reconstructions."""
    tiles = {}
    for rank in range(1, len(answer.activations) + 1):
        tiles["reconstruction", rank] = opening.reconstructions[rank - 1]
        tiles["patch", rank] = opening.patches[rank - 1]
    return replace(answer, tiles=tiles)
