"""The box "Go to": what a typed text finds, and which page opens."""

import unicodedata

import pytest
import streamlit as st

from deconv_core.demo import demo_index
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.units import Unit
from deconv_dashboard.data.notes_files import UnitNote
from deconv_dashboard.frame import go_to
from deconv_dashboard.frame.places import Place, find_places
from tests.app.conftest import PAGES, OpenPage

LAYERS = ActivationIndex.open(demo_index()).layers
NAMED = {
    note.unit: note
    for note in (
        UnitNote(Unit("conv4_4", 71), "Dog mouths"),
        UnitNote(Unit("conv4_4", 72), "mouths of people", star=True),
        UnitNote(Unit("conv1_1", 3), "café <b>bar</b>"),
        UnitNote(Unit("conv5_1", 9), "", note="mouths"),
        UnitNote(Unit("elsewhere", 0), "mouths"),
        UnitNote(Unit("conv1_1", 999), "mouths"),
    )
}
LABELS = ["", "cat", "dog", "Dog", "dog house"]
IMAGES = ("cat/1.png", "dog/1.png", "dog/big dog.png", "hot dog.png", "mouths/x.png", "171.png")


def found(query: str, here: str = "", **given: object) -> list[tuple[str, str]]:
    with_these = {"layers": LAYERS, "named": NAMED, "labels": LABELS, "image_ids": IMAGES, **given}
    return [(one.kind, one.value) for one in find_places(query, here=here, **with_these)]


@pytest.mark.parametrize(
    "query",
    [
        *("conv4_4/71", "4_4 71", "4_4/71", " CONV4_4   71 ", "conv4_4 / 71"),
        *("Feature map 71 of conv4_4", "feature map 71 of conv4_4 · Dog mouths", "map 71 of 4_4"),
    ],
)
def test_an_address(query: str) -> None:
    assert found(query) == [("map", "conv4_4/71")]


def test_an_address_names_the_map() -> None:
    (place,) = find_places("4_4 71", LAYERS, NAMED, LABELS, IMAGES)
    assert place == Place("map", "conv4_4/71", "conv4_4/71 · Dog mouths")


def test_a_part_of_a_layer() -> None:
    assert found("conv4_4") == [("layer", "conv4_4")]
    assert found("4_4") == [("layer", "conv4_4")]
    assert found("conv4") == [("layer", f"conv4_{n}") for n in (1, 2, 3, 4)]
    assert found("conv4_4/") == [("layer", "conv4_4")]
    assert found("conv4 7") == [("map", f"conv4_{n}/7") for n in (1, 2, 3, 4)]


def test_the_layer_itself_before_layers_that_contain_it() -> None:
    layers = dict.fromkeys(("layer2.0.conv1", "layer2.0", "conv1", "xconv1"), LAYERS["conv4_4"])
    assert found("conv1 7", layers=layers) == [("map", "conv1/7")]
    assert found("layer2.0/7", layers=layers) == [("map", "layer2.0/7")]
    assert found("0.conv1/7", layers=layers) == [("map", "layer2.0.conv1/7")]


def test_a_number_alone_belongs_to_the_layer_on_the_page_first() -> None:
    assert found("15", here="conv2_1")[0] == ("map", "conv2_1/15")
    assert found("71", here="conv1_1")[0] == ("map", "pool5/71")
    assert found("171") == [("image", "171.png")]


@pytest.mark.parametrize("query", ["conv4_4/128", "conv4_4 999999", "conv4_4/9999999", "4_4/-1"])
def test_maps_that_do_not_exist(query: str) -> None:
    assert found(query) == []


def test_names_starred_ones_first() -> None:
    assert found("mouths") == [
        ("map", "conv4_4/72"),
        ("map", "conv4_4/71"),
        ("image", "mouths/x.png"),
    ]
    assert found("MOUTHS dog") == [("map", "conv4_4/71")]
    assert found(unicodedata.normalize("NFD", "CAFÉ")) == [("map", "conv1_1/3")]


def test_labels_and_files() -> None:
    assert found("dog") == [
        ("map", "conv4_4/71"),
        *(("label", name) for name in ("dog", "Dog", "dog house")),
        *(("image", name) for name in ("dog/1.png", "dog/big dog.png", "hot dog.png")),
    ]
    assert found("hot dog.png") == [("image", "hot dog.png")]
    assert found("1.png")[0] == ("image", "cat/1.png")
    assert found("dog/1.png") == [("image", "dog/1.png")]


def test_the_file_itself_and_beginnings_come_first() -> None:
    many = tuple(f"a/has b{n}.png" for n in range(50))
    assert found("b", named={}, labels=[], image_ids=(*many, "c/b.png"))[0] == ("image", "c/b.png")
    assert found("b", named={}, labels=[], image_ids=(*many, "c/bx.png", "b"))[:2] == [
        ("image", "b"),
        ("image", "c/bx.png"),
    ]


@pytest.mark.parametrize("query", ["", "   ", "\n", "nowhere", "\0", "(", "*", "\\", "a" * 10_000])
def test_what_finds_nothing(query: str) -> None:
    assert found(query) == []


def test_no_two_places_look_the_same() -> None:
    images = ("a/x.png", "a/x\u200b.png", "a/X.png", "a/\u202ex.png", "a/\u2066x.png")
    places = find_places("x", LAYERS, {}, [], images)
    titles = [place.title for place in places]
    assert len(places) == 5
    assert len(set(titles)) == 5
    assert not any(control in title for title in titles for control in "\u202e\u2066")
    assert [place.value for place in places if place.title == "a/x.png"] == ["a/x.png"]


def test_names_with_nothing_between_them_stay_apart() -> None:
    texts = found("b", named={}, labels=[], image_ids=("a\0b", "b", "c"))
    assert texts == [("image", "b"), ("image", "a\0b")]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_of_an_index_has_the_box(open_page: OpenPage, page: str) -> None:
    app = open_page(page)
    assert [box for box in app.sidebar.get("bidi_component") if "deconv_go_to" in str(box.proto)]


@pytest.mark.parametrize(
    ("kind", "value", "page", "there"),
    [
        ("map", "conv4_4/71", "feature_map", {"layer": "conv4_4", "map": "71"}),
        ("map", "layer2.0/x/7", "feature_map", {"layer": "layer2.0/x", "map": "7"}),
        ("layer", "conv4_4", "layer", {"layer": "conv4_4"}),
        ("label", "dog house", "layer", {"label": "dog house"}),
        ("image", "dog/a b.png", "image", {"image": "dog/a b.png"}),
        ("page", "http://b.example", None, {}),
    ],
)
def test_where_a_place_is(
    kind: str, value: str, page: str, there: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    monkeypatch.setattr(
        st, "switch_page", lambda file, query_params: opened.append((file, query_params))
    )
    go_to.go_to(kind, value)
    assert opened == ([(PAGES[page], there)] if page else [])
