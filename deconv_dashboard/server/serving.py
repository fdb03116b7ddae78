"""Who reaches this server, and what they are told."""

from __future__ import annotations

import streamlit as st

from deconv_core.errors import ANEW, UPDATE
from deconv_core.index.parts import REPAIR
from deconv_dashboard.folder_rules import FolderRules, folder_rules, without_paths

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def is_local() -> bool:
    """True if only this computer reaches the server."""
    return st.get_option("server.address") in _LOOPBACK


def rules() -> FolderRules:
    """Which folders may be opened here."""
    return folder_rules(local=is_local())


def told(error: object) -> str:
    """An error in words for the person at the browser.

    It says what helps, without how a command or a program says it; no path of this computer
    elsewhere.
    """
    message = str(error)
    for advice in (ANEW, UPDATE, REPAIR):
        message = message.replace(advice, advice.partition(" (")[0])
    if is_local():
        return message
    from deconv_dashboard.server import resources

    registry = resources.registry()
    known = [(dataset.root, dataset.name) for dataset in registry.datasets()]
    known += [(root, root.name) for root in registry.rules.roots or ()]
    return without_paths(message, [(registry.home, "the data folder"), *known])
