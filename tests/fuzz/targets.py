"""The fuzzing targets: readers of untrusted bytes.

A target must read its bytes, or refuse them with one of the program's own errors. Everything else
is a find. ``python -m tests.fuzz.run`` searches for finds; ``test_finds.py`` replays earlier ones.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from deconv_core.errors import DeconvError, ImageError, WeightsError
from deconv_core.images.decoding import decode_image
from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.index.seals import sealed
from deconv_core.network.network import build_network, preprocessing_named
from deconv_core.network.pickled_weights import converted
from deconv_core.network.weight_files import read_weight_file
from deconv_core.scanning.scan import scan
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.upload.unpacking import store_zip
from tests.core import drawings
from tests.core.networks import narrow_network
from tests.core.weight_writers import caffe_arrays, features, python2_npy


@dataclass(frozen=True)
class Target:
    """A reader, and files it reads, from which the fuzzer starts."""

    read: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]


def _temporary() -> Path:
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="fuzz-", dir=memory if memory.is_dir() else None))


# -- weights -------------------------------------------------------------------------------------


def _weights(suffix: str) -> Callable[[bytes], None]:
    def read(content: bytes) -> None:
        folder = _temporary()
        try:
            (folder / f"a{suffix}").write_bytes(content)
            path = folder / f"a{suffix}"
            if suffix != ".safetensors":  # here, not in a process of its own: faster, and measured
                path.with_suffix(".safetensors").write_bytes(b"".join(converted(path)))
            found = read_weight_file(path.with_suffix(".safetensors"))
            build_network("a", found, preprocessing_named("torchvision"))
        except (WeightsError, MemoryError):
            pass
        finally:
            shutil.rmtree(folder)

    return read


def _small() -> dict[str, torch.Tensor]:
    return {"features.0.weight": torch.zeros(1, 3, 3, 3), "features.0.bias": torch.zeros(1)}


def _saved(content: object, legacy: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


def _pth_seeds() -> list[bytes]:
    contents = (_small(), {"state_dict": _small(), "epoch": 3}, features())
    return [_saved(content, legacy) for content in contents for legacy in (False, True)]


def _npy_seeds() -> list[bytes]:
    small = {"conv1_1": [np.zeros((1, 1, 3, 2), np.float32), np.zeros(2, np.float32)]}
    buffer = io.BytesIO()
    np.save(buffer, small, allow_pickle=True)
    return [python2_npy(small), python2_npy(caffe_arrays()), buffer.getvalue()]


def _safetensors_seeds() -> list[bytes]:
    folder = _temporary()
    save_file(_small(), folder / "a", {"preprocessing": "caffe"})
    save_file(features(), folder / "b")
    found = [(folder / name).read_bytes() for name in "ab"]
    shutil.rmtree(folder)
    return found


# -- index ---------------------------------------------------------------------------------------


_index: list[Path] = []


def _whole_index() -> Path:
    """A small finished index, made once a process."""
    if not _index:
        folder = _temporary()
        pictures = {f"dog/{n}.png": drawings.noise(n, 32) for n in range(3)}
        images = ImageFolder(drawings.save(folder / "images", pictures))
        scan(narrow_network(), images, folder / "index", block_size=2)
        _index.append(folder / "index")
    return _index[0]


def _index_file(name: str, *, finished: bool = True) -> Callable[[bytes], None]:
    """Reads an index in which one file was replaced, and given a seal as only malice would."""

    def read(content: bytes) -> None:
        whole, folder = _whole_index(), _temporary()
        try:
            for path in whole.rglob("*"):
                target = folder / path.relative_to(whole)
                target.parent.mkdir(parents=True, exist_ok=True)
                if path.is_file() and path.suffix != ".lock":
                    os.link(path, target)
            (folder / name).unlink()
            (folder / name).write_bytes(_with_seal(content))
            if not finished:
                manifest = (folder / "manifest.json").read_bytes().replace(b": true", b": false")
                (folder / "manifest.json").unlink()
                (folder / "manifest.json").write_bytes(_with_seal(manifest))
            _ask(folder)
        finally:
            shutil.rmtree(folder)

    return read


def _with_seal(content: bytes) -> bytes:
    """Parquet or JSON with its checksums made right again, or anything else as it is."""
    with suppress(ValueError, RecursionError, UnicodeError):
        if content[-4:] == b"PAR1":
            return sealed(content)
        described = json.loads(content)
        if not isinstance(described, dict):
            return content
        described.pop("checksum", "")
        digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
        return json.dumps({**described, "checksum": digest[:16]}).encode()
    return content


def _without_seal(content: bytes) -> bytes:
    start = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    return content[: start - 72] + content[start:] if content[-4:] == b"PAR1" else content


def _ask(folder: Path) -> None:
    with suppress(DeconvError):
        index = ActivationIndex.open(folder)
        for ask in (
            lambda: index.top("conv1_1"),
            lambda: index.top("conv1_1", channel=0, label="dog"),
            lambda: index.peaks("pool1", 1),
            lambda: index.maps("conv1_1"),
        ):
            with suppress(DeconvError):
                ask()
        assert index.total >= len(index.images)
        str(index.image_root)


def _index_seeds(name: str) -> Callable[[], list[bytes]]:
    return lambda: [_without_seal((_whole_index() / name).read_bytes())]


def _summary(kind: str) -> Callable[[bytes], None]:
    def read(content: bytes) -> None:
        _index_file(next(_whole_index().glob(f"{kind}-*.parquet")).name)(content)

    return read


def _summary_seeds(kind: str) -> Callable[[], list[bytes]]:
    def seeds() -> list[bytes]:
        return _index_seeds(next(_whole_index().glob(f"{kind}-*.parquet")).name)()

    return seeds


# -- uploads and images --------------------------------------------------------------------------


def _upload(content: bytes) -> None:
    folder = _temporary()
    try:
        with suppress(DeconvError):
            store_zip(Registry(folder / "home"), io.BytesIO(content), "a.zip")
        strangers = [path for path in folder.iterdir() if path.name != "home"]
        assert not strangers, strangers
        for path in (folder / "home").rglob("*"):
            assert not path.is_symlink(), path
    finally:
        shutil.rmtree(folder)


def _zip_seeds() -> list[bytes]:
    found = []
    for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", kind) as archive:
            archive.writestr("zoo/dog/a.png", _picture("PNG"))
            archive.writestr("zoo/cat/ü.gif", _picture("GIF"))
            archive.writestr("zoo/notes.txt", "text")
        found.append(buffer.getvalue())
    return found


def _picture(kind: str, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(drawings.noise(1)[:8, :8])
    frames = {"save_all": True, "append_images": [image]} if kind in ("GIF", "WEBP") else {}
    image.convert(mode).save(buffer, kind, **frames)
    return buffer.getvalue()


_KINDS = (
    *("PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP", "PPM", "TGA", "PCX", "ICO", "DDS", "JPEG2000"),
    *("SGI", "IM", "MSP", "SPIDER", "ICNS", "AVIF", "QOI"),
)


def _image_seeds() -> list[bytes]:
    modes = {"MSP": "1", "SPIDER": "F", "ICO": "RGBA", "ICNS": "RGBA"}
    found = []
    for kind in _KINDS:
        with suppress(KeyError, OSError, ValueError):  # not every Pillow writes every format
            found.append(_picture(kind, modes.get(kind, "RGB")))
    return [*found, _picture("TIFF", "I;16"), _picture("PNG", "P"), _picture("JPEG", "CMYK")]


def _image(content: bytes) -> None:
    with suppress(ImageError):
        decoded = decode_image(content)
        assert decoded.pixels.shape == (224, 224, 3)
        assert decoded.pixels.dtype == np.uint8


TARGETS = {
    "pth": Target(_weights(".pth"), _pth_seeds),
    "npy": Target(_weights(".npy"), _npy_seeds),
    "safetensors": Target(_weights(".safetensors"), _safetensors_seeds),
    "manifest": Target(_index_file("manifest.json"), _index_seeds("manifest.json")),
    "plan": Target(_index_file("images.parquet"), _index_seeds("images.parquet")),
    "top": Target(_summary("top"), _summary_seeds("top")),
    "maps": Target(_summary("maps"), _summary_seeds("maps")),
    "block": Target(
        _index_file("blocks/000000.parquet", finished=False), _index_seeds("blocks/000000.parquet")
    ),
    "zip": Target(_upload, _zip_seeds),
    "image": Target(_image, _image_seeds),
}
