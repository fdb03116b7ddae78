"""Errors a person can act on: what was given, what is allowed, what to do next."""

ANEW = "scan the images anew (`python -m deconv_core scan FOLDER --index INDEX --anew`, anew=True)"
"""What helps where no scan can go on with an index."""
UPDATE = "update the index (`--update`, update=True)"
"""What helps where the images are others than those that were scanned."""
MAKE_ROOM = "make room"
"""What every message about a full disk, or a limit that is reached, says."""


class DeconvError(Exception):
    """Base class of every error this package raises on purpose."""


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


class StorageError(DeconvError):
    """A remote store cannot be reached, or fails while it is read."""


class ScanRunningError(DeconvError):
    """Another process is scanning into the same index."""


class CancelledError(DeconvError):
    """The caller asked to stop; nothing that was finished is lost."""
