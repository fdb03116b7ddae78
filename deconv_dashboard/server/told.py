"""Error messages for the person at the browser."""

from __future__ import annotations

from deconv_core.errors import ANEW, UPDATE
from deconv_core.index.parts import REPAIR
from deconv_dashboard.folder_rules import without_paths
from deconv_dashboard.server import resources
from deconv_dashboard.server.serving import is_local


def told(error: object) -> str:
    """The message of an error for the person at the browser.

    Commands and arguments are removed from its advice. A browser on another computer gets no path
    of this computer.
    """
    message = str(error)
    for advice in (ANEW, UPDATE, REPAIR):
        message = message.replace(advice, advice.partition(" (")[0])
    if is_local():
        return message
    registry = resources.registry()
    known = [(dataset.root, dataset.name) for dataset in registry.datasets()]
    known += [(root, root.name) for root in registry.rules.roots or ()]
    return without_paths(message, [(registry.home, "the data folder"), *known])
