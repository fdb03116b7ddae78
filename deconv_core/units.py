"""Small frozen values: the address of a feature map, an activation, a box of pixels."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from deconv_core.arguments import shown
from deconv_core.errors import DeconvError

_UNIT = re.compile(r"(?P<layer>[^\s/,;]+)/(?P<channel>\d{1,6})")


@dataclass(frozen=True, slots=True, order=True)
class Unit:
    """The address of one feature map: a layer and a channel counted from 0.

    Written ``conv4_4/171``; people read "feature map 171 of conv4_4".
    """

    layer: str
    channel: int

    def __str__(self) -> str:
        return f"{self.layer}/{self.channel}"

    @classmethod
    def parse(cls, text: str) -> Unit:
        """Read ``conv4_4/171`` or ``layer2.0.conv1/171``.

        Raises:
            DeconvError: the text has another form.
        """
        match = _UNIT.fullmatch(text.strip()) if isinstance(text, str) else None
        if match is None:
            raise DeconvError(
                f"{shown(text)} is not the address of a feature map; write layer/channel with "
                "channels counted from 0, for example conv4_4/171"
            )
        return cls(match["layer"], int(match["channel"]))


@dataclass(frozen=True, slots=True)
class Activation:
    """One value of one feature map at one location of one image.

    ``row`` and ``column`` are positions in the feature map (not pixels), counted from 0;
    ``value`` is the activation after ReLU.
    """

    unit: Unit
    image_id: str
    row: int
    column: int
    value: float


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of pixels: rows [top, top + height), columns [left, left + width)."""

    top: int
    left: int
    height: int
    width: int

    @property
    def bottom(self) -> int:
        """First row below the box."""
        return self.top + self.height

    @property
    def right(self) -> int:
        """First column right of the box."""
        return self.left + self.width

    def clip(self, height: int, width: int) -> Box:
        """The part of the box inside a picture of ``height`` x ``width`` pixels."""
        top, left = min(max(self.top, 0), height), min(max(self.left, 0), width)
        bottom, right = min(max(self.bottom, top), height), min(max(self.right, left), width)
        return Box(top, left, bottom - top, right - left)


def label_of(image_id: str) -> str:
    """The first folder of an image's path below the root; "" for a file in the root."""
    folder, slash, _ = image_id.partition("/")
    return folder if slash else ""


def composed(text: str) -> str:
    """The text with each accented letter as one character (NFC), as most keyboards type it.

    Folders copied from some systems store letter and accent separately (NFD); both look the same.
    """
    return unicodedata.normalize("NFC", text)


def as_stored(text: str, names: Iterable[str]) -> list[str]:
    """The names that a typed text may mean.

    Returns:
        The identical name if there is one, else all names that differ only in Unicode composition.
    """
    known = list(names)
    if text in known:
        return [text]
    wanted = composed(text)
    return [name for name in known if composed(name) == wanted]
