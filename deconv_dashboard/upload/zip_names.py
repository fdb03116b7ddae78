"""Decodes the names in a zip.

An entry may have a flag for UTF-8, or a field with its Unicode path (0x7075). Without these, a name
that is valid UTF-8 is read as UTF-8 (macOS writes no flag). All other names of an archive share one
code page. The file does not say which, so it is guessed, and a person can change it. Names are not
normalised.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from deconv_core.errors import DeconvError
from deconv_dashboard.upload.code_pages import CODE_PAGES, guess_code_page, reads

_UTF_8_FLAG = 0x800
_UNICODE_PATH = 0x7075


@dataclass(frozen=True)
class ZipNames:
    """The names of an archive.

    Attributes:
        names: the name of each entry, in the archive's order.
        unsure: positions in ``names`` of the names that were decoded with ``encoding``.
        encoding: a key of ``CODE_PAGES``; "" if every entry says how its name is encoded.
        choices: the code pages that can decode these names, among them ``encoding``.
    """

    names: tuple[str, ...]
    unsure: tuple[int, ...] = ()
    encoding: str = ""
    choices: tuple[str, ...] = ()


def read_names(infos: Sequence[zipfile.ZipInfo], encoding: str | None = None) -> ZipNames:
    """The names of an archive's entries.

    Args:
        infos: the table of contents.
        encoding: code page of names that do not say theirs; None guesses.

    Raises:
        DeconvError: ``encoding`` cannot decode some of these names.
    """
    raw = [_raw_name(info) for info in infos]
    told = [_told_name(info, name) for info, name in zip(infos, raw, strict=True)]
    unsure = [place for place, name in enumerate(told) if name is None]
    if any(not reads("utf-8", [raw[place]]) for place in unsure):
        for place in unsure:
            if reads("utf-8", [raw[place]]):
                told[place] = raw[place].decode()
        unsure = [place for place, name in enumerate(told) if name is None]
    untold = [raw[place] for place in unsure]
    choices = [page for page in CODE_PAGES if reads(page, untold)] if untold else []
    page = _chosen(encoding, choices, untold)
    names = [raw[n].decode(page) if name is None else name for n, name in enumerate(told)]
    return ZipNames(tuple(names), tuple(unsure), page, tuple(choices))


def _chosen(encoding: str | None, choices: Sequence[str], untold: Sequence[bytes]) -> str:
    if not untold:
        return ""
    if encoding is None:
        return "utf-8" if "utf-8" in choices else guess_code_page(untold)
    if encoding not in choices:
        raise DeconvError(
            f"the names in this zip cannot be read as {CODE_PAGES.get(encoding, encoding)}; choose "
            f"among {', '.join(CODE_PAGES[choice] for choice in choices)}"
        )
    return encoding


def _raw_name(info: zipfile.ZipInfo) -> bytes:
    """The bytes of a name: Python decoded them as UTF-8 or, without the flag, as cp437."""
    return info.orig_filename.encode("utf-8" if info.flag_bits & _UTF_8_FLAG else "cp437")


def _told_name(info: zipfile.ZipInfo, raw: bytes) -> str | None:
    """The name, if the entry says its encoding or the name is ASCII; else None."""
    if info.flag_bits & _UTF_8_FLAG:
        return info.orig_filename
    return _unicode_path(info.extra, raw) or (raw.decode("ascii") if raw.isascii() else None)


def _unicode_path(extra: bytes, raw: bytes) -> str:
    """The name in the Unicode path field; "" without one, or if it belongs to another name."""
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        content, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind != _UNICODE_PATH or len(content) != size or size <= 5:
            continue
        version, checksum = struct.unpack_from("<BI", content)
        if version == 1 and checksum == zlib.crc32(raw) and reads("utf-8", [content[5:]]):
            return content[5:].decode()
    return ""
