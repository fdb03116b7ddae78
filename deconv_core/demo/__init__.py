"""The demo that comes with the program: a small VGG19, drawings, their index, measured stories.

The programs in the repository's ``demo/`` folder made all of this data. The network was trained to
classify drawings; it is not ImageNet's VGG19.
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
    """A feature map that responds to one part of the drawings, as measured.

    Attributes:
        unit: its address in the demo network.
        part: the part: "nose", or "dog/nose" if only dogs' noses count.
        title: one sentence for people.
        labels: the label to look at, or two labels to compare side by side.
        score: average precision of its activations for the part's locations, on pictures that were
            not used to find the map.
        chance: the part's share of all locations: the score of a random map.
    """

    unit: Unit
    part: str
    title: str
    labels: tuple[str, ...]
    score: float
    chance: float


@dataclass(frozen=True, slots=True)
class Opening:
    """The stored top activations of the demo, so that the first page needs no computation.

    Attributes:
        layer: the layer; the activations are its strongest ones over all pictures.
        scale: name of the scale, for ``Scale.named``.
        caption: the scale in words.
        activations: the strongest first.
        reconstructions: PNG bytes of one tile each, as large as the receptive field.
        patches: PNG bytes of the image patches in the same order.
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
    """The float32 index of the drawn pictures, made with the demo network."""
    return _HERE / "index"


def demo_weights() -> Path:
    """The demo network's weights, a safetensors file with torchvision's names."""
    return _HERE / "vgg19_quarter.safetensors"


def demo_specificity() -> Path:
    """A table of how specific pictures of ``demo_index`` are: 64 of each layer, a CSV file."""
    return _HERE / "specificity.csv"


def demo_classifier() -> Path:
    """The demo network's classifier: weight and bias, and the labels as metadata."""
    return _HERE / "classifier.safetensors"


def demo_stories() -> tuple[Story, ...]:
    """The stories of the guided tour, in order."""
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
    """The files that ``demo_opening`` reads: numbers, reconstructions, image patches."""
    names = ("opening.json", "opening_reconstructions.webp", "opening_patches.webp")
    return _HERE / names[0], _HERE / names[1], _HERE / names[2]


def demo_opening() -> Opening:
    """The stored activations and tiles; a test compares them with ``reconstruct``.

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
    """The tiles of a native grid made by ``compose_grid``."""
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
