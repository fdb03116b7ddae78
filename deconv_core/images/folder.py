"""An ordered folder of images: which files are images, their ids and labels."""

from __future__ import annotations

import copy
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path

from deconv_core.arguments import flag, listed, shown, text, whole_number
from deconv_core.errors import UPDATE, DeconvError, ImageChangedError, ImageError
from deconv_core.file_state import FileState
from deconv_core.images.decoding import (
    DecodedImage,
    Pixels,
    Resize,
    decode_image,
    readable_extensions,
)
from deconv_core.images.listing import Listing, as_text, is_text, list_files
from deconv_core.images.passed_over import LINK_TO_NOTHING, NO_NAME, Skipped, count_kinds
from deconv_core.images.pixel_values import ValueRange
from deconv_core.storage import Location, RemotePath, location
from deconv_core.typed_paths import path_argument
from deconv_core.units import as_stored, label_of

LARGEST_FILE = 512 * 2**20
"""Bytes of one image file that are still read."""


@dataclass(frozen=True, slots=True)
class ImageEntry:
    """One file: its id (posix path below the root), label and path."""

    image_id: str
    label: str
    path: Location


@dataclass(frozen=True, slots=True)
class ImageContent:
    """What the pixels of an image are made from: its file as it is now, and how it is read."""

    file: FileState
    resize: Resize
    value_range: ValueRange


@dataclass(frozen=True, eq=False)
class SeenImage:
    """An image as it was when it was read.

    Attributes:
        content: what it was made from.
        pixels: uint8 (224, 224, 3), RGB, not to be written.
        content_hash: SHA-256 of the file, in hexadecimal digits.
        note: what is odd about its values, for people, or "".
    """

    content: ImageContent
    pixels: Pixels
    content_hash: str
    note: str = ""

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.pixels.nbytes


class ImageFolder:
    """The images below a folder, in the order of their ids.

    Hidden files and folders are passed over, and folders that are links unless they are wanted.
    They and anything else that is passed over are listed in ``skipped``. Files of other types are
    counted in ``other_files``.

    Attributes:
        root: the folder, absolute, or its address.
        extensions: the file types taken, in order; None where all are that can be read.
        wanted_labels: the labels asked for, in order; None where all are taken.
        follow_links: whether folders that are links are entered.
        links_unsaid: True if nobody said whether they should be.
        resize: "stretch" or "crop".
        value_range: "type" or "file".
        skipped: what was passed over, with reasons; a hidden folder is one entry.
        other_files: extension -> number of files passed over because of it.
        links: number of folders that are links and were entered.
        absent_labels: of the labels asked for, those that no image has.
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
        follow_links: bool | None = None,
    ) -> None:
        """List the folder.

        Args:
            root: an existing folder, or the address of one ("s3://bucket/photos").
            extensions: file types to take, with or without dot, in any case; None takes every
                format Pillow reads.
            labels: first-level folders to take ("" for files in the root itself), however their
                letters are composed (é as one character or two); None takes all.
            resize: how pictures become 224x224.
            value_range: how values of more than 8 bits become 8 bits: "type" makes the largest
                value of their type white, "file" the largest value in the file.
            within: folders; links are then followed only into one of these. None follows them
                wherever they lead.
            follow_links: enter folders that are links, but for those that lead to a folder in
                which they lie themselves. None is False, but leaves it to an index: a scan goes
                on with one that was made with links followed only if True or False was given.

        Raises:
            DeconvError: no such folder, an extension that cannot be read, labels that are no list
                of texts, or another ``resize`` or ``value_range``.
        """
        self.root = location(root)
        if not self.root.is_dir():
            raise DeconvError(_no_folder(self.root))
        if resize not in ("stretch", "crop"):
            raise DeconvError(f"resize={resize!r} is not known; choose 'stretch' or 'crop'")
        if value_range not in ("type", "file"):
            raise DeconvError(f"value_range={value_range!r} is not known; choose 'type' or 'file'")
        self.resize: Resize = resize
        self.value_range: ValueRange = value_range
        self.links_unsaid = follow_links is None
        self.follow_links = not self.links_unsaid and flag("follow_links", follow_links)
        self._extensions = _wanted_extensions(extensions)
        self.extensions = None if extensions is None else tuple(sorted(self._extensions))
        self.wanted_labels = _wanted_labels(labels)
        self._within = None if within is None else _folders(within)
        self._list()

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

    @property
    def passed_over(self) -> dict[str, int]:
        """Kind -> number of what was passed over: file types, then "hidden" and other kinds."""
        return count_kinds(self.skipped, self.other_files)

    @property
    def state(self) -> str:
        """Digits that differ when a folder or the names in it do; content does not count."""
        return self._listing.state

    def is_current(self) -> bool:
        """True if no folder was changed since it was listed; looks at folders, not into them.

        False also for a remote store, and while a folder has changed so shortly before that one
        more change could look the same.
        """
        return self._listing.is_current()

    def only(self, positions: Iterable[int]) -> ImageFolder:
        """The same folder as if it held just these images; with none it is small to send away."""
        fewer = copy.copy(self)
        fewer._entries = tuple(self._entries[position] for position in positions)
        fewer.skipped, fewer.other_files, fewer._listing = (), Counter(), Listing()
        fewer.__dict__.pop("_positions", None)
        return fewer

    def position(self, image_id: str) -> int:
        """Where an id stands in this folder; its letters may be composed in another way.

        Raises:
            ImageError: there is no such image.
            DeconvError: the id is no text.
        """
        known = self._positions
        text("image_id", image_id, "the id of an image, such as 'dog/1.jpg'")
        meant = [image_id] if image_id in known else as_stored(image_id, known)
        if len(meant) != 1:
            raise ImageError(
                f"{image_id} is not in {self.root}; was it moved or deleted since the scan?"
            )
        return known[meant[0]]

    def content(self, position: int) -> ImageContent:
        """What the pixels of an image are made from now, told without reading it.

        Raises:
            ImageError: its file is gone.
        """
        try:
            file = FileState.of(self._entries[position].path)
        except FileNotFoundError as error:
            raise ImageError("the file is gone") from error
        except OSError as error:
            raise ImageError(error.strerror or str(error)) from error
        return ImageContent(file, self.resize, self.value_range)

    def read(self, position: int) -> Pixels:
        """The image as uint8 RGB (224, 224, 3).

        Raises:
            ImageError: it cannot be read; the message is the reason.
            DeconvError: there is no such position.
        """
        return self.decode(position).pixels

    def decode(self, position: int) -> DecodedImage:
        """The image, its original size and the hash of its content.

        Raises:
            ImageError: it cannot be read; the message is the reason.
            DeconvError: there is no such position.
        """
        position = whole_number("position", position, -len(self), len(self) - 1)
        return self.decode_content(read_content(self._entries[position].path))

    def decode_content(self, content: bytes) -> DecodedImage:
        """The bytes of any image file, decoded as those of this folder are.

        Raises:
            ImageError: they cannot be read; the message is the reason.
        """
        return decode_image(content, self.resize, self.value_range)

    def _list(self) -> None:
        listing = list_files(self.root, within=self._within, follow_links=self.follow_links)
        self.other_files: Counter[str] = Counter()
        found = list(self._readable(listing))
        labels = {entry.label for entry in found}
        meant = {label: as_stored(label, labels) for label in self.wanted_labels or ()}
        self.absent_labels = tuple(label for label, known in meant.items() if not known)
        wanted = labels if self.wanted_labels is None else set(chain(*meant.values()))
        self._entries = tuple(entry for entry in found if entry.label in wanted)
        self.skipped, self.links = tuple(listing.skipped), listing.links
        self._listing = replace(listing, files=[], skipped=[])

    def _readable(self, listing: Listing) -> Iterator[ImageEntry]:
        """The files of the types wanted; the others are counted or told as skipped."""
        for image_id, path in listing.files:
            extension = os.path.splitext(image_id)[1].lower()
            if extension in self._extensions and is_text(image_id):
                yield ImageEntry(image_id, label_of(image_id), path)
            elif extension in self._extensions:
                reason = "its name is not valid Unicode"
                listing.skipped.append(Skipped(as_text(image_id), reason, NO_NAME))
            elif image_id in listing.dead_links:
                reason = "a link to something that is not there"
                listing.skipped.append(Skipped(as_text(image_id), reason, LINK_TO_NOTHING))
            else:
                self.other_files[as_text(extension)] += 1


def _no_folder(root: Location) -> str:
    if isinstance(root, Path) and root.is_file():
        return f"{root} is not a folder but a file; give its folder, {root.parent}"
    return f"{root} is not a folder; give a folder of images"


def _wanted_extensions(extensions: Iterable[str] | None) -> frozenset[str]:
    readable = readable_extensions()
    if extensions is None:
        return frozenset(readable)
    if isinstance(extensions, str):
        extensions = extensions.split(",")
    given_types = listed("extensions", extensions, (str,), "['.jpg', '.png']")
    wanted = {"." + e.strip().lower().lstrip("*.") for e in given_types if e.strip(" *.")}
    if not wanted or not wanted <= set(readable):
        given = ", ".join(sorted(wanted - set(readable))) or "nothing"
        raise DeconvError(f"cannot read files of type {given}; choose among {', '.join(readable)}")
    return frozenset(wanted)


def check_unchanged(image_id: str, now: str, scanned: Mapping[str, str] | None) -> None:
    """Refuse an image whose file has another SHA-256 than when it was scanned.

    Args:
        image_id: which.
        now: its SHA-256, in hexadecimal digits.
        scanned: image_id -> SHA-256 at the scan; None does not ask.

    Raises:
        ImageChangedError: it has.
    """
    if scanned is not None and scanned.get(image_id) != now:
        raise ImageChangedError(
            f"{image_id} is not the image that was scanned: its file holds something else now",
            UPDATE,
        )


def _wanted_labels(labels: Iterable[str] | None) -> tuple[str, ...] | None:
    if labels is None:
        return None
    if isinstance(labels, str):
        raise DeconvError(f"labels is {shown(labels)}; give a list: [{shown(labels)}]")
    return tuple(sorted(set(listed("labels", labels, (str,), "['dog', 'cat']"))))


def _folders(within: Iterable[str | os.PathLike[str]]) -> tuple[Path, ...]:
    if isinstance(within, str | os.PathLike):
        raise DeconvError(f"within is {shown(within)}; give a list of folders")
    paths = listed("within", within, (str, os.PathLike), "['/srv/photos']")
    return tuple(Path(path_argument(path)).resolve() for path in paths)


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
