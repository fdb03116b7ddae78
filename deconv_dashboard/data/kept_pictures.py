"""Reconstructions in the data folder: made once, they are there after a restart.

Each is one file, ``pictures/IMAGE-DIGEST.picture``. The digest is a SHA-256 of everything that the
reconstruction is made from; IMAGE is the beginning of the SHA-256 of its image's file. The tile
that a contact sheet draws of it is another file, ``IMAGE-DIGEST.tile``: to draw it takes longer
than to read it. Any number of processes read and write at once: a file has its name only when it is
complete. Files and not a database, because a data folder may be on another computer, where the
locks of databases fail.

Nothing in a file is executed. A file that is damaged or is not of this program is ignored and
deleted when it is read. A folder that is full or read-only keeps nothing more; this is no error.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
import zlib
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from deconv_core import version
from deconv_core.images.framing import Resize
from deconv_core.images.pixel_values import ValueRange
from deconv_core.pictures import METHOD, Reconstruction, Rule
from deconv_core.storage import written_name
from deconv_core.units import Activation, Box
from deconv_core.whole_files import write_whole
from deconv_dashboard.limits import PICTURES

_Read = TypeVar("_Read")
_NAME = re.compile(r"(?P<image>[0-9a-f]{16})-[0-9a-f]{64}\.(?:picture|tile)")
_LARGEST = 64 * 2**20
"""The largest reconstruction that is kept, in bytes before compression."""
_IMAGE = 16
_BYTES_A_PIXEL = 13
"""Of 15 before compression."""
_DISK_BLOCK = 4096
_SHARE = 16
"""Old files are deleted after each sixteenth of the bound that was written, down to 14 sixteenths:
two processes that write at once stay below it."""
_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class MadeFrom:
    """Everything that a reconstruction is made from.

    Attributes:
        network: fingerprint of the network.
        image: SHA-256 of the image's file.
        resize: how the image became as large as the network's input.
        value_range: how its values became 8 bits.
        activation: the activation; the name of its image does not matter.
        rule: how rectifications are undone.
    """

    network: str
    image: str
    resize: Resize
    value_range: ValueRange
    activation: Activation
    rule: Rule = "deconvnet"

    @property
    def name(self) -> str:
        """The name of its file, over all this, the method and the version of the program."""
        seen, unit = self.activation, self.activation.unit
        where = unit.layer, int(unit.channel), int(seen.row), int(seen.column)
        image = self.image, self.resize, self.value_range
        what = METHOD, version.__version__, self.network, image, where, float(seen.value), self.rule
        digest = hashlib.sha256(repr(what).encode()).hexdigest()
        return f"{self.image[:_IMAGE]}-{digest}.picture"

    @property
    def tile_name(self) -> str:
        """The name of the file of its tile."""
        return self.name.removesuffix("picture") + "tile"


@dataclass(frozen=True)
class DrawnTile:
    """A tile of a contact sheet.

    Attributes:
        reconstruction: PNG of the reconstruction on its own scale, the strongest 1 % clipped.
        patch: PNG of the patch.
    """

    reconstruction: bytes
    patch: bytes


@dataclass(frozen=True)
class _Content:
    """What a file holds, after a checksum of four bytes; arrays are compressed."""

    name: str
    window: Box
    box: Box
    input_size: tuple[int, int] | None
    pixels: bytes
    patch: bytes


class KeptPictures:
    """The kept reconstructions of one data folder, the least recently used deleted."""

    def __init__(self, home: Path, most: int) -> None:
        """Keep ``most`` bytes in all; 0 keeps nothing. Nothing is read or created yet."""
        self.folder, self.most = home / PICTURES, most
        self._written = most  # so the first file kept looks at what others have kept
        self._lock = threading.Lock()

    def has(self, made_from: MadeFrom) -> bool:
        """True if this reconstruction is there; it is not read."""
        return self.most > 0 and (self.folder / made_from.name).exists()

    def get(self, made_from: MadeFrom) -> Reconstruction | None:
        """This reconstruction, if it is there and whole."""
        return self._get(made_from.name, lambda content: _read(content, made_from))

    def has_tile(self, made_from: MadeFrom) -> bool:
        """True if the tile of this reconstruction is there; it is not read."""
        return self.most > 0 and (self.folder / made_from.tile_name).exists()

    def tile(self, made_from: MadeFrom) -> DrawnTile | None:
        """The tile of this reconstruction, if it is there and whole."""
        name = made_from.tile_name
        return self._get(name, lambda content: _read_tile(content, name))

    def _get(self, name: str, read: Callable[[bytes], _Read | None]) -> _Read | None:
        """What a file holds; a damaged file is deleted."""
        path = self.folder / name
        if not self.most:
            return None
        try:
            content = path.read_bytes()
        except OSError:
            return None
        found = read(content)
        with suppress(OSError):
            if found is None:
                path.unlink()
            else:
                os.utime(path)
        return found

    def put(self, made_from: MadeFrom, picture: Reconstruction) -> None:
        """Keep a reconstruction, if there is a data folder that can be written to."""
        size, name = picture.pixels.nbytes + picture.patch.nbytes, made_from.name
        if 0 < size <= min(_LARGEST, self.most):
            self._put(name, _written(name, picture))

    def put_tile(self, made_from: MadeFrom, tile: DrawnTile) -> None:
        """Keep the tile of a reconstruction, as ``put`` does."""
        name = made_from.tile_name
        content = _checked(msgspec.msgpack.encode((name, tile.reconstruction, tile.patch)))
        if len(content) <= self.most:
            self._put(name, content)

    def _put(self, name: str, content: bytes) -> None:
        if not self.folder.parent.is_dir():
            return
        try:
            self.folder.mkdir(exist_ok=True)
            write_whole(self.folder / name, content, synchronised=False)  # a checksum finds damage
        except OSError:
            return
        with self._lock:
            self._written += _on_disk(len(content))
            full = self._written >= self.most // _SHARE
            self._written = 0 if full else self._written
        if full:
            self._delete_old()

    def forget(self, images: Collection[str]) -> None:
        """Delete the reconstructions from images with these SHA-256."""
        wanted = {image[:_IMAGE] for image in images}
        for name, _, _ in self._files() if wanted else ():
            match = _NAME.fullmatch(name)
            if match and match["image"] in wanted:
                self._delete(name)

    def _delete_old(self) -> None:
        """Delete the files that were not used for longest, and those of killed writes."""
        found, total = [], 0
        for name, size, used in self._files():
            if _NAME.fullmatch(name):
                found.append((used, size, name))
                total += size
            elif _NAME.fullmatch(written_name(name) or "") and time.time() - used > _HOUR:
                self._delete(name)
        for _, size, name in sorted(found):
            if total <= self.most - 2 * (self.most // _SHARE):
                break
            total -= size
            self._delete(name)

    def _files(self) -> list[tuple[str, int, float]]:
        """Name, size on the disk and time of the last use of each file."""
        found = []
        with suppress(OSError), os.scandir(self.folder) as entries:
            for entry in entries:
                with suppress(OSError):  # another process deleted it
                    state = entry.stat(follow_symlinks=False)
                    found.append((entry.name, _on_disk(state.st_size), state.st_mtime))
        return found

    def _delete(self, name: str) -> None:
        with suppress(OSError):
            (self.folder / name).unlink()


def _on_disk(size: int) -> int:
    return -(-size // _DISK_BLOCK) * _DISK_BLOCK


def bytes_of_picture(pixels: int) -> int:
    """About the bytes on the disk of a reconstruction of so many pixels."""
    return _on_disk(_BYTES_A_PIXEL * pixels)


# --- one file ------------------------------------------------------------------------------------


def _written(name: str, picture: Reconstruction) -> bytes:
    content = _Content(
        *(name, picture.window, picture.box, picture.input_size),
        pixels=_packed(_by_byte(picture.pixels)),
        patch=_packed(picture.patch),
    )
    return _checked(msgspec.msgpack.encode(content))


def _checked(body: bytes) -> bytes:
    """A checksum, and the body."""
    return zlib.crc32(body).to_bytes(4, "little") + body


def _body(content: bytes) -> bytes:
    """The body after its checksum.

    Raises:
        ValueError: it is not the one that was written.
    """
    if zlib.crc32(content[4:]).to_bytes(4, "little") != content[:4]:
        raise ValueError("another checksum")
    return content[4:]


def _read_tile(content: bytes, name: str) -> DrawnTile | None:
    """The tile in a file; None if the file is not the one that was written."""
    try:
        read = msgspec.msgpack.decode(_body(content), type=tuple[str, bytes, bytes])
    except (msgspec.MsgspecError, ValueError):
        return None
    return DrawnTile(*read[1:]) if read[0] == name else None


def _read(content: bytes, made_from: MadeFrom) -> Reconstruction | None:
    """The reconstruction in a file; None if the file is not the one that was written."""
    try:
        read = msgspec.msgpack.decode(_body(content), type=_Content)
        shape = read.box.height, read.box.width
        count = 3 * shape[0] * shape[1]
        if read.name != made_from.name or min(shape) < 1 or 5 * count > _LARGEST:
            return None
        planes = np.frombuffer(_unpacked(read.pixels, 4 * count), np.uint8).reshape(4, count)
        pixels = np.ascontiguousarray(planes.T).view("<f4").reshape(3, *shape)
        patch = np.frombuffer(_unpacked(read.patch, count), np.uint8).reshape(*shape, 3).copy()
    except (msgspec.MsgspecError, pa.ArrowException, OSError, ValueError):
        return None
    activation, size, rule = made_from.activation, read.input_size, made_from.rule
    return Reconstruction(activation, read.window, read.box, pixels, patch, size, rule)


def _by_byte(pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """All first bytes, then all second bytes, and so on: signs and exponents repeat."""
    numbers = np.ascontiguousarray(pixels, "<f4").view(np.uint8).reshape(-1, 4)
    return np.ascontiguousarray(numbers.T)


def _packed(values: npt.NDArray[np.uint8]) -> bytes:
    packed: bytes = _codec().compress(np.ascontiguousarray(values), asbytes=True)
    return packed


def _unpacked(packed: bytes, size: int) -> bytes:
    unpacked: bytes = _codec().decompress(packed, decompressed_size=size, asbytes=True)
    if len(unpacked) != size:
        raise ValueError("another size than the box has")
    return unpacked


def _codec() -> pa.Codec:
    return pa.Codec("zstd", compression_level=1)
