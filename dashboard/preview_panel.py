"""A folder before it is scanned, drawn: counts, labels, thumbnails, what is passed over."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard.previews import Preview, preview
from dashboard.registry import Registry
from dashboard.shell import escape
from dashboard.wording import counted, label_name
from deconv_core.images import ImageFolder


def look(
    registry: Registry,
    root: str,
    extensions: tuple[str, ...] = (),
    labels: tuple[str, ...] = (),
) -> Preview:
    """The preview of a folder, kept for this session until another one is looked at.

    Raises:
        DeconvError: it is no folder, or not one whose pictures this server shows.
    """
    registry.check_listed(Path(root))
    key = (root, extensions, labels, Path(root).stat().st_mtime_ns)
    kept: dict[object, Preview] = st.session_state.setdefault("previews", {})
    if key not in kept:
        with st.spinner("Looking into the folder"):
            folder = ImageFolder(root, extensions or None, labels or None, within=registry.within)
            found = preview(folder)
        while len(kept) > 3:
            kept.pop(next(iter(kept)))
        kept[key] = found
    return kept[key]


def show_preview(shown: Preview) -> None:
    """Counts, labels, a row of thumbnails, and what was passed over."""
    several = len(shown.labels) > 1
    labels = f" · {counted(len(shown.labels), 'label')}" if several else ""
    st.markdown(f"**{counted(shown.images, 'image')}**{labels} · {others(shown)}")
    with st.container(horizontal=True, gap="xsmall"):
        for thumb in shown.thumbnails:
            if thumb.jpeg:
                st.image(thumb.address, width=64, alt=thumb.image_id)
    bad = [(t.image_id, t.error) for t in shown.thumbnails if t.error]
    bad += [(skipped.name, skipped.reason) for skipped in shown.skipped]
    if several:
        listed = [f"{label_name(name)} {number:,}" for name, number in shown.labels.items()]
        more = f" and {len(listed) - 40} more" if len(listed) > 40 else ""
        st.caption("Labels: " + " · ".join(escape(name) for name in listed[:40]) + more)
    if bad:
        with st.expander(f"{counted(len(bad), 'file')} with a problem", icon=":material/info:"):
            rows = {"File": [name for name, _ in bad], "Reason": [reason for _, reason in bad]}
            st.dataframe(rows, hide_index=True)


def others(shown: Preview) -> str:
    """What was passed over, in words."""
    listed = [
        f"{number:,} {ending or 'without ending'}" for ending, number in shown.other_files.items()
    ]
    if not listed:
        return "No other files."
    rest = f" and {len(listed) - 6} more types" if len(listed) > 6 else ""
    return f"Other files, left out: {escape(', '.join(listed[:6]))}{rest}."
