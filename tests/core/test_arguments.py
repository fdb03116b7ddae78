"""Every public function with wrong arguments: messages name the argument and what is allowed."""

import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from deconv_core import (
    Activation,
    ActivationIndex,
    Box,
    DeconvError,
    ImageFolder,
    Network,
    Reconstruction,
    ReconstructionCache,
    Scale,
    Unit,
    activation_table,
    compose_grid,
    exact_top,
    load_network,
    reconstruct,
    scan,
)
from deconv_core.output.rendering import tile
from deconv_core.scanning.ray_engine import RayEngine
from tests.core.index.test_place import tree

LAYER = "conv2_1"
MANY = 10**4000
NOT_COUNTS = [1.0, 2.5, math.nan, math.inf, True, np.float64(2), np.True_, "3", None, [1], b"1"]


class Things:
    """What a correct call takes."""

    def __init__(self, network: Network, images: ImageFolder, index: ActivationIndex) -> None:
        self.network, self.images, self.index = network, images, index
        self.top = index.top(LAYER, k=3)
        self.pictures = reconstruct(network, images, self.top)
        self.root = str(images.root)
        self.path = index._folder.path


@pytest.fixture(scope="module")
def things(network: Network, images: ImageFolder, index: ActivationIndex) -> Things:
    return Things(network, images, index)


def one(**changed: object) -> list[Activation]:
    """An activation with something wrong in it."""
    made: dict[str, Any] = {"layer": LAYER, "channel": 1, "image_id": "a/0.png", "row": 0}
    made |= {"column": 0, "value": 1.0, **changed}
    unit = made.pop("unit", Unit(made["layer"], made["channel"]))
    return [Activation(unit, made["image_id"], made["row"], made["column"], made["value"])]


def calls(t: Things, folder: Path) -> dict[str, Callable[[Any], object]]:
    """Function and argument -> a call that is correct except for that argument."""
    n, i, x, top, pictures, new = t.network, t.images, t.index, t.top, t.pictures, folder / "new"
    return {
        "load_network source": load_network,
        "load_network preprocessing": lambda v: load_network("demo", v),
        "load_network progress": lambda v: load_network("demo", progress=v),
        "load_network cancel": lambda v: load_network("demo", cancel=v),
        "layer name": n.layer,
        "ImageFolder root": ImageFolder,
        "ImageFolder extensions": lambda v: ImageFolder(t.root, extensions=v),
        "ImageFolder labels": lambda v: ImageFolder(t.root, labels=v),
        "ImageFolder resize": lambda v: ImageFolder(t.root, resize=v),
        "ImageFolder within": lambda v: ImageFolder(t.root, within=v),
        "ImageFolder follow_links": lambda v: ImageFolder(t.root, follow_links=v),
        "ImageFolder value_range": lambda v: ImageFolder(t.root, value_range=v),
        "position image_id": i.position,
        "read position": i.read,
        "scan network": lambda v: scan(v, i, new),
        "scan images": lambda v: scan(n, v, new),
        "scan path": lambda v: scan(n, i, v),
        "scan precision": lambda v: scan(n, i, new, precision=v),
        "scan block_size": lambda v: scan(n, i, new, block_size=v),
        "scan progress": lambda v: scan(n, i, new, progress=v),
        "scan cancel": lambda v: scan(n, i, new, cancel=v),
        "scan update": lambda v: scan(n, i, new, update=v),
        "scan anew": lambda v: scan(n, i, new, anew=v),
        "scan compiled": lambda v: scan(n, i, new, compiled=v),
        "scan device": lambda v: scan(n, i, new, device=v),
        "scan engine": lambda v: scan(n, i, new, engine=v),
        "RayEngine workers": lambda v: RayEngine(workers=v),
        "RayEngine cpus": lambda v: RayEngine(cpus=v),
        "RayEngine gpus": lambda v: RayEngine(gpus=v),
        "open path": ActivationIndex.open,
        "top layer": x.top,
        "top channel": lambda v: x.top(LAYER, channel=v),
        "top k": lambda v: x.top(LAYER, k=v),
        "top label": lambda v: x.top(LAYER, label=v),
        "top copies": lambda v: x.top(LAYER, copies=v),
        "peaks layer": lambda v: x.peaks(v, 1),
        "peaks channel": lambda v: x.peaks(LAYER, v),
        "maps layer": x.maps,
        "maps label": lambda v: x.maps(LAYER, v),
        "exact_top network": lambda v: exact_top(v, i, x, LAYER),
        "exact_top images": lambda v: exact_top(n, v, x, LAYER),
        "exact_top index": lambda v: exact_top(n, i, v, LAYER),
        "exact_top layer": lambda v: exact_top(n, i, x, v),
        "exact_top channel": lambda v: exact_top(n, i, x, LAYER, v),
        "exact_top k": lambda v: exact_top(n, i, x, LAYER, k=v),
        "exact_top label": lambda v: exact_top(n, i, x, LAYER, label=v),
        "exact_top copies": lambda v: exact_top(n, i, x, LAYER, copies=v),
        "exact_top cache": lambda v: exact_top(n, i, x, LAYER, cache=v),
        "exact_top progress": lambda v: exact_top(n, i, x, LAYER, progress=v),
        "exact_top cancel": lambda v: exact_top(n, i, x, LAYER, cancel=v),
        "reconstruct network": lambda v: reconstruct(v, i, top),
        "reconstruct images": lambda v: reconstruct(n, v, top),
        "reconstruct activations": lambda v: reconstruct(n, i, v),
        "reconstruct cache": lambda v: reconstruct(n, i, top, cache=v),
        "reconstruct scanned": lambda v: reconstruct(n, i, top, scanned=v),
        "reconstruct progress": lambda v: reconstruct(n, i, top, progress=v),
        "reconstruct cancel": lambda v: reconstruct(n, i, top, cancel=v),
        "ReconstructionCache max_bytes": ReconstructionCache,
        "Scale kind": Scale,
        "Scale limit": lambda v: Scale("shared", limit=v),
        "Scale percent": lambda v: Scale("percentile", percent=v),
        "Scale.shared pictures": Scale.shared,
        "Scale.percentile percent": Scale.percentile,
        "Scale.percentile pictures": lambda v: Scale.percentile(99, v),
        "Scale.named name": lambda v: Scale.named(v, pictures),
        "compose_grid pictures": compose_grid,
        "compose_grid kind": lambda v: compose_grid(pictures, v),
        "compose_grid columns": lambda v: compose_grid(pictures, columns=v),
        "compose_grid scale": lambda v: compose_grid(pictures, scale=v),
        "compose_grid tile_size": lambda v: compose_grid(pictures, tile_size=v),
        "tile picture": lambda v: tile(v, "patch", Scale.per_tile()),
        "tile scale": lambda v: tile(pictures[0], "patch", v),
        "tile tile_size": lambda v: tile(pictures[0], "patch", Scale.per_tile(), v),
        "activation_table items": activation_table,
        "activation_table layers": lambda v: activation_table(top, v),
        "Unit.parse text": Unit.parse,
    }


def rows() -> Iterator[tuple[str, object, str]]:
    """Function and argument, a value that is wrong, and what the message has to say."""
    no_list = [None, 3, "abc", math.nan]
    for name in ("top k", "exact_top k"):
        for value in (*NOT_COUNTS, 0, -1, -MANY, np.int64(0)):
            yield name, value, r"k is .*; give a whole number of at least 1"
    for name in ("compose_grid columns", "RayEngine cpus"):
        for value in (*NOT_COUNTS, 0, -1):
            yield name, value, rf"{name.split()[1]} is .*; give a whole number of at least 1"
    for value in (*NOT_COUNTS, -1):
        yield "ReconstructionCache max_bytes", value, "max_bytes is .*; give a whole number"
        yield "read position", value if value != -1 else 10**20, "position is .*; give a whole"
    for name in ("compose_grid tile_size", "tile tile_size"):
        for value in NOT_COUNTS:
            if value is not None:
                yield name, value, "tile_size is .*; give a whole number"
        for value in (0, -5, 4097, 1_000_000, MANY, np.int64(-1)):
            yield name, value, "tile_size is .* pixels; choose 1 to 4096"
    for value in (*NOT_COUNTS, 0, -1, 2**20, 10**20, MANY):
        if value is not None:
            yield "scan block_size", value, r"block_size is .*; give a whole number from 1 to"
    for value in (*NOT_COUNTS, 0, -1):
        if value is not None:
            yield "RayEngine workers", value, r"workers is .*; give a whole number of at least 1"
    for value in (*NOT_COUNTS, 2, -1):
        yield "RayEngine gpus", value, r"gpus is .*; give a whole number from 0 to 1"
    for name in ("top channel", "exact_top channel", "peaks channel"):
        for value in NOT_COUNTS:
            if value is not None or name == "peaks channel":
                yield name, value, r"channel is .*; give a whole number"
        for value in (-1, 4096, np.int64(-3), 10**20):
            yield name, value, r"no feature map .* count from 0 to"
    for name in ("top layer", "peaks layer", "maps layer", "exact_top layer", "layer name"):
        for value in ("conv9_9", "", None, 3, ["conv1_1"], Unit("conv1_1", 1), {}):
            yield name, value, r"is not a layer of .*; choose one of conv1_1, "
    for name in ("top label", "maps label", "exact_top label"):
        for value in (3, ["a"], b"a", math.nan, {}):
            yield name, value, "label is .*; give the name of one label"
        yield name, "unicorn", "no readable image has the label 'unicorn'; there are"
    for name in ("scan network", "exact_top network", "reconstruct network"):
        for value in ("demo", None, torch.nn.Conv2d(3, 3, 3), Path("demo")):
            yield name, value, r"network is .*; give a Network, for example load_network"
    for name in ("scan images", "exact_top images", "reconstruct images"):
        for value in ("photos", None, Path("photos"), ["a.png"]):
            yield name, value, r"images is .*; give an ImageFolder, for example ImageFolder\("
    for value in ("indexes/photos", None, Path("indexes")):
        yield "exact_top index", value, r"index is .*; give an ActivationIndex, for example "
    for name in ("exact_top cache", "reconstruct cache"):
        for value in (512, True, {}):
            yield name, value, r"cache is .*; give a ReconstructionCache"
    for value in (True, "hash", [("a.png", "hash")]):
        yield "reconstruct scanned", value, r"scanned is .*; give index\.content_hashes"
    for function in ("load_network", "scan", "exact_top", "reconstruct"):
        yield f"{function} progress", 3, "progress is 3; give a function"
        yield f"{function} progress", "bar", "progress is 'bar'; give a function"
        yield f"{function} cancel", 3, r"cancel is 3; give a threading\.Event"
        yield f"{function} cancel", True, r"cancel is True; give a threading\.Event"
    flags = "scan update", "scan anew", "scan compiled", "ImageFolder follow_links", "top copies"
    for name in (*flags, "exact_top copies"):
        for value in ("no", 1, None, np.True_):
            if (name, value) != ("ImageFolder follow_links", None):
                yield name, value, rf"{name.split()[1]} is .*; give True or False"
    for value in (3, "ray", object()):
        yield "scan engine", value, "engine is .*; give a RayEngine, or None"
    for name, known in (("precision", "float32"), ("device", "cpu")):
        for value in ("float16", "", None, 32, ["cpu"], math.nan):
            yield f"scan {name}", value, rf"{name} .* is not known; choose auto, .*{known}"
    for name in ("ImageFolder root", "open path", "scan path"):
        for value in ("", "  ", b"", "a\0b", "\ud800"):
            yield name, value, "the path is empty; give a folder|is not a folder or file"
        for value in (None, 3, 2.5, ["photos"], iter([])):
            yield name, value, r"is not a path; give a text or a pathlib\.Path"
    yield "ImageFolder root", "no/such/folder", "is not a folder; give a folder of images"
    for value in ("dog", ""):
        yield "ImageFolder labels", value, rf"labels is '{value}'; give a list: \['{value}'\]"
    for value in (3, [3], ["a", None], b"dog", [Path("dog")]):
        yield "ImageFolder labels", value, r"labels (is|holds) .*example \['dog', 'cat'\]"
    for value in ("", [], [""], ["exe"], "jpg,exe", ["."], ["*.*"], ["tar.gz"], ["jpg png"]):
        yield "ImageFolder extensions", value, "cannot read files of type .*; choose among .*jpg"
    for value in (3, [3], [None], b".jpg", [b".jpg"]):
        yield "ImageFolder extensions", value, r"extensions (is|holds) .*example \['\.jpg'"
    for value in ("pad", "", None, 1):
        yield "ImageFolder resize", value, "resize=.* is not known; choose 'stretch' or 'crop'"
    for value in ("auto", "", None, 1):
        yield "ImageFolder value_range", value, "value_range=.* is not known; choose 'type' or"
    for value in (None, 3, ["a.png"], Path("a.png")):
        yield "position image_id", value, "image_id is .*; give the id of an image, such as"
    yield "position image_id", "gone.png", "gone.png is not in .*was it moved or deleted"
    for value in ("/srv", Path("/srv"), 3, [3]):
        yield "ImageFolder within", value, "within (is|holds) "
    for value in ("vgg", "", " ", None, 3, b"demo", ["demo"], torch.zeros(3), "a\0.pth"):
        said = (
            "is not (the name of )?a network; (choose|give)|path is empty|is not a folder or file"
        )
        yield "load_network source", value, said
    for value in ("bgr", "", 3, ["caffe"], True):
        yield "load_network preprocessing", value, "preprocessing .* is not known; choose 'torchv"
    for value in no_list:
        yield "reconstruct activations", value, "activations is .*; give a list, for example ind"
        for name in ("compose_grid", "Scale.shared", "Scale.percentile"):
            yield f"{name} pictures", value, "pictures is .*; give a list, for example recon"
        yield "activation_table items", value, "items is .*; give a list, for example index"
    wrong = [[None], [3], ["a/0.png"], [Unit(LAYER, 1)], pd.DataFrame({"value": [1.0]}), {"a": 1}]
    for value in wrong:
        yield "reconstruct activations", value, "activations holds .*; each item has to be an Act"
        yield "activation_table items", value, "items holds .*; each item has to be a Reconst"
    for value in (*wrong, one()):
        yield "compose_grid pictures", value, "pictures holds .*; each item has to be a Reconstr"
        yield "Scale.shared pictures", value, "pictures holds .*; each item has to be a Reconstr"
    yield "compose_grid pictures", [], "there is nothing to draw"
    yield "reconstruct activations", one()[0], "activations is an Activation alone; give a list"
    yield "activation_table items", one()[0], "items is an Activation alone; give a list"
    for name in ("channel", "row", "column"):
        for value in NOT_COUNTS:
            said = rf"the {name} of an activation is .*; give a whole number"
            yield "reconstruct activations", one(**{name: value}), said
        for value in (-1, 10**20, np.int64(300)):
            yield "reconstruct activations", one(**{name: value}), "does not exist: .* has maps 0"
    for value in ("1", None, math.inf, True, 1j, MANY):
        said = "the value of an activation is .*; give a finite number above 0"
        yield "reconstruct activations", one(value=value), said
    for value in (0, -1.0, math.nan, -math.inf):
        yield "reconstruct activations", one(value=value), "only one above 0 can be reconstructed"
    for value in (None, 3, Path("a")):
        yield "reconstruct activations", one(image_id=value), "image_id of an activation is .*id"
    yield "reconstruct activations", one(image_id="gone.png"), "gone.png is not in"
    yield "reconstruct activations", one(unit=f"{LAYER}/1"), "unit of an activation is 'conv2_1/1'"
    yield "reconstruct activations", one(layer="fc6"), "'fc6' is not a layer"
    for name in ("Scale percent", "Scale.percentile percent"):
        for value in (0, -1, 100.1, math.nan, math.inf, "99", True, None, [99], 1j):
            yield name, value, "the percentile is .*; give a number above 0 and at most 100"
    for value in ("0", "-1", "101", "nan", "inf", "half", "", 99, None, "clipped "):
        yield "Scale.named name", value, "the percentile is .*; give|the scale .*; (choose|give)"
    for value in ("sharde", None, 3):
        yield "Scale kind", value, "the kind of a scale is .*; choose 'shared', "
    for value in ("1", -1.0, math.nan, None):
        yield "Scale limit", value, "limit is .*; give a number of at least 0"
    for name in ("compose_grid scale", "tile scale"):
        for value in ("shared", 99.5, True):
            yield name, value, r"scale is .*; give a Scale, for example Scale\.shared"
    for value in ("heatmap", "", None, 1, ["patch"]):
        yield "compose_grid kind", value, "kind=.* is not known; choose 'reconstruction' or 'patc"
    for value in (None, "a.png", one()[0]):
        yield "tile picture", value, "picture is .*; give a Reconstruction, for example"
    yield "compose_grid columns", 10**9, "at most 200,000,000 in all are drawn: give a smaller"
    yield "activation_table layers", {}, "'conv2_1' is not a layer"
    for value in (3, None, "conv4_4", "conv4_4/-1", "conv4_4/1.5", ("conv4_4", 1), b"conv4_4/1"):
        yield "Unit.parse text", value, "is not the address of a feature map; write layer/channel"


CASES = list(rows())


@pytest.mark.parametrize(
    ("call", "value", "message"),
    CASES,
    ids=[f"{number} {call}" for number, (call, _, _) in enumerate(CASES)],
)
def test_a_wrong_argument_is_told_in_words(
    things: Things, tmp_path: Path, call: str, value: object, message: str
) -> None:
    before = tree(things.images.root), tree(things.path)  # type: ignore[arg-type]
    with pytest.raises(DeconvError, match=message) as raised:
        calls(things, tmp_path)[call](value)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 600
    assert not list(tmp_path.iterdir()), "nothing begun is left"
    assert (tree(things.images.root), tree(things.path)) == before  # type: ignore[arg-type]


def test_every_call_is_tried(things: Things, tmp_path: Path) -> None:
    assert {call for call, _, _ in CASES} == set(calls(things, tmp_path))


# -- what is right, though it looks unusual --------------------------------------------------------


def test_integers_of_numpy_and_torch_are_numbers(things: Things) -> None:
    index, expected = things.index, things.index.top(LAYER, channel=2, k=2)
    for kind in (np.int64, np.uint8, np.int32, torch.tensor):
        assert index.top(LAYER, channel=kind(2), k=kind(2)) == expected
        found = exact_top(things.network, things.images, index, LAYER, kind(2), kind(2))
        assert list(found) == expected
        assert all(type(activation.unit.channel) is int for activation in found)
        pd.testing.assert_frame_equal(index.peaks(LAYER, kind(2)), index.peaks(LAYER, 2))
        assert things.images.read(kind(1)).tobytes() == things.images.read(1).tobytes()
    drawn = compose_grid(things.pictures, columns=np.int64(2), tile_size=np.uint8(9))
    assert drawn.size == (2 + 2 * 11, 2 + 2 * 11)


def test_an_activation_of_numpy_numbers(things: Things) -> None:
    (first, *_) = things.top
    same = Activation(
        Unit(LAYER, np.int64(first.unit.channel)),  # type: ignore[arg-type]
        *(first.image_id, np.uint8(first.row), np.int32(first.column)),  # type: ignore[arg-type]
        value=np.float32(first.value),  # type: ignore[arg-type]
    )
    (picture,) = reconstruct(things.network, things.images, [same])
    (expected,) = reconstruct(things.network, things.images, [first])
    assert picture.activation == first
    np.testing.assert_array_equal(picture.pixels, expected.pixels)


@pytest.mark.parametrize("kind", [iter, tuple, list, lambda items: (item for item in items)])
def test_generators_are_taken_once_and_whole(
    things: Things, kind: Callable[[list[Any]], Any]
) -> None:
    pictures = reconstruct(things.network, things.images, kind(things.top))
    assert [picture.activation for picture in pictures] == things.top
    expected = compose_grid(things.pictures, scale=Scale.shared(things.pictures))
    assert compose_grid(kind(pictures)).tobytes() == expected.tobytes()
    assert Scale.shared(kind(pictures)) == Scale.shared(things.pictures)
    assert Scale.percentile(90, kind(pictures)) == Scale.percentile(90, things.pictures)
    assert activation_table(kind(pictures)).equals(activation_table(things.pictures))
    assert activation_table(kind(things.top))["rank"].tolist() == [1, 2, 3]


def test_locations_of_numpy_give_whole_windows(things: Things) -> None:
    field = things.network.layers["conv4_4"].receptive_field
    assert field.box(np.uint8(3), np.uint8(27)) == field.box(3, 27) == Box(-30, 162, 116, 116)
    with pytest.raises(DeconvError, match=r"row is 1\.5; give a whole number"):
        field.box(1.5, 0)  # type: ignore[arg-type]


def test_labels_and_extensions_from_generators(things: Things) -> None:
    label, count = list(things.images.labels.items())[-1]
    chosen = ImageFolder(things.root, (e for e in ["PNG"]), (name for name in [label]))
    assert chosen.labels == {label: count}
    assert len(ImageFolder(things.root, ["*.png"])) == len(things.images)


@pytest.mark.parametrize("k", [100, 10**20, MANY])
def test_a_huge_k_gives_all(things: Things, k: int) -> None:
    everything = things.index.top(LAYER, k=len(things.images))
    assert things.index.top(LAYER, k=k) == everything
    assert list(exact_top(things.network, things.images, things.index, LAYER, k=k)) == everything


def test_nothing_to_reconstruct_gives_nothing(things: Things) -> None:
    assert reconstruct(things.network, things.images, []) == []
    assert activation_table([]).empty


def test_what_stops_and_tells_is_taken(things: Things, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    reconstruct(
        *(things.network, things.images, things.top),
        progress=lambda done, total: told.append((done, total)),
        cancel=threading.Event(),
    )
    assert told[-1] == (3, 3)
    assert isinstance(things.pictures[0], Reconstruction)
