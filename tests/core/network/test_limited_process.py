"""Pickled weight files are read by a process of its own, which always ends and leaves nothing."""

import sys
import tempfile
import threading
from pathlib import Path

import psutil
import pytest
import torch

from deconv_core import load_network
from deconv_core.errors import CancelledError, WeightsError
from tests.conftest import Run
from tests.core.weight_writers import features
from tests.hostile.weights import ZEROS, nested, npy


@pytest.fixture(autouse=True)
def _nothing_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    before = set(psutil.Process().children())
    yield
    assert not list((tmp_path / "temporary").iterdir())
    assert set(psutil.Process().children()) <= before


def test_reading_is_stopped_when_it_is_cancelled(tmp_path: Path) -> None:
    path, cancel = tmp_path / "endless.npy", threading.Event()
    path.write_bytes(npy(ZEROS + b"}" + nested(60) + b"Ns."))
    threading.Timer(0.2, cancel.set).start()
    with pytest.raises(CancelledError):
        load_network(path, cancel=cancel)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_file_over_which_its_reader_crashes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep.npy"  # a key nested so deep that its hash leaves the stack
    path.write_bytes(npy(ZEROS + b"}N" + b"\x85" * 1_000_000 + b"Ns."))
    with pytest.raises(WeightsError, match=r"deep\.npy ends the program that reads it"):
        load_network(path)


def test_modules_in_the_working_folder_are_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pickle", "zipfile", "numpy", "deconv_core"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a stranger')")
    torch.save(features(), tmp_path / "a.pth")
    monkeypatch.chdir(tmp_path)
    assert load_network("a.pth").architecture == "VGG19"


def test_a_daemonic_process_of_a_script_without_a_guard_reads_them_too(
    run: Run, tmp_path: Path
) -> None:
    torch.save(features(), tmp_path / "a.pth")
    program = (
        "import multiprocessing, sys\n"
        "from deconv_core import load_network\n"
        "def load(): print(load_network(sys.argv[1]).architecture, flush=True)\n"
        "process = multiprocessing.get_context('fork').Process(target=load, daemon=True)\n"
        "process.start(); process.join(); sys.exit(process.exitcode)"
    )
    done = run([sys.executable, "-c", program, str(tmp_path / "a.pth")])
    assert (done.returncode, done.stdout.strip()) == (0, "VGG19"), done.stderr[-2000:]


def test_a_program_that_cannot_read_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(features(), tmp_path / "a.pth")
    monkeypatch.setattr("deconv_core.network.limited_process._PROJECT", tmp_path)
    monkeypatch.setenv("PYTHONPATH", "")
    with pytest.raises(WeightsError, match=r"reads a\.pth failed: .*deconv_core"):
        load_network(tmp_path / "a.pth")
