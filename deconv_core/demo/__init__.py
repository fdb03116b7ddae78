"""What ships with the product: a small VGG19, drawn pictures, their index, and measured stories.

Everything here is data made by the programs in the repository's ``demo/`` folder. The network was
trained on drawings to tell their labels apart; it is not ImageNet's VGG19.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from deconv_core.units import Activation, Unit

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


@dataclass(frozen=True, slots=True)
class Opening:
    """One finished answer over the demo, so that its first page needs no computation.

    Attributes:
        layer: the layer asked; its top over all pictures is the answer.
        scale: the scale's name, as ``Scale.named`` takes it.
        caption: the scale in words.
        activations: in order.
        reconstructions: a drawn tile each, PNG bytes of the receptive field's size.
        patches: the same places in the pictures.
    """

    layer: str
    scale: str
    caption: str
    activations: tuple[Activation, ...]
    reconstructions: tuple[bytes, ...]
    patches: tuple[bytes, ...]


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


def opening_files() -> tuple[Path, Path, Path]:
    """What ``demo_opening`` reads: its numbers, the reconstructions, the image patches."""
    names = ("opening.json", "opening_reconstructions.webp", "opening_patches.webp")
    return _HERE / names[0], _HERE / names[1], _HERE / names[2]


def demo_opening() -> Opening:
    """The stored answer; a test holds it against what ``reconstruct`` gives.

    Raises:
        OSError: its files are missing from this installation.
    """
    numbers, *grids = opening_files()
    content = json.loads(numbers.read_text("utf-8"))
    activations = tuple(
        Activation(
            Unit.parse(row["unit"]), row["image_id"], row["row"], row["column"], row["value"]
        )
        for row in content["activations"]
    )
    drawn = [_cut(grid, len(activations)) for grid in grids]
    return Opening(
        content["layer"], content["scale"], content["caption"], activations, drawn[0], drawn[1]
    )


def _cut(grid: Path, count: int, columns: int = 3, gap: int = 2) -> tuple[bytes, ...]:
    """The tiles of a native grid, as ``compose_grid`` lays them out."""
    tiles = []
    with Image.open(grid) as opened:
        side = (opened.width - gap) // columns - gap
        for place in range(count):
            row, column = divmod(place, columns)
            left, top = gap + column * (side + gap), gap + row * (side + gap)
            stream = io.BytesIO()
            opened.crop((left, top, left + side, top + side)).save(stream, "PNG", compress_level=1)
            tiles.append(stream.getvalue())
    return tuple(tiles)
