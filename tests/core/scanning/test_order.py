"""The shuffled order of a scan, and pauses: a fair sample so far, the same index in the end."""

import functools
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deconv_core.images.folder import ImageEntry, ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.index.folder import IndexFolder
from deconv_core.index.inspection import check_index
from deconv_core.network.network import Network
from deconv_core.progress import ScanProgress
from deconv_core.scanning import plan as plan_module
from deconv_core.scanning.plan import in_scan_order, plan_rows
from deconv_core.scanning.scan import scan
from tests.core import drawings

BATCH = 4  # images in a batch on the CPU


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty drawings with two labels, two of them not readable."""
    pictures = {f"{'ab'[n // 20]}/{n:02d}.png": drawings.noise(n, 4 + n % 7) for n in range(40)}
    path = drawings.save(tmp_path_factory.mktemp("order") / "photos", pictures)
    for name in ("a/03.png", "b/31.png"):
        (path / name).write_bytes(b"not a picture")
    return path


def in_folder_order(patch: pytest.MonkeyPatch) -> None:
    """Make scans in the order of the folder, like older versions."""
    patch.setattr(plan_module, "_order_keys", lambda ids: np.zeros(len(list(ids)), np.uint64))


def stored(index: ActivationIndex) -> tuple[pd.DataFrame, dict[str, bytes], dict[str, bytes]]:
    """Everything an index stores of its images and maps; peaks as the bytes of sorted tables."""
    peaks, maps = {}, {}
    for layer in index.layers:
        maps[layer] = index.maps(layer).to_csv(float_format="%.17g").encode()
        for channel in range(index.layers[layer].channels):
            found = index.peaks(layer, channel)
            values = found[["row", "column", "value"]].to_numpy(np.float64)
            peaks[f"{layer}/{channel}"] = ",".join(found["image_id"]).encode() + values.tobytes()
    return index.images, peaks, maps


once_stored = functools.cache(stored)


def same(one: ActivationIndex, other: ActivationIndex) -> None:
    images, peaks, maps = stored(one)
    images2, peaks2, maps2 = once_stored(other)
    assert images.equals(images2)
    assert peaks == peaks2
    assert maps == maps2
    for layer in one.layers:
        assert one.top(layer, k=30) == other.top(layer, k=30)
        assert one.top(layer, 1, 30, "b") == other.top(layer, 1, 30, "b")


def paused(network: Network, folder: Path, path: Path, at: int, size: int) -> ActivationIndex:
    """Scan, and cancel once ``at`` images are done."""
    cancel = threading.Event()

    def progress(now: ScanProgress) -> None:
        if now.done >= at:
            cancel.set()

    images = ImageFolder(folder)
    return scan(network, images, path, block_size=size, progress=progress, cancel=cancel)


@pytest.fixture(scope="module")
def folder_order(
    shallow: Network, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> ActivationIndex:
    """The index that a scan in the order of the folder makes."""
    with pytest.MonkeyPatch.context() as patch:
        in_folder_order(patch)
        path = tmp_path_factory.mktemp("order") / "index"
        return scan(shallow, ImageFolder(folder), path, block_size=8)


@pytest.mark.parametrize("size", [4, 7, 16, 100])
def test_the_finished_index_does_not_depend_on_the_order(
    shallow: Network, folder: Path, tmp_path: Path, folder_order: ActivationIndex, size: int
) -> None:
    shuffled = scan(shallow, ImageFolder(folder), tmp_path / "index", block_size=size)
    plan = IndexFolder(tmp_path / "index").read_plan()
    assert plan["image_id"].is_monotonic_increasing, "rows stay in the order of the folder"
    if size < 40:
        assert plan["block"].tolist() != sorted(plan["block"]), "images of a block are shuffled"
    same(shuffled, folder_order)


def test_merged_blocks_are_in_the_order_of_the_folder(
    shallow: Network,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    folder_order: ActivationIndex,
) -> None:
    monkeypatch.setattr("deconv_core.index.summary.MERGE_FROM", 2)
    contents = []
    for name in ("shuffled", "in order"):
        if name == "in order":
            in_folder_order(monkeypatch)
        index = scan(shallow, ImageFolder(folder), tmp_path / name, block_size=4)
        same(index, folder_order)
        contents.append([file.read_bytes() for file in (tmp_path / name / "blocks").iterdir()])
    assert len(contents[0]) == 1
    assert contents[0] == contents[1]


def test_a_scan_begun_in_the_order_of_the_folder_is_resumed(
    shallow: Network,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    folder_order: ActivationIndex,
) -> None:
    with monkeypatch.context() as patch:
        in_folder_order(patch)
        older = paused(shallow, folder, tmp_path / "index", 12, 4)
    assert set(older.images["label"]) == {"a"}
    resumed = scan(shallow, ImageFolder(folder), tmp_path / "index")
    assert resumed.complete
    same(resumed, folder_order)


# -- a fair sample -------------------------------------------------------------------------------


@pytest.mark.parametrize("region", [64, 4096])
def test_the_finished_part_of_a_scan_is_a_fair_sample_of_the_labels(
    monkeypatch: pytest.MonkeyPatch, region: int
) -> None:
    monkeypatch.setattr(plan_module, "REGION", region)
    labels = ["dog"] * 1500 + ["people"] * 500
    entries = [
        ImageEntry(f"{label}/{n:04d}.jpg", label, Path(f"{label}/{n:04d}.jpg"))
        for n, label in enumerate(labels)
    ]
    blocks = list(in_scan_order(plan_rows(entries, first_block=0, block_size=32)))
    assert sorted(row.ordinal for _, rows in blocks for row in rows) == list(range(2000))
    done = [row.label for _, rows in blocks for row in rows]
    for count in (500, 1000, 1500):
        dogs = done[:count].count("dog")
        spread = (
            count * 0.75 * 0.25
        ) ** 0.5  # of independent draws; without replacement it is less
        assert abs(dogs - 0.75 * count) < 4 * spread
    halves = [sum(row.ordinal < 1000 for row in rows) for _, rows in blocks[:31]]
    assert abs(sum(halves) - 31 * 16) < 4 * (31 * 32 / 4) ** 0.5


def test_half_a_scan_holds_both_labels(shallow: Network, folder: Path, tmp_path: Path) -> None:
    half = paused(shallow, folder, tmp_path, 20, 8)
    assert 20 <= len(half.images) < 30
    counts = half.images["label"].value_counts()
    assert 5 <= counts["a"] <= 15
    assert 5 <= counts["b"] <= 15


# -- a pause keeps every finished image ----------------------------------------------------------


@pytest.mark.parametrize("at", [1, 9, 20, 37])
def test_a_pause_keeps_every_finished_image(
    shallow: Network, folder: Path, tmp_path: Path, folder_order: ActivationIndex, at: int
) -> None:
    path = tmp_path / "index"
    done = paused(shallow, folder, path, at, 16)
    assert at <= len(done.images) < at + BATCH + 2, "a batch, and what could not be read"
    assert check_index(path) == ()
    finished = {file: file.read_bytes() for file in (path / "blocks").iterdir()}
    again = paused(shallow, folder, path, min(at + 6, 38), 16)
    assert len(again.images) >= at + 6 or at == 37
    resumed = scan(shallow, ImageFolder(folder), path)
    assert {file: file.read_bytes() for file in finished} == finished
    assert check_index(path) == ()
    same(resumed, folder_order)


def test_a_pause_that_is_killed_between_its_two_files(
    shallow: Network,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    folder_order: ActivationIndex,
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(IndexFolder, "write_block", killed)
        with pytest.raises(KeyboardInterrupt):
            paused(shallow, folder, tmp_path, 9, 16)
    assert check_index(tmp_path) == ()
    assert ActivationIndex.open(tmp_path).images.empty
    same(scan(shallow, ImageFolder(folder), tmp_path), folder_order)


def test_an_index_opened_during_a_pause_can_be_read(
    shallow: Network, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between reading the list of images and the blocks, the pause writes both."""
    paused(shallow, folder, tmp_path, 16, 16)
    read = IndexFolder.read_plan

    def read_before(self: IndexFolder, *arguments: object) -> pd.DataFrame:
        plan = read(self, *arguments)  # type: ignore[arg-type]
        with monkeypatch.context() as patch:
            patch.setattr(IndexFolder, "read_plan", read)
            paused(shallow, folder, tmp_path, 22, 16)
        return plan

    with monkeypatch.context() as patch:
        patch.setattr(IndexFolder, "read_plan", read_before)
        index = ActivationIndex.open(tmp_path)
    assert len(index.images) == 16
    assert len(index.top("conv1_1", k=100)) <= 16


@pytest.mark.parametrize("older", [False, True])
def test_a_lost_list_of_images_is_rebuilt_after_a_pause(
    shallow: Network,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    folder_order: ActivationIndex,
    older: bool,
) -> None:
    with monkeypatch.context() as patch:
        if older:
            in_folder_order(patch)
        done = len(paused(shallow, folder, tmp_path, 21, 16).images)
    (tmp_path / "images.parquet").unlink()
    told: list[ScanProgress] = []
    same(scan(shallow, ImageFolder(folder), tmp_path, progress=told.append), folder_order)
    assert told[0].found == done
