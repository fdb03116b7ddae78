"""Who can reach this server, and which folders they may open."""

from __future__ import annotations

import streamlit as st

from deconv_dashboard.folder_rules import FolderRules, folder_rules

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def is_local() -> bool:
    """True if only this computer can reach the server."""
    return st.get_option("server.address") in _LOOPBACK


def rules() -> FolderRules:
    """The rules for folders on this server."""
    return folder_rules(local=is_local())
