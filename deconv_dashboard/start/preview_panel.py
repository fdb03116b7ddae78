"""Draws the preview of a folder: counts, labels, thumbnails, copies, skipped files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import streamlit as st

from deconv_core.images.passed_over import kinds_in_words, to_convert
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.frame.data_tables import data_table
from deconv_dashboard.frame.shell import escape
from deconv_dashboard.server import resources
from deconv_dashboard.start.found_copies import copies_in, copies_note
from deconv_dashboard.start.previews import Preview, preview, sampled
from deconv_dashboard.wording import counted, label_name

_MOST_LISTED = 500


def look(
    registry: Registry,
    root: str,
    extensions: tuple[str, ...] = (),
    labels: tuple[str, ...] = (),
    *,
    follow_links: bool = False,
    value_range: str = "type",
) -> Preview:
    """The preview of a folder; the session keeps it until the folder changes.

    Raises:
        DeconvError: it is not a folder, or this server may not show its pictures.
    """
    registry.check_listed(Path(root))
    with st.spinner("Looking into the folder"):
        folder = resources.images_in(
            *(Path(root), extensions or None, labels or None),
            follow_links=follow_links,
            value_range=value_range,
        )
        reading = extensions, labels, follow_links, value_range
        key = (root, *reading, folder.state, sampled(folder))
        kept: dict[object, Preview] = st.session_state.setdefault("previews", {})
        if key not in kept:
            found = preview(folder)
            while len(kept) > 3:
                kept.pop(next(iter(kept)))
            kept[key] = found
        return replace(kept[key], copies=copies_in(folder))


def show_preview(shown: Preview, place: str) -> None:
    """Draw counts, labels, a row of thumbnails, copies and skipped files.

    Args:
        shown: the preview.
        place: part of the keys; unique on the page.
    """
    several = len(shown.labels) > 1
    labels = f" · {counted(len(shown.labels), 'label')}" if several else ""
    st.markdown(f"**{counted(shown.images, 'image')}**{labels} · {passed_over(shown.passed_over)}")
    with st.container(horizontal=True, gap="xsmall"):
        for thumb in shown.thumbnails:
            if thumb.jpeg:
                st.image(thumb.address, width=64, alt=thumb.image_id)
    if several:
        listed = [f"{label_name(name)} {number:,}" for name, number in shown.labels.items()]
        more = f" and {len(listed) - 40} more" if len(listed) > 40 else ""
        st.caption("Labels: " + " · ".join(escape(name) for name in listed[:40]) + more)
    copies_note(shown.copies)
    bad = [(t.image_id, t.error) for t in shown.thumbnails if t.error]
    if bad:
        _table(bad, f"{counted(len(bad), 'file')} with a problem", f"problems_{place}")
    odd = {t.image_id: t.note for t in shown.thumbnails if t.note}
    if odd:
        said = f"{len(odd)} of the {counted(len(shown.thumbnails), 'picture')} above"
        st.caption(f":material/exposure: {said} would be nearly black, white or cut off.")
        _table(list(odd.items()), "What their values are", f"odd_values_{place}")
    list_passed_over(shown, place)


def passed_over(kinds: Mapping[str, int]) -> str:
    """What the listing skipped, in words, and what to do with pictures of other types."""
    if not kinds:
        return "No other files."
    advice = to_convert(kinds)
    sentence = f" {advice[:1].upper()}{advice[1:]}." if advice else ""
    return escape(f"Skipped: {kinds_in_words(kinds)}.{sentence}")


def list_passed_over(shown: Preview, place: str) -> None:
    """Draw a table of what was skipped, with reasons; files of other types are only counted."""
    rows = [(skipped.name, skipped.reason) for skipped in shown.skipped]
    if rows:
        _table(rows, f"{len(rows):,} skipped, with reasons", f"passed_over_{place}")


def _table(rows: list[tuple[str, str]], title: str, key: str) -> None:
    with st.expander(title, icon=":material/info:"):
        listed = rows[:_MOST_LISTED]
        columns = {"File": [name for name, _ in listed], "Reason": [why for _, why in listed]}
        data_table(columns, key.replace("_", "-"), key)
        if len(rows) > len(listed):
            st.caption(f"The first {len(listed):,} of {len(rows):,}.")
