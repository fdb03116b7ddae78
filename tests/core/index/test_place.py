"""A scan in a folder with foreign files: it never replaces or deletes them."""

import json
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from deconv_core.errors import DeconvError, IndexMismatchError
from deconv_core.images.folder import ImageFolder
from deconv_core.index import place
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.index.folder import IndexFolder
from deconv_core.index.inspection import check_index
from deconv_core.network.network import Network
from deconv_core.scanning.scan import scan
from deconv_core.storage import part_name
from tests.core import drawings
from tests.core.networks import shallow_network

OWN_FILES = {
    "manifest.json": b'{"name": "my web app", "icons": []}',
    "images.parquet": b"",  # filled below: a real table of a person
    "top-secret.parquet": b"mine",
    "top-0123abcd.parquet": b"mine too",
    "maps-europe.parquet": b"mine",
    ".notes.part": b"half a note",
    ".images.parquet.part": b"half a download",
    "scan.lock": b"mine, not empty",
    "blocks/000000.parquet": b"mine",
    "readme.txt": b"mine",
}


@pytest.fixture(scope="module")
def network() -> Network:
    return shallow_network()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pictures = {f"{n % 2}/{n}.png": drawings.noise(n, 16) for n in range(4)}
    return drawings.save(tmp_path_factory.mktemp("place") / "photos", pictures)


@pytest.fixture(scope="module")
def whole(network: Network, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "index"
    scan(network, ImageFolder(photos), path, block_size=2)
    return path


def tree(path: Path) -> dict[str, bytes]:
    return {
        file.relative_to(path).as_posix(): file.read_bytes() if file.is_file() else b""
        for file in sorted(path.rglob("*"))
    }


def put(folder: Path, name: str) -> None:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    if name == "images.parquet":
        pd.DataFrame({"holiday": ["sea"]}).to_parquet(file)
    else:
        file.write_bytes(OWN_FILES[name])


def refused(network: Network, images: Path, index: object, match: str) -> None:
    """The scan is refused with a clear message, and no file or folder changes."""
    here = images.parent
    before = tree(here)
    with pytest.raises(DeconvError, match=match):
        scan(network, ImageFolder(images), index)  # type: ignore[arg-type]
    assert tree(here) == before


# -- what lies where an index is to begin ----------------------------------------------------------


@pytest.mark.parametrize("name", OWN_FILES)
def test_a_folder_that_holds_something_is_left_alone(
    network: Network, photos: Path, tmp_path: Path, name: str
) -> None:
    images = tmp_path / "photos"
    shutil.copytree(photos, images)
    put(tmp_path / "mine", name)
    refused(network, images, tmp_path / "mine", "is not an index")
    for own in OWN_FILES:
        put(tmp_path / "mine", own)
    refused(network, images, tmp_path / "mine", "is not an index")


def test_the_message_names_what_is_there_and_what_to_do(
    network: Network, photos: Path, tmp_path: Path
) -> None:
    for name in ("a.txt", "b.txt", "c.txt", "d.txt"):
        (tmp_path / name).write_text("mine")
    with pytest.raises(DeconvError) as raised:
        scan(network, ImageFolder(photos), tmp_path)
    assert "holds 'a.txt', 'b.txt', 'c.txt' and 1 more" in str(raised.value)
    assert "choose a folder that is new or empty" in str(raised.value)


@pytest.mark.parametrize("index", ["", "  ", b"", "a\0b", "\ud800"])
def test_an_index_needs_a_path(network: Network, photos: Path, index: object) -> None:
    refused(network, photos, index, "the path is empty|is not a folder or file")


def test_a_folder_is_taken_if_it_is_new_or_empty_or_holds_what_systems_make(
    network: Network, photos: Path, tmp_path: Path
) -> None:
    images = ImageFolder(photos)
    (tmp_path / "empty").mkdir()
    (tmp_path / "shown").mkdir()
    (tmp_path / "shown" / ".DS_Store").write_bytes(b"Finder")
    (tmp_path / "link").symlink_to(tmp_path / "empty2")
    (tmp_path / "empty2").mkdir()
    for name in ("new/and/deep", "empty", "shown", "link"):
        assert scan(network, images, tmp_path / name).complete
    assert (tmp_path / "shown" / ".DS_Store").read_bytes() == b"Finder"
    assert (tmp_path / "empty2" / "manifest.json").is_file()


@pytest.mark.parametrize("left", ["scan.lock", "part", "plan", "blocks"])
def test_a_scan_that_was_killed_at_its_beginning_begins_again(
    network: Network, photos: Path, whole: Path, tmp_path: Path, left: str
) -> None:
    index = tmp_path / "index"
    index.mkdir()
    (index / "scan.lock").touch()
    if left == "part":
        (index / part_name("images.parquet")).write_bytes(b"half")
    if left == "plan":
        shutil.copy(whole / "images.parquet", index)
    if left == "blocks":
        (index / "blocks").mkdir()
    assert scan(network, ImageFolder(photos), index, block_size=2).complete
    assert not list(index.rglob("*.part"))


@pytest.mark.parametrize(
    "what",
    ["a file", "a link to it", "a link to nothing", "below a file", "below a link to nothing"],
)
def test_no_folder_can_be_there(network: Network, photos: Path, tmp_path: Path, what: str) -> None:
    images = tmp_path / "photos"
    shutil.copytree(photos, images)
    file, index = tmp_path / "file.txt", tmp_path / "index"
    file.write_text("mine")
    if what == "a file":
        index = file
    elif what == "below a file":
        index = file / "index"
    else:
        index.symlink_to(file if what == "a link to it" else tmp_path / "nothing")
        index = index / "index" if what.startswith("below") else index
    refused(network, images, index, "cannot write the index at .* is a (file|link to nothing)")


@pytest.mark.parametrize("content", [b"[]", b'"x"', b"1", b"null", b"{}", b"{", b"", b"\xff"])
def test_a_manifest_that_proves_nothing_is_left_alone(
    network: Network, photos: Path, tmp_path: Path, content: bytes
) -> None:
    images, index = tmp_path / "photos", tmp_path / "mine"
    shutil.copytree(photos, images)
    index.mkdir()
    (index / "manifest.json").write_bytes(content)
    refused(network, images, index, r"holds 'manifest\.json' and is not an index")


# -- the folder of images and the folder of the index ---------------------------------------------


def twice(path: Path) -> Path:
    return path.parent / path.name / ".." / path.name


@pytest.mark.parametrize(
    "place",
    [
        lambda images: images,
        lambda images: f"{images}/",
        lambda images: f"{images}/.",
        twice,
        lambda images: images / "index",
        lambda images: images / "0" / "deep" / "index",
        lambda images: images.parent / "link",
        lambda images: images.parent / "link" / "index",
        lambda images: images.parent / "other" / ".." / "photos" / "index",
        lambda images: f"file://{images}/index",
    ],
    ids=["same", "slash", "dot", "dots", "in", "deep", "link", "in link", "dots in", "address"],
)
@pytest.mark.parametrize("empty", [False, True])
def test_an_index_does_not_lie_in_its_folder_of_images(
    network: Network, photos: Path, tmp_path: Path, place: Callable[[Path], object], empty: bool
) -> None:
    images = tmp_path / "photos"
    shutil.copytree(photos, images)
    (tmp_path / "link").symlink_to(images)
    (tmp_path / "other").mkdir()
    index = place(images)
    if empty:
        Path(str(index).removeprefix("file://")).mkdir(parents=True, exist_ok=True)
    refused(network, images, index, r"in the (place of the )?folder of images.*photos-index")


@pytest.mark.skipif(sys.platform == "linux", reason="file systems of Linux know case")
def test_case_makes_no_difference_where_the_file_system_knows_none(
    network: Network, photos: Path, tmp_path: Path
) -> None:
    images = tmp_path / "photos"
    shutil.copytree(photos, images)
    refused(network, images, tmp_path / "PHOTOS" / "index", "in the folder of images")


def test_a_hidden_index_may_lie_in_the_folder_of_images(
    network: Network, photos: Path, tmp_path: Path
) -> None:
    """No scan looks into hidden folders."""
    images = tmp_path / "photos"
    shutil.copytree(photos, images)
    before = [entry.image_id for entry in ImageFolder(images)]
    assert scan(network, ImageFolder(images), images / ".deconv" / "index").complete
    assert [entry.image_id for entry in ImageFolder(images)] == before


def test_images_do_not_lie_in_the_folder_of_the_index(
    network: Network, photos: Path, tmp_path: Path
) -> None:
    images = tmp_path / "index" / "photos"
    shutil.copytree(photos, images)
    refused(network, images, tmp_path / "index", "photos lies in the folder of the index")


def test_addresses_of_one_store(network: Network, photos: Path) -> None:
    import fsspec

    store = fsspec.filesystem("memory")
    try:
        for file in photos.rglob("*.png"):
            name = file.relative_to(photos).as_posix()
            store.pipe_file(f"/place/photos/{name}", file.read_bytes())
        store.pipe_file("/place/mine/notes.txt", b"mine")
        images = ImageFolder("memory://place/photos")
        for index in ("memory://place/photos", "memory://place/photos/index", "memory://place"):
            with pytest.raises(DeconvError, match="folder of images"):
                scan(network, images, index)
        with pytest.raises(DeconvError, match=r"holds 'notes\.txt' and is not an index"):
            scan(network, images, "memory://place/mine")
        assert store.find("/place/mine") == ["/place/mine/notes.txt"]
        assert scan(network, images, "memory://place/photos-index").complete
    finally:
        store.rm("/place", recursive=True)


# -- a person's files beside an index --------------------------------------------------------------


def test_files_beside_an_index_stay(network: Network, whole: Path, tmp_path: Path) -> None:
    index, images = tmp_path / "index", tmp_path / "photos"
    shutil.copytree(whole, index)
    shutil.copytree(ActivationIndex.open(whole).image_root, images)
    own = {name: data for name, data in OWN_FILES.items() if name.startswith(("top", "maps", "."))}
    for name in (*own, "readme.txt"):
        put(index, name)
    (index / "blocks" / ".000000.parquet.part").write_bytes(b"mine")
    drawings.save(images, {"0/new.png": drawings.noise(50, 16)})
    assert scan(network, ImageFolder(images), index, update=True).complete
    assert {name: (index / name).read_bytes() for name in own} == own
    assert (index / "blocks" / ".000000.parquet.part").read_bytes() == b"mine"
    assert not check_index(index)
    assert len([path for path in index.glob("top-*") if path.name not in OWN_FILES]) == 1


@pytest.mark.parametrize("name", ["images.parquet", "blocks/000000.parquet", "manifest.json"])
def test_a_table_of_another_program_in_an_index_is_not_replaced(
    network: Network, photos: Path, whole: Path, tmp_path: Path, name: str
) -> None:
    index = tmp_path / "index"
    shutil.copytree(whole, index)
    if name == "manifest.json":
        put(index, name)
    else:
        pd.DataFrame({"holiday": ["sea"]}).to_parquet(index / name)
    before = tree(index)
    with pytest.raises(DeconvError, match=r"not written by this program|another program wrote"):
        scan(network, ImageFolder(photos), index)
    assert tree(index) == before


def test_a_manifest_of_another_program_is_no_index(tmp_path: Path) -> None:
    put(tmp_path, "manifest.json")
    for ask in (ActivationIndex.open, check_index):
        with pytest.raises(IndexMismatchError, match="there is no index at"):
            ask(tmp_path)


def test_a_table_of_another_program_is_no_index(tmp_path: Path) -> None:
    put(tmp_path, "images.parquet")
    for ask in (ActivationIndex.open, check_index):
        with pytest.raises(IndexMismatchError, match="there is no index at"):
            ask(tmp_path)


def test_an_index_of_another_format_is_named_and_stays(
    network: Network, photos: Path, whole: Path, tmp_path: Path
) -> None:
    index = tmp_path / "index"
    shutil.copytree(whole, index)
    manifest = json.loads((index / "manifest.json").read_text())
    (index / "manifest.json").write_text(json.dumps({**manifest, "format_version": 99}))
    before = tree(index)
    with pytest.raises(IndexMismatchError, match="has format 99"):
        scan(network, ImageFolder(photos), index)
    assert {k: v for k, v in tree(index).items() if k != "scan.lock"} == {
        k: v for k, v in before.items() if k != "scan.lock"
    }


# -- nothing begun is left behind ------------------------------------------------------------------


class Broken:
    """An engine that fails before the first block."""

    def compute_path(self, *_: object) -> object:
        raise DeconvError("no cluster")

    def make_blocks(self, _: object) -> bool:
        raise AssertionError


@pytest.mark.parametrize("there", ["nothing", "an empty folder", "a folder above"])
def test_a_scan_that_fails_at_once_leaves_no_folder_and_no_lock(
    network: Network, photos: Path, tmp_path: Path, there: str
) -> None:
    index = tmp_path / "a" / "b"
    if there != "nothing":
        (index if there == "an empty folder" else index.parent).mkdir(parents=True)
    before = tree(tmp_path)
    with pytest.raises(DeconvError, match="no cluster"):
        scan(network, ImageFolder(photos), index, engine=Broken())  # type: ignore[arg-type]
    assert tree(tmp_path) == before


def test_an_index_that_is_begun_while_the_folder_is_looked_at(
    network: Network, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan(network, ImageFolder(photos), tmp_path / "made")
    target, listed = tmp_path / "index", place._other_things

    def begun_first(folder: IndexFolder) -> Iterator[str]:
        (tmp_path / "made").rename(target)
        return listed(folder)

    monkeypatch.setattr(place, "_other_things", begun_first)
    place.check_place(IndexFolder(target), tmp_path / "photos")


def test_a_file_that_is_renamed_while_the_folder_is_listed(tmp_path: Path) -> None:
    names = {".images.parquet.part", "images.parquet"}
    for name in names:
        (tmp_path / name).write_bytes(b"1234")
    listed = IndexFolder(tmp_path).entries()
    first = next(listed)
    for name in names - {first[0]}:
        (tmp_path / name).unlink()
    assert (first[1], list(listed)) == (4, [])


def test_two_scans_begin_at_once_in_one_new_folder(
    network: Network, photos: Path, tmp_path: Path
) -> None:
    together, ends = threading.Barrier(4), []

    def begin() -> None:
        together.wait()
        try:
            ends.append(scan(network, ImageFolder(photos), tmp_path / "index").complete)
        except DeconvError as error:
            ends.append(str(error))

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert True in ends
    assert all(end is True or "another process is scanning" in end for end in ends), ends
    assert not check_index(tmp_path / "index")
    assert os.listdir(tmp_path) == ["index"]
