"""Reads paths that a person typed or pasted: quotes, file:// addresses, ``~``, escaped blanks.

Terminals, file managers and browsers write paths in different ways. If a path exists exactly as
typed, it is used: a folder may really have the name ``$HOME``, or quotes in its name.
"""

from __future__ import annotations

import os
import re
import shlex
import socket
import unicodedata
import urllib.parse
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from deconv_core.arguments import shown
from deconv_core.errors import DeconvError

_LONGEST = 4096
# A byte order mark, characters without width, direction marks: copied with a path, but invisible.
_UNSEEN = "\ufeff\u200b\u200e\u200f\u202a\u202b\u202c\u2066\u2067\u2068\u2069"
_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "„": "“", "‘": "’", "«": "»"}
_FILE_ADDRESS = re.compile(r"file:(?://(?P<host>[^/]*))?(?P<path>/.*)", re.IGNORECASE | re.DOTALL)
_OF_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")


def file_address_path(text: str) -> str | None:
    """The path in a file:// address; None if the text is not such an address.

    Raises:
        DeconvError: the address names another computer.
    """
    parts = _FILE_ADDRESS.fullmatch(text)
    if parts is None:
        return None
    host = urllib.parse.unquote(parts["host"] or "").lower()
    if host not in ("", "localhost", "127.0.0.1", socket.gethostname().lower()):
        raise DeconvError(
            f"{text[:80]!a} names a folder of the computer {host[:40]!a}; give its path on this "
            "computer"
        )
    path = os.fsdecode(urllib.parse.unquote_to_bytes(parts["path"]))
    return path.lstrip("/") if os.name == "nt" and re.match(r"/[A-Za-z]:", path) else path


def unwrapped(text: str) -> str:
    """The text without blanks, invisible marks and quotes around it; the path of a file:// address.

    The disk is not read, so the result reveals nothing about it.

    Raises:
        DeconvError: it cannot be a path, or it is a path of another computer.
    """
    plain = _without_quotes(text.strip().strip(_UNSEEN).strip()).strip()
    path = file_address_path(plain)
    if not plain:
        raise _no_path(text)
    return path_text(plain if path is None else path)


def typed_path(text: str, starts: Sequence[Path] = ()) -> Path:
    """The absolute path that a user of this computer means; the path need not exist.

    The text is read in several ways: exactly as typed; without quotes; without the backslashes of a
    shell; with variables such as ``$HOME``. The first way that gives an existing path is used.

    Args:
        text: the typed or pasted text.
        starts: folders that a relative path may start from, the most likely first; without any, the
            current folder.

    Raises:
        DeconvError: it cannot be a path: too long, of a user that does not exist, or of another
            computer.
    """
    found = [_absolute(form, start) for form in _forms(text) for start in starts or (Path(),)]
    for path in found:
        if _is_there(path):
            return path
    if os.name != "nt" and _OF_WINDOWS.match(unwrapped(text)):
        raise DeconvError(
            f"{text.strip()[:80]} is a path of Windows; give the same path as this computer writes "
            "it (in WSL it begins with /mnt/c)"
        )
    return _as_stored(found[-len(starts or (Path(),))])


def _forms(text: str) -> list[str]:
    """All readings of the text, the most literal first."""
    plain = unwrapped(text)
    forms = [plain]
    if text != plain and len(text) <= _LONGEST and "\0" not in text:
        forms.insert(0, text)
    if os.name != "nt" and _OF_WINDOWS.match(plain) is None:
        forms.append(re.sub(r"\\(.)", r"\1", plain))
    forms.append(os.path.expandvars(forms[-1]))
    return list(dict.fromkeys(path_text(form) for form in forms))


def _without_quotes(text: str) -> str:
    """The text without the quotes around it; read as a shell does if that gives one word."""
    if text[:1] in ("'", '"'):
        with suppress(ValueError):  # no closing quotation
            words = shlex.split(text)
            if len(words) == 1:
                return words[0]
    closing = _QUOTES.get(text[:1])
    return text[1:-1] if closing and len(text) > 2 and text.endswith(closing) else text


def _absolute(form: str, start: Path) -> Path:
    try:
        path = start.absolute() / Path(form).expanduser()
        path = Path(re.sub(r"^//+", "/", str(path))) if os.name != "nt" else path
        return path.resolve() if ".." in path.parts else path
    except (OSError, RuntimeError) as error:  # no such user, a cycle of links
        raise _no_path(form) from error


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)


def _as_stored(path: Path) -> Path:
    """The path with the spelling of the folders, if it differs only in Unicode composition."""
    if path.is_absolute() and str(path).isascii():
        return path
    known = Path(path.anchor)
    for part in path.parts[1:]:
        known /= part if os.path.lexists(known / part) else _same_name(known, part)
    return known if os.path.lexists(known) else path


def _same_name(folder: Path, name: str) -> str:
    composed = unicodedata.normalize("NFC", name)
    return next((n for n in _names(folder) if unicodedata.normalize("NFC", n) == composed), name)


def _names(folder: Path) -> Iterator[str]:
    with suppress(OSError), os.scandir(folder) as entries:
        yield from (entry.name for entry in entries)


def path_argument(given: object) -> str:
    """The path or address argument of a function or command, as text; does not read the disk.

    Raises:
        DeconvError: it is not a path, is empty, or has a character that no path can have.
    """
    try:
        text = os.fsdecode(given)  # type: ignore[arg-type]
        os.fsencode(text)
    except TypeError:
        raise DeconvError(f"{shown(given)} is not a path; give a text or a pathlib.Path") from None
    except UnicodeEncodeError:
        raise _no_path(text) from None
    if not text.strip():
        raise DeconvError("the path is empty; give a folder, or . for the current one")
    if "\0" in text:
        raise _no_path(text)
    return text


def path_text(text: str) -> str:
    """The text, if it can be a path.

    Raises:
        DeconvError: it is too long, or contains a NUL or half a character.
    """
    if "\0" in text or len(text) > _LONGEST or _broken(text):
        raise _no_path(text)
    return text


def _no_path(text: str) -> DeconvError:
    return DeconvError(f"{text[:80]!a} is not a folder or file; check the path")


def _broken(text: str) -> bool:
    """True if the text has half characters (lone surrogates), which no file system accepts."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
