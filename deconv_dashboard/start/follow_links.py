"""Links to folders: the checkbox that follows them, and the button where they were skipped."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from deconv_core.images.passed_over import LINK, LINK_OUT, LINK_ROUND
from deconv_dashboard.data.datasets import Dataset
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.frame.widget_keys import set_widget
from deconv_dashboard.start.previews import Preview
from deconv_dashboard.wording import CHOOSE_TAB, counted

_KEY = "follow_links"


def wanted() -> bool:
    """True if the checkbox is ticked."""
    return bool(st.session_state.get(_KEY, False))


def checkbox(shown: Preview) -> bool:
    """Draw the checkbox if a folder has links to folders; returns True if it is ticked."""
    links = shown.links + sum(shown.passed_over.get(kind, 0) for kind in (LINK, LINK_ROUND))
    if not links and not (wanted() and shown.passed_over.get(LINK_OUT)):
        return False
    return st.checkbox(
        f"Follow {counted(links, 'link')} to folders" if links else "Follow links to folders",
        key=_KEY,
        help="The scan includes the folders that these links lead to, if they may be opened here. "
        "It skips a link to a folder that contains the link itself.",
    )


def offer(registry: Registry, dataset: Dataset, passed_over: Mapping[str, int], key: str) -> None:
    """Draw a button that chooses the folder of a dataset again, with links followed."""
    if dataset.kind == "folder" and not dataset.follow_links and passed_over.get(LINK):
        st.button(
            "Choose this folder again, with links followed",
            key=key,
            icon=":material/link:",
            type="tertiary",
            on_click=_choose,
            args=(registry.rules.shown(dataset.root),),
        )


def _choose(folder: str) -> None:
    st.session_state.update({"start_tab": CHOOSE_TAB, "source": "folder", _KEY: True})
    set_widget("folder_path", folder)
