"""Scans killed by SIGKILL: every restart resumes, and the index equals that of an undisturbed scan.

    python -m tests.faults.kill --rounds 30        at random moments of a real command line
    python -m tests.faults.kill --every-operation  at every file operation of a scan, of an update
                                                   and of a repair, and with every file half written

Prints a table; the exit status is 1 if anything was not as expected. Linux only.
"""

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from deconv_core.errors import IndexMismatchError
from deconv_core.images.folder import ImageFolder
from deconv_core.index import summary as index_summary
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.index.inspection import check_index
from deconv_core.network.sources import save_features
from deconv_core.scanning.scan import scan
from tests.core import drawings
from tests.core.networks import shallow_network, short_network
from tests.faults.indexes import contents, everything
from tests.faults.moments import Moments, fork

ROOT = Path(__file__).parents[2]
BLOCK_SIZE = 2
Popen = Callable[..., Any]
Command = Callable[[Path], list[str]]
RANDOM_IMAGES = 140
"""Enough blocks of two for a finished scan to merge them."""


@dataclass(frozen=True)
class Kind:
    """One kind of scan.

    ``before`` makes the folder of images and the index as they are when the scan begins;
    ``opens`` is False if that index is too damaged to be opened.
    """

    name: str
    before: Callable[[Path], None]
    update: bool = False
    opens: bool = True


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=0, help="kills at random moments")
    parser.add_argument("--every-operation", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(
        "| killed | times | index equal bit for bit | files left over |\n| --- | --: | --: | --: |"
    )
    wrong = 0
    with tempfile.TemporaryDirectory() as home:
        if options.rounds:
            ends = kill_at_random_moments(Path(home) / "random", options.rounds, options.seed)
            wrong += _tell("`python -m deconv_core scan`, at a random moment", ends)
        for kind in KINDS if options.every_operation else ():
            ends = kill_at_moments(Path(home) / kind.name, kind, list_moments(Path(home), kind))
            for what in dict.fromkeys(_group(end.moment) for end in ends):
                here = [end for end in ends if _group(end.moment) == what]
                wrong += _tell(f"{kind.name}, {what}", here)
    return 1 if wrong else 0


@dataclass(frozen=True)
class End:
    """What was found after one kill and the restart."""

    moment: str
    equal: bool
    left_over: int


def _tell(what: str, ends: Sequence[End]) -> int:
    equal, left = sum(end.equal for end in ends), sum(end.left_over for end in ends)
    print(f"| {what} | {len(ends)} | {equal} | {left} |", flush=True)
    return sum(not end.equal or bool(end.left_over) for end in ends)


def first_of_each(moments: Sequence[str]) -> list[int]:
    """Numbers of moments, one of each sort."""
    groups = [_group(moment) for moment in moments]
    return [groups.index(group) for group in dict.fromkeys(groups)]


def _group(moment: str) -> str:
    what, _, name = moment.rpartition(" ")
    kind = "a block" if name.startswith("blocks/0") and "-" not in name else name
    return f"{what} {'a merged block' if name.startswith('blocks/') and '-' in name else kind}"


def run_alone(program: str, *arguments: str, popen: Popen = subprocess.Popen) -> None:
    """Run a program in a process of its own: forks want one in which torch has done nothing yet."""
    command = [sys.executable, "-c", program, *arguments]
    pipe = subprocess.PIPE
    with popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as child:
        _, errors = child.communicate()
    assert child.returncode == 0, errors[-3000:]


# -- at random moments ---------------------------------------------------------------------------


def kill_at_random_moments(home: Path, rounds: int, seed: int) -> list[End]:
    """Kill a real command line, restart it until it ends, compare; a fresh index every round."""
    command, reference = _command(home), home / "reference"
    length = _undisturbed(command, reference)
    expected, chance, ends = everything(reference), random.Random(seed), []
    for number in range(rounds):
        index = home / f"index{number}"
        moment = chance.uniform(0, length)
        start_and_kill(command, index, moment)
        _finish(command, index)
        ends.append(_end(f"after {moment:.2f} s", index, expected, reference))
        shutil.rmtree(index)
    return ends


def kill_again_and_again(
    home: Path, kills: int, seed: int, popen: Popen = subprocess.Popen
) -> tuple[list[int], End]:
    """Kill the scan into one index several times before it may end.

    Args:
        home: an empty folder.
        kills: how many times.
        seed: of the moments.
        popen: starts the processes.

    Returns:
        How many images the index had after each kill, and how it ended.
    """
    command, reference, index = _command(home), home / "reference", home / "index"
    length = _undisturbed(command, reference, popen)
    chance, done = random.Random(seed), []
    for _ in range(kills):
        start_and_kill(command, index, chance.uniform(0, length / kills), popen)
        done.append(_done(index))
    _finish(command, index, popen)
    return done, _end("again and again", index, everything(reference), reference)


def _command(home: Path) -> Command:
    photos = {f"{n % 3}/{n:03}.png": drawings.noise(n, 16) for n in range(RANDOM_IMAGES)}
    drawings.save(home / "photos", photos)
    save_features(short_network(), home / "short.safetensors")
    program = [sys.executable, "-m", "deconv_core", "scan", str(home / "photos")]
    program += ["--network", str(home / "short.safetensors"), "--block-size", str(BLOCK_SIZE)]
    return lambda index: [*program, "--index", str(index), "--progress", "json"]


def _undisturbed(command: Command, index: Path, popen: Popen = subprocess.Popen) -> float:
    """Scan once; seconds from the first line of progress to the end."""
    with popen(command(index), cwd=ROOT, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        began = time.monotonic()
        child.stdout.read()
    assert child.returncode == 0
    return time.monotonic() - began


def start_and_kill(
    command: Command, index: Path, seconds: float, popen: Popen = subprocess.Popen
) -> None:
    """Start a scan and kill it so long after its first line of progress."""
    with popen(command(index), cwd=ROOT, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(seconds)
        child.send_signal(signal.SIGKILL)
        child.stdout.read()


def _finish(command: Command, index: Path, popen: Popen = subprocess.Popen) -> None:
    with popen(command(index), cwd=ROOT, stdout=subprocess.PIPE) as child:
        child.communicate()
    assert child.returncode == 0


def _done(index: Path) -> int:
    """Images that can be asked for: what a killed scan leaves behind opens."""
    try:
        return len(ActivationIndex.open(index).images)
    except IndexMismatchError:
        return 0


def _end(moment: str, index: Path, expected: dict[str, str], reference: Path) -> End:
    equal = everything(index) == expected and not check_index(index)
    names, wanted = set(contents(index)), set(contents(reference))
    assert wanted - names <= {"scan.lock"}, wanted - names
    return End(moment, equal, len(names - wanted - {"scan.lock"}))


# -- at every file operation ---------------------------------------------------------------------


def list_moments(home: Path, kind: Kind) -> list[str]:
    """Every moment of a scan of this kind, in order."""
    place, told = home / f"{kind.name} listed", home / f"{kind.name}.txt"
    place.mkdir(parents=True)
    assert fork(partial(kind.before, place)) == 0

    def count() -> None:
        moments = Moments(place / "index", None)
        moments.install()
        _scan(place, kind)
        told.write_text("\n".join(moments.seen))

    assert fork(count) == 0
    return told.read_text().splitlines()


def kill_at_moments(
    home: Path, kind: Kind, moments: Sequence[str], only: Sequence[int] = ()
) -> list[End]:
    """Kill a scan at some or all moments, restart it, and compare with an undisturbed scan."""
    start, reference, ends = home / "start", home / "reference", []
    start.mkdir(parents=True)
    assert fork(partial(kind.before, start)) == 0
    shutil.copytree(start, reference)
    assert fork(partial(_scan, reference, kind)) == 0
    expected = everything(reference / "index")
    for number in only or range(len(moments)):
        place = home / "killed"
        shutil.copytree(start, place)

        def die(number: int = number, place: Path = place) -> None:
            Moments(place / "index", number).install()
            _scan(place, kind)

        assert fork(die) == -signal.SIGKILL, moments[number]
        if kind.opens:
            _done(place / "index")  # fails if what was left does not open
        assert fork(partial(_scan, place, kind)) == 0, f"does not go on: {moments[number]}"
        ends.append(_end(moments[number], place / "index", expected, reference / "index"))
        shutil.rmtree(place)
    return ends


def _scan(place: Path, kind: Kind) -> None:
    index_summary.MERGE_FROM, index_summary.MERGED_IMAGES = 3, 4
    images = ImageFolder(place / "photos")
    scan(shallow_network(), images, place / "index", block_size=BLOCK_SIZE, update=kind.update)


def _nothing_yet(place: Path) -> None:
    photos = {f"{'ab'[n % 2]}/{n}.png": drawings.noise(n, 4 + n) for n in range(9)}
    drawings.save(place / "photos", photos)


def _changed_images(place: Path) -> None:
    _nothing_yet(place)
    _scan(place, KINDS[0])
    (place / "photos/a/2.png").unlink()
    changed = {"b/3.png": drawings.noise(60), "c/new.png": drawings.noise(61)}
    drawings.save(place / "photos", changed)


def _damaged_files(place: Path) -> None:
    _nothing_yet(place)
    _scan(place, KINDS[0])
    for name in ("blocks/000000-000001.parquet", "images.parquet"):
        path = place / "index" / name
        path.write_bytes(path.read_bytes()[:-10])


KINDS = (
    Kind("a scan", _nothing_yet),
    Kind("an update", _changed_images, update=True),
    Kind("a repair", _damaged_files, opens=False),
)


if __name__ == "__main__":
    sys.exit(main())
