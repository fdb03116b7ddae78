"""An ordered folder of images: stable ids, labels, and decoding that cannot be surprised.

Every image becomes RGB, 224x224, 8 bits. The default "stretch" resizes to 224x224 with Pillow's
BILINEAR and does not keep the aspect ratio, as the original program did; "crop" resizes the
shorter side to 256 and takes the centre 224x224, as ImageNet networks were trained.
"""

from __future__ import annotations

import copy
import hashlib
import io
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from deconv_core.errors import DeconvError, ImageError
from deconv_core.receptive_field import INPUT_SIDE
from deconv_core.storage import Location, RemotePath, location
from deconv_core.units import label_of

Resize = Literal["stretch", "crop"]
Pixels = npt.NDArray[np.uint8]

LARGEST_FILE = 512 * 2**20
"""Bytes of one image file that are still read."""
LARGEST_IMAGE = 100_000_000
"""Pixels (width x height) of one image that are still decoded."""

# These start other programs, stand for video, or need a plug-in to decode at all.
_NOT_READ = {"EPS", "MPEG", "WMF", "GRIB", "BUFR", "HDF5", "FITS", "PDF"}


@dataclass(frozen=True, slots=True)
class ImageEntry:
    """One file: its id (posix path below the root), label and path."""

    image_id: str
    label: str
    path: Location


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something in the folder that is not offered as an image, and why."""

    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """An image as the network sees it.

    Attributes:
        pixels: uint8 (224, 224, 3), RGB.
        width: of the original, in pixels, after its EXIF orientation.
        height: of the original.
        content_hash: SHA-256 of the file, in hexadecimal digits.
    """

    pixels: Pixels
    width: int
    height: int
    content_hash: str


def readable_formats() -> tuple[str, ...]:
    """Pillow's names of the formats that are decoded, for example "JPEG"."""
    Image.init()
    return tuple(sorted(set(Image.OPEN) - _NOT_READ))


def readable_extensions() -> tuple[str, ...]:
    """The file name extensions of those formats, with their dot, in lower case."""
    formats = set(readable_formats())
    known = Image.registered_extensions()
    return tuple(sorted(extension for extension, name in known.items() if name in formats))


class ImageFolder:
    """The images below a folder, in the order of their ids.

    Folders that are links are not entered (they may lead out or round in circles); they and
    anything else that is passed over are listed in ``skipped``. Files of other types are counted
    in ``other_files``.

    Attributes:
        root: the folder, absolute, or its address.
        resize: "stretch" or "crop".
        skipped: what could not be listed, with reasons.
        other_files: extension -> number of files passed over because of it.
    """

    def __init__(
        self,
        root: str | os.PathLike[str] | RemotePath,
        extensions: Iterable[str] | None = None,
        labels: Iterable[str] | None = None,
        *,
        resize: Resize = "stretch",
        within: Iterable[str | os.PathLike[str]] | None = None,
    ) -> None:
        """List the folder.

        Args:
            root: an existing folder, or the address of one ("s3://bucket/photos").
            extensions: file types to take, with or without dot, in any case; None takes every
                format Pillow reads.
            labels: first-level folders to take ("" for files in the root itself); None takes all.
            resize: how pictures become 224x224.
            within: folders; files that are links are then taken only if they lead into one of
                these. None takes them wherever they lead.

        Raises:
            DeconvError: no such folder, an extension that cannot be read, or another ``resize``.
        """
        self.root = location(root)
        if not self.root.is_dir():
            raise DeconvError(f"{self.root} is not a folder; give a folder of images")
        if resize not in ("stretch", "crop"):
            raise DeconvError(f"resize={resize!r} is not known; choose 'stretch' or 'crop'")
        self.resize: Resize = resize
        self._extensions = _wanted_extensions(extensions)
        self._labels = None if labels is None else frozenset(labels)
        self._within = None if within is None else tuple(Path(p).resolve() for p in within)
        self.other_files: Counter[str] = Counter()
        skipped: list[Skipped] = []
        entries = sorted(self._walk(skipped), key=lambda entry: entry.image_id)
        self.skipped = tuple(skipped)
        self._entries = tuple(entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, position: int) -> ImageEntry:
        return self._entries[position]

    def __iter__(self) -> Iterator[ImageEntry]:
        return iter(self._entries)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {entry.image_id: position for position, entry in enumerate(self._entries)}

    @property
    def labels(self) -> dict[str, int]:
        """Label -> number of images, in order."""
        return dict(sorted(Counter(entry.label for entry in self._entries).items()))

    def only(self, positions: Iterable[int]) -> ImageFolder:
        """The same folder as if it held just these images; with none it is small to send away."""
        fewer = copy.copy(self)
        fewer._entries = tuple(self._entries[position] for position in positions)
        fewer.skipped, fewer.other_files = (), Counter()
        fewer.__dict__.pop("_positions", None)
        return fewer

    def position(self, image_id: str) -> int:
        """Where an id stands in this folder.

        Raises:
            ImageError: there is no such image.
        """
        try:
            return self._positions[image_id]
        except KeyError:
            raise ImageError(
                f"{image_id} is not in {self.root}; was it moved or deleted since the scan?"
            ) from None

    def read(self, position: int) -> Pixels:
        """The image as uint8 RGB (224, 224, 3).

        Raises:
            ImageError: it cannot be read; the message is the reason.
        """
        return self.decode(position).pixels

    def decode(self, position: int) -> DecodedImage:
        """The image, its original size and the hash of its content.

        Raises:
            ImageError: it cannot be read; the message is the reason.
        """
        return decode_image(read_content(self._entries[position].path), self.resize)

    def _walk(self, skipped: list[Skipped]) -> Iterator[ImageEntry]:
        listed = self._remote_files if isinstance(self.root, RemotePath) else self._local_files
        for image_id, path in listed(skipped):
            extension = os.path.splitext(image_id)[1].lower()
            if extension not in self._extensions:
                self.other_files[extension] += 1
            elif not _is_text(image_id):
                skipped.append(Skipped(ascii(image_id), "its name is not valid Unicode"))
            elif self._labels is None or label_of(image_id) in self._labels:
                yield ImageEntry(image_id, label_of(image_id), path)

    def _remote_files(self, skipped: list[Skipped]) -> Iterator[tuple[str, Location]]:
        assert isinstance(self.root, RemotePath)
        for name in self.root.names(recursive=True):
            if any(part in ("", ".", "..") for part in name.split("/")):
                skipped.append(Skipped(name, "no name that a folder could have"))
            else:
                yield name, self.root / name

    def _local_files(self, skipped: list[Skipped]) -> Iterator[tuple[str, Location]]:
        def note(error: OSError) -> None:
            name = os.path.relpath(str(error.filename), str(self.root))
            skipped.append(Skipped(name, error.strerror or "cannot be listed"))

        for folder, subfolders, files in os.walk(str(self.root), onerror=note):
            place = Path(folder).relative_to(str(self.root))
            skipped.extend(
                Skipped((place / name).as_posix(), "a link to a folder: not entered")
                for name in subfolders
                if os.path.islink(os.path.join(folder, name))
            )
            for name in files:
                image_id = (place / name).as_posix()
                if self._leads_out(os.path.join(folder, name)):
                    skipped.append(Skipped(image_id, "a link out of the folders that are offered"))
                else:
                    yield image_id, Path(folder, name)

    def _leads_out(self, path: str) -> bool:
        if self._within is None or not os.path.islink(path):
            return False
        real = Path(os.path.realpath(path))
        return not any(real.is_relative_to(folder) for folder in self._within)


def _wanted_extensions(extensions: Iterable[str] | None) -> frozenset[str]:
    readable = readable_extensions()
    if extensions is None:
        return frozenset(readable)
    if isinstance(extensions, str):
        extensions = extensions.split(",")
    wanted = {"." + e.strip().lower().lstrip(".") for e in extensions if e.strip(" .")}
    if not wanted or not wanted <= set(readable):
        given = ", ".join(sorted(wanted - set(readable))) or "nothing"
        raise DeconvError(f"cannot read files of type {given}; choose among {', '.join(readable)}")
    return frozenset(wanted)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # undecodable bytes arrive as lone surrogates
        return False
    return True


def read_content(path: Location) -> bytes:
    """The bytes of an image file.

    Raises:
        ImageError: it is missing, not a file, empty, or larger than ``LARGEST_FILE``.
        StorageError: a remote store failed, which says nothing about the image.
    """
    if isinstance(path, RemotePath):
        return _remote_content(path)
    try:
        if not path.is_file():
            raise ImageError("not a file" if path.exists() else "the file is gone")
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise ImageError(f"the file has {size:,} bytes; at most {LARGEST_FILE:,} are read")
        content = path.read_bytes()
    except OSError as error:
        raise ImageError(error.strerror or str(error)) from error
    if not content:
        raise ImageError("the file is empty")
    return content


def _remote_content(path: RemotePath) -> bytes:
    try:
        with path.open() as file:
            size = file.size()
            content = b"" if size > LARGEST_FILE else file.read()
    except FileNotFoundError as error:
        raise ImageError("the file is gone") from error
    if size > LARGEST_FILE:
        raise ImageError(f"the file has {size:,} bytes; at most {LARGEST_FILE:,} are read")
    if not content:
        raise ImageError("the file is empty")
    return content


def content_hash(content: bytes) -> str:
    """SHA-256 of a file's bytes, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def decode_image(content: bytes, resize: Resize = "stretch") -> DecodedImage:
    """Decode the bytes of an image file.

    EXIF orientation is applied; of an animation the first frame is taken; transparency is laid on
    white; 16-bit values are scaled to 8 bits.

    Raises:
        ImageError: the bytes are no whole picture of a readable format and size.
    """
    try:
        with Image.open(io.BytesIO(content), formats=readable_formats()) as opened:
            if opened.width * opened.height > LARGEST_IMAGE:
                raise ImageError(
                    f"{opened.width} x {opened.height} pixels; at most {LARGEST_IMAGE:,} are read"
                )
            image = _to_rgb(ImageOps.exif_transpose(opened))
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError("not a picture in a readable format") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"too many pixels: {error}") from error
    except MemoryError as error:
        raise ImageError("not enough memory to decode it") from error
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged files
        raise ImageError(f"damaged: {error or type(error).__name__}") from error
    pixels = np.asarray(_resized(image, resize), dtype=np.uint8)
    return DecodedImage(pixels, image.width, image.height, content_hash(content))


def _to_rgb(image: Image.Image) -> Image.Image:
    """Convert any mode Pillow has to 8-bit RGB."""
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        image = Image.fromarray(_to_bytes(image))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        ground.alpha_composite(image)
        image = ground
    return image.convert("RGB")


def _to_bytes(image: Image.Image) -> Pixels:
    """Scale 16-bit integers (0..65535) or floats (0..1, else 0..255) to 0..255."""
    values = np.asarray(image)
    if image.mode == "F":
        values = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=255.0, neginf=0.0)
        scaled = values * (255.0 if values.max(initial=0.0) <= 1.0 else 1.0)
    else:
        scaled = values.astype(np.float64) / 257.0
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def _resized(image: Image.Image, resize: Resize) -> Image.Image:
    side = INPUT_SIDE
    if resize == "stretch":
        return image.resize((side, side), Image.Resampling.BILINEAR)
    shorter = 256
    scale = shorter / min(image.size)
    width, height = (max(shorter, int(length * scale)) for length in image.size)
    left, top = round((width - side) / 2), round((height - side) / 2)
    # Resizing only the source of the crop keeps a 1 x 100,000 strip from becoming enormous.
    across, down = image.width / width, image.height / height
    box = (left * across, top * down, (left + side) * across, (top + side) * down)
    return image.resize((side, side), Image.Resampling.BILINEAR, box=box)
