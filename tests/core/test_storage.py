"""Addresses: their meaning, and images and indexes in fsspec's memory store."""

import errno
import pickle
import uuid
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from deconv_core import storage
from deconv_core.errors import DeconvError, ImageError, StorageError
from deconv_core.images.folder import ImageFolder, read_content
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.index.folder import IndexFolder
from deconv_core.index.inspection import check_index
from deconv_core.network.network import Network
from deconv_core.reconstruction.reconstruct import reconstruct
from deconv_core.scanning.scan import scan
from deconv_core.storage import RemotePath, beside, location


def remote(address: str) -> RemotePath:
    found = location(address)
    assert isinstance(found, RemotePath)
    return found


@pytest.fixture
def store() -> RemotePath:
    """An empty remote folder of its own."""
    return remote(f"memory://{uuid.uuid4().hex}")


@pytest.mark.parametrize(
    ("given", "address", "key", "options"),
    [
        ("s3://bucket/my photos/a%20b/?region=eu-west-1", "s3://bucket", "my photos/a%20b", "reg"),
        ("s3://bucket?region=us-east-1", "s3://bucket", "", "reg"),
        ("s3://b.c-d/x?endpoint_override=h:9&scheme=http&region=r", "s3://b.c-d", "x", "endpoint"),
        ("memory://place/folder", "memory://place", "folder", ""),
    ],
)
def test_an_address_is_taken_apart(given: str, address: str, key: str, options: str) -> None:
    found = remote(given)
    assert (found.address, found.key) == (address, key)
    assert found.options.startswith(options)
    assert remote(str(found)) == found
    assert pickle.loads(pickle.dumps(found)) == found


def test_a_path_of_this_computer_stays_one(tmp_path: Path) -> None:
    assert location(tmp_path) == tmp_path
    assert location(str(tmp_path)) == tmp_path
    assert location("photos") == Path.cwd() / "photos"
    assert location(f"file://{tmp_path}") == tmp_path
    assert location("~") == Path.home()


def test_the_endpoint_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert "127.0.0.1:9" in str(remote("s3://bucket/x").filesystem.__reduce__())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("nosuch://place/x", "not an address that can be opened"),
        ("s3://key:secret@bucket/x", "set AWS_ACCESS_KEY_ID"),
        ("s3://bucket/x?colour=red", "not an address that can be opened"),
    ],
)
def test_a_bad_address_is_refused_without_repeating_its_secrets(given: str, said: str) -> None:
    with pytest.raises(DeconvError, match=said) as raised:
        location(given)
    assert "secret" not in str(raised.value).lower().replace("aws_secret_access_key", "")


def test_relative_places_are_meant_from_the_index(tmp_path: Path, store: RemotePath) -> None:
    assert beside(tmp_path / "index", "../photos") == tmp_path / "photos"
    assert beside(tmp_path, "memory://x/y") == remote("memory://x/y")
    assert beside(store / "index", "../photos") == store / "photos"
    assert beside(store, str(tmp_path)) == tmp_path


def test_files_are_written_whole_listed_read_and_deleted(store: RemotePath) -> None:
    assert not store.is_dir()
    (store / "a/b.txt").write_bytes(b"hello")
    (store / "a/b.txt").write_bytes(b"hello there")
    (store / "a/deep/c.bin").write_bytes(b"")
    assert sorted(store.names(recursive=True)) == ["a/b.txt", "a/deep/c.bin"]
    assert [path.name for path in (store / "a").glob("*.txt")] == ["b.txt"]
    assert (store / "a").is_dir()
    assert not (store / "a").is_file()
    assert (store / "a/b.txt").is_file()
    assert (store / "a/b.txt").stat().st_size == 11
    with (store / "a/b.txt").open() as file:
        file.seek(-5, 2)
        assert (file.tell(), file.read(2), file.read(), file.size()) == (6, b"th", b"ere", 11)
    (store / "a/b.txt").unlink()
    (store / "a/b.txt").unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError):
        (store / "a/b.txt").unlink()
    with pytest.raises(FileNotFoundError):
        (store / "a/b.txt").open()
    with pytest.raises(FileNotFoundError):
        (store / "a/b.txt").stat()


def test_a_remote_folder_of_images_is_that_of_this_computer(
    images: ImageFolder, store: RemotePath
) -> None:
    copied = copy_up(images, store / "photos")
    (store / "photos/notes.txt").write_bytes(b"no image")
    there = ImageFolder(copied)
    assert [(e.image_id, e.label) for e in there] == [(e.image_id, e.label) for e in images]
    assert there.other_files == {".txt": 1}
    for position in range(len(images)):
        ours, theirs = there.decode(position), images.decode(position)
        assert ours.content_hash == theirs.content_hash
        assert (ours.pixels == theirs.pixels).all()
    assert len(ImageFolder(copied, labels=["dog"])) == len(ImageFolder(images.root, labels=["dog"]))
    with pytest.raises(DeconvError, match="is not a folder"):
        ImageFolder(store / "nothing")


def copy_up(images: ImageFolder, to: RemotePath) -> RemotePath:
    for entry in images:
        (to / entry.image_id).write_bytes(entry.path.read_bytes())
    return to


def test_an_index_in_a_remote_folder_is_that_of_this_computer(
    network: Network, images: ImageFolder, index: ActivationIndex, store: RemotePath
) -> None:
    there = ImageFolder(copy_up(images, store / "photos"))
    made = scan(network, there, store / "index", block_size=6)
    opened = ActivationIndex.open(store / "index")
    assert made.complete
    assert opened.image_root == there.root
    assert opened.images.equals(index.images)
    for layer in index.layers:
        assert opened.top(layer, k=50) == index.top(layer, k=50)
        assert opened.maps(layer).equals(index.maps(layer))
        assert opened.peaks(layer, 1).equals(index.peaks(layer, 1))
    (picture,) = reconstruct(network, there, opened.top("conv4_4", k=1))
    (same,) = reconstruct(network, images, index.top("conv4_4", k=1))
    assert (picture.pixels == same.pixels).all()


def test_a_remote_scan_goes_on_where_it_was_stopped_and_merges(
    network: Network,
    images: ImageFolder,
    store: RemotePath,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written: list[str] = []
    write = RemotePath.write_bytes

    def full_after_four(path: RemotePath, content: bytes) -> None:
        if len([name for name in written if name.startswith("blocks")]) == 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path.key.rpartition("index/")[2])
        write(path, content)

    monkeypatch.setattr(RemotePath, "write_bytes", full_after_four)
    with pytest.raises(DeconvError, match=r"cannot write the index at .*No space left"):
        scan(network, images, store / "index", block_size=1)
    assert written[:3] == ["images.parquet", "manifest.json", "blocks/000000.parquet"]
    monkeypatch.undo()
    assert len(ActivationIndex.open(store / "index").images) == 4

    monkeypatch.setattr("deconv_core.index.summary.MERGE_FROM", 5)
    monkeypatch.setattr("deconv_core.index.summary.MERGED_IMAGES", 8)
    last = []
    monkeypatch.setattr(RemotePath, "write_bytes", lambda p, c: (last.append(p.name), write(p, c)))
    done = scan(network, images, store / "index")
    assert done.complete
    assert last[-1] == "manifest.json"
    assert [len(file.numbers) for file in IndexFolder(store / "index").block_files()] == [8, 8, 4]
    assert len(list((store / "index/blocks").names(recursive=True))) == 3
    index = scan(network, images, tmp_path, block_size=1)
    assert done.top("conv5_1", k=50) == index.top("conv5_1", k=50)


def test_a_damaged_remote_block_is_named_and_scanned_again(
    network: Network, images: ImageFolder, index: ActivationIndex, store: RemotePath
) -> None:
    scan(network, images, store / "index", block_size=6)
    block = store / "index/blocks/000001.parquet"
    whole = block.read_bytes()
    block.write_bytes(whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:])
    (damage,) = check_index(store / "index")
    assert damage.path == block
    mended = scan(network, images, store / "index")
    assert block.read_bytes() == whole
    assert not check_index(store / "index")
    assert mended.top("conv5_4", k=50) == index.top("conv5_4", k=50)


class _Failing(fs.FileSystemHandler):
    """A store that knows its files and cannot read them."""

    def __getattribute__(self, name: str) -> object:
        if name in ("get_file_info", "open_input_file", "get_file_info_selector"):
            return self._fail
        return object.__getattribute__(self, name)

    def _fail(self, *_: object) -> None:
        raise OSError(errno.EIO, "the network is down")


for _name in fs.FileSystemHandler.__abstractmethods__:  # none but the three above is called
    setattr(_Failing, _name, lambda *_: None)
_Failing.__abstractmethods__ = frozenset()


def test_a_store_that_fails_is_never_taken_for_a_bad_image_or_a_damaged_block(
    store: RemotePath,
) -> None:
    down = RemotePath("s3://bucket", "index", "", fs.PyFileSystem(_Failing()), "bucket")
    with pytest.raises(StorageError, match="network is down"):
        read_content(down / "a.png")
    with pytest.raises(StorageError, match="network is down"):
        ActivationIndex.open(down)
    with pytest.raises(ImageError, match="gone"):
        read_content(store / "a.png")


def test_a_store_that_fails_while_parquet_is_read_is_not_damage(
    index: ActivationIndex, store: RemotePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = next((IndexFolder(str(index._folder.path)).path / "blocks").glob("*.parquet"))
    (store / "block.parquet").write_bytes(block.read_bytes())
    with pq.ParquetFile(storage.source(store / "block.parquet")) as file:
        assert file.metadata.num_rows
    opened = (store / "block.parquet").open()
    monkeypatch.setattr(opened, "_file", _Down(opened._file))
    with pytest.raises(StorageError, match="connection reset"):
        pq.read_table(opened)


class _Down:
    def __init__(self, file: object) -> None:
        self._file = file

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)

    def read(self, _: int | None) -> bytes:
        raise OSError(errno.ECONNRESET, "connection reset")
