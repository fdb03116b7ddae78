"""The preview of a folder before its scan: counts by label and type, and a few thumbnails."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field

from PIL import Image, ImageOps

from deconv_core.errors import ImageError
from deconv_core.file_state import FileState
from deconv_core.images.folder import ImageFolder, read_content
from deconv_core.images.passed_over import Skipped
from deconv_core.images.picture_files import read_picture
from deconv_core.images.pixel_values import ValueRange
from deconv_core.index.copies import EqualFiles
from deconv_core.storage import Location

SHOWN = 12
"""Images of a folder that a preview shows."""
SIDE = 128


@dataclass(frozen=True)
class Thumbnail:
    """A small picture as JPEG, or the reason why there is none.

    Attributes:
        image_id: id of the image.
        jpeg: JPEG bytes, or b"".
        error: why the image cannot be read, or "".
        note: a warning about its values (for example nearly black), or "".
    """

    image_id: str
    jpeg: bytes
    error: str
    note: str = ""

    @property
    def address(self) -> str:
        """The picture as a data address, which needs no file on the server."""
        return f"data:image/jpeg;base64,{base64.b64encode(self.jpeg).decode()}"


@dataclass(frozen=True)
class Preview:
    """What a folder holds.

    Attributes:
        labels: label -> number of images.
        extensions: file type -> number of images.
        passed_over: kind -> number of skipped files and folders (``ImageFolder.passed_over``).
        skipped: each skipped file or folder with its reason, without files of other types.
        links: number of links to folders that were followed.
        thumbnails: small pictures of images spread over the folder.
        copies: the files of equal content.
    """

    labels: dict[str, int]
    extensions: dict[str, int]
    passed_over: dict[str, int]
    skipped: tuple[Skipped, ...]
    links: int
    thumbnails: tuple[Thumbnail, ...]
    copies: EqualFiles = field(default_factory=EqualFiles)

    @property
    def images(self) -> int:
        """Number of images."""
        return sum(self.labels.values())


def preview(images: ImageFolder) -> Preview:
    """The preview of a folder, with thumbnails of a few images."""
    endings: dict[str, int] = {}
    for entry in images:
        ending = entry.path.suffix.lower()
        endings[ending] = endings.get(ending, 0) + 1
    return Preview(
        images.labels,
        dict(sorted(endings.items())),
        images.passed_over,
        images.skipped,
        images.links,
        tuple(
            thumbnail(
                images[position].image_id, images[position].path, value_range=images.value_range
            )
            for position in spread(len(images), SHOWN)
        ),
    )


def sampled(images: ImageFolder) -> tuple[object, ...]:
    """Names and file states of the images that a preview shows; they change if one is replaced."""
    return tuple(
        (images[position].image_id, _state(images[position].path))
        for position in spread(len(images), SHOWN)
    )


def _state(path: Location) -> FileState | None:
    try:
        return FileState.of(path)
    except OSError:
        return None


def spread(length: int, count: int) -> Sequence[int]:
    """At most ``count`` positions, evenly spread over ``length``."""
    if length <= count:
        return range(length)
    return [place * length // count for place in range(count)]


def thumbnail(
    image_id: str, path: Location, side: int = SIDE, value_range: ValueRange = "type"
) -> Thumbnail:
    """The middle square of an image, ``side`` pixels wide, decoded in the same way as in a scan."""
    try:
        picture = read_picture(read_content(path), value_range, enough=2 * side)
    except ImageError as error:
        return Thumbnail(image_id, b"", str(error))
    small = picture.drawn(
        lambda image: ImageOps.fit(image, (side, side), Image.Resampling.BILINEAR)
    )
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=88)
    return Thumbnail(image_id, buffer.getvalue(), "", picture.note)
