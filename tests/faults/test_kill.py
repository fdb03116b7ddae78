"""A few of the kills of ``python -m tests.faults.kill``, quickly."""

import sys
from pathlib import Path

import pytest

from tests.conftest import Popen
from tests.faults import kill

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kills forks of this process")


def test_a_scan_killed_three_times_at_random_ends_as_if_it_had_not_been(
    popen: Popen, tmp_path: Path
) -> None:
    done, end = kill.kill_again_and_again(tmp_path, kills=3, seed=3, popen=popen)
    assert done == sorted(done), "finished blocks are kept"
    assert done[-1] > 0
    assert end.equal
    assert end.left_over == 0


def test_killed_at_each_sort_of_file_operation(popen: Popen, tmp_path: Path) -> None:
    """Of a scan each; of an update and a repair those that a scan has not."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.faults import kill\n"
        "home, seen = Path(sys.argv[1]), 0\n"
        "for kind in kill.KINDS:\n"
        "    moments = kill.list_moments(home, kind)\n"
        "    only = kill.first_of_each(moments)\n"
        "    if kind is not kill.KINDS[0]:\n"
        "        own = 'before the rename of images', 'after the rename of manifest', 'deletion'\n"
        "        only = [n for n in only if any(words in moments[n] for words in own)]\n"
        "    ends = kill.kill_at_moments(home / kind.name, kind, moments, only)\n"
        "    assert all(end.equal and not end.left_over for end in ends), ends\n"
        "    seen += len(ends)\n"
        "assert seen >= 24, seen\n"
    )
    kill.run_alone(program, str(tmp_path), popen=popen)
