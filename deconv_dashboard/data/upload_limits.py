"""Limits of uploads: the size of one upload, and of all uploads on this server."""

from __future__ import annotations

from dataclasses import dataclass

from deconv_dashboard.limits import MEGABYTE, whole_number

LARGEST_UNPACKED = 2 * 2**30
"""Largest size of the unpacked pictures of one upload in bytes."""


@dataclass(frozen=True)
class UploadLimits:
    """Limits of uploads, in bytes.

    Attributes:
        upload: largest size of one upload as it is sent.
        total: largest size of the stored pictures of all uploads.
    """

    upload: int = 500 * MEGABYTE
    total: int = 20_000 * MEGABYTE


def upload_limits(largest_mb: int | None = None) -> UploadLimits:
    """The limits of this server.

    Args:
        largest_mb: largest upload in MB, Streamlit's setting; None uses the default.

    Raises:
        DeconvError: ``$DECONV_UPLOADS_MB`` is not a whole number.
    """
    limits = UploadLimits()
    total = whole_number("DECONV_UPLOADS_MB", None, unit=" of megabytes")
    return UploadLimits(
        limits.upload if largest_mb is None else largest_mb * MEGABYTE,
        limits.total if total is None else total * MEGABYTE,
    )


def megabytes(size: int) -> str:
    """A size in bytes as megabytes, for messages."""
    return f"{size / 2**20:,.0f} MB"
