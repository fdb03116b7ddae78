"""What ships with the product: a small VGG19, drawn pictures, their index, and measured stories.

Everything here is data made by the programs in the repository's ``demo/`` folder. The network was
trained on drawings to tell their labels apart; it is not ImageNet's VGG19.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from deconv_core.units import Unit

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Story:
    """A feature map that was measured to pick out one part of the drawings.

    Attributes:
        unit: its address in the demo network.
        part: the part it answers to: "nose", or "dog/nose" where only dogs' count.
        title: one sentence for people.
        labels: the labels to look at, one, or two to compare side by side.
        score: average precision of its activations against the part's places, on pictures that
            took no part in the search.
        chance: the part's share of all places: what a map that knows nothing would score.
    """

    unit: Unit
    part: str
    title: str
    labels: tuple[str, ...]
    score: float
    chance: float


def demo_images() -> Path:
    """The folder of drawn pictures, one folder a label; never used in training."""
    return _HERE / "images"


def demo_index() -> Path:
    """The float32 index of those pictures, made with the demo network."""
    return _HERE / "index"


def demo_weights() -> Path:
    """The demo network's weights, a safetensors file with torchvision's names."""
    return _HERE / "vgg19_quarter.safetensors"


def demo_stories() -> tuple[Story, ...]:
    """Stories for a guided tour, in the order they are told."""
    content = json.loads((_HERE / "stories.json").read_text("utf-8"))
    return tuple(
        Story(
            Unit.parse(row["unit"]),
            row["part"],
            row["title"],
            tuple(row["labels"]),
            row["score"],
            row["chance"],
        )
        for row in content
    )
