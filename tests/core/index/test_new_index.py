"""Scan anew: the old index stays until the new one is complete, at any moment of a kill."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import filelock
import pytest

from deconv_core.__main__ import main
from deconv_core.errors import DeconvError, IndexMismatchError, ScanRunningError
from deconv_core.images.folder import ImageFolder
from deconv_core.index import new_index as module
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.index.inspection import check_index
from deconv_core.index.new_index import finish_replacement, new_index
from deconv_core.network.network import Network
from deconv_core.scanning.scan import scan
from tests.core import drawings
from tests.core.networks import shallow_network
from tests.faults.indexes import everything


class KilledError(BaseException):
    """As a kill: nothing of the program runs after it."""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> ImageFolder:
    pictures = {f"{n}.png": drawings.noise(n, 16) for n in range(3)}
    return ImageFolder(drawings.save(tmp_path_factory.mktemp("photos"), pictures))


@pytest.fixture(scope="module")
def other() -> Network:
    """Another network than ``shallow``: what it makes is known by its fingerprint."""
    return shallow_network(seed=5)


@pytest.fixture(scope="module")
def both(
    shallow: Network, other: Network, photos: ImageFolder, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with "old" and "new", indexes by two networks. Do not write to it."""
    home = tmp_path_factory.mktemp("both")
    scan(shallow, photos, home / "old")
    scan(other, photos, home / "new")
    return home


@pytest.fixture
def place(both: Path, tmp_path: Path) -> Path:
    """An old index, and beside it the whole new one that is to take its place."""
    shutil.copytree(both / "old", tmp_path / "index")
    shutil.copytree(both / "new", tmp_path / "index.anew")
    return tmp_path / "index"


def killed_before(call: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The renames and the deletion of a replacement, counted; a kill before one of them."""
    calls: Iterator[int] = iter(range(100))

    def counted(function: object) -> object:
        def run(*args: object, **how: object) -> object:
            if next(calls) == call:
                raise KilledError
            return function(*args, **how)  # type: ignore[operator]

        return run

    monkeypatch.setattr(module.os, "replace", counted(os.replace))
    monkeypatch.setattr(module.shutil, "rmtree", counted(shutil.rmtree))


MOMENTS = {
    "before the first rename": 0,
    "between the two renames": 1,
    "before what was there is deleted": 2,
}


def names(place: Path) -> list[str]:
    return sorted(os.listdir(place.parent))


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("by", ["finish", "scan --anew", "scan"])
def test_whoever_comes_after_a_kill_puts_it_right(
    place: Path,
    both: Path,
    photos: ImageFolder,
    shallow: Network,
    other: Network,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
    by: str,
) -> None:
    new, old = everything(both / "new"), everything(both / "old")
    with monkeypatch.context() as patched:
        killed_before(MOMENTS[moment], patched)
        with pytest.raises(KilledError):
            scan(other, photos, place, anew=True)
    kept = [everything(path) for path in place.parent.iterdir()]
    assert new in kept
    if by == "finish":
        assert finish_replacement(place) is (MOMENTS[moment] < 2)
        module.delete_replaced(place)
    elif by == "scan --anew":
        assert ActivationIndex.open(scan(other, photos, place, anew=True)._folder.path).complete
    elif MOMENTS[moment] == 0:  # the old one is there, and a plain scan goes on with it
        scan(shallow, photos, place)
        assert everything(place) == old
        return
    else:
        scan(other, photos, place)
    assert everything(place) == new
    assert names(place) == ["index"]
    assert not check_index(place)


def test_the_index_stays_until_the_new_one_is_whole(
    place: Path, both: Path, photos: ImageFolder, other: Network
) -> None:
    shutil.rmtree(new_index(place))
    told: list[object] = []

    class Stop:
        def is_set(self) -> bool:
            return bool(told)

    how = {"block_size": 1, "progress": lambda now: told.append(now) if now.done else None}
    half = scan(other, photos, place, anew=True, cancel=Stop(), **how)
    assert not half.complete
    assert 0 < len(half.images) < 3
    assert everything(place) == everything(both / "old")
    assert names(place) == ["index", "index.anew"]
    whole = scan(other, photos, place, anew=True)
    assert (whole.complete, whole.manifest.fingerprint) == (True, other.fingerprint)
    assert whole.manifest.block_size == 1  # it went on with what was begun
    assert names(place) == ["index"]


def test_where_no_index_is_a_new_one_is_made(
    tmp_path: Path, photos: ImageFolder, other: Network
) -> None:
    assert scan(other, photos, tmp_path / "index", anew=True).complete
    assert names(tmp_path / "index") == ["index"]


def test_a_new_index_that_was_begun_otherwise(
    place: Path, photos: ImageFolder, shallow: Network, other: Network
) -> None:
    del other
    with pytest.raises(IndexMismatchError, match=r"index\.anew cannot be .*delete that folder"):
        scan(shallow, photos, place, anew=True)
    assert names(place) == ["index", "index.anew"]


@pytest.mark.parametrize("name", ["notes.txt", "blocks/mine.csv", ".hidden"])
def test_files_of_others_in_the_index_are_not_deleted(
    place: Path, both: Path, photos: ImageFolder, other: Network, name: str
) -> None:
    (place / name).write_text("mine")
    with pytest.raises(DeconvError, match="beside the index, which would be deleted with it"):
        scan(other, photos, place, anew=True)
    with pytest.raises(DeconvError, match="beside the index"):
        finish_replacement(place)
    assert (place / name).read_text() == "mine"
    (place / name).unlink()
    assert everything(place) == everything(both / "old")
    assert finish_replacement(place)


def test_a_folder_that_is_no_index_is_not_replaced(
    tmp_path: Path, photos: ImageFolder, other: Network
) -> None:
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "a.txt").write_text("mine")
    with pytest.raises(DeconvError, match="is not an index"):
        scan(other, photos, tmp_path / "holiday", anew=True)
    assert names(tmp_path / "holiday") == ["holiday"]


@pytest.mark.parametrize("which", ["index", "index.anew"])
def test_an_index_that_is_being_scanned_is_not_exchanged(
    place: Path, both: Path, photos: ImageFolder, other: Network, which: str
) -> None:
    with (
        filelock.FileLock(place.with_name(which) / "scan.lock"),
        pytest.raises(ScanRunningError, match="another process is scanning into"),
    ):
        scan(other, photos, place, anew=True)
    assert everything(place) == everything(both / "old")
    assert everything(new_index(place)) == everything(both / "new")


def test_renames_that_fail_leave_both(
    place: Path, both: Path, photos: ImageFolder, other: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.replace

    def replace(source: Path, target: Path) -> None:
        if str(source).endswith(".anew"):
            raise OSError(5, "Input/output error")
        real(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(module.os, "replace", replace)
        with pytest.raises(DeconvError, match="Input/output error"):
            scan(other, photos, place, anew=True)
    assert everything(place) == everything(both / "old")
    assert names(place) == ["index", "index.anew"]


def test_an_index_by_way_of_a_link(
    place: Path, both: Path, photos: ImageFolder, other: Network, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(place)
    scan(other, photos, link, anew=True)
    assert link.is_symlink()
    assert everything(place) == everything(both / "new")
    assert names(place) == ["index", "link"]


def test_the_command_line(
    place: Path,
    photos: ImageFolder,
    weight_file: Path,
    network: Network,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.rmtree(place)
    arguments = ["scan", str(photos.root), "--index", str(place), "--network", str(weight_file)]
    assert main(["top", str(place), "--layer", "conv1_1"]) == 1
    assert "a new one was begun at" in (said := capsys.readouterr().err)
    assert "--anew" in said
    new_index(place).rename(place)  # by other weights
    assert main([*arguments, "--progress", "none"]) == 1
    assert "--anew" in capsys.readouterr().err
    assert main([*arguments, "--progress", "none", "--anew"]) == 0
    assert f"3 of 3 images are in {place}" in capsys.readouterr().out
    assert ActivationIndex.open(place).manifest.fingerprint == network.fingerprint
    assert names(place) == ["index"]
