"""What the server needs for many sessions at once; tests/faults/hold.py opens two hundred."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deconv_dashboard.limits import OPEN_FILES

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
@pytest.mark.parametrize(
    ("begins", "allowed", "ends"),
    [(256, 1_000, 1_000), (256, OPEN_FILES + 5, OPEN_FILES), (900, 900, 900)],
)
def test_as_many_files_may_be_open_as_the_system_allows(
    begins: int, allowed: int, ends: int
) -> None:
    import resource

    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < allowed:
        pytest.skip("the system does not allow so many")
    program = (
        "import resource as r; from deconv_dashboard.limits import allow_open_files\n"
        f"r.setrlimit(r.RLIMIT_NOFILE, ({begins}, {allowed}))\n"
        "allow_open_files(); print(r.getrlimit(r.RLIMIT_NOFILE))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == f"({ends}, {allowed})"


def test_what_is_loaded_is_looked_through_once() -> None:
    """Streamlit collects garbage after each run: with all of torch that took half a second."""
    program = (
        "import gc; from deconv_dashboard.server.resources import spare_collector\n"
        "import torch\n"
        "spare_collector(); kept = gc.get_freeze_count()\n"
        "more = [[] for _ in range(1000)]; spare_collector()\n"
        "print(kept > 100_000, len(gc.get_objects()) < 20_000, gc.get_freeze_count() <= kept)"
    )
    said = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "STREAMLIT_LOGGER_LEVEL": "error"},
    )
    assert said.stdout.split() == ["True"] * 3
