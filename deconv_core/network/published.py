"""Torchvision's published weights: downloaded, checked and converted once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
import torch

from deconv_core.errors import CancelledError, WeightsError
from deconv_core.network.catalogue import published_as
from deconv_core.network.download import download, sha256_of
from deconv_core.progress import CancelFlag, Progress
from deconv_core.whole_files import remove_parts

Convert = Callable[[Path, Path, dict[str, str]], None]
"""From a published file to a file of this program, which says some metadata."""

_KNOWN = {
    "vgg19": "vgg19-dcbb9e9d.features.safetensors",
    "vgg19:IMAGENET1K_V1": "vgg19-dcbb9e9d.features.safetensors",
}
"""Converted files whose names are known without asking torchvision, which is slow to import."""


def published_file(
    name: str,
    home: Path,
    convert: Convert,
    *,
    url: str | None = None,
    file: Path | None = None,
    progress: Progress | None = None,
    cancel: CancelFlag | None = None,
) -> Path:
    """Published weights as a file of this program below ``home``.

    Downloads and converts the file once. If torch already has a copy with the right hash, this copy
    is used instead. Only the first digits of the published hash are known, from the file's name.

    Args:
        name: "resnet50", or "resnet50:IMAGENET1K_V1".
        home: data folder.
        convert: called with the published file and the file to write.
        url: an address in place of torchvision's.
        file: the published file, if it is on this computer already; nothing is downloaded then.
        progress: called with (bytes downloaded, bytes in all).
        cancel: set it to stop.

    Raises:
        DownloadError: no connection.
        WeightsError: a wrong hash, or a file of something else.
        DeconvError: there are no such weights.
        CancelledError: ``cancel`` was set.
    """
    folder = home / "weights"
    if url is None and name in _KNOWN and (folder / _KNOWN[name]).exists():
        return folder / _KNOWN[name]
    architecture, _, weights = name.partition(":")
    url = published_as(architecture, weights).url if url is None else url
    published = url.rsplit("/", 1)[-1]
    prefix = Path(published).stem.rsplit("-", 1)[-1]
    kind = "features.safetensors" if architecture.startswith("vgg") else "safetensors"
    converted = folder / f"{Path(published).stem}.{kind}"
    if converted.exists():
        return converted
    with _alone(converted, cancel):
        if file is not None:
            return _given(file, url, prefix, converted, convert)
        return _fetched(url, prefix, converted, convert, progress, cancel)


@contextmanager
def _alone(converted: Path, cancel: CancelFlag | None) -> Iterator[None]:
    """A lock, so that only one process downloads: a second one waits, and then finds the file."""
    converted.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(converted.with_name(f"{converted.name}.lock"))
    while True:
        try:
            lock.acquire(timeout=0.2)
            break
        except filelock.Timeout:
            if cancel is not None and cancel.is_set():
                raise CancelledError("stopped while another process downloads") from None
    try:
        yield
    finally:
        lock.release()


def _given(file: Path, url: str, prefix: str, converted: Path, convert: Convert) -> Path:
    """Convert the published file that a person has."""
    found = sha256_of(file)
    if not found.startswith(prefix):
        raise WeightsError(
            f"{file.name} is damaged or another file: its SHA-256 begins with {found[:8]}, "
            f"expected {prefix}; get it from {url}"
        )
    convert(file, converted, _said(file))
    return converted


def _fetched(
    url: str,
    prefix: str,
    converted: Path,
    convert: Convert,
    progress: Progress | None,
    cancel: CancelFlag | None,
) -> Path:
    if converted.exists():  # by whom this one waited for
        return converted
    remove_parts(converted.parent, converted.name.__eq__)
    published = url.rsplit("/", 1)[-1]
    kept = Path(torch.hub.get_dir()) / "checkpoints" / published
    if kept.is_file() and sha256_of(kept).startswith(prefix):
        convert(kept, converted, _said(kept))
        return converted
    fetched = download(url, converted.parent / published, prefix, progress=progress, cancel=cancel)
    convert(fetched, converted, _said(fetched))
    fetched.unlink()  # hundreds of megabytes that nothing reads again
    return converted


def _said(published: Path) -> dict[str, str]:
    return {"published": published.name, "sha256": sha256_of(published)}
