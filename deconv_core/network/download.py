"""Downloads one published file: with progress, resumed after a break, checked by its hash."""

from __future__ import annotations

import hashlib
import http.client
import os
import socket
import ssl
import urllib.error
import urllib.request
from pathlib import Path

from deconv_core.errors import OTHER_WAY, CancelledError, DownloadError, WeightsError
from deconv_core.progress import CancelFlag, Progress

_PIECE = 2**20
_TIMEOUT_SECONDS = 30.0


def sha256_of(path: Path) -> str:
    """The SHA-256 of a whole file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download(
    url: str,
    target: Path,
    hash_prefix: str,
    *,
    progress: Progress | None = None,
    cancel: CancelFlag | None = None,
) -> Path:
    """Download ``url`` to ``target``.

    The downloaded part is kept in ``target`` + ``.part``; the next call continues from there. The
    file gets its name only if its SHA-256 begins with ``hash_prefix``.

    Raises:
        DownloadError: the server cannot be reached, or the connection broke.
        WeightsError: the hash differs; the file is deleted, so that the next call starts from zero.
        CancelledError: ``cancel`` was set; the downloaded part is kept.
    """
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    try:
        _fetch(url, part, progress, cancel)
    except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
        megabytes = part.stat().st_size / 1e6 if part.exists() else 0
        again = "try again"
        if megabytes:
            again += f" to continue from the {megabytes:,.1f} MB that are kept"
        raise DownloadError(
            f"could not download {url}: {why_not(error)}", again, OTHER_WAY
        ) from error
    digest = sha256_of(part)
    if not digest.startswith(hash_prefix):
        part.unlink()
        raise WeightsError(
            f"{target.name} arrived damaged: its SHA-256 begins with {digest[:8]}, expected "
            f"{hash_prefix}. It was deleted; try again"
        )
    os.replace(part, target)
    return target


def why_not(error: BaseException) -> str:
    """Why a download failed, in words, without numbers of the operating system."""
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} ({error.reason})"
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, socket.gaierror):
        return "the name of the server cannot be found (is this computer offline?)"
    if isinstance(cause, TimeoutError):
        return "the server does not answer"
    if isinstance(cause, ConnectionRefusedError):
        return "the server refuses the connection"
    if isinstance(cause, ssl.SSLError):
        return "the connection is not secure (its certificate is not accepted)"
    said = cause.strerror if isinstance(cause, OSError) else ""
    return said or str(cause) or type(cause).__name__


def _fetch(url: str, part: Path, progress: Progress | None, cancel: CancelFlag | None) -> None:
    start = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == 416 and start:  # the part already has the whole file, or more
            return
        raise
    with response:
        if response.status != 206:
            start = 0
        total = start + int(response.headers.get("Content-Length") or 0)
        with part.open("ab" if start else "wb") as file:
            done = start
            while piece := response.read(_PIECE):
                if cancel is not None and cancel.is_set():
                    raise CancelledError(f"download stopped at {done:,} of {total:,} bytes")
                file.write(piece)
                done += len(piece)
                if progress is not None:
                    progress(done, max(total, done))
    if done < total:
        raise OSError(f"the connection broke after {done:,} of {total:,} bytes")
