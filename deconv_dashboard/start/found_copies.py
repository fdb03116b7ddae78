"""Copies in a folder before it is scanned: looked for when the folder is looked at."""

from __future__ import annotations

import time
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from deconv_core.file_state import FileState
from deconv_core.images.folder import ImageFolder
from deconv_core.index.copies import EqualFiles, copies_text, equal_files, groups_text
from deconv_dashboard.frame.choice import escape
from deconv_dashboard.frame.data_tables import data_table

_SILENT = 1.0
"""Seconds without a word about how far the search is."""
_LONGEST = 5.0
"""Seconds after which it goes on without those not compared yet."""
_FRESH, _PATIENCE = 5.0, 20.0
"""Found is kept for so many seconds, or so many times what it took, if that is longer."""
_MOST_KEPT, _MOST_HASHES = 4, 100_000
_MOST_LISTED = 500


@dataclass(frozen=True)
class _Kept:
    found: EqualFiles
    until: float


def copies_in(folder: ImageFolder) -> EqualFiles:
    """The files of equal content in a folder, as it was a few seconds ago at most.

    Hashes are kept for this session, by the states of the files; then a second search only
    asks for these.
    """
    kept: dict[object, _Kept] = st.session_state.setdefault("found_copies", {})
    taken = folder.extensions, folder.wanted_labels, folder.follow_links
    key = str(folder.root), *taken, folder.state
    line = st.empty()  # always there: what follows keeps its place in the page
    if key in kept and time.monotonic() < kept[key].until:
        return kept[key].found
    began = time.monotonic()
    found = _search(folder, line)
    ended = time.monotonic()
    while len(kept) >= _MOST_KEPT:
        kept.pop(next(iter(kept)))
    kept[key] = _Kept(found, ended + max(_FRESH, _PATIENCE * (ended - began)))
    return found


def _search(folder: ImageFolder, line: DeltaGenerator) -> EqualFiles:
    """Look for copies; says how far it is while that takes time."""
    known: dict[FileState, str] = st.session_state.setdefault("file_hashes", {})
    if len(known) > _MOST_HASHES:
        known.clear()
    began = time.monotonic()

    def say(done: int, total: int) -> None:
        if time.monotonic() - began > _SILENT:
            line.progress(
                done / total, text=f"Looking for copies: {done:,} of {total:,} files of equal size"
            )

    try:
        return equal_files(folder, seconds=_LONGEST, progress=say, known=known)
    finally:
        line.empty()


def copies_note(found: EqualFiles) -> None:
    """Name the copies, a few in a line and all of them in a table."""
    if text := copies_text(found.groups, complete=found.complete):
        st.caption(
            f"{text[:1].upper()}{text[1:]}: {groups_text(found.groups, name=escape)}. "
            "Among the strongest, each picture counts once."
        )
    if not found.complete:
        st.caption("There are too many files of equal size to compare all of them before the scan.")
    if len(found.groups) > 3 or any(len(group) > 3 for group in found.groups):
        with st.expander("All copies", icon=":material/content_copy:"):
            rows = [(group[0], other) for group in found.groups for other in group[1:]]
            listed = rows[:_MOST_LISTED]
            columns = {
                "Picture": [first for first, _ in listed],
                "Copy": [other for _, other in listed],
            }
            data_table(columns, "copies", "copies_table")
            if len(rows) > len(listed):
                st.caption(f"The first {len(listed):,} of {len(rows):,}.")
