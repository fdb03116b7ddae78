"""Error messages for the person at the browser."""

from __future__ import annotations

from collections.abc import Collection

from deconv_core.errors import DeconvError, Remedy
from deconv_dashboard.folder_rules import without_paths
from deconv_dashboard.server import resources
from deconv_dashboard.server.serving import is_local


def told(error: DeconvError, offered: Collection[Remedy] = ()) -> str:
    """The message of an error for the person at the browser, without commands and arguments.

    A browser on another computer gets no path of this computer.

    Args:
        error: what went wrong.
        offered: the remedies that the page offers beside it.
    """
    message = error.in_words(offered)
    if is_local():
        return message
    registry = resources.registry()
    known = [(dataset.root, dataset.name) for dataset in registry.datasets()]
    known += [(root, root.name) for root in registry.rules.roots or ()]
    return without_paths(message, [(registry.home, "the data folder"), *known])
