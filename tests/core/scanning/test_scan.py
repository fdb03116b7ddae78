"""A scan: resumed, updated, cancelled, refused, repeated; and what it does about bad images."""

import os
import shutil
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import filelock
import numpy as np
import pytest
import torch
from PIL import Image

from deconv_core.errors import (
    DeconvError,
    IndexDamagedError,
    IndexMismatchError,
    IndexOutdatedError,
    ScanRunningError,
)
from deconv_core.images import folder as images_module
from deconv_core.images.decoding import DECODING
from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.index.blocks import ImageRow
from deconv_core.index.folder import IndexFolder
from deconv_core.network.network import PREPROCESSINGS, Network, build_network
from deconv_core.progress import ScanProgress
from deconv_core.scanning.block import scan_block
from deconv_core.scanning.compute import ScanNetwork, choose_compute
from deconv_core.scanning.plan import scanned_folder
from deconv_core.scanning.scan import scan
from deconv_core.storage import part_name
from deconv_core.units import Activation
from tests.conftest import Popen
from tests.core import drawings
from tests.core.networks import SHALLOW, random_chain, shallow_network, whole_number_network

ASKED = [("conv1_1", None), ("conv2_1", 3), ("conv3_1", None), ("conv3_1", 0), ("pool2", None)]


def answers(index: ActivationIndex) -> list[list[Activation]]:
    return [index.top(layer, channel=channel, k=100) for layer, channel in ASKED]


def blocks_of(index: Path) -> dict[str, tuple[int, bytes]]:
    """Name -> (time of last change, content) of every block that is there under its final name."""
    return {
        path.name: (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted((index / "blocks").glob("[0-9]*.parquet"))
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten small files that a test may change."""
    pictures = {f"{'ab'[n % 2]}/{n}.png": drawings.noise(n, 4 + n) for n in range(10)}
    return drawings.save(tmp_path / "photos", pictures)


# -- a scan that was stopped ---------------------------------------------------------------------


def test_a_killed_scan_goes_on_without_touching_finished_blocks(
    popen: Popen, shallow: Network, folder: Path, tmp_path: Path
) -> None:
    program = (
        "import sys, time\n"
        "from deconv_core.images.folder import ImageFolder\n"
        "from deconv_core.scanning.scan import scan\n"
        "from tests.core.networks import shallow_network\n"
        "scan(shallow_network(), ImageFolder(sys.argv[1]), sys.argv[2], block_size=2,\n"
        "     progress=lambda _: time.sleep(0.4))\n"
    )
    path = tmp_path / "index"
    child = popen(
        [sys.executable, "-c", program, str(folder), str(path)], cwd=Path(__file__).parents[3]
    )
    try:
        limit = time.monotonic() + 240
        while len(blocks_of(path)) < 2:
            assert time.monotonic() < limit
            assert child.poll() is None
            time.sleep(0.02)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert child.returncode == -signal.SIGKILL
    finished = blocks_of(path)
    assert 2 <= len(finished) < 5

    unfinished = ActivationIndex.open(path)
    assert not unfinished.complete
    assert unfinished.total == 10
    assert len(unfinished.images) == 2 * len(finished)

    resumed = scan(shallow, ImageFolder(folder), path, block_size=2)
    after = blocks_of(path)
    assert {name: after[name] for name in finished} == finished
    assert len(after) == 5
    assert resumed.complete

    uninterrupted = scan(shallow, ImageFolder(folder), tmp_path / "other", block_size=2)
    assert answers(resumed) == answers(uninterrupted)
    assert resumed.images.equals(uninterrupted.images)


def test_a_cancelled_scan_answers_over_what_is_done_and_goes_on(
    shallow: Network, folder: Path, tmp_path: Path
) -> None:
    cancel, told = threading.Event(), []

    def progress(now: ScanProgress) -> None:
        told.append(now)
        if now.done >= 5:
            cancel.set()

    images = ImageFolder(folder)
    stopped = scan(
        shallow, images, tmp_path / "index", block_size=2, progress=progress, cancel=cancel
    )
    assert not stopped.complete
    assert stopped.total == 10
    done = len(stopped.images)
    assert 4 <= done < 10
    few = ImageFolder(_copy(folder, tmp_path / "few", stopped.images["image_id"].tolist()))
    assert answers(stopped) == answers(scan(shallow, few, tmp_path / "few index", block_size=2))

    resumed = scan(shallow, images, tmp_path / "index")
    assert resumed.complete
    assert len(resumed.images) == 10
    assert answers(resumed) == answers(scan(shallow, images, tmp_path / "whole", block_size=2))


def test_a_scan_cancelled_before_its_first_block_goes_on(
    shallow: Network, folder: Path, tmp_path: Path
) -> None:
    cancel = threading.Event()
    cancel.set()
    images = ImageFolder(folder)
    nothing = scan(shallow, images, tmp_path / "index", cancel=cancel)
    assert not nothing.complete
    assert len(nothing.images) == 0
    assert nothing.total == 10
    assert nothing.top("conv1_1") == []
    assert nothing.peaks("conv1_1", 0).empty
    assert len(nothing.maps("conv1_1")) == 4
    assert scan(shallow, images, tmp_path / "index").complete


def test_half_written_files_are_cleared_away(
    shallow: Network, folder: Path, tmp_path: Path
) -> None:
    images, path = ImageFolder(folder), tmp_path / "index"
    scan(shallow, images, path)
    for name in ("manifest.json", "blocks/000001.parquet", "top-0123abcd.parquet"):
        half = path / name
        half.with_name(part_name(half.name)).write_bytes(b"half")
    assert len(ActivationIndex.open(path).images) == 10
    scan(shallow, images, path)
    assert not list(path.rglob("*.part"))


def test_a_finished_scan_has_nothing_left_to_do(
    shallow: Network, folder: Path, tmp_path: Path
) -> None:
    images, path, told = ImageFolder(folder), tmp_path / "index", []
    first = scan(shallow, images, path, block_size=4)
    before = blocks_of(path)
    again = scan(shallow, images, path, progress=told.append)
    assert blocks_of(path) == before
    assert answers(again) == answers(first)
    assert [(now.done, now.total, now.found) for now in told] == [(10, 10, 10)]


def test_a_deleted_block_is_scanned_again_alone(
    shallow: Network, folder: Path, tmp_path: Path
) -> None:
    images, path = ImageFolder(folder), tmp_path / "index"
    expected = answers(scan(shallow, images, path, block_size=3))
    before = blocks_of(path)
    (path / "blocks" / "000001.parquet").unlink()
    assert answers(scan(shallow, images, path)) == expected
    after = blocks_of(path)
    assert after["000001.parquet"][1] == before.pop("000001.parquet")[1]
    assert {name: after[name] for name in before} == before


def test_a_damaged_block_is_named_and_the_next_scan_heals_it(
    shallow: Network, folder: Path, tmp_path: Path
) -> None:
    images, path = ImageFolder(folder), tmp_path / "index"
    expected = answers(scan(shallow, images, path, block_size=3))
    block = path / "blocks" / "000002.parquet"
    block.write_bytes(block.read_bytes()[:500])
    with pytest.raises(IndexDamagedError, match=r"000002\.parquet .*scan .* again"):
        ActivationIndex.open(path).peaks("conv1_1", 0)
    assert answers(scan(shallow, images, path)) == expected


# -- the same answers, whatever the way ----------------------------------------------------------


def test_a_repeated_scan_gives_the_same_bits(
    shallow: Network, folder: Path, tmp_path: Path
) -> None:
    images = ImageFolder(folder)
    scan(shallow, images, tmp_path / "one", block_size=3)
    scan(shallow, images, tmp_path / "two", block_size=3)
    one, two = blocks_of(tmp_path / "one"), blocks_of(tmp_path / "two")
    assert [content for _, content in one.values()] == [content for _, content in two.values()]


def test_the_size_of_a_block_does_not_change_the_answers(folder: Path, tmp_path: Path) -> None:
    # In whole numbers nothing is rounded, so they must be equal in every bit.
    network, images = whole_number_network(), ImageFolder(folder)
    expected = answers(scan(network, images, tmp_path / "index", block_size=4))
    for size in (1, 3, 7, 1000):
        other = scan(network, images, tmp_path / f"{size}", block_size=size)
        assert len(blocks_of(tmp_path / f"{size}")) == -(-10 // size)
        assert answers(other) == expected


def test_the_size_of_a_block_does_not_change_a_bit(
    index: ActivationIndex, network: Network, images: ImageFolder, tmp_path: Path
) -> None:
    other = scan(network, images, tmp_path, block_size=17)
    for layer in list(index.layers)[::3]:
        for channel in range(index.layers[layer].channels):
            assert other.peaks(layer, channel).equals(index.peaks(layer, channel))


# -- images that were added, removed or changed --------------------------------------------------


def change(folder: Path) -> None:
    """Add two images, remove two, and change the content of one; the rest stays."""
    drawings.save(folder, {"a/new.png": drawings.noise(50), "c/new.png": drawings.noise(51, 5)})
    (folder / "a/2.png").unlink()
    (folder / "b/9.png").unlink()
    drawings.save(folder, {"b/5.png": drawings.noise(52, 9)})


def test_images_that_differ_are_refused_and_counted(
    shallow: Network, folder: Path, tmp_path: Path
) -> None:
    before = answers(scan(shallow, ImageFolder(folder), tmp_path / "index"))
    change(folder)
    with pytest.raises(IndexMismatchError, match=r"2 added, 2 removed, 1 changed.*update"):
        scan(shallow, ImageFolder(folder), tmp_path / "index")
    unharmed = ActivationIndex.open(tmp_path / "index")
    assert unharmed.complete
    assert answers(unharmed) == before


def test_an_update_scans_only_what_differs_and_ends_with_the_answers_of_a_fresh_scan(
    shallow: Network, folder: Path, tmp_path: Path
) -> None:
    path, told = tmp_path / "index", []
    scan(shallow, ImageFolder(folder), path, block_size=4)
    before = blocks_of(path)
    change(folder)
    images = ImageFolder(folder)
    updated = scan(shallow, images, path, update=True, progress=told.append)
    after = blocks_of(path)
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + 1
    assert [told[0].done, told[0].found, told[-1].done, told[-1].total] == [7, 7, 10, 10]

    fresh = scan(shallow, images, tmp_path / "fresh", block_size=4)
    assert updated.complete
    assert updated.total == 10
    assert updated.images.equals(fresh.images)
    assert updated.labels == fresh.labels == {"a": 5, "b": 4, "c": 1}
    for ours, theirs in zip(answers(updated), answers(fresh), strict=True):
        assert [(a.image_id, a.unit, a.row, a.column) for a in ours] == [
            (a.image_id, a.unit, a.row, a.column) for a in theirs
        ]
        assert [a.value for a in ours] == pytest.approx([a.value for a in theirs], rel=1e-5)


def test_an_update_of_an_unfinished_scan(shallow: Network, folder: Path, tmp_path: Path) -> None:
    cancel = threading.Event()
    path = tmp_path / "index"
    scan(
        shallow,
        ImageFolder(folder),
        path,
        block_size=2,
        cancel=cancel,
        progress=lambda now: cancel.set() if now.done >= 4 else None,
    )
    change(folder)
    images = ImageFolder(folder)
    updated = scan(shallow, images, path, update=True)
    fresh = scan(shallow, images, tmp_path / "fresh", block_size=2)
    assert updated.complete
    assert updated.images.equals(fresh.images)
    assert [a.image_id for a in updated.top("conv3_1")] == [
        a.image_id for a in fresh.top("conv3_1")
    ]


def test_updating_again_and_again(shallow: Network, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "index"
    original = scan(shallow, ImageFolder(folder), path)
    saved = _copy(folder, tmp_path / "saved", original.images["image_id"].tolist())
    change(folder)
    scan(shallow, ImageFolder(folder), path, update=True)
    shutil.rmtree(folder)
    shutil.copytree(saved, folder)
    back = scan(shallow, ImageFolder(folder), path, update=True)
    assert back.images.equals(original.images)
    assert [a.image_id for a in back.top("conv3_1")] == [
        a.image_id for a in original.top("conv3_1")
    ]
    told: list[ScanProgress] = []
    scan(shallow, ImageFolder(folder), path, progress=told.append)
    assert len(told) == 1, "nothing is left to do"


def test_a_folder_that_was_moved_is_the_same_images(
    shallow: Network, folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "index"
    expected = answers(scan(shallow, ImageFolder(folder), path))
    moved = tmp_path / "elsewhere"
    folder.rename(moved)
    for file in moved.rglob("*.png"):
        os.utime(file, (5, 5))
    assert answers(scan(shallow, ImageFolder(moved), path)) == expected


# -- refusals ------------------------------------------------------------------------------------


@pytest.fixture
def scanned(shallow: Network, folder: Path, tmp_path: Path) -> Path:
    scan(shallow, ImageFolder(folder), tmp_path / "index", block_size=12)
    return tmp_path / "index"


def test_another_network_is_refused(scanned: Path, folder: Path) -> None:
    with pytest.raises(IndexMismatchError, match="network"):
        scan(shallow_network(seed=1), ImageFolder(folder), scanned)


def test_another_preprocessing_is_refused(scanned: Path, folder: Path) -> None:
    same_weights = build_network("shallow 0", random_chain(0, SHALLOW), PREPROCESSINGS["caffe"])
    with pytest.raises(IndexMismatchError):
        scan(same_weights, ImageFolder(folder), scanned)


def test_another_precision_is_refused(scanned: Path, shallow: Network, folder: Path) -> None:
    with pytest.raises(IndexMismatchError, match="precision"):
        scan(shallow, ImageFolder(folder), scanned, precision="bfloat16")


def test_another_resizing_is_refused(scanned: Path, shallow: Network, folder: Path) -> None:
    with pytest.raises(IndexMismatchError, match="resizing"):
        scan(shallow, ImageFolder(folder, resize="crop"), scanned)


def test_another_value_range_is_refused(scanned: Path, shallow: Network, folder: Path) -> None:
    with pytest.raises(IndexMismatchError, match="value range type; now it is file"):
        scan(shallow, ImageFolder(folder, value_range="file"), scanned)


@pytest.mark.parametrize("update", [False, True])
def test_an_index_of_files_read_in_another_way_is_refused(
    scanned: Path, shallow: Network, folder: Path, update: bool
) -> None:
    index = IndexFolder(scanned)
    index.write_manifest(replace(index.read_manifest(), decoding="of long ago"))
    with pytest.raises(IndexMismatchError, match=r"decoding of long ago.*scan the images anew"):
        scan(shallow, ImageFolder(folder), scanned, update=update)


@pytest.mark.parametrize("complete", [False, True])
def test_an_index_of_an_older_format_is_refused_and_left_alone(
    scanned: Path, shallow: Network, folder: Path, complete: bool
) -> None:
    index = IndexFolder(scanned)
    old = replace(index.read_manifest(), format_version=2, complete=complete)
    index.write_manifest(old)
    before = {path: path.read_bytes() for path in scanned.rglob("*") if path.is_file()}
    for update in (False, True):
        with pytest.raises(IndexMismatchError, match=r"has format 2.*scan the images anew"):
            scan(shallow, ImageFolder(folder), scanned, update=update)
    assert {path: path.read_bytes() for path in scanned.rglob("*") if path.is_file()} == before


def test_which_images_were_taken_is_known_and_said(
    shallow: Network, folder: Path, tmp_path: Path
) -> None:
    path, only_b = tmp_path / "index", ImageFolder(folder, ["PNG"], ["b"])
    made = scan(shallow, only_b, path).manifest
    assert (made.extensions, made.labels, made.follow_links) == ((".png",), ("b",), False)
    assert (made.resize, made.value_range, made.decoding) == ("stretch", "type", DECODING)
    assert [entry.image_id for entry in scanned_folder(folder, made)] == [
        entry.image_id for entry in only_b
    ]
    with pytest.raises(
        IndexMismatchError, match=r"labels: b in the scan, all now; update the index"
    ):
        scan(shallow, ImageFolder(folder, ["png"]), path)
    wider = scan(shallow, ImageFolder(folder), path, update=True)
    assert (wider.manifest.extensions, wider.manifest.labels) == (None, None)
    assert len(wider.images) == len(ImageFolder(folder)) > len(only_b)


@pytest.mark.parametrize("update", [False, True])
def test_images_behind_links_are_not_left_out_unasked(
    shallow: Network, tmp_path: Path, update: bool
) -> None:
    root = drawings.save(tmp_path / "all", {"own/0.png": drawings.noise(2, 9)})
    real = drawings.save(tmp_path / "real", {"1.png": drawings.noise(1, 9)})
    (root / "cat").symlink_to(real, target_is_directory=True)
    path = tmp_path / "index"
    scan(shallow, ImageFolder(root, follow_links=True), path)
    with pytest.raises(IndexOutdatedError, match=r"without them, 1 of its images.*--follow-links"):
        scan(shallow, ImageFolder(root), path, update=update)
    assert len(ActivationIndex.open(path).images) == 2
    (root / "cat").unlink()  # then nothing depends on it
    left = scan(shallow, ImageFolder(root, follow_links=True), path, update=True)
    assert scan(shallow, ImageFolder(root), path).manifest == left.manifest
    (root / "cat").symlink_to(real, target_is_directory=True)
    scan(shallow, ImageFolder(root, follow_links=True), path, update=True)
    asked = scan(shallow, ImageFolder(root, follow_links=False), path, update=True)
    assert (len(asked.images), asked.manifest.follow_links) == (1, False)


@pytest.mark.parametrize("block_size", [2, 1, 32])
def test_another_block_size_is_refused(
    scanned: Path, shallow: Network, folder: Path, block_size: int
) -> None:
    with pytest.raises(IndexMismatchError, match="block size"):
        scan(shallow, ImageFolder(folder), scanned, block_size=block_size)


def test_another_torch_version_is_refused(scanned: Path, shallow: Network, folder: Path) -> None:
    index = IndexFolder(scanned)
    made = index.read_manifest()
    index.write_manifest(replace(made, compute=replace(made.compute, torch_version="1.0.0")))
    with pytest.raises(IndexMismatchError, match=r"torch version.*1\.0\.0"):
        scan(shallow, ImageFolder(folder), scanned)


def test_refusals_leave_the_index_as_it_was(scanned: Path, shallow: Network, folder: Path) -> None:
    before = {path: path.read_bytes() for path in scanned.rglob("*") if path.is_file()}
    for refused in (
        {"precision": "bfloat16"},
        {"block_size": 5},
    ):
        with pytest.raises(IndexMismatchError):
            scan(shallow, ImageFolder(folder), scanned, **refused)
    assert {path: path.read_bytes() for path in scanned.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"precision": "float64"}, "precision 'float64' is not known; choose auto, float32"),
        ({"block_size": 0}, "block_size is 0"),
        ({"block_size": -1}, "block_size is -1"),
    ],
)
def test_bad_arguments_are_errors(
    shallow: Network, folder: Path, tmp_path: Path, argument: dict, message: str
) -> None:
    with pytest.raises(DeconvError, match=message):
        scan(shallow, ImageFolder(folder), tmp_path / "index", **argument)
    assert not (tmp_path / "index").exists()


def test_a_folder_without_images_says_what_it_holds(shallow: Network, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/readme.txt").write_text("no picture")
    with pytest.raises(DeconvError, match=r"no images to scan in .*1 \.txt"):
        scan(shallow, ImageFolder(tmp_path / "photos"), tmp_path / "index")


def test_a_second_scan_into_the_same_index_is_refused(
    scanned: Path, shallow: Network, folder: Path
) -> None:
    with filelock.FileLock(scanned / "scan.lock"):
        with pytest.raises(ScanRunningError, match="another process is scanning"):
            scan(shallow, ImageFolder(folder), scanned)
    scan(shallow, ImageFolder(folder), scanned)


def test_the_lock_is_free_after_a_scan_that_failed(
    scanned: Path, shallow: Network, folder: Path
) -> None:
    with pytest.raises(IndexMismatchError):
        scan(shallow_network(seed=1), ImageFolder(folder), scanned)
    filelock.FileLock(scanned / "scan.lock").acquire(blocking=False).lock.release()


# -- bad images ----------------------------------------------------------------------------------


def test_unreadable_images_are_rows_with_reasons(
    shallow: Network, folder: Path, tmp_path: Path
) -> None:
    (folder / "a/empty.png").write_bytes(b"")
    (folder / "a/text.jpg").write_text("this is no picture")
    whole = (folder / "b/1.png").read_bytes()
    (folder / "b/cut.png").write_bytes(whole[: len(whole) // 2])
    told: list[ScanProgress] = []
    index = scan(
        shallow, ImageFolder(folder), tmp_path / "index", block_size=4, progress=told.append
    )
    assert index.complete
    errors = index.images.set_index("image_id")["error"]
    assert len(errors) == 13
    assert "empty" in errors["a/empty.png"]
    assert "not a picture" in errors["a/text.jpg"]
    assert "damaged" in errors["b/cut.png"]
    assert (errors == "").sum() == 10
    assert (told[-1].done, told[-1].failed) == (13, 3)
    names = {activation.image_id for activation in index.top("conv1_1", k=100)}
    assert names == set(errors.index[errors == ""])
    assert len(index.peaks("conv1_1", 0)) == 10
    assert index.labels == {"a": 5, "b": 5}


def test_a_folder_of_nothing_but_bad_images(shallow: Network, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(3):
        (photos / f"{number}.png").write_bytes(b"bad")
    index = scan(shallow, ImageFolder(photos), tmp_path / "index", block_size=2)
    assert index.complete
    assert (index.images["error"] != "").all()
    assert index.top("conv3_1") == []
    assert index.maps("conv3_1")["dead"].all()


def test_a_bad_image_that_was_mended_is_an_update(
    shallow: Network, folder: Path, tmp_path: Path
) -> None:
    (folder / "a/0.png").write_bytes(b"bad")
    path = tmp_path / "index"
    assert len(scan(shallow, ImageFolder(folder), path).top("conv1_1", k=100)) == 9
    drawings.save(folder, {"a/0.png": drawings.noise(1)})
    with pytest.raises(IndexMismatchError, match="1 changed"):
        scan(shallow, ImageFolder(folder), path)
    mended = scan(shallow, ImageFolder(folder), path, update=True)
    assert len(mended.top("conv1_1", k=100)) == 10
    assert (mended.images["error"] == "").all()


def test_activations_that_are_not_finite_are_a_reason_too(tmp_path: Path) -> None:
    # Two layers of 1e25 overflow float32 on a light picture; a black one gives 0 everywhere.
    weight = torch.full((2, 3, 3, 3), 1e25)
    second = torch.full((2, 2, 3, 3), 1e25)
    third = torch.tensor([1.0, -1.0]).view(1, 2, 1, 1).expand(2, 2, 3, 3)  # inf - inf
    chain = [(weight, torch.zeros(2)), (second, torch.zeros(2)), (third, torch.zeros(2))]
    network = build_network("too large", chain, PREPROCESSINGS["torchvision"])
    photos = {
        "black.png": drawings.flat(0, 0, 0),
        "dark.png": drawings.flat(9, 9, 9),
        "light.png": drawings.flat(255, 255, 255),
        "noise.png": drawings.noise(1),
    }
    folder = drawings.save(tmp_path / "photos", photos)
    told: list[ScanProgress] = []
    index = scan(network, ImageFolder(folder), tmp_path / "index", progress=told.append)
    errors = index.images.set_index("image_id")["error"]
    assert errors["black.png"] == errors["dark.png"] == ""
    assert "not finite" in errors["light.png"]
    assert "not finite" in errors["noise.png"]
    assert index.peaks("conv1_2", 0)["image_id"].tolist() == ["black.png", "dark.png"]
    assert (told[-1].done, told[-1].failed) == (4, 2)


# -- progress and memory -------------------------------------------------------------------------


def test_progress_counts_up_to_the_number_of_images(
    shallow: Network, images: ImageFolder, tmp_path: Path
) -> None:
    told: list[ScanProgress] = []
    scan(shallow, images, tmp_path / "index", block_size=6, progress=told.append)
    done = [now.done for now in told]
    assert done[0] == 0
    assert done == sorted(set(done))
    assert done[-1] == 20
    assert {now.total for now in told} == {20}
    assert {now.found for now in told} == {0}
    assert told[0].images_per_second == 0
    assert told[0].seconds_left is None
    assert all(now.images_per_second > 0 for now in told[1:])
    assert told[-1].seconds_left == 0


def test_progress_of_a_resumed_scan_counts_what_was_found_done(
    shallow: Network, folder: Path, tmp_path: Path
) -> None:
    (folder / "a/0.png").write_bytes(b"bad")  # in the first block
    cancel, told = threading.Event(), []
    scan(
        shallow,
        ImageFolder(folder),
        tmp_path / "index",
        block_size=4,
        cancel=cancel,
        progress=lambda now: cancel.set() if now.done >= 4 else None,
    )
    scan(shallow, ImageFolder(folder), tmp_path / "index", progress=told.append)
    assert (told[0].done, told[0].found, told[0].failed) == (4, 4, 1)
    assert (told[-1].done, told[-1].found, told[-1].failed) == (10, 4, 1)


def test_odd_values_are_noted_through_updates_and_repairs(
    shallow: Network, folder: Path, tmp_path: Path
) -> None:
    dark = Image.fromarray(np.arange(4096, dtype=np.uint16).reshape(64, 64))
    dark.save(folder / "a/dark.png")
    path = tmp_path / "index"
    told = {"a/dark.png": "nearly black: its values go from 0 to 4,095; 0 is black, 65,535 white"}
    assert scan(shallow, ImageFolder(folder), path, block_size=4).notes == told
    (path / "images.parquet").unlink()  # made again from the blocks
    assert scan(shallow, ImageFolder(folder), path).notes == told
    dark.save(folder / "b/dark.png")
    told["b/dark.png"] = told["a/dark.png"]
    assert scan(shallow, ImageFolder(folder), path, update=True).notes == told
    folder_made = IndexFolder(path)
    unfinished = replace(folder_made.read_manifest(), complete=False, summary="")
    folder_made.write_manifest(unfinished)
    assert ActivationIndex.open(path).notes == told
    stretched = scan(shallow, ImageFolder(folder, value_range="file"), tmp_path / "stretched")
    assert stretched.notes == {}
    assert stretched.manifest.value_range == "file"


def test_decoding_never_runs_far_ahead_of_the_network(
    shallow: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(60):
        drawings.save(tmp_path, {f"{number:02}.png": drawings.flat(number, 0, 0)[:1, :1]})
    images = ImageFolder(tmp_path)
    decoded, ahead, counting, scanned = 0, [], threading.Lock(), 0
    really = images_module.decode_image

    def counted(content: bytes, *how: str) -> object:
        nonlocal decoded
        with counting:
            decoded += 1
            ahead.append(decoded - scanned)
        return really(content, *how)

    def count(read: int, _: int) -> None:
        nonlocal scanned
        time.sleep(0.05)  # a slow network: the threads have time to run ahead
        with counting:
            scanned += read

    monkeypatch.setattr(images_module, "decode_image", counted)
    prepared = ScanNetwork.prepare(shallow, choose_compute(shallow, images, "float32"))
    planned = [ImageRow.planned(n, e.image_id, e.label) for n, e in enumerate(images)]
    block = scan_block(prepared, images, planned, count)
    assert block is not None
    assert len(block.images) == decoded == 60
    batch = prepared.compute.batch_size
    assert max(ahead) <= 3 * batch  # a batch being gathered, and two waiting


def _copy(folder: Path, target: Path, names: list[str]) -> Path:
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(folder / name, target / name)
    return target
