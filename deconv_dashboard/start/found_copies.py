"""Copies in a folder: the preview of a folder finds files of equal content."""

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
from deconv_dashboard.wording import counted

_SILENT = 1.0
"""Seconds before the search shows its progress."""
_LONGEST = 5.0
"""Seconds after which the search stops; the remaining files are not compared."""
_FRESH, _PATIENCE = 5.0, 20.0
"""A result is kept for ``_FRESH`` seconds, or for ``_PATIENCE`` times the search if that is longer.
"""
_MOST_KEPT, _MOST_HASHES = 4, 100_000
_MOST_LISTED = 500


@dataclass(frozen=True)
class _Kept:
    found: EqualFiles
    until: float


def copies_in(folder: ImageFolder) -> EqualFiles:
    """The files of equal content in a folder; the result may be some seconds old.

    The session keeps the hashes by file state, so a second search reads only changed files.
    """
    kept: dict[object, _Kept] = st.session_state.setdefault("found_copies", {})
    taken = folder.extensions, folder.wanted_labels, folder.follow_links
    key = str(folder.root), *taken, folder.state
    line = st.empty()  # always drawn, so that later elements keep their place in the page
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
    """Look for copies; shows progress if that takes time."""
    known: dict[FileState, str] = st.session_state.setdefault("file_hashes", {})
    if len(known) > _MOST_HASHES:
        known.clear()
    began = time.monotonic()

    def say(done: int, total: int) -> None:
        if time.monotonic() - began > _SILENT:
            of = f"{done:,} of {counted(total, 'file')} of equal size"
            line.progress(done / total, text=f"Looking for copies: {of}")

    try:
        return equal_files(folder, seconds=_LONGEST, progress=say, known=known)
    finally:
        line.empty()


def copies_note(found: EqualFiles) -> None:
    """Draw a few of the copies in one line, and all of them in a table."""
    if text := copies_text(found.groups, complete=found.complete):
        st.caption(
            f"{text[:1].upper()}{text[1:]}: {groups_text(found.groups, name=escape)}. "
            "Each picture takes one place among the strongest."
        )
    if not found.complete:
        st.caption(
            "Too many files have equal sizes. Not all of them were compared before the scan."
        )
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
