"""Ctrl-C and closed pipes, with real processes; each waits for a condition, none for a time."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.index.inspection import check_index
from deconv_core.network.network import Network
from deconv_core.scanning.scan import scan
from tests.conftest import Popen
from tests.core import drawings

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are others on Windows")

ROOT = Path(__file__).parents[2]
STUCK = """
import sys, threading
from deconv_core import __main__ as program

def stuck(*arguments, **named):
    print("stuck", file=sys.stderr, flush=True)
    threading.Event().wait()

"""
"""A program that hangs somewhere for ever; what follows says where, and the arguments."""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pictures = {f"{n}.png": drawings.noise(n, 16) for n in range(6)}
    return drawings.save(tmp_path_factory.mktemp("interrupts") / "photos", pictures)


@pytest.fixture(scope="module")
def whole(network: Network, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("interrupts") / "index"
    scan(network, ImageFolder(photos), path)
    return path


Start = Callable[..., Any]


@pytest.fixture(scope="module")
def start(popen: Popen) -> Start:
    """Start Python with these arguments; both outputs are pipes."""

    def start_(*arguments: object, popen: Popen = popen) -> Any:
        command = [sys.executable, *(str(argument) for argument in arguments)]
        return popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return start_


def wait_for(child: Any, words: str) -> None:
    """Read standard error until a line holds these words."""
    assert child.stderr is not None
    seen = []
    for line in child.stderr:
        seen.append(line)
        if words in line:
            return
    raise AssertionError(f"it ended with {child.wait()}: {''.join(seen)[-2000:]}")


def interrupted(child: Any, words: str = "stuck") -> str:
    """Send Ctrl-C as soon as it says these words; what else it says on standard error."""
    wait_for(child, words)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=240)
    assert child.returncode == 130, said
    assert "Traceback" not in said
    assert "KeyboardInterrupt" not in said
    return said


def commands(photos: Path, whole: Path, place: Path, weights: Path) -> dict[str, list[str]]:
    network = ["--network", str(weights)]
    return {
        "scan": ["scan", str(photos), "--index", str(place / "index"), *network],
        "top": ["top", str(whole), "--layer", "conv2_1", "--out", str(place / "out"), *network],
        "check": ["check", str(whole)],
    }


@pytest.mark.parametrize("command", ["scan", "top"])
def test_while_torch_is_imported(
    start: Start, photos: Path, whole: Path, weight_file: Path, tmp_path: Path, command: str
) -> None:
    arguments = commands(photos, whole, tmp_path, weight_file)[command]
    command = ("-X", "importtime", "-m", "deconv_core", *arguments)
    child = start(*command, popen=subprocess.Popen)
    said = interrupted(child, " torch._utils")
    assert " torch\n" not in said, "it was still being imported"
    assert said.endswith("cancelled\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("command", "where"),
    [
        ("scan", "import deconv_core.network.sources as m; m.read_weight_file = stuck"),
        ("scan", "import deconv_core.images.folder as m; m.ImageFolder.__init__ = stuck"),
        ("scan", "import deconv_core.scanning.engine as m; m.choose_compute = stuck"),
        ("top", "import deconv_core.network.sources as m; m.read_weight_file = stuck"),
        ("top", "import deconv_core.exact as m; m.exact_top = stuck"),
        ("top", "import deconv_core.reconstruction.reconstruct as m; m.reconstruct = stuck"),
        ("check", "import deconv_core.index.inspection as m; m.check_index = stuck"),
    ],
)
def test_where_nothing_was_written_nothing_is_left(
    start: Start,
    photos: Path,
    whole: Path,
    weight_file: Path,
    tmp_path: Path,
    command: str,
    where: str,
) -> None:
    arguments = commands(photos, whole, tmp_path, weight_file)[command]
    child = start("-c", f"{STUCK}{where}; sys.exit(program.main(sys.argv[1:]))", *arguments)
    assert interrupted(child).startswith("cancelled")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_scan_that_does_not_hear_is_ended_and_goes_on_later(
    start: Start, photos: Path, whole: Path, weight_file: Path, tmp_path: Path, stubborn: bool
) -> None:
    """As in one long call of torch; a stubborn one does not even leave at an exception."""
    where = """
import deconv_core.scanning.engine as m
really, made = m.scan_block, []

def second_is_stuck(*arguments):
    if not made:
        made.append(really(*arguments))
        return made[0]
    while True:
        try:
            stuck()
        except KeyboardInterrupt:
            if not STUBBORN:
                raise

m.scan_block = second_is_stuck
sys.exit(program.main(sys.argv[1:]))
""".replace("STUBBORN", str(stubborn))
    arguments = commands(photos, whole, tmp_path, weight_file)["scan"]
    interrupted(start("-c", STUCK + where, *arguments, "--block-size", "2"))
    assert len(ActivationIndex.open(tmp_path / "index").images) == 2
    assert not list((tmp_path / "index").rglob("*.part"))
    done = start("-m", "deconv_core", *arguments)
    assert done.communicate()[0].splitlines()[-1].startswith("6 of 6 images are in")
    assert not check_index(tmp_path / "index")


def test_a_second_time_ends_it_at_once(
    start: Start, photos: Path, whole: Path, weight_file: Path, tmp_path: Path
) -> None:
    where = """
import deconv_core.interrupts as i
import deconv_core.scanning.engine as m
i._SECONDS_TO_STOP = 3600.0  # so that nothing else can end it

def asked(prepared, images, entries, count, cancel, size):
    print("waiting", file=sys.stderr, flush=True)
    cancel.wait()
    stuck()

m.scan_block = asked
sys.exit(program.main(sys.argv[1:]))
"""
    arguments = commands(photos, whole, tmp_path, weight_file)["scan"]
    child = start("-c", STUCK + where, *arguments)
    wait_for(child, "waiting")
    child.send_signal(signal.SIGINT)
    interrupted(child)


def test_results_that_are_being_written_are_written_whole(
    start: Start, photos: Path, whole: Path, weight_file: Path, tmp_path: Path
) -> None:
    where = """
import os
import deconv_core.output.result_files as m
really = m.write_whole

def interrupted(*arguments):
    os.kill(os.getpid(), 2)
    really(*arguments)
    print("stuck", file=sys.stderr, flush=True)

m.write_whole = interrupted
sys.exit(program.main(sys.argv[1:]))
"""
    arguments = commands(photos, whole, tmp_path, weight_file)["top"]
    child = start("-c", STUCK + where, *arguments)
    child.communicate(timeout=240)
    assert child.returncode == 130
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["conv2_1.csv", "conv2_1_feat.png", "conv2_1_im.png"]


# -- nobody reads, nothing was asked --------------------------------------------------------------


def closed_pipe() -> int:
    """The end to write to of a pipe that nobody reads any more, as behind ``head``."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.mark.parametrize("command", ["scan", "top", "check"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_pipe_that_was_closed_ends_a_command_quietly(
    popen: Popen,
    photos: Path,
    whole: Path,
    weight_file: Path,
    tmp_path: Path,
    command: str,
    unbuffered: str,
) -> None:
    arguments = commands(photos, whole, tmp_path, weight_file)[command]
    pipe = closed_pipe()
    start = subprocess.Popen if command == "check" else popen  # as ever; with torch loaded
    child = start(
        [sys.executable, "-m", "deconv_core", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        stdout=pipe,
        stderr=subprocess.PIPE,
    )
    said = child.communicate(timeout=240)[1]
    os.close(pipe)
    assert (child.returncode, said) == (141, b"")


def test_nobody_reads_the_errors(tmp_path: Path) -> None:
    pipe = closed_pipe()
    command = [sys.executable, "-m", "deconv_core", "check", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, stdout=pipe, stderr=pipe, check=False)
    os.close(pipe)
    assert done.returncode == 1


def test_without_standard_output(whole: Path) -> None:
    command = f"'{sys.executable}' -m deconv_core check '{whole}' >&-"
    done = subprocess.run(command, cwd=ROOT, shell=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_without_arguments_it_says_what_there_is() -> None:
    command = [sys.executable, "-m", "deconv_core"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True)
    assert done.returncode == 2
    assert done.stderr == ""
    for word in ("scan", "top", "check", "usage: python -m deconv_core"):
        assert word in done.stdout
