"""How much may be uploaded: in one go, and in all on this server."""

from __future__ import annotations

from dataclasses import dataclass

from deconv_dashboard.limits import MEGABYTE, whole_number

LARGEST_UNPACKED = 2 * 2**30
"""Bytes of all its pictures, unpacked."""


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
    total = whole_number("DECONV_UPLOADS_MB", None, unit=" of megabytes")
    return UploadLimits(
        limits.upload if largest_mb is None else largest_mb * MEGABYTE,
        limits.total if total is None else total * MEGABYTE,
    )


def megabytes(size: int) -> str:
    """For messages."""
    return f"{size / 2**20:,.0f} MB"
