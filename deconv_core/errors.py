"""Errors a person can act on: what was given, what is allowed, what to do next."""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterable
from dataclasses import dataclass

FULL_DISK = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
"""Values of ``errno`` for a full disk or a reached quota."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """Advice in an error: in words, and as a command or Python argument ("" if there is none)."""

    words: str
    command: str = ""


ANEW = Remedy(
    "scan the images anew", "`python -m deconv_core scan FOLDER --index INDEX --anew`, anew=True"
)
"""For an index that a scan cannot resume."""
UPDATE = Remedy("update the index", "`--update`, update=True")
"""For an index whose images have changed since the scan."""
OTHER_WAY = Remedy(
    "get the file in another way and give its path", "`--network FILE`, load_network(FILE)"
)
"""For a file that cannot be downloaded."""
REPAIR = Remedy(
    "scan the same images into this index again",
    "or `python -m deconv_core check INDEX --repair`; only what is damaged is read again",
)
"""For an index with a damaged file."""


class DeconvError(Exception):
    """Base class of every error this package raises on purpose.

    Attributes:
        what: what happened.
        remedies: advice; each one solves the problem.
    """

    def __init__(self, what: str = "", *remedies: Remedy | str) -> None:
        """Store what happened, and advice unless it is part of ``what``."""
        super().__init__(what, *remedies)
        self.what = what
        self.remedies = tuple(Remedy(one) if isinstance(one, str) else one for one in remedies)

    def __str__(self) -> str:
        """What happened and advice, with commands."""
        return self._said(
            f"{one.words} ({one.command})" if one.command else one.words for one in self.remedies
        )

    def in_words(self, offered: Collection[Remedy] = ()) -> str:
        """What happened and advice for a page: without commands, and without offered remedies."""
        return self._said(one.words for one in self.remedies if one not in offered)

    def _said(self, remedies: Iterable[str]) -> str:
        return "; ".join(filter(None, [self.what, ", or ".join(remedies)]))


class WeightsError(DeconvError):
    """A weight file is missing, damaged, of another shape, or not plain tensors."""


class DownloadError(WeightsError):
    """A file cannot be downloaded: there is no connection, or the server does not send it."""


class PreprocessingUnclearError(WeightsError):
    """Weights may expect another preprocessing than their format implies; a person has to choose.

    Attributes:
        file: name of the weight file.
        reasons: what suggests the other preprocessing, in words.
        suggested: name of the other preprocessing.
    """

    def __init__(self, file: str, reasons: tuple[str, ...], suggested: str) -> None:
        """Build the question, with the arguments and options that answer it."""
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
    """The content of an image file has changed since the scan."""


class IndexMismatchError(DeconvError):
    """An index was made with another network or other settings, or from other images."""


class IndexOutdatedError(IndexMismatchError):
    """The images in the folder have changed since the scan; an update scans the changes."""


class IndexDamagedError(DeconvError):
    """A file of an index is missing, truncated or fails its checksum."""


class IndexForeignError(IndexDamagedError):
    """A file of an index is not damaged, but belongs to another index or another place in it."""


class NoRoomError(DeconvError):
    """A disk is full, or a limit on stored data is reached."""


class StorageError(DeconvError):
    """A remote store cannot be reached, or failed."""


class ScanRunningError(DeconvError):
    """Another process is scanning into the same index."""


class CancelledError(DeconvError):
    """The caller cancelled the work; finished parts are kept."""
