"""Downloads one published file: with progress, resumed after a break, checked by its hash."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from pathlib import Path

from deconv_core.errors import CancelledError, WeightsError
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
        WeightsError: the server cannot be reached, the connection broke, or the hash differs
            (the file is then deleted, so that the next call starts from zero).
        CancelledError: ``cancel`` was set; the downloaded part is kept.
    """
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    try:
        _fetch(url, part, progress, cancel)
    except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
        kept = part.stat().st_size if part.exists() else 0
        raise WeightsError(
            f"could not download {url}: {getattr(error, 'reason', error)}. {kept:,} bytes are "
            "kept; try again to continue from there"
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
