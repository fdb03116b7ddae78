"""What whoever runs the server allows: jobs, and room on the disk. From environment variables."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from deconv_core.errors import DeconvError

MEGABYTE = 2**20
OPEN_FILES = 8192
"""What a server asks for: a session takes four, and three for two minutes after it has left."""
_MOST_DIGITS = 12
_Default = TypeVar("_Default", int, None)


@dataclass(frozen=True)
class JobLimits:
    """Limits of the background jobs of one data folder.

    Attributes:
        at_once: jobs that run at the same time, ``$DECONV_JOBS``.
        waiting: jobs that may wait for their turn, ``$DECONV_JOBS_WAITING``.
        data: bytes that the data folder may hold, ``$DECONV_DATA_MB``; None: what the disk has.
    """

    at_once: int = 1
    waiting: int = 20
    data: int | None = None


def job_limits() -> JobLimits:
    """The limits of this server.

    Raises:
        DeconvError: a setting is no number.
    """
    limits = JobLimits()
    megabytes = whole_number("DECONV_DATA_MB", None, unit=" of megabytes")
    return JobLimits(
        at_once=whole_number("DECONV_JOBS", limits.at_once, least=1),
        waiting=whole_number("DECONV_JOBS_WAITING", limits.waiting),
        data=None if megabytes is None else megabytes * MEGABYTE,
    )


def whole_number(
    setting: str, default: _Default, *, least: int = 0, unit: str = ""
) -> int | _Default:
    """An environment variable as a whole number; ``default`` if it is not set.

    Raises:
        DeconvError: it is none, or too small.
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
    """Raise this process's limit of open files as far as the system lets it, to ``OPEN_FILES``.

    It often begins at 256 or 1,024, which 60 or 200 sessions use up.
    """
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
