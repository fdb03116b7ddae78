"""Errors a person can act on: what was given, what is allowed, what to do next."""


class DeconvError(Exception):
    """Base class of every error this package raises on purpose."""


class WeightsError(DeconvError):
    """A weight file is missing, damaged, of another shape, or not plain tensors."""


class ImageError(DeconvError):
    """One image cannot be read; the message is the reason shown to people."""


class IndexMismatchError(DeconvError):
    """An index was made from another network, preprocessing, precision or set of images."""


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
