"""Reconstructions in the data folder: the same after a restart, bounded, and never wrong."""

import errno
import io
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from PIL import Image

from deconv_core import Activation, Box, Reconstruction, Unit
from deconv_core.errors import DeconvError, ImageChangedError
from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.network.network import Network
from deconv_core.output import rendering
from deconv_core.output.rendering import Scale
from deconv_core.reconstruction.reconstruct import reconstruct
from deconv_core.scanning.scan import scan
from deconv_dashboard.data.kept_pictures import DrawnTile, KeptPictures, MadeFrom
from deconv_dashboard.limits import MEGABYTE, most_kept_pictures
from deconv_dashboard.server import reconstructing, resources
from deconv_dashboard.server.sheet_tiles import sheet_tiles
from deconv_dashboard.values import Choice
from tests.app.conftest import Home, OpenPage
from tests.conftest import Popen
from tests.core import drawings

LAYER = "conv3_1"
MOST = 100 * MEGABYTE


def made_from(number: int = 0, **other: Any) -> MadeFrom:
    activation = Activation(Unit("conv1_1", 3), "a.png", number, 7, 1.5)
    return replace(MadeFrom("0" * 16, "a" * 64, "stretch", "type", activation), **other)


def picture(number: int = 0, side: int = 20) -> Reconstruction:
    """A picture that is cut off at the left border."""
    generator = np.random.default_rng(number)
    pixels = generator.standard_normal((3, side, side - 2), np.float32)
    pixels[0, 0] = 0.0, -0.0, 1e-42, *pixels[0, 0, 3:]
    patch = generator.integers(0, 256, (side, side - 2, 3), np.uint8)
    window, box = Box(4, -2, side, side), Box(4, 0, side, side - 2)
    return Reconstruction(made_from(number).activation, window, box, pixels, patch, (224, 224))


def same(one: Reconstruction | None, other: Reconstruction) -> bool:
    return one is not None and (
        (one.activation, one.window, one.box, one.input_size, one.rule)
        == (other.activation, other.window, other.box, other.input_size, other.rule)
        and one.pixels.dtype == other.pixels.dtype
        and one.pixels.tobytes() == other.pixels.tobytes()
        and one.patch.dtype == other.patch.dtype
        and one.patch.tobytes() == other.patch.tobytes()
    )


def near(one: Reconstruction | None, other: Reconstruction) -> bool:
    """The same picture, perhaps computed in another company: the last bits may differ."""
    return one is not None and (
        same(replace(one, pixels=other.pixels), other)
        and np.allclose(one.pixels, other.pixels, rtol=1e-3, atol=1e-5 * np.abs(other.pixels).max())
    )


def files(home: Path) -> list[Path]:
    return sorted((home / "pictures").glob("*"))


@pytest.fixture
def kept(tmp_path: Path) -> KeptPictures:
    return KeptPictures(tmp_path, MOST)


# --- files ---------------------------------------------------------------------------------------


def test_a_picture_comes_back_to_the_bit(kept: KeptPictures, tmp_path: Path) -> None:
    assert kept.get(made_from()) is None
    kept.put(made_from(), picture())
    again = KeptPictures(tmp_path, MOST)
    assert again.has(made_from())
    assert same(again.get(made_from()), picture())


def test_another_path_of_the_image_is_the_same_picture(kept: KeptPictures) -> None:
    kept.put(made_from(), picture())
    other = replace(made_from().activation, image_id="b/other.png")
    found = kept.get(made_from(activation=other))
    assert same(found, replace(picture(), activation=other))


@pytest.mark.parametrize(
    "other",
    [
        {"network": "1" * 16},
        {"image": "a" * 63 + "b"},
        {"resize": "crop"},
        {"value_range": "file"},
        {"rule": "guided"},
        {"activation": Activation(Unit("conv1_2", 3), "a.png", 0, 7, 1.5)},
        {"activation": Activation(Unit("conv1_1", 4), "a.png", 0, 7, 1.5)},
        {"activation": Activation(Unit("conv1_1", 3), "a.png", 1, 7, 1.5)},
        {"activation": Activation(Unit("conv1_1", 3), "a.png", 0, 8, 1.5)},
        {"activation": Activation(Unit("conv1_1", 3), "a.png", 0, 7, 1.5000001)},
    ],
)
def test_whatever_it_is_made_from_makes_another_key(
    kept: KeptPictures, other: dict[str, Any]
) -> None:
    kept.put(made_from(), picture())
    assert not kept.has(made_from(**other))
    assert kept.get(made_from(**other)) is None


@pytest.mark.parametrize("name", ["METHOD", "version.__version__"])
def test_another_version_makes_pictures_again(
    kept: KeptPictures, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    kept.put(made_from(), picture())
    monkeypatch.setattr(f"deconv_dashboard.data.kept_pictures.{name}", "another")
    assert not kept.has(made_from())


def test_the_least_recently_used_are_deleted(tmp_path: Path) -> None:
    side, most = 60, MEGABYTE  # a picture takes about 52 KB
    kept = KeptPictures(tmp_path, most)
    for number in range(40):
        kept.put(made_from(number), picture(number, side))
        for place, path in enumerate(files(tmp_path)):  # the clock of a disk may be coarse
            os.utime(path, (place, place))
        assert kept.get(made_from(0)) is not None, "it is used all the time"
        held = sum(path.stat().st_size for path in files(tmp_path))
        assert held <= most
    assert held > most // 2
    assert kept.has(made_from(39))
    assert not all(kept.has(made_from(number)) for number in range(40))


def test_old_parts_are_deleted_and_other_files_stay(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    part = f".{made_from().name}.0123456789abcdef0123456789abcdef.part"
    for name in ("holiday.jpg", part, f".holiday.jpg.{'0' * 32}.part"):
        (folder / name).write_bytes(bytes(9000))
        os.utime(folder / name, (0, 0))
    KeptPictures(tmp_path, 60_000).put(made_from(), picture())
    names = {path.name for path in files(tmp_path)}
    assert names == {"holiday.jpg", f".holiday.jpg.{'0' * 32}.part", made_from().name}


def test_a_damaged_file_is_deleted(kept: KeptPictures, tmp_path: Path) -> None:
    kept.put(made_from(), picture())
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    kept.put(made_from(1), picture(1))
    other = (tmp_path / "pictures" / made_from(1).name).read_bytes()
    places = range(0, len(whole), len(whole) // 60)
    flipped = [whole[:n] + bytes([whole[n] ^ 4]) + whole[n + 1 :] for n in places]
    for content in (b"", b"text", whole[:-1], whole[:4], whole + b"x", other, *flipped):
        path.write_bytes(content)
        assert kept.get(made_from()) is None
        assert not path.exists()
    path.write_bytes(whole)
    assert same(kept.get(made_from()), picture())


def test_a_file_that_claims_too_much_is_not_believed(kept: KeptPictures, tmp_path: Path) -> None:
    from deconv_dashboard.data import kept_pictures

    kept.put(made_from(), picture())
    (path,) = files(tmp_path)
    large = replace(picture(), box=Box(0, 0, 100_000, 100_000))
    empty = replace(picture(), box=Box(0, 0, -1, -1))
    more = replace(picture(), box=Box(4, 0, 20, 17))
    for lie in (large, empty, more):
        path.write_bytes(kept_pictures._written(made_from().name, lie))
        assert kept.get(made_from()) is None


def test_a_folder_that_cannot_be_written_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pictures").write_text("a file in place of the folder")
    KeptPictures(tmp_path, MOST).put(made_from(), picture())
    assert KeptPictures(tmp_path, MOST).get(made_from()) is None
    (tmp_path / "pictures").unlink()
    KeptPictures(tmp_path / "not there", MOST).put(made_from(), picture())
    assert list(tmp_path.iterdir()) == []

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(os, "replace", full)
    KeptPictures(tmp_path, MOST).put(made_from(), picture())
    assert files(tmp_path) == []


def test_no_picture_is_kept_that_is_larger_than_all(tmp_path: Path) -> None:
    for most in (0, 5000):
        kept = KeptPictures(tmp_path, most)
        kept.put(made_from(), picture())
        assert not kept.has(made_from())
    KeptPictures(tmp_path, MOST).put(made_from(), picture())
    assert not KeptPictures(tmp_path, 0).has(made_from())
    assert KeptPictures(tmp_path, 0).get(made_from()) is None


def test_a_setting_says_how_much_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert most_kept_pictures() == 4000 * MEGABYTE
    monkeypatch.setenv("DECONV_PICTURES_MB", "70")
    assert most_kept_pictures() == 70 * MEGABYTE
    monkeypatch.setenv("DECONV_PICTURES_MB", "many")
    with pytest.raises(DeconvError, match="DECONV_PICTURES_MB is 'many'; give a whole number of m"):
        most_kept_pictures()


def test_two_processes_keep_the_same_pictures(popen: Popen, tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from tests.app.test_kept_pictures import KeptPictures, made_from, picture\n"
        "kept = KeptPictures(Path(sys.argv[1]), int(sys.argv[2]))\n"
        "for number in range(200):\n"
        "    kept.put(made_from(number % 50), picture(number % 50))\n"
        "    kept.get(made_from((number + 7) % 50))\n"
    )
    most = 200_000  # some are deleted while the other process reads them
    arguments = [sys.executable, "-c", program, str(tmp_path), str(most)]
    both = [popen(arguments) for _ in range(2)]
    kept, seen = KeptPictures(tmp_path, most), 0
    while any(child.poll() is None for child in both):
        for number in range(50):
            found = kept.get(made_from(number))
            assert found is None or same(found, picture(number))
            seen += found is not None
    assert [child.returncode for child in both] == [0, 0]
    assert seen
    left = files(tmp_path)
    assert left
    assert {path.name for path in left} <= {made_from(number).name for number in range(50)}
    assert sum(path.stat().st_size for path in left) <= most


# --- pages ---------------------------------------------------------------------------------------


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each convolution that was computed upwards."""
    from deconv_core import deconvnet

    computed: list[int] = []
    really = deconvnet.filter_up
    monkeypatch.setattr(
        deconvnet, "filter_up", lambda *given, **how: (computed.append(1), really(*given, **how))[1]
    )
    return computed


def restart() -> None:
    """Forget what is in memory."""
    reconstructing.LATER.wait()
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.mark.usefixtures("nothing_kept")
def test_after_a_restart_nothing_is_computed(
    open_page: OpenPage, passes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[dict[str, Any]] = [{}, {}]
    for drawn in shown:
        monkeypatch.setattr(
            "deconv_dashboard.gallery.tiles._tiles",
            lambda *, key, data, drawn=drawn, **_: drawn.__setitem__(key, data),
        )
        open_page("layer", layer=LAYER)
        open_page("feature_map", layer=LAYER, map="2")
        assert passes, "the first time they are computed"
        passes.clear()
        restart()
        passes.append(0)
    assert shown[0] == shown[1]
    assert len(shown[0]["layer_top"]["panels"][0]["tiles"]) == 9


@pytest.fixture
def choice(home: Home) -> Choice:
    path = home.index_path
    index, stamp = ActivationIndex.open(path), resources.index_stamp(path)
    return Choice(home.registry, home.network, home.dataset, None, index, path, stamp)


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize("rule", ["deconvnet", "guided"])
def test_what_is_kept_is_what_the_core_makes(
    choice: Choice,
    passes: list[int],
    network: Network,
    images: ImageFolder,
    index: ActivationIndex,
    rule: Any,
) -> None:
    top = index.top("pool4")
    expected = reconstruct(network, images, top, rule=rule)
    for _ in range(2):
        found = reconstructing.watched(choice, top, "here", 100, rule)
        assert all(map(near, found.all, expected))
        restart()
        before = len(passes)
    assert before == len(passes)
    passes.clear()
    assert len(reconstructing.watched(choice, top, "here", 100, rule).found) == len(top)
    assert not passes
    other = "gradient" if rule == "guided" else "guided"
    reconstructing.watched(choice, top[:1], "here", 100, other)
    assert passes, "another rule is another picture"


@pytest.mark.usefixtures("nothing_kept")
def test_a_damaged_file_costs_only_its_picture(
    choice: Choice, home: Home, passes: list[int], index: ActivationIndex
) -> None:
    top = index.top(LAYER)
    first = reconstructing.watched(choice, top, "here", 100).all
    restart()
    kept = files(home.registry.home)
    assert len(kept) == len(top)
    kept[4].write_bytes(kept[4].read_bytes()[:100])
    passes.clear()
    again = reconstructing.watched(choice, top, "here", 100).all
    assert sum(map(same, again, first)) >= len(first) - 1
    assert all(map(near, again, first))
    assert passes
    restart()
    passes.clear()
    reconstructing.watched(choice, top, "here", 100)
    assert not passes, "it was kept again"


@pytest.mark.usefixtures("nothing_kept")
def test_of_an_image_that_was_changed_nothing_is_shown(
    home: Home, network: Network, tmp_path: Path
) -> None:
    folder = drawings.save(tmp_path / "own", {"a.png": drawings.noise(3, 5)})
    dataset = home.registry.add_folder(folder)
    path = home.registry.index_path(dataset, home.network)
    index = scan(network, ImageFolder(folder), path)
    choice = Choice(
        *(home.registry, home.network, dataset, None, index, path, resources.index_stamp(path))
    )
    top = index.top(LAYER)
    assert reconstructing.watched(choice, top, "here", 100).found
    restart()
    before = (folder / "a.png").stat()
    drawings.save(folder, {"a.png": drawings.noise(3, 6)})
    os.utime(folder / "a.png", ns=(before.st_atime_ns, before.st_mtime_ns))
    changed = reconstructing.watched(choice, top, "here", 100)
    assert not changed.found
    assert isinstance(changed.missing[1], ImageChangedError)
    shutil.rmtree(folder)
    folder.mkdir()
    assert not reconstructing.watched(choice, top, "here", 100).found


@pytest.mark.usefixtures("nothing_kept")
def test_images_without_a_scan_leave_nothing(
    home: Home, network: Network, images: ImageFolder, index: ActivationIndex
) -> None:
    top = index.top(LAYER)
    assert reconstructing.watched_in(network, images, top, "here", 100).found
    reconstructing.LATER.wait()
    assert files(home.registry.home) == []


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize("what", ["index", "dataset"])
def test_pictures_are_deleted_with_their_scan(
    home: Home, choice: Choice, index: ActivationIndex, what: str
) -> None:
    reconstructing.watched(choice, index.top(LAYER), "here", 100)
    reconstructing.LATER.wait()
    other = KeptPictures(home.registry.home, MOST)
    other.put(made_from(), picture())
    assert len(files(home.registry.home)) == 1 + len(index.top(LAYER))
    if what == "index":
        home.registry.delete_index(home.index_path)
    else:
        home.registry.delete_dataset(home.dataset)
    assert [path.name for path in files(home.registry.home)] == [made_from().name]


def test_kept_pictures_take_no_room_of_jobs(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECONV_DATA_MB", "1000")
    room = home.registry.jobs.room()
    KeptPictures(home.registry.home, MOST).put(made_from(), picture())
    assert home.registry.jobs.room() == room


# --- tiles of contact sheets ---------------------------------------------------------------------


def test_a_tile_comes_back_and_is_never_another(kept: KeptPictures, tmp_path: Path) -> None:
    tile = DrawnTile(b"one PNG", b"another")
    kept.put_tile(made_from(), tile)
    assert KeptPictures(tmp_path, MOST).tile(made_from()) == tile
    assert kept.tile(made_from(rule="guided")) is None
    assert kept.get(made_from()) is None
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    kept.put_tile(made_from(1), DrawnTile(b"", b""))
    other = (tmp_path / "pictures" / made_from(1).tile_name).read_bytes()
    flipped = [whole[:n] + bytes([whole[n] ^ 4]) + whole[n + 1 :] for n in range(len(whole))]
    for content in (b"", whole[:-1], whole + b"x", other, *flipped):
        path.write_bytes(content)
        assert kept.tile(made_from()) is None
        assert not path.exists()
    kept.put_tile(made_from(), tile)
    kept.put(made_from(), picture())
    kept.forget(["a" * 64])
    assert files(tmp_path) == []
    KeptPictures(tmp_path, 10).put_tile(made_from(), tile)
    assert files(tmp_path) == []


@pytest.mark.usefixtures("nothing_kept")
def test_a_sheet_is_read_as_it_was_drawn(
    choice: Choice,
    network: Network,
    images: ImageFolder,
    index: ActivationIndex,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    best = [index.top("conv4_1", channel, 1)[0] for channel in range(4)]
    first = sheet_tiles(choice, best, "here", 100)
    assert list(first) == [1, 2, 3, 4]
    for rank, made in enumerate(reconstruct(network, images, best), 1):
        patch = Image.open(io.BytesIO(first[rank].patch))
        assert np.array_equal(patch, rendering.tile(made, "patch", Scale.per_tile()))
        drawn = np.asarray(Image.open(io.BytesIO(first[rank].reconstruction)), float)
        expected = np.asarray(rendering.tile(made, "reconstruction", Scale.percentile(99)), float)
        assert np.abs(drawn - expected).max() <= 2
    restart()
    reads: list[object] = []
    monkeypatch.setattr(KeptPictures, "get", lambda _, asked: reads.append(asked))
    monkeypatch.setattr(reconstructing, "compute", lambda _: pytest.fail("it computes"))
    assert sheet_tiles(choice, best, "here", 100) == first
    assert not reads, "no reconstruction is read"
    assert reconstructing.at_hand(choice, best)


@pytest.mark.usefixtures("nothing_kept")
def test_no_tile_of_an_image_that_was_changed(home: Home, network: Network, tmp_path: Path) -> None:
    names = {"a.png": drawings.noise(3, 5), "b.png": drawings.noise(3, 6)}
    folder = drawings.save(tmp_path / "own", names)
    dataset = home.registry.add_folder(folder)
    path = home.registry.index_path(dataset, home.network)
    index = scan(network, ImageFolder(folder), path)
    where = index, path, resources.index_stamp(path)
    choice = Choice(home.registry, home.network, dataset, None, *where)
    top = sorted(index.top(LAYER, 0), key=lambda found: found.image_id)
    assert list(sheet_tiles(choice, top, "here", 100)) == [1, 2]
    restart()
    drawings.save(folder, {"a.png": drawings.noise(3, 7)})
    assert list(sheet_tiles(choice, top, "here", 100)) == [2]
