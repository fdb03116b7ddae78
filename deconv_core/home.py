"""The data folder: converted weights, and the data of the dashboard."""

from __future__ import annotations

import os
from pathlib import Path


def data_home() -> Path:
    """The folder for converted weights, datasets and indexes: ``$DECONV_HOME`` or ``~/.deconv``."""
    return Path(os.environ.get("DECONV_HOME") or Path.home() / ".deconv").expanduser()
