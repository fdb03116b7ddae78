"""What a finished index knows by heart says the same as its blocks, merged or not."""

import shutil
from pathlib import Path

import pytest

from deconv_core import Activation, ActivationIndex, ImageFolder, Network, scan
from deconv_core.errors import IndexDamagedError
from deconv_core.index import summary
from tests.thorough import one_in

Answers = dict[tuple[str, int | None, int, bool], list[Activation]]


def answers(index: ActivationIndex) -> Answers:
    return {
        (name, channel, k, copies): index.top(name, channel, k, copies=copies)
        for name in list(index.layers)[:: one_in(2)]
        for channel in (None, 0, 1, 3)[:: one_in(2)]
        for k in (1, 9, 100)
        for copies in (False, True)
    }


def without_summary(path: Path, copy: Path) -> ActivationIndex:
    shutil.copytree(path, copy)
    for file in [*copy.glob("top-*"), *copy.glob("maps-*")]:
        file.unlink()
    return ActivationIndex.open(copy)


@pytest.fixture
def drawings(images: ImageFolder) -> Path:
    return images.root


@pytest.fixture
def scanned(shallow: Network, drawings: Path, tmp_path: Path) -> ActivationIndex:
    return scan(shallow, ImageFolder(drawings), tmp_path / "index", block_size=5)


def test_the_summary_answers_like_the_blocks(scanned: ActivationIndex, tmp_path: Path) -> None:
    assert len(list((tmp_path / "index").glob("top-*.parquet"))) == 1
    plain = without_summary(tmp_path / "index", tmp_path / "plain")
    assert answers(scanned) == answers(plain)


def test_the_statistics_are_those_of_the_blocks(scanned: ActivationIndex, tmp_path: Path) -> None:
    plain = without_summary(tmp_path / "index", tmp_path / "plain")
    for layer in scanned.layers:
        ours, theirs = scanned.maps(layer), plain.maps(layer)
        assert list(ours.columns) == list(theirs.columns)
        assert (ours["max"] == theirs["max"]).all()
        assert (ours["share"] == theirs["share"]).all()
        assert (ours["dead"] == theirs["dead"]).all()
        assert abs(ours["mean"] - theirs["mean"]).max() <= 1e-6 * max(theirs["mean"].max(), 1)


def test_only_the_strongest_hundred_are_kept_and_more_come_from_the_blocks(
    shallow: Network, drawings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = answers(scan(shallow, ImageFolder(drawings), tmp_path / "whole"))
    monkeypatch.setattr(summary, "KEPT", 3)
    monkeypatch.setattr("deconv_core.index.activation_index.KEPT", 3)
    index = scan(shallow, ImageFolder(drawings), tmp_path / "index", block_size=2)
    assert answers(index) == expected


def test_merged_blocks_answer_like_small_ones(
    shallow: Network, drawings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = scan(shallow, ImageFolder(drawings), tmp_path / "small", block_size=2)
    monkeypatch.setattr(summary, "MERGE_FROM", 2)
    monkeypatch.setattr(summary, "MERGED_IMAGES", 6)
    merged = scan(shallow, ImageFolder(drawings), tmp_path / "merged", block_size=2)
    names = sorted(path.name for path in (tmp_path / "merged" / "blocks").iterdir())
    assert names[0] == "000000-000002.parquet"
    assert len(names) < len(list((tmp_path / "small" / "blocks").iterdir())) / 2
    assert answers(merged) == answers(expected)
    for layer in ("conv1_1", "conv3_1", "pool2"):
        assert merged.peaks(layer, 1).equals(expected.peaks(layer, 1))
        plain = without_summary(tmp_path / "merged", tmp_path / f"plain-{layer}")
        assert plain.top(layer) == expected.top(layer)
    assert merged.images.equals(expected.images)


def test_a_scan_killed_while_merging_is_tidied_up(
    shallow: Network, drawings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = ImageFolder(drawings)
    small = scan(shallow, images, tmp_path / "index", block_size=2)
    expected, blocks = answers(small), tmp_path / "index" / "blocks"
    saved = {path.name: path.read_bytes() for path in blocks.iterdir()}
    monkeypatch.setattr(summary, "MERGE_FROM", 2)
    monkeypatch.setattr(summary, "MERGED_IMAGES", 6)
    folder = small._folder
    summary.merge_blocks(folder, small.manifest)
    for name, content in saved.items():
        (blocks / name).write_bytes(content)  # as if killed before they were deleted
    assert answers(ActivationIndex.open(tmp_path / "index")) == expected
    scan(shallow, images, tmp_path / "index")
    assert not {path.name for path in blocks.iterdir()} & {"000000.parquet", "000001.parquet"}
    assert answers(ActivationIndex.open(tmp_path / "index")) == expected


def test_an_index_opened_before_an_update_keeps_its_answers(
    shallow: Network, drawings: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    shutil.copytree(drawings, folder)
    before = scan(shallow, ImageFolder(folder), tmp_path / "index")
    expected = answers(before)
    best = before.top("conv3_1", channel=0)[0].image_id
    (folder / best).unlink()
    after = scan(shallow, ImageFolder(folder), tmp_path / "index", update=True)
    assert answers(before) == expected
    assert best not in {a.image_id for a in after.top("conv3_1", channel=0, k=100)}
    assert len(list((tmp_path / "index").glob("top-*.parquet"))) == 1


def test_a_damaged_summary_is_named(scanned: ActivationIndex, tmp_path: Path) -> None:
    (path,) = (tmp_path / "index").glob("top-*.parquet")
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(IndexDamagedError, match=path.name):
        scanned.top("conv1_1")
