"""All feature maps of a network that have a name, a star or a note, with export and import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import streamlit as st

from deconv_core.errors import DeconvError
from deconv_core.layers import Layer
from deconv_core.units import Unit
from deconv_dashboard.data.notes_files import (
    MOST_BYTES,
    UnitNote,
    from_file,
    to_csv,
    to_json,
)
from deconv_dashboard.data.unit_notes import Added, NotesStore
from deconv_dashboard.frame.data_tables import data_table
from deconv_dashboard.frame.messages import explained
from deconv_dashboard.frame.shell import short_name
from deconv_dashboard.frame.troubles import keep_trouble, say_kept_trouble, say_trouble
from deconv_dashboard.gallery.contact_sheet import PAGE, map_tiles
from deconv_dashboard.gallery.downloads import plain_name
from deconv_dashboard.server import resources
from deconv_dashboard.values import Choice
from deconv_dashboard.wording import counted
from deconv_dashboard.writing import can_write


def named_maps(choice: Choice) -> None:
    """Draw the named maps as tiles and as a table, and buttons to export and import them."""
    if choice.index is None:
        return
    store = NotesStore(choice.registry.home, choice.index.manifest.fingerprint)
    say_kept_trouble("import_error", "import")
    try:
        listed = in_order(resources.notes_of(store.home, store.fingerprint), choice.layers)
    except DeconvError as error:
        say_trouble(error, "notes_listed")
        return
    if said := st.session_state.pop("import_done", ""):
        st.success(said, icon=":material/check:")
    _files(choice, store, listed)
    if not listed:
        st.caption(
            "No feature map of this network has a name or a star yet. Give one on the page "
            "Feature map, in the tab Notes."
        )
        return
    pages = -(-len(listed) // PAGE)
    page = st.pagination(pages, width=320, key="named_page") if pages > 1 else 1
    part = listed[(min(page, pages) - 1) * PAGE : min(page, pages) * PAGE]
    with explained(choice):
        map_tiles(choice, [note.unit for note in part], "named", names_layer=True)
    _table(choice, listed)


def in_order(named: Mapping[Unit, UnitNote], layers: Mapping[str, Layer]) -> list[UnitNote]:
    """The notes of existing maps, starred ones first, then by layer and channel."""
    place = {name: number for number, name in enumerate(layers)}
    there = [
        note
        for unit, note in named.items()
        if unit.layer in layers and unit.channel < layers[unit.layer].channels
    ]
    return sorted(there, key=lambda n: (not n.star, place[n.unit.layer], n.unit.channel))


def _table(choice: Choice, listed: Sequence[UnitNote]) -> None:
    rows = [
        (str(one.unit), one.name, one.star, one.note, one.changed.replace("T", " ").rstrip("Z"))
        for one in listed
    ]
    columns = zip(*rows, strict=True)
    names = ("feature map", "name", "starred", "note", "changed (UTC)")
    data_table(
        {name: list(values) for name, values in zip(names, columns, strict=True)},
        _stem(choice),
        "named_table",
        download=False,  # the export above holds the same
        alt="Named feature maps",
        height="content" if len(rows) <= 12 else 420,
    )


def _files(choice: Choice, store: NotesStore, listed: Sequence[UnitNote]) -> None:
    """Draw the buttons that export all notes of the network, and the field to import some."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        starred = sum(note.star for note in listed)
        st.caption(f"{counted(len(listed), 'map')}, {starred:,} starred.", width="content")
        for kind, mime, made in (
            ("JSON", "application/json", to_json),
            ("CSV", "text/csv", to_csv),
        ):
            st.download_button(
                f"Export as {kind}",
                partial(made, listed, store.fingerprint),
                file_name=f"{_stem(choice)}.{kind.lower()}",
                mime=mime,
                key=f"notes_{kind}",
                on_click="ignore",
                icon=":material/download:",
                disabled=not listed,
            )
        with st.popover("Import", icon=":material/upload:", disabled=not can_write(store.home)):
            st.file_uploader(
                "A file exported here, JSON or CSV",
                type=["json", "csv"],
                key="notes_import",
                max_upload_size=MOST_BYTES // 10**6,
                on_change=_import,
                args=(choice, store),
            )
            st.caption(
                "The notes are added to those here. Where both have one for the same map, the one "
                "that was changed later stays."
            )


def _import(choice: Choice, store: NotesStore) -> None:
    file = st.session_state.get("notes_import")
    if file is None:
        return
    try:
        notes = from_file(file.getvalue(), store.fingerprint, choice.layers)
        st.session_state["import_done"] = said_of(store.add(notes))
    except DeconvError as error:
        keep_trouble("import_error", error, f"{file.name} was not imported")


def said_of(added: Added) -> str:
    """What an import changed, in words."""
    parts = [
        f"{number:,} {words}"
        for number, words in (
            (added.new, "added"),
            (added.replaced, "replaced by a later change"),
            (added.newer_here, "kept, because the one here is newer"),
            (added.equal, "already here"),
        )
        if number
    ]
    return f"Imported: {', '.join(parts)}." if parts else "The file holds no notes."


def _stem(choice: Choice) -> str:
    return f"notes_{plain_name(short_name(choice.network))}"
