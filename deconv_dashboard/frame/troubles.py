"""What went wrong, as a sentence on the page, with the way to make room where there is none."""

from __future__ import annotations

from collections.abc import Collection

import streamlit as st

from deconv_core.errors import OTHER_WAY, DeconvError, DownloadError, Remedy
from deconv_dashboard.frame.choice import escape
from deconv_dashboard.frame.ways import offer_networks, offer_room
from deconv_dashboard.server.told import told


def say_trouble(
    error: DeconvError, key: str, start: str = "", offered: Collection[Remedy] = ()
) -> None:
    """Say an error.

    Args:
        error: what went wrong.
        key: of the button that leads to what can be deleted.
        start: what did not happen, for example "The scan did not start".
        offered: the remedies that the page offers beside it.
    """
    message = told(error, offered)
    said = f"{start}: {message}" if start else f"{message[:1].upper()}{message[1:]}"
    st.error(escape(f"{said}."), icon=":material/error:")
    offer_room(error, key)
    if isinstance(error, DownloadError) and OTHER_WAY not in offered:
        offer_networks(key)


def keep_trouble(name: str, error: DeconvError, start: str = "") -> None:
    """Keep an error for the next run of the page: a callback of a button cannot draw."""
    st.session_state[name] = error, start


def say_kept_trouble(name: str, key: str) -> None:
    """Say once what was kept; nothing if nothing was."""
    if kept := st.session_state.pop(name, None):
        error, start = kept
        say_trouble(error, key, start)
