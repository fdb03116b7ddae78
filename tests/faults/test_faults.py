"""Faults around a scan: it ends with a clear message or correctly, and keeps finished blocks."""

import errno
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deconv_core.errors import DeconvError
from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.index.inspection import check_index
from deconv_core.network.network import Network
from deconv_core.progress import ScanProgress
from deconv_core.scanning.scan import scan
from tests.conftest import Popen
from tests.core import drawings
from tests.faults.indexes import contents, everything

ROOT = Path(__file__).parents[2]
IMAGES = 10


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawings.save(
        tmp_path_factory.mktemp("photos"),
        {f"{'ab'[n % 2]}/{n}.png": drawings.noise(n, 4 + n) for n in range(IMAGES)},
    )


@pytest.fixture(scope="module")
def whole(shallow: Network, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index of an undisturbed scan. Do not write to it."""
    path = tmp_path_factory.mktemp("whole")
    scan(shallow, ImageFolder(photos), path, block_size=2)
    return path


@pytest.fixture
def copy_of_photos(photos: Path, tmp_path: Path) -> Path:
    return shutil.copytree(photos, tmp_path / "photos")


def once(done: int, act: Callable[[], object]) -> Callable[[ScanProgress], None]:
    """Do something as soon as so many images are done."""
    waiting = [act]

    def progress(now: ScanProgress) -> None:
        if now.done >= done and waiting:
            waiting.pop()()

    return progress


# -- the disk ------------------------------------------------------------------------------------


class FullDisk:
    """Says at one of the writes to the disk that there is no room for it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
        self._number, self.writes, self._really = number, 0, os.fsync
        monkeypatch.setattr("deconv_core.whole_files.os.fsync", self._fsync)

    def _fsync(self, file: int) -> None:
        if stat.S_ISDIR(os.fstat(file).st_mode):
            return
        self.writes += 1
        if self.writes == self._number:
            os.ftruncate(file, 10)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._really(file)


def test_a_disk_that_is_full_at_any_write(shallow: Network, photos: Path, tmp_path: Path) -> None:
    images, failures, whole = ImageFolder(photos / "a"), 0, tmp_path / "whole"
    scan(shallow, images, whole, block_size=2)
    while True:
        index = tmp_path / f"index{failures}"
        with pytest.MonkeyPatch.context() as patch:
            disk = FullDisk(patch, failures + 1)
            try:
                scan(shallow, images, index, block_size=2)
            except DeconvError as error:
                assert "No space left on device. Finished blocks are kept" in str(error)  # noqa: PT017
            else:
                break
        failures += 1
        assert not list(index.rglob("*.part")), "a full disk needs the room"
        finished = contents(index, "blocks/*.parquet")
        scan(shallow, images, index, block_size=2)
        assert {name: contents(index)[name] for name in finished} == finished
        assert everything(index) == everything(whole)
        assert not check_index(index)
    assert failures == disk.writes == 9  # three blocks, and images and manifest twice, summary


@pytest.mark.parametrize("place", ["", "blocks", "manifest.json", "images.parquet", "scan.lock"])
def test_something_else_is_in_the_place_of_a_file_or_folder(
    shallow: Network, photos: Path, tmp_path: Path, place: str
) -> None:
    """As on a folder one may not write to, which does not stop the administrator."""
    index = tmp_path / "index"
    if place in ("", "blocks"):
        (index / place).parent.mkdir(exist_ok=True)
        (index / place).write_text("a file, not a folder")
    else:
        (index / place / "a folder, not a file").mkdir(parents=True)
    with pytest.raises(DeconvError, match=r"cannot write the index at .*choose a folder"):
        scan(shallow, ImageFolder(photos), index)
    assert (index / place).exists()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the administrator may write")
def test_a_folder_one_may_not_write_to(shallow: Network, photos: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    index.mkdir()
    index.chmod(0o500)
    with pytest.raises(DeconvError, match=r"cannot write the index at .*choose a folder"):
        scan(shallow, ImageFolder(photos), index)


@pytest.mark.parametrize("done", [2, 6, 10])
def test_the_index_is_removed_while_it_is_scanned(
    shallow: Network, photos: Path, whole: Path, tmp_path: Path, done: int
) -> None:
    images, index = ImageFolder(photos), tmp_path / "index"
    with pytest.raises(DeconvError, match="was removed or replaced while it was being scanned"):
        scan(shallow, images, index, block_size=2, progress=once(done, lambda: remove(index)))
    assert not list(tmp_path.rglob("*.parquet"))
    scan(shallow, images, index, block_size=2)
    assert everything(index) == everything(whole)


@pytest.mark.parametrize("done", [3, 6, 10])
def test_the_blocks_are_removed_while_it_is_scanned(
    shallow: Network, photos: Path, whole: Path, tmp_path: Path, done: int
) -> None:
    images, index = ImageFolder(photos), tmp_path / "index"
    progress = once(done, lambda: remove(index / "blocks"))
    with pytest.raises(DeconvError, match=r"blocks 0.* were deleted while .* scan again"):
        scan(shallow, images, index, block_size=2, progress=progress)
    assert not ActivationIndex.open(index).complete
    scan(shallow, images, index, block_size=2)
    assert everything(index) == everything(whole)


def test_another_index_is_put_in_its_place(
    shallow: Network, photos: Path, tmp_path: Path, copy_of_photos: Path
) -> None:
    """Removed, and begun again by another process: none of the first one's blocks gets into it."""
    index, few = tmp_path / "index", copy_of_photos
    (few / "a/0.png").unlink()

    def replace() -> None:
        remove(index)
        scan(shallow, ImageFolder(few), index, block_size=2)

    with pytest.raises(DeconvError, match="removed or replaced"):
        scan(shallow, ImageFolder(photos), index, block_size=2, progress=once(4, replace))
    assert not check_index(index)
    assert len(ActivationIndex.open(index).images) == IMAGES - 1


def remove(folder: Path) -> None:
    shutil.rmtree(folder)


# -- the images ----------------------------------------------------------------------------------


def test_images_that_vanish_while_they_are_scanned(
    shallow: Network, copy_of_photos: Path, whole: Path, tmp_path: Path
) -> None:
    images, index = ImageFolder(copy_of_photos), tmp_path / "index"
    gone = [entry for entry in images if entry.label == "b"][-2:]
    saved = {entry.path: entry.path.read_bytes() for entry in gone}

    def vanish() -> None:
        for path in saved:
            path.unlink()

    found = scan(shallow, images, index, block_size=2, progress=once(2, vanish))
    errors = found.images.set_index("image_id")["error"]
    assert [name for name, error in errors.items() if error] == [e.image_id for e in gone]
    assert set(errors[[entry.image_id for entry in gone]]) == {"the file is gone"}
    for path, content in saved.items():  # they come back: an update, as the message says
        path.write_bytes(content)
    with pytest.raises(DeconvError, match=r"2 changed.*--update"):
        scan(shallow, images, index)
    scan(shallow, images, index, update=True)
    updated, expected = ActivationIndex.open(index), ActivationIndex.open(whole)
    assert updated.images.equals(expected.images)
    assert updated.top("conv3_1", k=100) == pytest.approx(expected.top("conv3_1", k=100))


def test_images_that_change_between_listing_and_decoding(
    shallow: Network, copy_of_photos: Path, tmp_path: Path
) -> None:
    """The peaks and the hash belong to the same bytes."""
    images, index = ImageFolder(copy_of_photos), tmp_path / "index"
    changed = {"b/9.png": drawings.noise(70), "b/7.png": drawings.noise(71)}

    def change() -> None:
        drawings.save(copy_of_photos, changed)
        (copy_of_photos / "b/5.png").write_bytes(b"no picture any more")

    scan(shallow, images, index, block_size=2, progress=once(2, change))
    scan(shallow, ImageFolder(copy_of_photos), tmp_path / "after", block_size=2)
    assert everything(index) == everything(tmp_path / "after")
    scan(shallow, images, index)  # and nothing has changed since


def test_images_that_change_after_they_were_decoded(
    shallow: Network, copy_of_photos: Path, tmp_path: Path
) -> None:
    images, index = ImageFolder(copy_of_photos), tmp_path / "index"

    def change() -> None:
        drawings.save(copy_of_photos, {"a/0.png": drawings.noise(70)})

    assert scan(shallow, images, index, block_size=2, progress=once(4, change)).complete
    with pytest.raises(DeconvError, match="0 added, 0 removed, 1 changed"):
        scan(shallow, images, index)


@pytest.mark.parametrize("emptied", [False, True])
def test_the_folder_of_images_is_removed_while_it_is_scanned(
    shallow: Network, copy_of_photos: Path, whole: Path, tmp_path: Path, emptied: bool
) -> None:
    """A disk that is unplugged leaves no folder, or the empty one it was mounted on."""
    images, index, aside = ImageFolder(copy_of_photos), tmp_path / "index", tmp_path / "aside"

    def unplug() -> None:
        copy_of_photos.rename(aside)
        if emptied:
            copy_of_photos.mkdir()

    with pytest.raises(DeconvError, match=r"folder of images .* was removed .*blocks are kept"):
        scan(shallow, images, index, block_size=2, progress=once(4, unplug))
    kept = contents(index, "blocks/*")
    assert kept
    assert (ActivationIndex.open(index).images["error"] == "").all()
    shutil.rmtree(copy_of_photos, ignore_errors=True)
    aside.rename(copy_of_photos)
    scan(shallow, images, index, block_size=2)
    assert {name: contents(index)[name] for name in kept} == kept
    assert everything(index) == everything(whole)


# -- other processes -----------------------------------------------------------------------------


def test_four_processes_scan_into_one_index_at_once(
    popen: Popen, shallow: Network, photos: Path, tmp_path: Path
) -> None:
    program = (
        "import sys\n"
        "from deconv_core import ImageFolder, scan\n"
        "from tests.core.networks import shallow_network\n"
        "scan(shallow_network(), ImageFolder(sys.argv[1]), sys.argv[2], block_size=1)\n"
    )
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    command = [sys.executable, "-c", program, str(photos), str(shared)]
    started = [popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    ends = [(child.communicate()[1], child.returncode) for child in started]
    assert [status for _, status in ends].count(0) >= 1
    for words, status in ends:
        assert status == 0 or "another process is scanning into" in words, words
    scan(shallow, ImageFolder(photos), alone, block_size=1)
    assert everything(shared) == everything(alone)
    assert not check_index(shared)
    assert set(contents(shared)) - {"scan.lock"} == set(contents(alone)) - {"scan.lock"}
