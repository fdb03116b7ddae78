"""Files of equal content: they count once, a folder's search finds them, messages name them."""

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deconv_core import ActivationIndex, ImageFolder, Network, Unit, scan
from deconv_core.errors import DeconvError
from deconv_core.file_state import FileState
from deconv_core.images.decoding import DECODING
from deconv_core.index import copies as copies_module
from deconv_core.index.blocks import ImageRow
from deconv_core.index.copies import (
    EqualFiles,
    and_copies,
    copies_text,
    equal_files,
    groups_text,
    names_text,
)
from deconv_core.index.folder import IndexFolder
from deconv_core.index.manifest import ComputePath, Manifest
from deconv_core.index.summary import KEPT, write_summary
from deconv_core.peaks import Peaks
from deconv_core.scanning.plan import plan_rows, with_scan_results
from deconv_core.units import Activation
from tests.core import drawings, independent
from tests.thorough import examples

LAYERS = independent.chain_layers((3, independent.POOL, 2))
BLOCK = 4

Question = tuple[str, int | None, int, str | None, bool]
"""layer, channel, k, label, copies"""


# -- an index against brute force ----------------------------------------------------------------


@dataclass(frozen=True)
class Made:
    """An image of a test; its peaks depend on the number of its content and on its position."""

    image_id: str
    content: int
    removed: bool = False
    error: bool = False
    nudge: int = 0

    @property
    def label(self) -> str:
        return self.image_id.rpartition("/")[0]

    def peak(self, layer: str, channel: int) -> tuple[float, int, int]:
        """Few values, so that there are ties; a nudge stands for another last bit."""
        value, row, column = _drawn(self.content, int(layer[4]), channel)
        return value + self.nudge / 8, row, column


@cache
def _drawn(*seed: int) -> tuple[float, int, int]:
    value, row, column = np.random.default_rng(seed).integers(0, 4, 3).tolist()
    return float(value), row, column


def written(path: Path, images: list[Made], *, unfinished: bool = False) -> ActivationIndex:
    """An index of these images, its files written by the program's own writers."""
    folder = IndexFolder(path)
    path.mkdir()
    compute = ComputePath("float32", "channels_last", "cpu", False, 8, "0")
    manifest = Manifest(
        network="made up",
        fingerprint="0" * 16,
        preprocessing="torchvision",
        architecture="none",
        layers=LAYERS,
        image_root="/none",
        extensions=None,
        labels=None,
        follow_links=False,
        resize="stretch",
        value_range="type",
        decoding=DECODING,
        compute=compute,
        block_size=BLOCK,
    )
    plan = plan_rows([], 0, BLOCK).reindex(range(len(images)))
    plan["image_id"] = [image.image_id for image in images]
    plan["label"] = [image.label for image in images]
    plan["block"] = np.arange(len(images)) // BLOCK
    plan["removed"] = [image.removed for image in images]
    plan = plan.fillna({"width": 0, "height": 0, "error": "", "note": "", "content_hash": ""})
    plan = plan.astype({"width": int, "height": int})
    blocks = sorted(set(plan["block"]))
    for block in blocks[: len(blocks) - 1 if unfinished else None]:
        here = [n for n in range(len(images)) if n // BLOCK == block]
        rows = [_row(n, images[n]) for n in here]
        read = [images[n] for n in here if not images[n].error]
        folder.write_block(
            folder.block_file(int(block)),
            rows,
            manifest,
            lambda name, read=read: _peaks(name, read),
        )
    if not unfinished:
        plan = with_scan_results(folder, plan)
        manifest = replace(manifest, complete=True, summary=write_summary(folder, manifest, plan))
    folder.write_plan(plan, manifest)
    folder.write_manifest(manifest)
    return ActivationIndex.open(path)


def _row(ordinal: int, image: Made) -> ImageRow:
    reason = "damaged" if image.error else ""
    return ImageRow(*(ordinal, image.image_id, image.label, 9, 9, reason), f"{image.content:064x}")


def _peaks(layer: str, images: list[Made]) -> Peaks:
    channels = next(found.channels for found in LAYERS if found.name == layer)
    found = np.array(
        [[image.peak(layer, channel) for channel in range(channels)] for image in images]
    ).reshape(len(images), channels, 3)
    return Peaks(
        found[..., 0].astype(np.float32),
        found[..., 1].astype(np.uint8),
        found[..., 2].astype(np.uint8),
    )


def counted(images: list[Made], label: str | None, copies: bool) -> list[Made]:
    """The images that count; of equal content only the first by id."""
    found: dict[object, Made] = {}
    for image in sorted(images, key=lambda image: image.image_id):
        if not image.removed and not image.error and label in (None, image.label):
            found.setdefault(image.image_id if copies else image.content, image)
    return list(found.values())


def brute_force(
    images: list[Made], layer: str, channel: int | None, k: int, label: str | None, copies: bool
) -> list[Activation]:
    """The best of every image that counts, ranked."""
    below, shrink = ("conv1_1", 2) if layer == "pool1" else (layer, 1)
    channels = {"conv1_1": 3, "conv2_1": 2}[below]
    peaks = [
        (
            image.image_id,
            [
                (value, row // shrink, column // shrink, c)
                for c in (range(channels) if channel is None else [channel])
                for value, row, column in [image.peak(below, c)]
            ],
        )
        for image in counted(images, label, copies)
    ]
    return [
        Activation(Unit(layer, found), image_id, row, column, value)
        for image_id, (value, row, column, found) in independent.ranked(peaks, k)
    ]


def check(index: ActivationIndex, images: list[Made], questions: list[Question]) -> None:
    """The answers are brute force, and so is the number of images that count."""
    there = {image.label for image in images if not image.removed and not image.error}
    for layer, channel, k, wanted, copies in questions:
        label = wanted if wanted in there else None
        expected = brute_force(images, layer, channel, k, label, copies)
        assert index.top(layer, channel, k, label, copies=copies) == expected
        assert index.counted(label, copies=copies) == len(counted(images, label, copies))


IMAGES = st.lists(
    st.builds(
        Made,
        st.sampled_from([f"{label}{n}.png" for label in ("", "a/", "b/") for n in range(9)]),
        st.integers(0, 6),
        removed=st.sampled_from([False, False, False, True]),
        error=st.sampled_from([False, False, False, False, True]),
        nudge=st.sampled_from([0, 0, 0, 1]),
    ),
    min_size=1,
    max_size=27,
    unique_by=lambda image: (image.image_id, image.removed),
)


QUESTIONS = st.lists(
    st.tuples(
        st.sampled_from(["conv1_1", "pool1", "conv2_1"]),
        st.sampled_from([None, 0, 1]),
        st.sampled_from([1, 2, 3, 9, 500]),  # beyond what the summary keeps from the blocks
        st.sampled_from([None, None, "", "a", "b"]),
        st.sampled_from([False, False, True]),
    ),
    min_size=4,
    max_size=12,
)


@examples(8)
@given(images=IMAGES, questions=QUESTIONS, unfinished=st.booleans())
def test_top_of_any_images_with_copies_is_brute_force(
    tmp_path_factory: pytest.TempPathFactory,
    images: list[Made],
    questions: list[Question],
    unfinished: bool,
) -> None:
    path = tmp_path_factory.mktemp("made") / "index"
    index = written(path, images, unfinished=unfinished)
    seen = images[: (len(images) - 1) // BLOCK * BLOCK] if unfinished else images
    check(index, seen, questions)
    for file in path.glob("top-*"):  # the blocks give what the summary gives
        file.unlink()
    check(ActivationIndex.open(path), seen, questions)


@examples(8)
@given(images=IMAGES, questions=QUESTIONS)
def test_the_summary_keeps_enough_different_images(
    tmp_path_factory: pytest.TempPathFactory, images: list[Made], questions: list[Question]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deconv_core.index.summary.KEPT", 3)
        patch.setattr("deconv_core.index.activation_index.KEPT", 3)
        check(written(tmp_path_factory.mktemp("made") / "index", images), images, questions)


def test_one_picture_five_hundred_times(tmp_path: Path) -> None:
    """More copies than the summary stores images: the 120 other pictures are still found."""
    best = next(n for n in range(1000) if Made("", n).peak("conv1_1", 0)[0] == 3)
    images = [Made(f"same/{n:03d}.png", best) for n in range(500)]
    images += [Made(f"with/{n:03d}.png", 5000 + n) for n in range(120)]
    index = written(tmp_path / "index", images)
    check(
        index,
        images,
        [
            (layer, channel, k, label, copies)
            for layer, channel in (("conv1_1", 0), ("pool1", None), ("conv2_1", 1))
            for k, label in ((9, None), (KEPT, None), (9, "same"))
            for copies in (False, True)
        ],
    )
    top = index.top("conv1_1", 0, copies=True)
    assert [found.image_id for found in top] == [f"same/{n:03d}.png" for n in range(9)]
    once = [found.image_id for found in index.top("conv1_1", 0)]
    assert once[0] == "same/000.png"
    assert all(name.startswith("with/") for name in once[1:])
    assert len(once) == 9
    assert index.copies("same/000.png") == tuple(f"same/{n:03d}.png" for n in range(1, 500))
    assert copies_text(index.equal_images) == "499 copies of 1 picture"


# -- what an index says of copies ----------------------------------------------------------------


def test_the_copies_of_an_image_are_named(tmp_path: Path) -> None:
    images = [
        *(Made("b/1.png", 1), Made("a/1.png", 1), Made("a/2.png", 2), Made("c/1.png", 1)),
        *(Made("c/2.png", 1, error=True), Made("c/3.png", 1, removed=True), Made("a/9.png", 1)),
    ]
    index = written(tmp_path / "index", images)
    assert index.equal_images == (("a/1.png", "a/9.png", "b/1.png", "c/1.png"),)
    assert index.copies("a/1.png") == ("a/9.png", "b/1.png", "c/1.png")
    assert index.copies("b/1.png") == ("a/1.png", "a/9.png", "c/1.png")
    assert index.copies("a/1.png", label="a") == ("a/9.png",)
    assert index.copies("a/2.png") == ()
    with pytest.raises(DeconvError, match=r"'d\.png' is not among the 6 images"):
        index.copies("d.png")


def test_content_that_is_not_known_is_no_copy(tmp_path: Path) -> None:
    hashes = pd.Series(["", "x", "", "x"])
    assert copies_module.is_repeated(hashes).tolist() == [False, False, False, True]
    assert copies_module.equal_groups("abcd", hashes) == (("b", "d"),)


# -- real scans ----------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve pictures; one of them nine more times, in folders that come before and after it."""
    return drawings.save(
        tmp_path / "photos",
        {f"m/{n:02d}.png": drawings.noise(n, 9) for n in range(12)}
        | {f"{place}.png": drawings.noise(3, 9) for place in ("a/x", "n/x", "z", *"ghijkl")},
    )


def names(index: ActivationIndex, *question: object, **how: bool) -> list[str]:
    return [found.image_id for found in index.top(*question, **how)]  # type: ignore[arg-type]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_copies_have_equal_peaks_in_any_block_and_at_any_place_of_a_batch(
    network: Network, folder: Path, tmp_path: Path, precision: str
) -> None:
    """A batch of another size, at the end, may change the last bit: the first copy counts."""
    index = scan(network, ImageFolder(folder), tmp_path / "i", block_size=5, precision=precision)
    (group,) = index.equal_images
    assert len(group) == 10
    assert "z.png" in index.images["image_id"].tolist()[-2:]  # the last batch has two images
    for layer in ("conv1_1", "conv3_4", "conv5_4"):
        for channel in range(index.layers[layer].channels):
            peaks = index.peaks(layer, channel).set_index("image_id").loc[list(group)]
            values = peaks.pop("value")
            assert values.drop("z.png").nunique() == 1
            assert values["z.png"] == pytest.approx(values["a/x.png"], rel=1e-6)
            assert len(peaks.drop("z.png")[["row", "column"]].drop_duplicates()) == 1


def test_a_picture_that_lies_ten_times_in_the_folder_takes_one_place(
    shallow: Network, folder: Path, tmp_path: Path
) -> None:
    index = scan(shallow, ImageFolder(folder), tmp_path / "index", block_size=5)
    for layer in ("conv2_1", "conv3_1", "pool2"):
        for channel in (None, 0, 1):
            everything = index.top(layer, channel, 100, copies=True)
            once = index.top(layer, channel, 100)
            others = [found for found in everything if found.image_id not in index.equal_images[0]]
            assert [found for found in once if found in others] == others
            assert len(once) - len(others) == (len(everything) > len(others))
            assert "a/x.png" in {found.image_id for found in once} or len(once) == len(others)


def test_when_the_first_copy_goes_the_next_one_stands_for_them(
    network: Network, folder: Path, tmp_path: Path
) -> None:
    first = scan(network, ImageFolder(folder), tmp_path / "index", block_size=5)
    assert "a/x.png" in names(first, "conv3_1", None, 100)
    (folder / "a/x.png").unlink()
    drawings.save(folder, {"h.png": drawings.noise(77, 5)})  # another picture under its name
    shutil.copy(folder / "m/05.png", folder / "zz.png")  # a new copy of another picture
    index = scan(network, ImageFolder(folder), tmp_path / "index", update=True)
    found = names(index, "conv3_1", None, 100)
    assert "g.png" in found
    assert "h.png" in found
    assert not {"a/x.png", "i.png", "m/03.png", "zz.png"} & set(found)
    assert index.copies("m/05.png") == ("zz.png",)
    assert index.copies("g.png") == (
        "i.png",
        "j.png",
        "k.png",
        "l.png",
        "m/03.png",
        "n/x.png",
        "z.png",
    )
    fresh = scan(network, ImageFolder(folder), tmp_path / "fresh")
    assert fresh.equal_images == index.equal_images
    for channel in (None, 0, 2):
        for copies in (False, True):
            assert names(index, "conv3_1", channel, 100, copies=copies) == names(
                fresh, "conv3_1", channel, 100, copies=copies
            )


# -- in a folder ---------------------------------------------------------------------------------


def entries(folder: Path, content: dict[str, bytes]) -> ImageFolder:
    for name, data in content.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return ImageFolder(folder)


def test_equal_files_are_found_by_content_not_by_name_or_size(tmp_path: Path) -> None:
    large = os.urandom(200_000)
    images = entries(
        tmp_path,
        {
            "a.jpg": b"one",
            "b/a.jpg": b"one",
            "b/b.jpg": b"two",  # of equal size
            "c.png": b"one",
            "large.jpg": large,
            "large again.jpg": large,
            "other beginning.jpg": bytes([large[0] ^ 1]) + large[1:],
            "other end.jpg": large[:-1] + bytes([large[-1] ^ 1]),
            "alone.jpg": b"another size",
            "empty.jpg": b"",
            "empty too.jpg": b"",
        },
    )
    assert equal_files(images) == EqualFiles(
        (("a.jpg", "b/a.jpg", "c.png"), ("large again.jpg", "large.jpg")), complete=True
    )


def test_only_files_of_equal_size_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    plain: Callable[..., object] = Path.open
    monkeypatch.setattr(
        Path,
        "open",
        lambda self, *how, **more: opened.append(self.name) or plain(self, *how, **more),
    )
    images = ImageFolder(
        drawings.save(tmp_path, {"a.png": drawings.noise(1), "b.png": drawings.flat(1, 2, 3)})
    )
    (tmp_path / "c.png").write_bytes((tmp_path / "b.png").read_bytes())
    opened.clear()
    assert equal_files(images).groups == ()
    assert equal_files(ImageFolder(tmp_path)).groups == (("b.png", "c.png"),)
    assert sorted(opened) == ["b.png", "c.png"]


def test_hashes_that_are_known_are_not_made_again(tmp_path: Path) -> None:
    known: dict[FileState, str] = {}
    images = entries(tmp_path, {"a.jpg": b"one", "b.jpg": b"one", "c.jpg": b"two"})
    while any(FileState.of(tmp_path / name).looked_at for name in ("a.jpg", "b.jpg", "c.jpg")):
        time.sleep(0.01)  # what changed a moment ago is read again
    expected = equal_files(images, known=known)
    assert len(known) == 3
    assert equal_files(images, known=known, most_bytes=0) == expected
    (tmp_path / "b.jpg").write_bytes(b"six")  # another content of the same size
    os.utime(tmp_path / "b.jpg", ns=(1, 1))
    assert equal_files(images, known=known).groups == ()


@pytest.mark.parametrize("limit", [{"most_bytes": 7}, {"seconds": 0.0}])
def test_a_limit_stops_the_search_and_is_told(tmp_path: Path, limit: dict[str, float]) -> None:
    images = entries(tmp_path, {f"{n}.jpg": b"one" for n in range(4)})
    found = equal_files(images, **limit)  # type: ignore[arg-type]
    assert not found.complete
    assert found.groups == ((("0.jpg", "1.jpg"),) if "most_bytes" in limit else ())


def test_progress_goes_to_the_end(tmp_path: Path) -> None:
    images = entries(tmp_path, {"a.jpg": b"1", "b.jpg": b"2", "c.jpg": b"33", "d.jpg": b"33"})
    told: list[tuple[int, int]] = []
    equal_files(images, progress=lambda *two: told.append(two))
    assert told == [(2, 4), (4, 4)]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_what_is_no_file_or_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    images = entries(tmp_path, {"a.jpg": b"one", "b.jpg": b"one", "c.jpg": b"one"})
    (tmp_path / "b.jpg").unlink()
    (tmp_path / "c.jpg").unlink()
    os.mkfifo(tmp_path / "c.jpg")  # opening it would wait for ever
    assert equal_files(images).groups == ()


# -- in words ------------------------------------------------------------------------------------


def test_copies_in_words() -> None:
    groups = (("a.jpg", "b/a.jpg"), ("c.jpg", "d.jpg", "e.jpg"), ("f", "g", "h", "i"), ("j", "k"))
    assert copies_text(()) == ""
    assert copies_text(groups[:1]) == "1 copy of 1 picture"
    assert copies_text(groups) == "7 copies of 4 pictures"
    assert copies_text(groups[:2], complete=False) == "at least 3 copies of 2 pictures"
    assert groups_text(groups[:2]) == "a.jpg = b/a.jpg, c.jpg = d.jpg = e.jpg"
    assert groups_text(groups) == "a.jpg = b/a.jpg, c.jpg = d.jpg = e.jpg, f = g = h = …, …"
    assert [and_copies(n) for n in (0, 1, 10, 1200)] == [
        *("", "and 1 copy", "and 10 copies", "and 1,200 copies")
    ]
    assert names_text(["a", "b"]) == "a\nb"
    assert names_text(list("abcd"), most=2) == "a\nb\nand 2 more"
