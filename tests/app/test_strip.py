"""The strip of layers: what is open, what is behind one button, and what the buttons are called."""

from collections.abc import Iterator
from itertools import groupby

import pytest

from deconv_core.layers import Layer, ReceptiveField
from deconv_dashboard.frame.strip_stages import Stage, stages_of


def layer(name: str, side: int, field: int = 9) -> Layer:
    return Layer(name, 64, side, side, ReceptiveField(field, 4, 0), "pool" in name)


def vgg19() -> list[Layer]:
    layers = []
    for block, many in enumerate((2, 2, 4, 4, 4), 1):
        layers += [layer(f"conv{block}_{n}", 448 >> block) for n in range(1, many + 1)]
        layers.append(layer(f"pool{block}", 224 >> block))
    return layers


def resnet50() -> list[Layer]:
    layers = [layer("conv1", 112), layer("maxpool", 56)]
    for stage, many in enumerate((3, 4, 6, 3), 1):
        side = 112 >> stage
        for block in range(many):
            path = f"layer{stage}.{block}"
            first = side * (2 if block == 0 and stage > 1 else 1)
            layers += [layer(f"{path}.conv1", first), layer(f"{path}.conv2", side)]
            layers.append(layer(path, side))
    return layers


def googlenet() -> list[Layer]:
    inside = ("branch1", "branch2.0", "branch2.1", "branch3.0", "branch3.1", "branch4.1")
    layers = [layer("conv1.conv", 112), layer("maxpool1", 56), layer("conv2.conv", 56)]
    for number, (side, blocks) in enumerate(((28, "ab"), (14, "abcde"), (7, "ab")), 3):
        layers.append(layer(f"maxpool{number - 1}", side))
        for block in blocks:
            path = f"inception{number}{block}"
            layers += [layer(f"{path}.{name}.conv", side) for name in inside]
            layers.append(layer(f"{path}.branch4.0", side))
    return layers


def densenet121() -> list[Layer]:
    layers = [layer("features.conv0", 112), layer("features.pool0", 56)]
    for block, many in enumerate((6, 12, 24, 16), 1):
        path = f"features.denseblock{block}.denselayer"
        for number in range(1, many + 1):
            layers += [layer(f"{path}{number}.{name}", 112 >> block) for name in ("relu1", "conv1")]
        layers.append(layer(f"features.transition{block}.pool", 56 >> block))
    return layers


NETWORKS = {"ResNet-50": resnet50(), "GoogLeNet": googlenet(), "DenseNet-121": densenet121()}


def shorts(stages: list[Stage]) -> list[list[str]]:
    return [[cell.short for cell in stage.cells] for stage in stages]


def test_vgg19_is_shown_whole_with_a_stage_a_block() -> None:
    stages = stages_of(vgg19(), "conv4_4")
    assert [stage.heading for stage in stages] == [
        f"{side} × {side} · 64 maps" for side in (224, 112, 56, 28, 14)
    ]
    assert shorts(stages)[2] == ["3_1", "3_2", "3_3", "3_4", "pool"]
    assert [cell.name for stage in stages for cell in stage.cells] == [one.name for one in vgg19()]
    assert not any(cell.closed for stage in stages for cell in stage.cells)


def test_a_small_network_is_shown_whole() -> None:
    names = {"conv1": 55, "pool1": 27, "conv2": 27, "pool2": 13, "conv3": 13, "conv4": 13}
    stages = stages_of([layer(name, side) for name, side in names.items()], "conv3")
    assert shorts(stages) == [["conv1"], ["pool1", "conv2"], ["pool2", "conv3", "conv4"]]


def test_resnet50_opens_the_block_of_the_chosen_layer() -> None:
    stages = stages_of(resnet50(), "layer3.2.conv2")
    assert [stage.heading for stage in stages if stage.heading] == [
        "112 × 112",  # one layer, shown itself
        "14 × 14 · layer3.2",
    ]
    opened = stages[3].cells
    assert shorts(stages)[3] == ["0", "1", "conv1", "conv2", "out", "3", "4", "5", "4.0.conv1"]
    assert [cell.closed for cell in opened] == [True] * 2 + [False] * 3 + [True] * 3 + [False]
    assert opened[4].name == "layer3.2"
    assert (opened[1].name, opened[1].field) == ("layer3.1.conv1", "3 layers")


def test_googlenet_has_short_names() -> None:
    stages = stages_of(googlenet(), "inception4c.branch2.1.conv")
    inside = ["1", "2.0", "2.1", "3.0", "3.1", "4.1", "4.0"]
    assert shorts(stages)[3] == ["maxpool3", "4a", "4b", *inside, "4d", "4e"]


@pytest.mark.parametrize("name", NETWORKS)
def test_wherever_one_stands_all_layers_are_there_and_there_is_room(name: str) -> None:
    layers = NETWORKS[name]
    for chosen in layers:
        stages = stages_of(layers, chosen.name)
        cells = [cell for stage in stages for cell in stage.cells]
        assert [cell.name for cell in cells if cell.name == chosen.name and not cell.closed]
        hidden = sum(int(cell.field.split()[0]) for cell in cells if cell.closed)
        assert hidden + sum(not cell.closed for cell in cells) == len(layers)
        assert len(cells) <= 24
        assert all(len(set(names)) == len(names) for names in shorts(stages))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_is_a_few_clicks_away(name: str) -> None:
    layers = NETWORKS[name]
    reached, waiting = {layers[0].name}, [layers[0].name]
    while waiting:
        for cell in _cells(layers, waiting.pop()):
            if cell not in reached:
                reached.add(cell)
                waiting.append(cell)
    assert reached == {one.name for one in layers}


def _cells(layers: list[Layer], chosen: str) -> Iterator[str]:
    return (cell.name for stage in stages_of(layers, chosen) for cell in stage.cells)


def test_plain_numbers_as_names() -> None:
    layers = [layer(str(number), 28) for number in range(170)]
    (stage,) = stages_of(layers, "80")
    assert len(stage.cells) <= 24
    assert "80" in [cell.short for cell in stage.cells]


def test_sizes_that_return_are_one_stage() -> None:
    sides = [35, 17, 35, 17] * 8
    layers = [layer(f"net.{n}", side) for n, side in enumerate(sides)]
    assert len(stages_of(layers, "net.5")) == 2
    assert len([*groupby(sides)]) > 2


def test_receptive_fields() -> None:
    across = ReceptiveField(427, 32, 0, (363, 32, 0))
    layers = [
        Layer("a", 8, 7, 9, across, input_size=(500, 726)),
        Layer("b", 8, 7, 9, ReceptiveField(500, 0, 0, (726, 0, 0)), input_size=(500, 726)),
    ]
    (stage,) = stages_of(layers, "a")
    first, second = stage.cells
    assert (first.field, first.rows, first.columns) == ("427×363", 427 / 500, 0.5)
    assert first.title == "8 maps of 7 × 9; receptive field: 427 × 363 pixels"
    assert (second.field, second.rows, second.columns) == ("all", 1.0, 1.0)
    assert second.title.endswith("receptive field: the whole image")
