"""Names and notes in the data folder: many writers, damage, and files that read back."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deconv_core.demo import demo_index
from deconv_core.errors import DeconvError, NoRoomError
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.output.tables import from_table_csv, table_csv
from deconv_core.units import Unit
from deconv_dashboard.data import unit_notes
from deconv_dashboard.data.notes_files import (
    MOST_NOTE,
    UnitNote,
    from_csv,
    from_file,
    from_json,
    to_csv,
    to_json,
    typed_name,
    typed_note,
)
from deconv_dashboard.data.unit_notes import Added, NotesStore, merged_note
from tests.conftest import Popen

PRINT = "0123456789abcdef"
UNIT = Unit("conv4_4", 71)
LAYERS = ActivationIndex.open(demo_index()).layers
NOTE = UnitNote(UNIT, "dog mouths", star=True, note="two\nlines", changed="2026-01-02T03:04:05Z")
HOSTILE = '=HYPERLINK("http://x") <b>bold</b> $x^2$ :smile: \'+1;-2 \u202eback'


@pytest.fixture
def store(tmp_path: Path) -> NotesStore:
    return NotesStore(tmp_path, PRINT)


def saved(store: NotesStore, **changes: object) -> UnitNote:
    seen = store.read().get(UNIT, UnitNote(UNIT))
    return store.save(seen, replace(seen, **changes)).note


def test_what_is_saved_is_read(store: NotesStore) -> None:
    assert store.read() == {}
    note = saved(store, name="dog mouths")
    assert store.read() == {UNIT: note}
    assert (note.name, note.star, note.note) == ("dog mouths", False, "")
    saved(store, star=True)
    saved(store, note=HOSTILE)
    again = NotesStore(store.home, PRINT).read()[UNIT]
    assert (again.name, again.star, again.note) == ("dog mouths", True, HOSTILE)
    assert NotesStore(store.home, "f" * 16).read() == {}


def test_an_emptied_note_is_gone(store: NotesStore) -> None:
    saved(store, name="a")
    saved(store, name="")
    assert store.read() == {}


def test_sessions_that_change_different_fields_keep_both(store: NotesStore) -> None:
    seen = UnitNote(UNIT)  # as both sessions saw it
    store.save(seen, replace(seen, name="mine"))
    found = store.save(seen, replace(seen, note="theirs"))
    assert (found.note.name, found.note.note, found.both_kept) == ("mine", "theirs", False)


def test_sessions_that_change_the_same_field_lose_nothing(store: NotesStore) -> None:
    seen = UnitNote(UNIT)
    store.save(seen, replace(seen, name="mouths", note="first text"))
    found = store.save(seen, replace(seen, name="noses", note="second text"))
    assert found.both_kept
    assert found.note.name == "noses"
    for text in ("first text", "second text", "mouths"):
        assert text in found.note.note
    assert store.read()[UNIT] == found.note


@pytest.mark.parametrize("both", ["same", ""])
def test_an_equal_change_is_not_doubled(both: str) -> None:
    seen = UnitNote(UNIT, "old", note="old")
    wanted = replace(seen, name=both, note=both)
    assert merged_note(seen, wanted, wanted) == wanted


def test_two_long_texts_are_refused_and_nothing_changes(store: NotesStore) -> None:
    seen = UnitNote(UNIT)
    before = store.save(seen, replace(seen, note="a" * MOST_NOTE)).note
    with pytest.raises(NoRoomError, match="longer than 10,000"):
        store.save(seen, replace(seen, note="b" * MOST_NOTE))
    assert store.read() == {UNIT: before}


def test_a_full_file_is_refused(store: NotesStore, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(store, note="a")
    before = store.path.read_bytes()
    monkeypatch.setattr(unit_notes, "MOST_BYTES", len(before) + 10)
    with pytest.raises(NoRoomError, match="larger than"):
        saved(store, note="a" * 100)
    assert store.path.read_bytes() == before


def test_threads_that_write_at_once_lose_nothing(store: NotesStore) -> None:
    def write(number: int) -> None:
        for channel in range(5):
            seen = UnitNote(Unit("conv1_1", 10 * number + channel))
            store.save(seen, replace(seen, name=f"{number}"))
            shared = UnitNote(UNIT)
            store.save(shared, replace(shared, note=f"text {number}.{channel}"))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    notes = store.read()
    assert len(notes) == 21
    assert sorted(notes[UNIT].note.split("\n\n")) == sorted(
        f"text {number}.{channel}" for number in range(4) for channel in range(5)
    )


WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from deconv_core.units import Unit
from deconv_dashboard.data.notes_files import UnitNote
from deconv_dashboard.data.unit_notes import NotesStore
store = NotesStore(Path(sys.argv[1]), sys.argv[2])
first, count = int(sys.argv[3]), int(sys.argv[4])
print("ready", flush=True)
for channel in range(first, first + count):
    seen = UnitNote(Unit("conv5_1", channel))
    store.save(seen, replace(seen, name=f"name {channel}"))
    print(channel, flush=True)
"""


def writer(popen: Popen, store: NotesStore, first: int, count: int) -> Any:
    command = [sys.executable, "-c", WRITER, str(store.home), PRINT, str(first), str(count)]
    return popen(command, stdout=subprocess.PIPE, text=True)


def test_processes_that_write_at_once_lose_nothing(popen: Popen, store: NotesStore) -> None:
    writers = [writer(popen, store, first, 20) for first in (0, 100)]
    for process in writers:
        process.communicate()
        assert process.returncode == 0
    expected = {Unit("conv5_1", first + channel) for first in (0, 100) for channel in range(20)}
    assert set(store.read()) == expected


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_killed_writer_leaves_a_whole_file_and_no_lock(popen: Popen, store: NotesStore) -> None:
    process = writer(popen, store, 0, 10**6)
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(12)]
    process.send_signal(signal.SIGKILL)
    said += process.stdout.readlines()
    process.wait()
    told = {Unit("conv5_1", int(line)) for line in said[1:] if line.strip().isdigit()}
    kept = set(store.read())
    assert told <= kept
    assert len(kept) <= len(told) + 1
    saved(store, name="after it")
    assert set(store.read()) == kept | {UNIT}
    assert not list(store.path.parent.glob(".*.part"))


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"network": 1}', b"\xff\xfe", b"[" * 100_000, b"null"]
)
def test_a_damaged_file_is_named_and_never_overwritten(store: NotesStore, content: bytes) -> None:
    store.path.parent.mkdir()
    store.path.write_bytes(content)
    for ask in (store.read, lambda: saved(store, name="a"), lambda: store.add([NOTE])):
        with pytest.raises(DeconvError, match="are damaged") as caught:
            ask()
        assert str(store.path) in str(caught.value)
    assert store.path.read_bytes() == content


def test_a_file_of_another_network_is_not_read(store: NotesStore) -> None:
    store.path.parent.mkdir()
    store.path.write_bytes(to_json([NOTE], "f" * 16))
    with pytest.raises(DeconvError, match="another network"):
        store.read()


@pytest.mark.parametrize("fingerprint", ["", "../x", "a/b", "a" * 65, "A.b"])
def test_a_strange_fingerprint_names_no_file(tmp_path: Path, fingerprint: str) -> None:
    with pytest.raises(DeconvError, match="fingerprint"):
        NotesStore(tmp_path, fingerprint).read()


# --- files ---------------------------------------------------------------------------------------

LETTERS = st.sampled_from("'=+-@;,\"\t\r\n\0 a1é猫\u202e\u2028\x85＝😀")
TEXTS = st.text(LETTERS, max_size=20) | st.sampled_from(
    [HOSTILE, "'=1", "''", ";=x", "a;'b", '"', "a,b\nc", "\t=1", "＝1", "\0", "NaN", "001", "TRUE"]
)
NOTES = st.lists(
    st.builds(
        UnitNote,
        st.builds(Unit, st.sampled_from(["conv1_1", "layer2.0.conv1"]), st.integers(0, 999_999)),
        TEXTS.map(typed_name),
        st.booleans(),
        TEXTS.map(typed_note),
        st.datetimes().map(lambda time: f"{time:%Y-%m-%dT%H:%M:%SZ}".rjust(20, "0")),
    ).filter(lambda note: not note.empty),
    unique_by=lambda note: note.unit,
    max_size=5,
)


@settings(max_examples=50, deadline=None)
@given(NOTES)
def test_what_is_exported_is_imported_again(notes: list[UnitNote]) -> None:
    ordered = sorted(notes, key=lambda note: note.unit)
    assert from_json(to_json(notes, PRINT), PRINT) == ordered
    assert from_csv(to_csv(notes, PRINT), PRINT) == ordered
    assert to_csv(from_csv(to_csv(notes, PRINT), PRINT), PRINT) == to_csv(notes, PRINT)


@settings(deadline=None)
@given(st.text(st.sampled_from("'=;+-@\t\r\n a"), max_size=12))
def test_the_guard_against_formulas_can_be_undone(text: str) -> None:
    content = table_csv(pd.DataFrame({"a": [text], "b": ["x"]}))
    (row,) = csv.DictReader(io.StringIO(content, newline=""))
    assert from_table_csv(row["a"]) == text


def test_no_cell_of_the_csv_begins_like_a_formula() -> None:
    note = replace(NOTE, name="=1+1", note="@SUM(A1)")
    text = to_csv([note], PRINT).decode("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert (row["name"], row["note"]) == ("'=1+1", "'@SUM(A1)")


def test_a_csv_as_a_spreadsheet_saves_it_again() -> None:
    rows = list(csv.reader(io.StringIO(to_csv([NOTE], PRINT).decode("utf-8-sig"), newline="")))
    rows[1][rows[0].index("star")] = "TRUE"
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=";").writerows(rows)
    assert from_csv(out.getvalue().encode("utf-8-sig"), PRINT) == [NOTE]


def changed_json(**changes: object) -> bytes:
    content = json.loads(to_json([NOTE], PRINT))
    content["notes"][0].update(changes)
    return json.dumps(content).encode()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "column"),
        (b"PK\x03\x04\x00", "column"),
        (b"\xff\xfe\x00", "utf-8"),
        (b"{", "truncated"),
        (b"[" * 200_000, "as this program exports"),
        (b'{"notes": []}', "network"),
        (b"a,b\r\n1,2\r\n", "the column"),
        (to_json([NOTE], "f" * 16), "another network"),
        (to_csv([NOTE], "f" * 16), "another network"),
        (changed_json(name="x" * 81), "80"),
        (changed_json(note="x" * 10_001), "10000"),
        (changed_json(star="maybe"), "star"),
        (changed_json(channel=-1), "channel"),
        (changed_json(channel=512), "no feature map 'conv4_4/512'"),
        (changed_json(layer="conv9_9"), "no feature map 'conv9_9/71'"),
        (changed_json(layer="../etc"), "no feature map"),
        (changed_json(changed="yesterday"), "changed"),
        (changed_json(changed="2026-99-99T00:00:00Z"), "month"),
        (changed_json(name="\ud800"), "as this program exports"),
        (to_csv([NOTE], PRINT) + to_csv([NOTE], PRINT).splitlines(keepends=True)[1], "end of data"),
        (b"x" * 16_000_001, "larger than 16 MB"),
    ],
)
def test_files_that_are_refused(content: bytes, reason: str) -> None:
    with pytest.raises(DeconvError, match=reason):
        from_file(content, PRINT, LAYERS)


def test_two_notes_of_one_map_are_refused() -> None:
    content = json.loads(to_json([NOTE], PRINT))
    content["notes"] *= 2
    with pytest.raises(DeconvError, match="two notes of 'conv4_4/71'"):
        from_file(json.dumps(content).encode(), PRINT, LAYERS)


def test_an_import_merges_and_says_what_it_changed(store: NotesStore) -> None:
    units = [Unit("conv1_1", channel) for channel in range(4)]
    here = [UnitNote(unit, "here", changed="2026-01-02T00:00:00Z") for unit in units[:3]]
    assert store.add(here) == Added(new=3)
    given = [
        UnitNote(units[0], "older", changed="2026-01-01T00:00:00Z"),
        UnitNote(units[1], "later", changed="2026-01-03T00:00:00Z"),
        UnitNote(units[2], "here", changed="2026-01-09T00:00:00Z"),
        UnitNote(units[3], "new", changed="2026-01-01T00:00:00Z"),
    ]
    assert store.add(given) == Added(new=1, replaced=1, newer_here=1, equal=1)
    assert [note.name for note in store.read().values()] == ["here", "later", "here", "new"]
    assert store.add(given) == Added(newer_here=1, equal=3)


def test_an_export_of_tomorrow_does_not_win_forever(store: NotesStore) -> None:
    store.add([replace(NOTE, changed="9999-01-01T00:00:00Z")])
    assert store.read()[UNIT].changed <= unit_notes.now()


def test_the_stored_file_is_an_export(store: NotesStore) -> None:
    store.add([NOTE])
    assert from_file(store.path.read_bytes(), PRINT, LAYERS) == [NOTE]
