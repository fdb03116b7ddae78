"""``ImageFolder``: the images below a folder, with their ids and labels."""

from __future__ import annotations

import copy
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path

from deconv_core import html
from deconv_core.arguments import flag, listed, shown, text, whole_number
from deconv_core.errors import UPDATE, DeconvError, ImageChangedError, ImageError
from deconv_core.file_state import FileState
from deconv_core.images.decoding import (
    DecodedImage,
    Pixels,
    decode_image,
    decode_original,
    readable_extensions,
)
from deconv_core.images.framing import Resize
from deconv_core.images.listing import Listing, as_text, is_text, list_files
from deconv_core.images.passed_over import LINK_TO_NOTHING, NO_NAME, Skipped, count_kinds
from deconv_core.images.pixel_values import ValueRange
from deconv_core.layers import INPUT_SIZE
from deconv_core.storage import Location, RemotePath, location
from deconv_core.typed_paths import path_argument
from deconv_core.units import as_stored, label_of

LARGEST_FILE = 512 * 2**20
"""Size of the largest image file that is read, in bytes."""


@dataclass(frozen=True, slots=True)
class ImageEntry:
    """An image file: its id (posix path below the root), label and path."""

    image_id: str
    label: str
    path: Location


@dataclass(frozen=True, slots=True)
class ImageContent:
    """What decides the pixels of an image: the state of its file, and the decoding options."""

    file: FileState
    resize: Resize
    value_range: ValueRange


@dataclass(frozen=True, eq=False)
class SeenImage:
    """A decoded image, as caches keep it.

    Attributes:
        content: the file state and options that it was decoded with.
        pixels: uint8 (height, width, 3), RGB, read-only.
        content_hash: SHA-256 of the file, in hexadecimal digits.
        note: a warning about its values (for example nearly black), or "".
    """

    content: ImageContent
    pixels: Pixels
    content_hash: str
    note: str = ""

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return self.pixels.nbytes


class ImageFolder:
    """The images below a folder, sorted by id.

    Hidden files and folders are skipped, and links to folders unless ``follow_links`` is True.
    ``skipped`` lists what was skipped. Files of other types are only counted, in ``other_files``.

    Attributes:
        root: the folder, absolute, or its address.
        extensions: the file types of the images, sorted; None for all readable types.
        wanted_labels: the labels of the images, sorted; None for all labels.
        follow_links: True if links to folders are followed.
        links_unsaid: True if the caller did not set ``follow_links``.
        resize: "stretch" or "crop".
        value_range: "type" or "file".
        skipped: the skipped files and folders with reasons; a hidden folder is one entry.
        other_files: extension -> number of files of other types.
        links: number of links to folders that were followed.
        absent_labels: the wanted labels that no image has.
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
            extensions: file types, with or without dot, in any case; None takes every format that
                Pillow reads.
            labels: first-level folders to take, "" for files in the root itself; None takes all.
                An accented letter may be composed as one character or as two.
            resize: how pictures become 224x224: "stretch" or "crop".
            value_range: how values of more than 8 bits become 8 bits: "type" makes the largest
                value of their type white, "file" the largest value in the file.
            within: follow links only into these folders; None follows every link.
            follow_links: follow links to folders, except a link to a folder that contains it. None
                does not follow them; but a scan that would leave images out of an index because
                of this stops, and asks for True or False.

        Raises:
            DeconvError: there is no such folder, an extension cannot be read, labels are not a
                list of texts, or ``resize`` or ``value_range`` is not known.
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
        """Label -> number of images, sorted by label."""
        return dict(sorted(Counter(entry.label for entry in self._entries).items()))

    def _repr_html_(self) -> str:
        """For notebooks: images per label."""
        rows = [(label or "(no folder)", count) for label, count in self.labels.items()]
        return html.block(
            f"{len(self):,} images in {self.root.name}", html.table(("label", "images"), rows)
        )

    @property
    def passed_over(self) -> dict[str, int]:
        """Kind -> number of skipped files and folders: file types first, then other kinds."""
        return count_kinds(self.skipped, self.other_files)

    @property
    def state(self) -> str:
        """A hash that changes when a folder or a name in it changes, but not with content."""
        return self._listing.state

    def is_current(self) -> bool:
        """True if no folder changed since it was listed; no folder is listed again.

        It is False for a remote store, and if a folder changed just before it was listed, because
        another change could then have the same time.
        """
        return self._listing.is_current()

    def only(self, positions: Iterable[int]) -> ImageFolder:
        """A copy of this folder with only some images; without any, it is small when pickled."""
        fewer = copy.copy(self)
        fewer._entries = tuple(self._entries[position] for position in positions)
        fewer.skipped, fewer.other_files, fewer._listing = (), Counter(), Listing()
        fewer.__dict__.pop("_positions", None)
        return fewer

    def position(self, image_id: str) -> int:
        """The position of an image id; its accented letters may be composed in another way.

        Raises:
            ImageError: there is no such image.
            DeconvError: the id is not a text.
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
        """The current file state and decoding options of an image; the file is not read.

        Raises:
            ImageError: the file is missing.
        """
        try:
            file = FileState.of(self._entries[position].path)
        except FileNotFoundError as error:
            raise ImageError("the file is gone") from error
        except OSError as error:
            raise ImageError(error.strerror or str(error)) from error
        return ImageContent(file, self.resize, self.value_range)

    def read(self, position: int, size: tuple[int, int] = INPUT_SIZE) -> Pixels:
        """Read an image as uint8 RGB (height, width, 3), of this height and width.

        Raises:
            ImageError: it cannot be read; the message is the reason.
            DeconvError: there is no such position.
        """
        return self.decode(position, size).pixels

    def decode(self, position: int, size: tuple[int, int] = INPUT_SIZE) -> DecodedImage:
        """Read an image, with its original size and the hash of its content.

        Raises:
            ImageError: it cannot be read; the message is the reason.
            DeconvError: there is no such position.
        """
        position = whole_number("position", position, -len(self), len(self) - 1)
        return self.decode_content(read_content(self._entries[position].path), size)

    def original(self, position: int, longest: int) -> DecodedImage:
        """Read an image as people see it: upright, in its own proportions.

        Args:
            position: of the image.
            longest: a longer side becomes so many pixels.

        Raises:
            ImageError: it cannot be read; the message is the reason.
        """
        content = read_content(self._entries[position].path)
        return decode_original(content, longest, self.value_range)

    def decode_content(self, content: bytes, size: tuple[int, int] = INPUT_SIZE) -> DecodedImage:
        """Decode the bytes of an image file with the options of this folder.

        Raises:
            ImageError: they cannot be read; the message is the reason.
        """
        return decode_image(content, self.resize, self.value_range, size)

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
        """The files of the wanted types; the others are counted, or added to the skipped ones."""
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
    """Check that the file of an image has the same SHA-256 as when it was scanned.

    Args:
        image_id: the image.
        now: its current SHA-256, in hexadecimal digits.
        scanned: image id -> SHA-256 at the scan; None does not check.

    Raises:
        ImageChangedError: the file has another SHA-256.
    """
    if scanned is not None and scanned.get(image_id) != now:
        raise ImageChangedError(
            f"{image_id} is not the image that was scanned: the content of its file has changed",
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
    """Read the bytes of an image file.

    Raises:
        ImageError: it is missing, not a file, empty, or larger than ``LARGEST_FILE``.
        StorageError: a remote store failed; the image may be fine.
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
