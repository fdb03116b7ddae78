"""The cache: bounded, safe in threads, and always up to date with the file."""

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deconv_core.errors import DeconvError, ImageChangedError, ImageError
from deconv_core.file_state import FileState
from deconv_core.images.decoding import DecodedImage
from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.network.network import Network
from deconv_core.reconstruction.cache import ReconstructionCache
from deconv_core.reconstruction.reconstruct import reconstruct
from deconv_core.reconstruction.whole_image import pass_image
from deconv_core.scanning.scan import scan
from tests.core import drawings
from tests.core.networks import narrow_network

PICTURE_BYTES = 224 * 224 * 3


def test_it_never_holds_more_than_its_bound(images: ImageFolder) -> None:
    cache = ReconstructionCache(3 * PICTURE_BYTES + 10)
    for position in range(8):
        cache.pixels(images, position)
        assert cache.nbytes == min(position + 1, 3) * PICTURE_BYTES


def test_a_cache_of_nothing_keeps_nothing(images: ImageFolder) -> None:
    cache = ReconstructionCache(0)
    assert np.array_equal(cache.pixels(images, 0), images.read(0))
    assert cache.nbytes == 0


def test_the_least_recently_used_goes_first(
    images: ImageFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    really = ImageFolder.decode

    def counted(folder: ImageFolder, position: int, size: tuple[int, int]) -> DecodedImage:
        read.append(position)
        return really(folder, position, size)

    monkeypatch.setattr(ImageFolder, "decode", counted)
    cache = ReconstructionCache(2 * PICTURE_BYTES)
    for position in (0, 1, 0, 2, 0, 1):
        cache.pixels(images, position)
    assert read == [0, 1, 2, 1]


def test_kept_pictures_cannot_be_written(images: ImageFolder) -> None:
    pixels = ReconstructionCache().pixels(images, 0)
    with pytest.raises(ValueError, match="read-only"):
        pixels[0, 0, 0] = 1


def test_a_pass_is_found_up_to_where_it_reached(network: Network, images: ImageFolder) -> None:
    cache = ReconstructionCache()
    passed, _ = pass_image(network, images.read(0), "conv2_2")
    cache.keep_pass(network, images.content(0), passed)
    assert cache.image_pass(network, images.content(0), "conv1_1") is passed
    assert cache.image_pass(network, images.content(0), "pool2") is passed
    assert cache.image_pass(network, images.content(0), "conv3_1") is None
    assert cache.image_pass(network, images.content(1), "conv1_1") is None
    assert cache.image_pass(narrow_network(1), images.content(0), "conv1_1") is None


def test_keeping_the_same_again_counts_once(network: Network, images: ImageFolder) -> None:
    cache = ReconstructionCache()
    passed, _ = pass_image(network, images.read(0), "pool5")
    cache.keep_pass(network, images.content(0), passed)
    once = cache.nbytes
    cache.keep_pass(network, images.content(0), passed)
    assert once == cache.nbytes == passed.nbytes > 0


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    drawings.save(tmp_path, {"a.png": drawings.noise(1)})
    images, cache = ImageFolder(tmp_path), ReconstructionCache()
    assert np.array_equal(cache.pixels(images, 0), drawings.noise(1))
    drawings.save(tmp_path, {"a.png": drawings.noise(2)})
    os.utime(tmp_path / "a.png", (1, 1))  # whatever the clock's grain, the time differs
    assert np.array_equal(cache.pixels(images, 0), drawings.noise(2))
    (tmp_path / "a.png").unlink()
    with pytest.raises(ImageError, match="gone"):
        cache.pixels(images, 0)


def test_a_changed_file_is_not_reconstructed_from_memory(network: Network, tmp_path: Path) -> None:
    drawings.save(tmp_path / "photos", {"a.png": drawings.noise(1)})
    images, cache = ImageFolder(tmp_path / "photos"), ReconstructionCache()
    top = scan(network, images, tmp_path / "index").top("conv5_1")
    reconstruct(network, images, top, cache)
    drawings.save(tmp_path / "photos", {"a.png": drawings.noise(2, 9)})
    os.utime(tmp_path / "photos/a.png", (1, 1))
    with pytest.raises(DeconvError, match="not the one that was scanned"):
        reconstruct(network, images, top, cache)


def _replaced(path: Path, pixels: np.ndarray, how: str) -> None:
    """Another picture under a name, in a file of the same size, as people and programs do it."""
    before = path.stat()
    new = path.with_name("new.bmp")
    Image.fromarray(pixels).save(new)
    assert new.stat().st_size == before.st_size
    match how:
        case "written over":
            path.write_bytes(new.read_bytes())
        case "written over, with the old time":
            path.write_bytes(new.read_bytes())
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        case "renamed over, with the old time":
            os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
            os.replace(new, path)
        case "a link to another":
            path.unlink()
            path.symlink_to(new)


@pytest.mark.parametrize(
    "how",
    [
        "written over",
        "written over, with the old time",
        "renamed over, with the old time",
        "a link to another",
    ],
)
def test_another_file_of_the_same_name_and_size_is_seen(tmp_path: Path, how: str) -> None:
    Image.fromarray(drawings.noise(1)).save(tmp_path / "a.bmp")
    images, cache = ImageFolder(tmp_path), ReconstructionCache()
    assert np.array_equal(cache.pixels(images, 0), drawings.noise(1))
    _replaced(tmp_path / "a.bmp", drawings.noise(2), how)
    assert np.array_equal(cache.pixels(images, 0), drawings.noise(2))


def test_a_file_changed_a_moment_ago_is_not_trusted(tmp_path: Path) -> None:
    """It may change once more within the same tick of the clock."""
    path = tmp_path / "a.bmp"
    path.write_bytes(b"1")
    assert FileState.of(path) != FileState.of(path)
    until = time.monotonic() + 240
    while (state := FileState.of(path)).looked_at:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert state == FileState.of(path)
    with pytest.raises(FileNotFoundError):
        FileState.of(tmp_path / "none")


def test_a_picture_that_looks_the_same_at_the_peak_is_still_another(
    network: Network, tmp_path: Path
) -> None:
    """The value at the location is equal to the bit, so that only the content differs."""
    pixels = drawings.square(40, 60, 50)
    drawings.save(tmp_path / "photos", {"a.png": pixels})
    images = ImageFolder(tmp_path / "photos")
    index = scan(network, images, tmp_path / "index")
    top = index.top("conv1_2")
    (shown,) = reconstruct(network, images, top)
    elsewhere = pixels.copy()
    far = slice(0, 30) if shown.box.top > 112 else slice(190, 220)
    elsewhere[far, far] = 0
    drawings.save(tmp_path / "photos", {"a.png": elsewhere})
    (same,) = reconstruct(network, images, top)
    assert np.array_equal(same.pixels, shown.pixels)
    scanned = index.content_hashes(["a.png", "never there"])
    assert scanned == {"a.png": index._done["content_hash"][0]}
    for cache in (None, ReconstructionCache()):
        with pytest.raises(ImageChangedError, match=r"a\.png is not the image that was scanned"):
            reconstruct(network, images, top, cache, scanned=scanned)
    drawings.save(tmp_path / "photos", {"a.png": pixels})
    assert reconstruct(network, images, top, ReconstructionCache(), scanned=scanned)


def test_two_ways_of_resizing_are_two_pictures(images: ImageFolder, tmp_path: Path) -> None:
    Image.fromarray(drawings.noise(3)[:, :120]).save(tmp_path / "narrow.png")
    cache = ReconstructionCache()
    stretched = cache.pixels(ImageFolder(tmp_path), 0)
    cropped = cache.pixels(ImageFolder(tmp_path, resize="crop"), 0)
    assert not np.array_equal(stretched, cropped)


def test_threads_share_it_without_losing_count(
    network: Network, images: ImageFolder, index: ActivationIndex
) -> None:
    cache = ReconstructionCache(4 * PICTURE_BYTES)
    failed: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            for position in np.random.default_rng(seed).integers(0, len(images), 60):
                cache.pixels(images, int(position))
                assert cache.nbytes <= cache.max_bytes + PICTURE_BYTES
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert cache.nbytes == 4 * PICTURE_BYTES
