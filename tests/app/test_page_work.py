"""Background jobs rest while a page computes."""

import signal
import sys
import threading
import time
from pathlib import Path

from deconv_dashboard.queue.page_work import PageWork
from tests.conftest import Popen


class Counted:
    """A flag that is set after it was asked a number of times."""

    def __init__(self, most: int) -> None:
        self.asked, self._most = 0, most

    def is_set(self) -> bool:
        self.asked += 1
        return self.asked > self._most


def home_of(tmp_path: Path) -> Path:
    (tmp_path / "jobs").mkdir()
    return tmp_path


def test_a_job_rests_while_a_page_computes_and_goes_on_after_it(tmp_path: Path) -> None:
    pages = PageWork(home_of(tmp_path))
    flag = Counted(3)
    pages.rest(flag, 3600)
    assert flag.asked == 0, "no page computes"
    with pages.going_on():
        PageWork(tmp_path).rest(flag, 3600)
        assert flag.asked == 4, "only the flag ended it"
        rested = threading.Thread(target=pages.rest, args=(threading.Event(), 3600))
        rested.start()
    rested.join(60)
    assert not rested.is_alive()


def test_a_job_does_not_rest_forever(tmp_path: Path) -> None:
    pages = PageWork(home_of(tmp_path))
    with pages.going_on():
        pages.rest(threading.Event(), 0.0)


def test_two_servers_compute_at_once(tmp_path: Path) -> None:
    one, other = PageWork(home_of(tmp_path)), PageWork(tmp_path)
    flag = Counted(1)
    with one.going_on():
        with other.going_on():
            pass
        one.rest(flag, 3600)
    assert flag.asked == 2


def test_a_killed_server_holds_nobody_up(popen: Popen, tmp_path: Path) -> None:
    program = (
        "import sys, time\nfrom pathlib import Path\n"
        "from deconv_dashboard.queue.page_work import PageWork\n"
        "with PageWork(Path(sys.argv[1])).going_on():\n"
        "    Path(sys.argv[1], 'held').touch()\n    time.sleep(3600)\n"
    )
    child = popen([sys.executable, "-c", program, str(home_of(tmp_path))])
    try:
        while not (tmp_path / "held").exists():
            assert child.poll() is None
            time.sleep(0.02)
        flag = Counted(2)
        PageWork(tmp_path).rest(flag, 3600)
        assert flag.asked == 3
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    unasked = Counted(0)
    PageWork(tmp_path).rest(unasked, 3600)
    assert unasked.asked == 0


def test_a_folder_without_jobs_or_that_cannot_be_written(tmp_path: Path) -> None:
    pages = PageWork(tmp_path / "none")
    with pages.going_on():
        pages.rest(threading.Event(), 3600)
    assert not (tmp_path / "none").exists()
