"""Limits of the server from environment variables: jobs, disk space, pictures, open files."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from deconv_core.errors import DeconvError

MEGABYTE = 2**20
PICTURES = "pictures"
"""The folder of kept reconstructions in the data folder; it has a limit of its own."""
OPEN_FILES = 8192
"""Open files a server asks for. A session uses four; three stay open for two minutes after it ends.
"""
_MOST_DIGITS = 12
_Default = TypeVar("_Default", int, None)


@dataclass(frozen=True)
class JobLimits:
    """Limits of the background jobs of one data folder.

    Attributes:
        at_once: jobs that run at the same time, ``$DECONV_JOBS``.
        waiting: jobs that may wait in the queue, ``$DECONV_JOBS_WAITING``.
        data: largest size of the data folder in bytes, ``$DECONV_DATA_MB``; None sets no limit.
    """

    at_once: int = 1
    waiting: int = 20
    data: int | None = None


def job_limits() -> JobLimits:
    """The limits of this server.

    Raises:
        DeconvError: a setting is not a whole number.
    """
    limits = JobLimits()
    megabytes = whole_number("DECONV_DATA_MB", None, unit=" of megabytes")
    return JobLimits(
        at_once=whole_number("DECONV_JOBS", limits.at_once, least=1),
        waiting=whole_number("DECONV_JOBS_WAITING", limits.waiting),
        data=None if megabytes is None else megabytes * MEGABYTE,
    )


def most_kept_pictures() -> int:
    """Bytes of kept reconstructions in the data folder, ``$DECONV_PICTURES_MB``; 0 keeps none.

    Raises:
        DeconvError: the setting is not a whole number.
    """
    return whole_number("DECONV_PICTURES_MB", 4000, unit=" of megabytes") * MEGABYTE


def whole_number(
    setting: str, default: _Default, *, least: int = 0, unit: str = ""
) -> int | _Default:
    """An environment variable as a whole number; ``default`` if it is not set.

    Raises:
        DeconvError: it is not a whole number, or too small.
    """
    given = os.environ.get(setting, "").strip()
    if not given:
        return default
    plain = given.isascii() and given.isdigit() and len(given) <= _MOST_DIGITS
    if not plain or int(given) < least:
        raise DeconvError(
            f"{setting} is {given[:40]!a}; give a whole number{unit}, at least {least}"
        )
    return int(given)


def allow_open_files() -> None:
    """Raise this process's limit of open files to ``OPEN_FILES``, or as far as the system allows.

    The usual limits of 256 and 1,024 are reached with 60 and 200 sessions.
    """
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
