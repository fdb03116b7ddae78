"""Properties of all parsers: every input gives an answer or a clear error.

Boxes, receptive fields and windows have theirs in ``tests/core/test_units.py``,
``test_receptive_field.py`` and below: geometry that holds at every layer and place.
"""

import json
import re
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from deconv_core.errors import DeconvError
from deconv_core.graph.geometry import layers_of, supports
from deconv_core.images.decoding import readable_extensions
from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.index.blocks import ImageRow
from deconv_core.index.manifest import Manifest
from deconv_core.index.typed_json import from_json
from deconv_core.network.network import Network, vgg_graph
from deconv_core.output.selection import parse_units
from deconv_core.typed_paths import file_address_path, typed_path, unwrapped
from deconv_core.units import Unit
from deconv_dashboard.folder_rules import FolderRules, without_paths
from deconv_dashboard.frame.choice import escape, whole_number
from deconv_dashboard.upload.names import name_fault, safe_parts
from tests.core.independent import LAYERS, POOL
from tests.core.networks import random_chain
from tests.thorough import examples

anything = st.text(st.characters(exclude_categories=())) | st.text(
    "conv1234_/pool-,;\n 0123456789٣²"
)
numbers = st.text("0123456789٣²-+. e", max_size=12) | st.integers().map(str)
paths = st.text("./~\\: abc\x00\n*", max_size=40) | anything


@examples()
@given(anything)
def test_an_address_is_read_or_refused(text: str) -> None:
    try:
        unit = Unit.parse(text)
    except DeconvError:
        return
    assert Unit.parse(str(unit)) == unit
    assert 0 <= unit.channel <= 999_999


@examples()
@given(anything)
@example("conv1_1/0-999999")
@example("conv1_1/٠-٣")
def test_a_list_of_maps_is_read_or_refused(index: ActivationIndex, text: str) -> None:
    with suppress(DeconvError):
        units = parse_units(text, index.layers)
        assert len(set(units)) == len(units)
        assert all(0 <= unit.channel < index.layers[unit.layer].channels for unit in units)


@examples()
@given(numbers | anything)
@example("9" * 5000)
@example("²")
@example("٣")
def test_a_number_of_the_address_is_small_or_none(text: str) -> None:
    found = whole_number(text)
    assert -1 <= found < 10**9
    if found >= 0:
        assert int(text) == found


@examples()
@given(anything)
def test_escaped_text_reads_as_it_was_and_is_no_markdown(text: str) -> None:
    escaped = escape(text)
    assert not re.search(r"(?<!\\)(?:\\\\)*[*_`#<>\[\]!$~|:&]", escaped)
    unseen = r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
    assert not re.search(unseen, escaped)
    read = re.sub(r"\\(.)", r"\1", escaped, flags=re.DOTALL).replace("\u2060", "")
    kept = re.sub(unseen, "\ufffd", text)
    assert read == kept.replace("\u2060", "")


@examples()
@given(paths)
def test_a_typed_path_is_absolute_or_refused(text: str) -> None:
    with suppress(DeconvError):
        assert typed_path(text).is_absolute()
    with suppress(DeconvError):
        assert "\0" not in unwrapped(text)


@examples()
@given(paths)
def test_a_file_address_is_read_back(text: str) -> None:
    with suppress(UnicodeEncodeError):
        assert file_address_path(Path("/", text).as_uri()) == str(Path("/", text))


@pytest.fixture
def rules(tmp_path: Path) -> FolderRules:
    (tmp_path / "outside").mkdir()
    for name in ("photos", "more"):
        (tmp_path / name / "a" / "b").mkdir(parents=True)
    (tmp_path / "photos" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "photos" / "round").symlink_to("round")
    return FolderRules((tmp_path / "photos", tmp_path / "more"), local=False)


parts = st.sampled_from(
    [
        "photos",
        "more",
        "a",
        "b",
        "..",
        ".",
        "",
        "link",
        "round",
        "outside",
        "~",
        "/",
        "\\",
        "PHOTOS",
    ]
)


@examples()
@given(st.lists(parts, max_size=8).map("/".join) | paths)
@example("photos/../outside")
@example("photos/link/../../outside")
@example("photos/round")
def test_what_is_allowed_lies_inside_and_is_named_without_its_path(
    rules: FolderRules, text: str
) -> None:
    try:
        meant = rules.meant(text)
    except DeconvError:
        return
    if not rules.allows(meant):
        with pytest.raises(DeconvError, match="outside the folders this server offers") as refusal:
            rules.check(meant)
        assert str(rules.roots[0].parent) not in str(refusal.value)
        return
    assert any(meant.resolve().is_relative_to(root) for root in rules.roots or ())
    shown = rules.shown(meant)
    assert not Path(shown).is_absolute()
    assert rules.meant(shown).resolve() == meant.resolve()


@examples()
@given(paths | st.lists(parts, max_size=20).map("/".join))
def test_the_name_of_an_upload_stays_inside(name: str) -> None:
    with suppress(DeconvError):
        found = safe_parts(name)
        assume(not name_fault(found))
        target = Path("/home/uploads/x").joinpath(*found)
        assert target.parts[:4] == ("/", "home", "uploads", "x")
        assert ".." not in target.parts
        assert len(target.parts) > 4


@examples()
@given(anything, st.sampled_from(["/srv/data/secret", "/home/someone/pictures of mine"]), anything)
def test_no_known_path_is_left_in_a_message(before: str, path: str, after: str) -> None:
    assert path not in without_paths(f"{before}{path}/x.png{after}", [(Path(path), "photos")])


@examples()
@given(st.text("abcd", min_size=1), st.lists(st.text("abc.-_", min_size=1), min_size=2))
def test_no_path_is_left_in_a_message(word: str, folders: list[str]) -> None:
    path = "/" + "/".join(folders)
    told = without_paths(f"{word} {path} is damaged ('{path}'); {path}: gone", [])
    assert path not in told
    assert folders[-1] in told


@examples()
@given(st.lists(st.sampled_from(readable_extensions()) | anything, max_size=4) | anything)
def test_extensions_are_taken_or_refused(tmp_path: Path, wanted: object) -> None:
    try:
        folder = ImageFolder(tmp_path, extensions=wanted)  # type: ignore[arg-type]
    except DeconvError:
        return
    assert set(folder.extensions) <= set(readable_extensions())


# -- manifests -----------------------------------------------------------------------------------

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | anything,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(anything, inner, max_size=3),
    max_leaves=5,
)


@examples()
@given(st.data())
def test_a_manifest_is_as_it_was_or_refused(index: ActivationIndex, data: st.DataObject) -> None:
    content = json.loads(json.dumps(asdict(index.manifest)))
    place = content
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from(sorted(place)) | anything)
        inner = place.get(name)
        if isinstance(inner, list) and inner:
            inner = data.draw(st.sampled_from(inner))
        if isinstance(inner, dict) and data.draw(st.booleans()):
            place = inner
            continue
        place[name] = data.draw(values)
        break
    else:
        assume(False)
    try:
        made = from_json(Manifest, content)
    except ValueError:
        return
    assert json.loads(json.dumps(asdict(made))) == content


@examples()
@given(st.dictionaries(st.sampled_from(sorted(ImageRow.__slots__)) | anything, values))
def test_a_row_of_strangers_is_refused_or_of_its_types(content: dict[str, object]) -> None:
    with suppress(ValueError):
        row = from_json(ImageRow, content)
        assert type(row.ordinal) is int
        assert type(row.image_id) is str


# -- geometry ------------------------------------------------------------------------------------

places = st.integers(0, 223)


@examples()
@given(st.sampled_from(LAYERS), places, places)
def test_a_support_holds_all_that_a_location_sees_and_lies_inside(
    network: Network, layer: str, row: int, column: int
) -> None:
    found = network.layers[layer]
    place = (row % found.height, column % found.width)
    places = [place, (0, 0), (found.height - 1, found.width - 1)]
    lies = supports(network.graph, network.value_of(layer), places)
    for support in lies.values():
        for top, left in support.starts:
            assert 0 <= top <= support.plane[0] - support.height
            assert 0 <= left <= support.plane[1] - support.width
    box = found.receptive_field.box(*place).clip(224, 224)
    (top, left), side = lies[0].starts[0], lies[0].height
    assert top <= box.top
    assert left <= box.left
    assert box.bottom <= top + side
    assert box.right <= left + side


@examples()
@given(
    st.lists(st.sampled_from([1, POOL]), min_size=1, max_size=14).filter(
        lambda chain: chain.count(POOL) <= 5
    ),
    places,
    places,
)
def test_a_box_inside_the_input_is_never_empty_and_holds_its_own_pixel(
    chain: list[int | str], row: int, column: int
) -> None:
    layer = list(layers_of(vgg_graph(random_chain(0, chain))).values())[-1]
    row, column = row % layer.height, column % layer.width
    stride = layer.receptive_field.stride
    box = layer.receptive_field.box(row, column).clip(224, 224)
    assert box.top <= row * stride < box.bottom
    assert box.left <= column * stride < box.right
