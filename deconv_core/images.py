"""An ordered folder of images: which files are images, their ids and labels."""

from __future__ import annotations

import copy
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from deconv_core.decoding import (
    DecodedImage,
    Pixels,
    Resize,
    ValueRange,
    decode_image,
    readable_extensions,
)
from deconv_core.errors import DeconvError, ImageError
from deconv_core.storage import Location, RemotePath, location
from deconv_core.units import label_of

LARGEST_FILE = 512 * 2**20
"""Bytes of one image file that are still read."""


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


class ImageFolder:
    """The images below a folder, in the order of their ids.

    Folders that are links are not entered (they may lead out or round in circles); they and
    anything else that is passed over are listed in ``skipped``. Files of other types are counted
    in ``other_files``.

    Attributes:
        root: the folder, absolute, or its address.
        extensions: the file types taken, in order; None where all are that can be read.
        wanted_labels: the labels asked for, in order; None where all are taken.
        follow_links: whether folders that are links are entered.
        resize: "stretch" or "crop".
        value_range: "type" or "file".
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
        value_range: ValueRange = "type",
        within: Iterable[str | os.PathLike[str]] | None = None,
    ) -> None:
        """List the folder.

        Args:
            root: an existing folder, or the address of one ("s3://bucket/photos").
            extensions: file types to take, with or without dot, in any case; None takes every
                format Pillow reads.
            labels: first-level folders to take ("" for files in the root itself); None takes all.
            resize: how pictures become 224x224.
            value_range: how values of more than 8 bits become 8 bits: "type" makes the largest
                value of their type white, "file" the largest value in the file.
            within: folders; files that are links are then taken only if they lead into one of
                these. None takes them wherever they lead.

        Raises:
            DeconvError: no such folder, an extension that cannot be read, or another ``resize`` or
                ``value_range``.
        """
        self.root = location(root)
        if not self.root.is_dir():
            raise DeconvError(f"{self.root} is not a folder; give a folder of images")
        if resize not in ("stretch", "crop"):
            raise DeconvError(f"resize={resize!r} is not known; choose 'stretch' or 'crop'")
        if value_range not in ("type", "file"):
            raise DeconvError(f"value_range={value_range!r} is not known; choose 'type' or 'file'")
        self.resize: Resize = resize
        self.value_range: ValueRange = value_range
        self.follow_links = False
        self._extensions = _wanted_extensions(extensions)
        self.extensions = None if extensions is None else tuple(sorted(self._extensions))
        self.wanted_labels = None if labels is None else tuple(sorted(set(labels)))
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
        return self.decode_content(read_content(self._entries[position].path))

    def decode_content(self, content: bytes) -> DecodedImage:
        """The bytes of any image file, decoded as those of this folder are.

        Raises:
            ImageError: they cannot be read; the message is the reason.
        """
        return decode_image(content, self.resize, self.value_range)

    def _walk(self, skipped: list[Skipped]) -> Iterator[ImageEntry]:
        listed = self._remote_files if isinstance(self.root, RemotePath) else self._local_files
        for image_id, path in listed(skipped):
            extension = os.path.splitext(image_id)[1].lower()
            if extension not in self._extensions:
                self.other_files[extension] += 1
            elif not _is_text(image_id):
                skipped.append(Skipped(ascii(image_id), "its name is not valid Unicode"))
            elif self.wanted_labels is None or label_of(image_id) in self.wanted_labels:
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
