"""Names and notes of feature maps as JSON and CSV files: both hold the same, and both read back.

A file names the network that it belongs to by its fingerprint.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import msgspec
import pandas as pd

from deconv_core.errors import DeconvError
from deconv_core.layers import Layer
from deconv_core.output.tables import csv_file, from_table_csv
from deconv_core.units import Unit

MOST_NAME = 80
MOST_NOTE = 10_000
MOST_BYTES = 16_000_000
_TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"
_COLUMNS = ("layer", "channel", "name", "star", "note", "changed", "network")


@dataclass(frozen=True, slots=True)
class UnitNote:
    """What a person wrote about one feature map.

    Attributes:
        unit: the feature map.
        name: at most 80 characters, on one line; "" for none.
        star: True if it is starred.
        note: at most 10,000 characters; "" for none.
        changed: time of the last change in UTC, "2026-11-26T11:05:50Z"; "" if it is not stored.
    """

    unit: Unit
    name: str = ""
    star: bool = False
    note: str = ""
    changed: str = ""

    @property
    def empty(self) -> bool:
        """True if it says nothing."""
        return not (self.name or self.star or self.note)


def typed_name(text: str) -> str:
    """A typed name as it is stored: on one line, at most 80 characters."""
    return " ".join(_encodable(text).split())[:MOST_NAME].strip()


def typed_note(text: str) -> str:
    """A typed note as it is stored: without spaces around, at most 10,000 characters."""
    lines = _encodable(text).replace("\r\n", "\n").replace("\r", "\n")
    return lines.strip()[:MOST_NOTE].strip()


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


@dataclass(frozen=True)
class _Row:
    """One note in a file."""

    layer: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    channel: Annotated[int, msgspec.Meta(ge=0, lt=10**6)]
    name: Annotated[str, msgspec.Meta(max_length=MOST_NAME)]
    star: bool
    note: Annotated[str, msgspec.Meta(max_length=MOST_NOTE)]
    changed: Annotated[str, msgspec.Meta(pattern=_TIME)]


@dataclass(frozen=True)
class _File:
    """The content of a JSON file."""

    network: Annotated[str, msgspec.Meta(max_length=64)]
    notes: list[_Row]


def to_json(notes: Iterable[UnitNote], fingerprint: str) -> bytes:
    """Notes as JSON, in the order of layer and channel."""
    content = msgspec.json.encode(_File(fingerprint, [_row(note) for note in _ordered(notes)]))
    return msgspec.json.format(content, indent=1)


def to_csv(notes: Iterable[UnitNote], fingerprint: str) -> bytes:
    """Notes as CSV that is safe in a spreadsheet."""
    rows = [(*msgspec.to_builtins(_row(note)).values(), fingerprint) for note in _ordered(notes)]
    return csv_file(pd.DataFrame(rows, columns=list(_COLUMNS)))


def from_file(content: bytes, fingerprint: str, layers: Mapping[str, Layer]) -> list[UnitNote]:
    """Read an exported file, JSON or CSV.

    Args:
        content: the content of the file.
        fingerprint: the fingerprint of the network.
        layers: the layers of the network.

    Raises:
        DeconvError: it is too large, is not such a file, belongs to another network, or names a
            map that the network does not have.
    """
    if len(content) > MOST_BYTES:
        raise DeconvError(f"the file is larger than {MOST_BYTES // 10**6} MB")
    begins = content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    notes = (from_json if begins in (b"{", b"[") else from_csv)(content, fingerprint)
    for unit in (note.unit for note in notes):
        if unit.layer not in layers or unit.channel >= layers[unit.layer].channels:
            raise DeconvError(f"this network has no feature map {str(unit)[:80]!a}")
    return notes


def from_json(content: bytes, fingerprint: str) -> list[UnitNote]:
    """Read notes from JSON.

    Raises:
        DeconvError: it is not such a file, or belongs to another network.
    """
    try:
        found = msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"), type=_File)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(error) from error
    return _checked(found.notes, {found.network}, fingerprint)


def from_csv(content: bytes, fingerprint: str) -> list[UnitNote]:
    """Read notes from CSV, separated by commas or, as some spreadsheets write it, by semicolons.

    Raises:
        DeconvError: it is not such a file, or belongs to another network.
    """
    try:
        text = content.decode("utf-8-sig")
        separator = ";" if ";" in text.partition("\n")[0] else ","
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        rows = list(reader)
        if missing := set(_COLUMNS) - set(reader.fieldnames or ()):
            raise DeconvError(f"the column {min(missing)} is missing")
        texts = [{name: from_table_csv(row[name] or "") for name in _COLUMNS} for row in rows]
        found = msgspec.convert(texts, list[_Row], strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError, csv.Error, DeconvError) as error:
        raise _unreadable(error) from error
    return _checked(found, {row["network"] for row in texts} or {fingerprint}, fingerprint)


def _unreadable(error: Exception) -> DeconvError:
    return DeconvError(
        f"the file does not hold names and notes as this program exports them: {error}"
    )


def _checked(rows: Sequence[_Row], networks: Iterable[str], fingerprint: str) -> list[UnitNote]:
    """The notes of a file, if they belong to the network."""
    for network in networks:
        if network != fingerprint:
            raise DeconvError(
                f"the file belongs to another network ({network[:64]!a}, not {fingerprint!a}), "
                "whose maps have the same numbers but another meaning"
            )
    notes: dict[Unit, UnitNote] = {}
    for row in rows:
        unit = Unit(row.layer, row.channel)
        if unit in notes:
            raise DeconvError(f"the file has two notes of {str(unit)[:80]!a}")
        try:
            datetime.fromisoformat(row.changed)
        except ValueError as error:
            raise _unreadable(error) from error
        name, note = typed_name(row.name), typed_note(row.note)
        notes[unit] = UnitNote(unit, name, row.star, note, row.changed)
    return [note for note in notes.values() if not note.empty]


def _row(note: UnitNote) -> _Row:
    unit = note.unit
    return _Row(unit.layer, unit.channel, note.name, note.star, note.note, note.changed)


def _ordered(notes: Iterable[UnitNote]) -> list[UnitNote]:
    return sorted(notes, key=lambda note: note.unit)
