"""Names, stars and notes on the pages: typed once, shown everywhere as text."""

import csv
import io
import json
import re
import shutil
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from deconv_core.index.activation_index import ActivationIndex
from deconv_core.units import Unit
from deconv_dashboard.data.notes_files import UnitNote, to_csv, to_json
from deconv_dashboard.data.unit_notes import Added, NotesStore
from deconv_dashboard.frame.choice import escape
from deconv_dashboard.gallery.named_maps import in_order, said_of
from tests.app.conftest import Home, OpenPage, key_now, words
from tests.app.test_export import finished, typed, unpacked

UNIT = Unit("conv3_1", 2)
MARKUP = "**bold** <b>x</b> $y^2$ :smile: [a](http://b.example) =1+1"


@pytest.fixture
def store(home: Home, index: ActivationIndex) -> NotesStore:
    return NotesStore(home.registry.home, index.manifest.fingerprint)


def name(store: NotesStore, unit: Unit = UNIT, text: str = "dog mouths", **more: object) -> None:
    seen = UnitNote(unit)
    store.save(seen, replace(seen, name=text, **more))


def panel(open_page: OpenPage, unit: Unit = UNIT) -> AppTest:
    return open_page("feature_map", layer=unit.layer, map=str(unit.channel), tab="notes")


def key(app: AppTest, field: str, unit: Unit = UNIT) -> str:
    return key_now(app, f"note_{field} {unit}")


def test_each_field_is_saved_at_once(open_page: OpenPage, store: NotesStore) -> None:
    app = panel(open_page)
    app.text_input(key=key(app, "name")).set_value("  dog   mouths ").run()
    assert store.read()[UNIT].name == "dog mouths"
    assert ":material/check: Saved." in words(app)
    assert "# Feature map 2 of conv3_1 · dog mouths" in words(app)
    app.toggle(key=key(app, "star")).set_value(True).run()
    app.text_area(key=key(app, "note")).set_value("first\nsecond").run()
    assert not app.exception
    found = store.read()[UNIT]
    assert (found.name, found.star, found.note) == ("dog mouths", True, "first\nsecond")
    again = panel(open_page)
    assert again.text_input(key=key(again, "name")).value == "dog mouths"
    assert again.toggle(key=key(again, "star")).value is True
    assert again.text_area(key=key(again, "note")).value == "first\nsecond"
    assert "Last changed 20" in words(again)


def test_another_map_has_fields_of_its_own(open_page: OpenPage, store: NotesStore) -> None:
    name(store)
    app = panel(open_page)
    app.button(key="next_map").click().run()
    other = Unit("conv3_1", 3)
    assert app.text_input(key=key(app, "name", other)).value == ""
    app.text_input(key=key(app, "name", other)).set_value("cats").run()
    assert {unit: note.name for unit, note in store.read().items()} == {
        UNIT: "dog mouths",
        other: "cats",
    }


def test_names_belong_to_the_network_not_to_the_dataset(
    open_page: OpenPage, home: Home, store: NotesStore
) -> None:
    name(store)
    other = home.registry.add_folder(home.dataset.root, name="other", resize="crop")
    shutil.copytree(home.index_path, home.registry.index_path(other, home.network))
    app = open_page("feature_map", layer="conv3_1", map="2", dataset=other.dataset_id)
    assert "Feature map 2 of conv3_1 · dog mouths" in words(app)


def test_two_sessions_lose_nothing(open_page: OpenPage, store: NotesStore) -> None:
    one, other = panel(open_page), panel(open_page)
    one.text_area(key=key(one, "note")).set_value("of the first").run()
    other.text_input(key=key(other, "name")).set_value("mouths").run()
    other.text_area(key=key(other, "note")).set_value("").run()
    one.text_area(key=key(one, "note")).set_value("more of the first").run()
    found = store.read()[UNIT]
    assert (found.name, found.note) == ("mouths", "more of the first")


def test_the_same_note_typed_in_two_sessions_is_kept_twice(
    open_page: OpenPage, store: NotesStore
) -> None:
    one, other = panel(open_page), panel(open_page)
    one.text_area(key=key(one, "note")).set_value("of the first").run()
    other.text_area(key=key(other, "note")).set_value("of the other").run()
    assert "both texts are kept" in words(other)
    assert store.read()[UNIT].note == "of the first\n\nof the other"


def test_a_text_that_cannot_be_saved_stays_in_its_field(
    open_page: OpenPage, store: NotesStore
) -> None:
    app = panel(open_page)
    store.path.parent.mkdir()
    store.path.write_bytes(b"{")
    app.text_input(key=key(app, "name")).set_value("dog mouths").run()
    assert "are damaged" in words(app)
    assert store.path.read_bytes() == b"{"
    store.path.unlink()
    app.run()
    assert app.text_input(key=key(app, "name")).value == "dog mouths"
    app.text_input(key=key(app, "name")).set_value("dog mouth").run()
    assert store.read()[UNIT].name == "dog mouth"


def test_a_damaged_file_leaves_the_pages(open_page: OpenPage, store: NotesStore) -> None:
    name(store)
    store.path.write_bytes(store.path.read_bytes()[:-9])
    for page in ("layer", "feature_map", "export"):
        app = open_page(page)
        assert "Names are not shown: the notes in" in words(app)
    assert store.path.exists()


def test_markup_is_shown_as_text(open_page: OpenPage, store: NotesStore) -> None:
    name(store, text=MARKUP, note=MARKUP)
    app = panel(open_page)
    shown = words(app).replace("\N{WORD JOINER}", "")
    assert f"Feature map 2 of conv3_1 · {MARKUP}" in shown
    (heading,) = [one.value for one in app.markdown if one.value.startswith("# ")]
    assert not re.search(r"(?<!\\)[*<$`\[(:]", heading.removeprefix("# "))


def test_the_table_of_maps_has_names_and_finds_them(open_page: OpenPage, store: NotesStore) -> None:
    app = open_page("layer", layer="conv3_1")
    app.segmented_control(key=key_now(app, "maps_view")).select("Table").run()
    assert "name" not in app.dataframe(key="maps_table_conv3_1").value
    name(store, text="Dog mouths é")
    app.run()
    table = app.dataframe(key="maps_table_conv3_1").value
    assert dict(zip(table["channel"], table["name"], strict=True))[2] == "Dog mouths é"
    app.text_input(key="maps_filter").set_value("MOUTHS e\u0301").run()
    assert list(app.dataframe(key="maps_table_conv3_1").value["channel"]) == [2]
    app.text_input(key="maps_filter").set_value("3").run()
    assert 3 in list(app.dataframe(key="maps_table_conv3_1").value["channel"])


def test_tables_of_activations_have_names(open_page: OpenPage, store: NotesStore) -> None:
    name(store)
    app = open_page("feature_map", layer="conv3_1", map="2", tab="numbers")
    assert set(app.dataframe[0].value["name"]) == {"dog mouths"}
    app = open_page("feature_map", layer="conv3_1", map="3", tab="numbers")
    assert "name" not in app.dataframe[0].value


def test_the_image_page_names_its_maps(open_page: OpenPage, store: NotesStore) -> None:
    for channel in range(8):
        name(store, Unit("conv3_1", channel), "*all*")
    app = open_page("image", layer="conv3_1", map="2")
    (link,) = [one.label for one in app.get("page_link") if one.label.startswith("Open feature")]
    assert link == f"Open {escape('feature map 2 of conv3_1 · *all*')}"
    assert set(app.dataframe[0].value["name"]) == {"", "*all*"}


def test_an_export_has_the_names_of_its_maps(
    home: Home, open_page: OpenPage, store: NotesStore
) -> None:
    name(store)
    name(store, Unit("conv1_1", 0), "elsewhere")
    app = typed(open_page("export"), "conv3_1/2")
    app.button(key="export_build").click().run()
    held = unpacked(finished(home))
    manifest = json.loads((held / "manifest.json").read_bytes())
    assert manifest["maps"][0]["name"] == "dog mouths"
    page = (held / "index.html").read_text("utf-8")
    assert "dog mouths" in page
    assert "elsewhere" not in page
    table = (held / "conv3_1" / "map2" / "table.csv").read_text("utf-8-sig")
    rows = csv.DictReader(io.StringIO(table))
    assert {row["name"] for row in rows} == {"dog mouths"}


# --- the named maps of a network -----------------------------------------------------------------


def opened(open_page: OpenPage) -> AppTest:
    app = open_page("layer", layer="conv1_1", view="named")
    assert not app.exception
    return app


def test_named_maps_are_listed_starred_ones_first(
    open_page: OpenPage, index: ActivationIndex, store: NotesStore
) -> None:
    assert "No feature map of this network has a name" in words(opened(open_page))
    name(store, Unit("conv3_1", 2), "a")
    name(store, Unit("conv1_1", 1), "b", note="n")
    name(store, Unit("pool5", 0), "", star=True)
    store.add([UnitNote(Unit("gone", 0), "x"), UnitNote(Unit("conv1_1", 99), "x")])
    app = opened(open_page)
    table = app.dataframe[1].value
    assert list(table["feature map"]) == ["pool5/0", "conv1_1/1", "conv3_1/2"]
    assert list(table["starred"]) == [True, False, False]
    assert "3 maps, 1 starred." in words(app)
    assert [note.unit for note in in_order(store.read(), index.layers)] == [
        Unit("pool5", 0),
        Unit("conv1_1", 1),
        Unit("conv3_1", 2),
    ]


@pytest.mark.parametrize("made", [to_json, to_csv])
def test_an_import_says_what_it_changed(
    open_page: OpenPage, store: NotesStore, made: object
) -> None:
    notes = [UnitNote(UNIT, "dog mouths", True, "=1;'2\n3", "2026-01-02T03:04:05Z")]
    app = opened(open_page)
    content = made(notes, store.fingerprint)  # type: ignore[operator]
    app.file_uploader(key="notes_import").set_value([("notes.json", content, "")]).run()
    assert not app.exception
    assert "Imported: 1 added." in words(app)
    assert list(store.read().values()) == notes


def test_a_file_that_is_refused_changes_nothing(open_page: OpenPage, store: NotesStore) -> None:
    name(store)
    before = store.path.read_bytes()
    app = opened(open_page)
    given = ("<b>n.csv", to_csv([UnitNote(UNIT, "x", changed="2026-01-02T03:04:05Z")], "ff"), "")
    app.file_uploader(key="notes_import").set_value([given]).run()
    assert "<b>n.csv was not imported: the file belongs to another network" in words(app)
    assert store.path.read_bytes() == before


def test_what_an_import_did_in_words() -> None:
    assert said_of(Added()) == "The file holds no notes."
    assert said_of(Added(2, 1, 1000, 4)) == (
        "Imported: 2 added, 1 replaced by a later change, 1,000 kept, because the one here is "
        "newer, 4 already here."
    )
