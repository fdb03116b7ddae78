"""What a person writes about a feature map: its name, a star, and a note, saved at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from deconv_core.errors import DeconvError
from deconv_core.units import Unit
from deconv_dashboard.data.notes_files import (
    MOST_NAME,
    MOST_NOTE,
    UnitNote,
    typed_name,
    typed_note,
)
from deconv_dashboard.data.unit_notes import NotesStore
from deconv_dashboard.frame.shell import say_if_read_only
from deconv_dashboard.frame.troubles import keep_trouble, say_kept_trouble, say_trouble
from deconv_dashboard.frame.widget_keys import key_showing
from deconv_dashboard.server import resources
from deconv_dashboard.values import Choice
from deconv_dashboard.writing import can_write

_CLEANED: Mapping[str, Callable[[Any], object]] = {
    "name": typed_name,
    "note": typed_note,
    "star": bool,
}


def notes_panel(choice: Choice, unit: Unit) -> None:
    """Draw the name, the star and the note of a feature map; each change is saved at once."""
    if choice.index is None:
        return
    store = NotesStore(choice.registry.home, choice.index.manifest.fingerprint)
    say_if_read_only(store.home)
    say_kept_trouble("notes_error", "notes")
    try:
        seen = resources.notes_of(store.home, store.fingerprint).get(unit, UnitNote(unit))
    except DeconvError as error:
        say_trouble(error, "notes_read")
        return
    _fields(store, seen, locked=not can_write(store.home))
    st.caption(_state_of(seen))


def _fields(store: NotesStore, seen: UnitNote, *, locked: bool) -> None:
    """Draw the three fields. A text that could not be saved stays in its field."""
    unsaved = st.session_state.get("notes_unsaved", {})

    def field(name: str) -> dict[str, Any]:
        value = unsaved.get((store.fingerprint, seen.unit, name), getattr(seen, name))
        key = key_showing(f"note_{name} {seen.unit}", value)
        saving = {"on_change": _save, "args": (store, seen, name, key)}
        return {"key": key, "disabled": locked, **saving}

    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Name",
            max_chars=MOST_NAME,
            placeholder="What does this map respond to?",
            width=420,
            **field("name"),
        )
        st.toggle("Starred", **field("star"))
    st.text_area(
        "Note",
        max_chars=MOST_NOTE,
        height=140,
        help="Saved when you leave the field, or with Ctrl+Enter.",
        **field("note"),
    )


def _state_of(seen: UnitNote) -> str:
    """Whether the last change was saved, and where names appear."""
    said = st.session_state.pop("notes_saved", None)
    if said is not None and said[0] == seen.unit:
        return f":material/check: {said[1]}"
    if seen.changed:
        return f"Last changed {seen.changed[:10]}, {seen.changed[11:16]} UTC."
    return (
        "A name, a star and a note belong to this network: you see them with every dataset, and "
        "they stay when you scan again. Each change is saved at once."
    )


def _save(store: NotesStore, seen: UnitNote, name: str, key: str) -> None:
    """Store the changed field; what cannot be stored stays in the field."""
    typed = st.session_state[key]
    wanted = replace(seen, **{name: _CLEANED[name](typed)})  # type: ignore[arg-type]
    place = store.fingerprint, seen.unit, name
    unsaved = {k: v for k, v in st.session_state.get("notes_unsaved", {}).items() if k != place}
    try:
        saved = store.save(seen, wanted)
    except DeconvError as error:
        keep_trouble("notes_error", error)
        unsaved[place] = typed
    else:
        other = " Another session changed this map too; both texts are kept."
        st.session_state["notes_saved"] = seen.unit, f"Saved.{other if saved.both_kept else ''}"
    st.session_state["notes_unsaved"] = unsaved
