"""Some seconds of ``python -m tests.faults.load``."""

import sys
from pathlib import Path

import pytest

from tests.conftest import Popen
from tests.faults.load import parse, run_load


@pytest.mark.skipif(sys.platform != "linux", reason="reads memory from /proc")
@pytest.mark.usefixtures("warm_jobs")
def test_many_look_at_maps_while_a_scan_runs(popen: Popen, tmp_path: Path) -> None:
    options = parse(["--sessions", "3", "--seconds", "3", "--images", "200"])
    findings, scanned = run_load(tmp_path / "home", options, popen)
    assert not findings.troubles
    assert findings.pictures >= 3 * 18, "every session saw at least the map it opened"
    assert findings.seconds["a layer of the unfinished index"]
    assert scanned > 0
