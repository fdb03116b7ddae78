"""Groups among the images that activate a feature map most."""

from __future__ import annotations

import streamlit as st

from deconv_core.index.map_groups import LEAST, STRONGEST
from deconv_core.statistics.groups import STABLE
from deconv_core.units import Unit
from deconv_dashboard.frame import messages
from deconv_dashboard.gallery.spread_row import activation_row
from deconv_dashboard.server import index_answers
from deconv_dashboard.values import Choice
from deconv_dashboard.wording import counted

_SHOWN = 9


def groups_panel(choice: Choice, unit: Unit) -> None:
    """Draw one row of patches for each group, or say that there is one group."""
    st.markdown("## Several things in one map?")
    found = index_answers.groups_of(choice, unit)
    if not found.groups:
        st.caption(f"Fewer than {LEAST} images activate this map: too few to look for groups.")
        return
    how = (
        f"The strongest {STRONGEST} images are compared by the peaks of all other maps of this "
        "layer, and split by k-means into 2 to 4 groups. A split counts only if other seeds and "
        f"parts of the images give nearly the same one (adjusted Rand index at least {STABLE:g}), "
        "and if there is a gap between the groups."
    )
    if not found.several:
        st.caption(f"One group. {how}")
        return
    st.caption(
        f"{len(found.groups)} groups, stability {found.stability:.2f}. {how} Groups say that the "
        f"images differ, not why. {messages.as_scanned(choice)}"
    )
    for number, group in enumerate(found.groups, 1):
        heading = f"Group {number}: {counted(len(group), 'image')}"
        activation_row(choice, heading, group[:_SHOWN], f"group_{number}")
