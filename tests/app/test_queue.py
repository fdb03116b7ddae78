"""The queue of background jobs, with real processes that do almost nothing."""

import ast
import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from deconv_core.errors import DeconvError
from deconv_dashboard import jobs
from deconv_dashboard.queue import queue as queue_module
from deconv_dashboard.queue import worker
from deconv_dashboard.queue.files import Line, from_json
from deconv_dashboard.queue.queue import NewJob
from deconv_dashboard.queue.silence import Silence
from deconv_dashboard.queue.state import JobState, Progress
from tests.app import tiny_job
from tests.app.tiny_queue import Jobs, until

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.cold, pytest.mark.skipif(os.name == "nt", reason="sends signals")]


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Jobs]:
    made = Jobs(tmp_path)
    yield made
    for state in made.queue.active():
        made.queue.end(state.job_id)
    assert not made.queue.active()


def elsewhere(tiny: Jobs, program: str) -> str:
    """Use the same jobs from another process, like a second server."""
    begin = (
        "import sys; from pathlib import Path; from tests.app.tiny_queue import Jobs; "
        f"tiny = Jobs(Path({str(tiny.folder)!r}));"
    )
    done = subprocess.run(
        [sys.executable, "-c", begin + program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_modules_in_the_folder_of_the_start_are_not_run(
    tiny: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = tmp_path / "downloaded pictures"
    pictures.mkdir()
    for name in ("json", "msgspec", "deconv_core", "filelock"):
        (pictures / f"{name}.py").write_text("raise SystemExit('a stranger wrote this')")
    monkeypatch.chdir(pictures)
    tiny.start("a")
    tiny.let_go("a")
    tiny.until("a", "done", "failed")
    assert tiny.state("a").status == "done"


def test_one_after_the_other_in_the_order_of_their_starts(tiny: Jobs) -> None:
    for name in "abc":
        tiny.start(name)
    tiny.begun("a")
    assert [(s.key, s.status, s.place) for s in tiny.queue.active()] == [
        ("a", "running", 0),
        ("b", "waiting", 1),
        ("c", "waiting", 2),
    ]
    assert [s.after and s.after.key for s in tiny.queue.active()] == [None, "a", "b"]
    tiny.let_go("c", "b", "a")
    tiny.until("c", "done")
    assert tiny.diary == [f"{name} {what}" for name in "abc" for what in ("begins", "ends")]
    assert [state.status for state in tiny.queue.states()] == ["done"] * 3
    assert tiny.state("c").progress == Progress("", 2, 2, "image")


def test_the_turn_comes_though_nobody_looks(tiny: Jobs) -> None:
    """The server that started both has ended; no page is open."""
    elsewhere(tiny, "tiny.start('a'); tiny.start('b')")
    tiny.let_go("a", "b")
    until(lambda: "b ends" in tiny.diary)
    assert tiny.diary == ["a begins", "a ends", "b begins", "b ends"]
    tiny.until("b", "done")


def test_a_server_that_is_killed_leaves_the_queue_as_it_is(tiny: Jobs) -> None:
    program = "tiny.start('a'); tiny.start('b'); import os; os.kill(os.getpid(), 9)"
    with pytest.raises(subprocess.CalledProcessError):
        elsewhere(tiny, program)
    tiny.begun("a")
    assert [(s.key, s.place) for s in tiny.queue.active()] == [("a", 0), ("b", 1)]
    tiny.start("c")
    tiny.let_go("a", "b", "c")
    tiny.until("c", "done")
    assert tiny.diary[::2] == ["a begins", "b begins", "c begins"]


def test_two_servers_share_one_queue(tiny: Jobs) -> None:
    tiny.start("a")
    elsewhere(tiny, "tiny.start('b')")
    tiny.start("c")
    tiny.begun("a")
    said = elsewhere(tiny, "print([(s.key, s.place) for s in tiny.queue.active()])")
    assert said.strip() == "[('a', 0), ('b', 1), ('c', 2)]"
    elsewhere(tiny, "tiny.queue.cancel(tiny.state('b').job_id)")
    assert tiny.until("b", "cancelled").message == ""
    elsewhere(tiny, "tiny.queue.cancel(tiny.state('a').job_id)")
    tiny.begun("c")
    assert tiny.diary == ["a begins", "a stops", "c begins"]


def test_a_kill_frees_the_turn(tiny: Jobs) -> None:
    for name in "abc":
        tiny.start(name)
    tiny.begun("a")
    os.kill(tiny.pid("b"), signal.SIGKILL)  # one that waits
    os.kill(tiny.pid("a"), signal.SIGKILL)
    tiny.begun("c")
    for name in "ab":
        state = tiny.state(name)
        assert state.status == "failed"
        assert state.message == "it stopped too early: something outside this program ended it"
    assert tiny.diary == ["a begins", "c begins"]


def test_whoever_waits_can_be_cancelled_and_the_others_move_up(tiny: Jobs) -> None:
    for name in "abcd":
        tiny.start(name)
    tiny.begun("a")
    tiny.queue.cancel(tiny.state("b").job_id)
    tiny.until("b", "cancelled")
    assert [(s.key, s.place) for s in tiny.queue.active()] == [("a", 0), ("c", 1), ("d", 2)]
    assert tiny.queue.active()[1].after.key == "a"
    tiny.let_go("a", "c", "d")
    tiny.until("d", "done")
    assert "b begins" not in tiny.diary


def test_cancelled_while_it_runs(tiny: Jobs) -> None:
    tiny.start("a")
    tiny.begun("a")
    tiny.queue.cancel(tiny.state("a").job_id)
    tiny.until("a", "cancelled")
    assert tiny.diary == ["a begins", "a stops"]
    tiny.start("a")
    assert [state.status for state in tiny.queue.states()] == ["waiting"]  # the old one is gone


@pytest.mark.parametrize("how", ["deaf", "stopped"])
def test_one_that_hangs_is_ended(tiny: Jobs, how: str) -> None:
    tiny.start("a", deaf=how == "deaf")
    tiny.start("b")
    tiny.begun("a")
    if how == "stopped":
        os.kill(tiny.pid("a"), signal.SIGSTOP)
    tiny.queue.cancel(tiny.state("a").job_id)
    assert tiny.state("a").status == "cancelling"
    assert tiny.state("b").status == "waiting"
    elsewhere(tiny, "tiny.queue.end(tiny.state('a').job_id)")
    assert tiny.state("a").status == "cancelled"
    tiny.begun("b")


def test_one_that_is_stopped_while_it_waits_is_ended(tiny: Jobs) -> None:
    for name in "abc":
        tiny.start(name)
    tiny.begun("a")
    os.kill(tiny.pid("b"), signal.SIGSTOP)
    tiny.let_go("a")
    tiny.until("a", "done")
    assert [(s.key, s.status, s.place) for s in tiny.queue.active()] == [
        ("b", "waiting", 0),
        ("c", "waiting", 1),
    ]
    tiny.queue.end(tiny.state("b").job_id)
    assert tiny.until("b", "cancelled")
    tiny.begun("c")


def test_processes_of_a_job_end_with_it(tiny: Jobs) -> None:
    tiny.start("a", deaf=True, trouble="child")
    until(lambda: (tiny.folder / "child").exists() and (tiny.folder / "child").read_text() != "")
    child = psutil.Process(int((tiny.folder / "child").read_text()))
    tiny.queue.end(tiny.state("a").job_id)
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ("the folder is gone", "the folder is gone"),
        ("raise", "it stopped too early: RuntimeError: something nobody expected"),
        ("exit", "it stopped too early: something outside this program ended it"),
    ],
)
def test_why_one_failed(tiny: Jobs, trouble: str, said: str) -> None:
    tiny.start("a", trouble=trouble)
    tiny.let_go("a")
    state = tiny.until("a", "failed")
    assert (state.message, state.progress.done) == (said, 1)


# -- starting -------------------------------------------------------------------------------------


def test_one_of_a_key_is_active_however_many_start_it(tiny: Jobs) -> None:
    with ThreadPoolExecutor(8) as pool:
        started = set(pool.map(lambda _: tiny.start("a"), range(8)))
    assert len(started) == 1
    same = "print(tiny.start('a'))"
    assert elsewhere(tiny, same).strip() == started.pop()
    assert len(tiny.queue.states()) == 1


def test_many_start_different_ones_at_once(tiny: Jobs) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(tiny.start, "abcdef"))
    numbers = [record.number for record in tiny.files.records()]
    assert numbers == [1, 2, 3, 4, 5, 6]
    tiny.let_go(*"abcdef")
    until(lambda: not tiny.queue.active())
    order = [state.key for state in tiny.queue.states()]
    assert tiny.diary == [f"{name} {what}" for name in order for what in ("begins", "ends")]


def test_a_check_that_fails_starts_nothing(tiny: Jobs) -> None:
    def gone() -> None:
        raise DeconvError("no dataset has the id")

    new = NewJob("scan", "a", tiny_job.__name__, tiny_job.Order(tiny.folder, "a"))
    with pytest.raises(DeconvError, match="no dataset"):
        tiny.queue.start(new, gone)
    assert tiny.queue.states() == []


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("jobs", "File exists"),
        ("record", "could not start a process: the disk is full; make"),
    ],
)
def test_where_nothing_can_be_written_no_process_is_left(
    tiny: Jobs, place: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if place == "jobs":
        tiny.home.mkdir()
        (tiny.home / "jobs").write_text("a file, not a folder")
    else:
        monkeypatch.setattr(queue_module, "write_whole", full)
    before = set(psutil.Process().children())
    with pytest.raises(DeconvError, match=expected):
        tiny.start("a")
    monkeypatch.undo()
    assert not [c for c in psutil.Process().children() if c not in before and c.is_running()]
    if place == "record":
        assert {path.name for path in tiny.files.folder.iterdir()} == {".lock"}


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_cancelled_though_the_disk_is_full(tiny: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.start("a")
    tiny.begun("a")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "touch", full)
        tiny.queue.cancel(tiny.state("a").job_id)
    tiny.until("a", "cancelled")


# -- limits ---------------------------------------------------------------------------------------


def test_as_many_at_once_as_the_setting_says(tiny: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECONV_JOBS", "2")
    for name in "abc":
        tiny.start(name)
    tiny.begun("a")
    tiny.begun("b")
    assert tiny.state("c").status == "waiting"
    tiny.let_go("b")
    tiny.begun("c")
    assert tiny.state("a").status == "running"


def test_as_many_may_wait_as_the_setting_says(tiny: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECONV_JOBS_WAITING", "1")
    tiny.start("a")
    tiny.start("b")
    with pytest.raises(DeconvError, match="the queue is full: 1 job may wait in it"):
        tiny.start("c")
    assert tiny.start("b") == tiny.state("b").job_id  # is there already
    tiny.queue.cancel(tiny.state("b").job_id)
    tiny.until("b", "cancelled")
    tiny.start("c")


def test_room_in_the_data_folder(tiny: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    (tiny.home / "uploads").mkdir(parents=True)
    (tiny.home / "uploads" / "picture").write_bytes(bytes(3_000_000))
    monkeypatch.setenv("DECONV_DATA_MB", "10")  # of 2**20 bytes
    tiny.start("a", disk=6_000_000)
    with pytest.raises(DeconvError, match="it may need 2 MB, but there is room for 1 MB"):
        tiny.start("b", disk=2_000_000)
    tiny.start("c", disk=1_000_000)
    tiny.let_go("a", "c")
    tiny.until("c", "done")
    tiny.start("b", disk=2_000_000)  # what the others did not take is free again


@pytest.mark.parametrize("setting", ["DECONV_JOBS", "DECONV_JOBS_WAITING", "DECONV_DATA_MB"])
@pytest.mark.parametrize("given", ["many", "-1", "1.5", "²", "9" * 13])
def test_a_setting_that_is_no_number_is_said(
    tiny: Jobs, monkeypatch: pytest.MonkeyPatch, setting: str, given: str
) -> None:
    monkeypatch.setenv(setting, given)
    with pytest.raises(DeconvError, match=f"{setting} is .* give a whole number"):
        tiny.start("a")


def test_no_job_at_all_is_no_setting(tiny: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECONV_JOBS", "0")
    with pytest.raises(DeconvError, match="at least 1"):
        tiny.start("a")


# -- what files and clocks say -------------------------------------------------------------------


def test_a_process_id_that_belongs_to_another_program(tiny: Jobs) -> None:
    tiny.start("a")
    tiny.begun("a")
    record = tiny.files.record(tiny.state("a").job_id)
    tiny.queue.end(record.job_id)
    program, pipe = "print('begun', flush=True); input()", subprocess.PIPE
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as other:
        assert other.stdout is not None
        other.stdout.readline()  # a program that only begins might be any
        path = tiny.files.file(record.job_id, "job.json")
        path.write_text(json.dumps({**json.loads(path.read_text()), "pid": other.pid}))
        assert tiny.state("a").status == "cancelled"
        tiny.queue.cancel(record.job_id)
        tiny.queue.end(record.job_id)
        tiny.start("b")
        tiny.begun("b")  # does not wait for it
        assert other.poll() is None
        other.communicate(b"\n")


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '{"job_id": "%s"}', '{"job_id": "%s", "number": "1", "pid": 0}'],
)
def test_a_damaged_record_is_passed_over(tiny: Jobs, content: str) -> None:
    job_id = "0123456789abcdef"
    tiny.files.folder.mkdir(parents=True)
    tiny.files.file(job_id, "job.json").write_text(content.replace("%s", job_id))
    assert tiny.queue.states() == []
    tiny.start("a")
    tiny.begun("a")


@pytest.mark.parametrize(("program", "status"), [("/usr/bin/python3", "waiting"), ("", "failed")])
def test_a_process_that_shows_no_arguments(
    tiny: Jobs, monkeypatch: pytest.MonkeyPatch, program: str, status: str
) -> None:
    """Linux shows none while a program starts; the threads of its kernel have no program either."""
    tiny.start("first")
    tiny.begun("first")
    tiny.start("a")
    with monkeypatch.context() as patch:
        patch.setattr(psutil.Process, "cmdline", lambda self: [])
        patch.setattr(psutil.Process, "exe", lambda self: program)
        assert tiny.state("a").status == status
    assert tiny.state("a").status == "waiting"


def test_half_a_line_of_progress_is_passed_over(tiny: Jobs) -> None:
    job_id = tiny.start("a")
    tiny.begun("a")
    until(lambda: tiny.state("a").progress.done == 1)  # else the job writes over what comes now
    with tiny.files.file(job_id, "progress").open("a") as file:
        file.write('a library speaks\n{"end": "nonsense"}\n{"progress": {"done": 77, "tot')
    assert tiny.state("a").progress.done == 1
    assert tiny.state("a").status == "running"


@pytest.mark.parametrize("year", [1980, 2099])
def test_files_of_another_time(tiny: Jobs, year: int) -> None:
    """The clock was set back, or far forward, while jobs were running and waiting."""
    for name in "ab":
        tiny.start(name)
    tiny.begun("a")
    stamp = (year - 1970) * 365.25 * 86400
    for path in tiny.files.folder.iterdir():
        os.utime(path, (stamp, stamp))
    tiny.start("c")
    assert [(s.key, s.place) for s in tiny.queue.active()] == [("a", 0), ("b", 1), ("c", 2)]
    tiny.let_go("a", "b", "c")
    tiny.until("c", "done")
    assert tiny.diary[::2] == ["a begins", "b begins", "c begins"]


def test_nothing_of_the_jobs_asks_for_the_time_of_day() -> None:
    places = [
        *Path(jobs.__file__).parent.glob("*.py"),
        ROOT / "deconv_dashboard" / "frame" / "job_rows.py",
    ]
    for path in places:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = ("time", "now", "utcnow", "today", "st_mtime", "create_time")
            asks = isinstance(node, ast.Attribute) and node.attr in names
            assert not asks, f"{path}:{node.lineno}"


def test_how_long_a_job_is_silent() -> None:
    now = [100.0]
    silence, state = Silence(lambda: now[0]), JobState("running", job_id="a")
    assert silence.of(state) == 0
    now[0] = 130.0
    assert silence.of(state) == 30
    moved = replace(state, progress=Progress(done=1))
    assert silence.of(moved) == 0
    now[0] = 135.0
    assert silence.of(moved) == 5
    assert silence.of(replace(moved, status="cancelling")) == 0
    for number in range(1000):
        silence.of(replace(state, job_id=str(number)))
    assert len(silence._seen) <= 256


def test_on_a_full_disk_the_newest_line_takes_the_place_of_those_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that fails because the disk is full has to say so on that disk."""
    room, write = 400, os.write

    def limited(file: int, data: bytes) -> int:
        left = room - os.fstat(file).st_size
        if left <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data[:left])

    with (tmp_path / "progress").open("wb") as progress:
        monkeypatch.setattr(worker, "_OUTPUT", progress.fileno())
        monkeypatch.setattr(os, "write", limited)
        for done in range(9):
            worker.say(Line(Progress("Looking", done, 9)))
        worker.say(Line(end="failed", message="no room"))
    lines = (tmp_path / "progress").read_text("utf-8").splitlines()
    assert from_json(json.loads(lines[-1]), Line) == Line(end="failed", message="no room")
