"""The drawing of a network in stages, and the notes about its steps."""

from collections import Counter
from xml.etree import ElementTree

import pytest
import torch
from torch import nn

from deconv_core.graph.steps import Graph
from deconv_core.network.from_module import trace
from deconv_dashboard.gallery.network_drawing import (
    Part,
    block_drawing,
    network_drawing,
    notes_on,
    parts_of,
    parts_of_layers,
)
from tests.app.test_strip import resnet50


class Residual(nn.Module):
    """Two filters with a stride, a pool that overlaps, and an addition."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(3, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        below = self.pool(torch.relu(self.first(x)))
        return torch.relu(self.second(below) + below)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return trace(Residual().eval(), (32, 48)).graph


def test_parts_are_the_sizes_of_maps(graph: Graph) -> None:
    assert parts_of(graph) == [
        Part((16, 24), 1, Counter(Convolution=1, Rectification=1)),
        Part((8, 12), 2, Counter(MaxPooling=1, Convolution=1, Addition=1, Rectification=1)),
    ]


def test_the_drawing_says_each_part(graph: Graph) -> None:
    drawn = network_drawing(parts_of(graph), (32, 48), dark=False)
    texts = [one.text for one in ElementTree.fromstring(drawn).iter() if one.tag.endswith("text")]
    assert "16 × 24 · 1 layer" in texts
    assert "8 × 12 · 2 layers" in texts
    assert "image 32 × 48" in texts
    assert texts.count("switches") == 1
    assert "+" in block_drawing(["Addition"], dark=True)
    assert block_drawing(["Convolution"], dark=True) == ""


def test_an_index_alone_gives_sizes_and_layers() -> None:
    parts = parts_of_layers(resnet50())
    assert [(part.size, part.layers) for part in parts] == [
        *(((112, 112), 1), ((56, 56), 11), ((28, 28), 12), ((14, 14), 18), ((7, 7), 8))
    ]
    ElementTree.fromstring(network_drawing(parts, (224, 224), dark=True))


def test_notes_name_what_the_network_has(graph: Graph) -> None:
    notes = " ".join(notes_on(graph.nodes))
    assert "Additions" in notes
    assert "Overlapping pools" in notes
    assert "checkerboard" in notes
    assert "Depthwise" not in notes
    assert "Branches" not in notes


def test_depthwise_filters_between_linear_bottlenecks() -> None:
    block = nn.Sequential(
        nn.Conv2d(3, 8, 1),
        nn.ReLU6(),
        nn.Conv2d(8, 8, 3, padding=1, groups=8),
        nn.ReLU6(),
        nn.Conv2d(8, 4, 1),
        nn.Conv2d(4, 8, 1),
        nn.ReLU6(),
    ).eval()
    notes = notes_on(trace(block, (16, 16)).graph.nodes)
    assert len(notes) == 1
    assert "linear bottlenecks" in notes[0]
