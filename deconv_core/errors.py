"""Errors a person can act on: what was given, what is allowed, what to do next."""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterable
from dataclasses import dataclass

FULL_DISK = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
"""``errno`` of an ``OSError`` where a disk, or an account's share of it, is full."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """Something that helps: in words, and how a command line or a program does it, or ""."""

    words: str
    command: str = ""


ANEW = Remedy(
    "scan the images anew", "`python -m deconv_core scan FOLDER --index INDEX --anew`, anew=True"
)
"""What helps where no scan can go on with an index."""
UPDATE = Remedy("update the index", "`--update`, update=True")
"""What helps where the images are others than those that were scanned."""
REPAIR = Remedy(
    "scan the same images into this index again",
    "or `python -m deconv_core check INDEX --repair`; only what is damaged is read again",
)
"""What helps where a file of an index is damaged."""


class DeconvError(Exception):
    """Base class of every error this package raises on purpose.

    Attributes:
        what: what happened.
        remedies: what helps, any one of them.
    """

    def __init__(self, what: str = "", *remedies: Remedy | str) -> None:
        """Say what happened, and what helps where that is not said with it."""
        super().__init__(what, *remedies)
        self.what = what
        self.remedies = tuple(Remedy(one) if isinstance(one, str) else one for one in remedies)

    def __str__(self) -> str:
        """What happened and what helps, for a command line or a program."""
        return self._said(
            f"{one.words} ({one.command})" if one.command else one.words for one in self.remedies
        )

    def in_words(self, offered: Collection[Remedy] = ()) -> str:
        """The same for a page: without commands, and without the remedies that it offers itself."""
        return self._said(one.words for one in self.remedies if one not in offered)

    def _said(self, remedies: Iterable[str]) -> str:
        return "; ".join(filter(None, [self.what, ", or ".join(remedies)]))


class WeightsError(DeconvError):
    """A weight file is missing, damaged, of another shape, or not plain tensors."""


class PreprocessingUnclearError(WeightsError):
    """Weights may expect another preprocessing than their format implies; a person has to say.

    Attributes:
        file: name of the weight file.
        reasons: what suggests the other one, in words.
        suggested: the name of the other one.
    """

    def __init__(self, file: str, reasons: tuple[str, ...], suggested: str) -> None:
        """Ask, in words for the library and the command line."""
        super().__init__(
            f"{file} has the names of torchvision's weights, but may need Caffe's preprocessing: "
            f'{"; ".join(reasons)}. Say which it is: preprocessing="{suggested}" or '
            f'preprocessing="torchvision" (--preprocessing {suggested} or torchvision on the '
            "command line; in the dashboard, add the file under Networks on Start)"
        )
        self.file, self.reasons, self.suggested = file, reasons, suggested


class ImageError(DeconvError):
    """One image cannot be read; the message is the reason shown to people."""


class ImageChangedError(ImageError):
    """The file of an image holds something else than when it was scanned."""


class IndexMismatchError(DeconvError):
    """An index was made from another network, preprocessing, precision or set of images."""


class IndexOutdatedError(IndexMismatchError):
    """An index is of other images than the folder holds now; an update scans those."""


class IndexDamagedError(DeconvError):
    """A file of an index is missing, truncated or fails its checksum."""


class IndexForeignError(IndexDamagedError):
    """A file of an index is whole, but that of another index or of another place in it."""


class NoRoomError(DeconvError):
    """A disk is full, or a limit on what may be kept is reached."""


class StorageError(DeconvError):
    """A remote store cannot be reached, or fails while it is read."""


class ScanRunningError(DeconvError):
    """Another process is scanning into the same index."""


class CancelledError(DeconvError):
    """The caller asked to stop; nothing that was finished is lost."""
