"""The cache: bounded, safe in threads, and never older than the file."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from deconv_core.activation_index import ActivationIndex
from deconv_core.errors import DeconvError, ImageError
from deconv_core.image_passes import pass_images
from deconv_core.images import ImageFolder
from deconv_core.network import Network
from deconv_core.reconstruction import reconstruct
from deconv_core.reconstruction_cache import ReconstructionCache
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
    really = ImageFolder.read

    def counted(folder: ImageFolder, position: int) -> np.ndarray:
        read.append(position)
        return really(folder, position)

    monkeypatch.setattr(ImageFolder, "read", counted)
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
    (passed,) = pass_images(network, [images.read(0)], "conv2_2")
    cache.keep_pass(network, images, 0, passed)
    assert cache.image_pass(network, images, 0, "conv1_1") is passed
    assert cache.image_pass(network, images, 0, "pool2") is passed
    assert cache.image_pass(network, images, 0, "conv3_1") is None
    assert cache.image_pass(network, images, 1, "conv1_1") is None
    assert cache.image_pass(narrow_network(1), images, 0, "conv1_1") is None


def test_keeping_the_same_again_counts_once(network: Network, images: ImageFolder) -> None:
    cache = ReconstructionCache()
    (passed,) = pass_images(network, [images.read(0)], "pool5")
    cache.keep_pass(network, images, 0, passed)
    once = cache.nbytes
    cache.keep_pass(network, images, 0, passed)
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
    from deconv_core.scanning import scan

    drawings.save(tmp_path / "photos", {"a.png": drawings.noise(1)})
    images, cache = ImageFolder(tmp_path / "photos"), ReconstructionCache()
    top = scan(network, images, tmp_path / "index").top("conv5_1")
    reconstruct(network, images, top, cache)
    drawings.save(tmp_path / "photos", {"a.png": drawings.noise(2, 9)})
    os.utime(tmp_path / "photos/a.png", (1, 1))
    with pytest.raises(DeconvError, match="not the one that was scanned"):
        reconstruct(network, images, top, cache)


def test_two_ways_of_resizing_are_two_pictures(images: ImageFolder, tmp_path: Path) -> None:
    from PIL import Image

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
