"""How much may be uploaded: in one go, and in all on this server."""

from __future__ import annotations

import os
from dataclasses import dataclass

from deconv_core.errors import DeconvError

MEGABYTE = 2**20
_SETTING = "DECONV_UPLOADS_MB"


@dataclass(frozen=True)
class UploadLimits:
    """Bytes.

    Attributes:
        upload: of one upload, as it is sent.
        total: of the pictures of all uploads that are kept.
    """

    upload: int = 500 * MEGABYTE
    total: int = 20_000 * MEGABYTE


def upload_limits(largest_mb: int | None = None) -> UploadLimits:
    """The limits of this server.

    Args:
        largest_mb: of one upload, as the server itself was told; the default if None.

    Raises:
        DeconvError: ``$DECONV_UPLOADS_MB`` is no number.
    """
    limits = UploadLimits()
    given = os.environ.get(_SETTING, "").strip()
    if given and not (given.isascii() and given.isdigit() and len(given) <= 12):
        raise DeconvError(f"{_SETTING} is {given[:40]!a}; give a whole number of megabytes")
    return UploadLimits(
        limits.upload if largest_mb is None else largest_mb * MEGABYTE,
        int(given) * MEGABYTE if given else limits.total,
    )
