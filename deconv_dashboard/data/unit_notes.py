"""Names, stars and notes of feature maps, kept in the data folder: ``notes/FINGERPRINT.json``.

They belong to the network, not to a dataset: each network has one file, named by its fingerprint.
``save`` and ``add`` read the file, change it and write it whole, under a lock, so many sessions and
processes may write at once. The file has the format of ``notes_files``, so it can also be read,
copied and repaired by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import filelock

from deconv_core.errors import DeconvError, NoRoomError
from deconv_core.units import Unit
from deconv_core.whole_files import remove_parts, write_whole
from deconv_dashboard.data.notes_files import MOST_BYTES, MOST_NOTE, UnitNote, from_json, to_json
from deconv_dashboard.writing import writing

_FINGERPRINT = re.compile(r"[0-9a-z]{1,64}")
_PATIENCE = 10.0  # seconds


@dataclass(frozen=True)
class Saved:
    """A note as it is stored now; ``both_kept`` if another session had changed it meanwhile."""

    note: UnitNote
    both_kept: bool = False


@dataclass(frozen=True)
class Added:
    """What an import did: numbers of notes that are new, replaced, newer here, and equal."""

    new: int = 0
    replaced: int = 0
    newer_here: int = 0
    equal: int = 0


@dataclass(frozen=True)
class NotesStore:
    """The names and notes of one network.

    Attributes:
        home: the data folder.
        fingerprint: the network's fingerprint.
    """

    home: Path
    fingerprint: str

    @property
    def path(self) -> Path:
        """The file; it may not exist yet.

        Raises:
            DeconvError: the fingerprint is not one.
        """
        if not _FINGERPRINT.fullmatch(self.fingerprint):
            raise DeconvError(f"{self.fingerprint[:40]!a} is not the fingerprint of a network")
        return self.home / "notes" / f"{self.fingerprint}.json"

    def read(self) -> dict[Unit, UnitNote]:
        """All notes, by unit; empty if there are none yet.

        Raises:
            DeconvError: the file is damaged or cannot be read. It stays as it is.
        """
        path = self.path
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise DeconvError(f"the notes in {path} cannot be read: {error.strerror}") from error
        try:
            return {note.unit: note for note in from_json(content, self.fingerprint)}
        except DeconvError as error:
            raise DeconvError(
                f"the notes in {path} are damaged ({error}). Nothing was changed in this file; "
                "repair it, or move it away and import an earlier export"
            ) from error

    def save(self, seen: UnitNote, wanted: UnitNote) -> Saved:
        """Store what a person changed in a note.

        Args:
            seen: the note as the person saw it.
            wanted: the note as the person changed it. Only fields that differ from ``seen`` are
                changed. If another session changed the same field meanwhile, both texts are kept.

        Raises:
            NoRoomError: the disk or the file is full.
            DeconvError: the file is damaged or cannot be written; nothing is changed then.
        """
        with self._changing() as stored:
            found = stored.get(seen.unit, UnitNote(seen.unit))
            merged = merged_note(seen, wanted, found)
            if merged != found:
                merged = replace(merged, changed=now())
                self._write({**stored, merged.unit: merged})
            agrees = (merged.name, merged.note) == (
                wanted.name if wanted.name != seen.name else found.name,
                wanted.note if wanted.note != seen.note else found.note,
            )
        return Saved(merged, both_kept=not agrees)

    def add(self, notes: Iterable[UnitNote]) -> Added:
        """Add notes of an export; of two for one map, the one that was changed later stays.

        Raises:
            NoRoomError: the disk or the file is full; nothing is added then.
            DeconvError: the file is damaged or cannot be written; nothing is added then.
        """
        latest = now()
        counts = dict.fromkeys(("new", "replaced", "newer_here", "equal"), 0)
        with self._changing() as stored:
            merged = dict(stored)
            for given in notes:
                note = replace(given, changed=min(given.changed or latest, latest))
                there = stored.get(note.unit)
                if there is None:
                    what = "new"
                elif replace(there, changed="") == replace(note, changed=""):
                    what = "equal"
                else:
                    what = "replaced" if note.changed > there.changed else "newer_here"
                counts[what] += 1
                if what in ("new", "replaced"):
                    merged[note.unit] = note
            if merged != stored:
                self._write(merged)
        return Added(**counts)

    @contextmanager
    def _changing(self) -> Iterator[dict[Unit, UnitNote]]:
        """The stored notes; nobody else can change them inside."""
        path = self.path
        try:
            with writing("nothing was saved"):
                path.parent.mkdir(parents=True, exist_ok=True)
                with filelock.FileLock(path.with_suffix(".lock"), timeout=_PATIENCE):
                    remove_parts(path.parent, path.name.__eq__)
                    yield self.read()
        except filelock.Timeout as error:
            raise DeconvError(
                "nothing was saved: another session is writing; try again in a moment"
            ) from error

    def _write(self, notes: Mapping[Unit, UnitNote]) -> None:
        content = to_json((note for note in notes.values() if not note.empty), self.fingerprint)
        if len(content) > MOST_BYTES:
            raise NoRoomError(
                f"nothing was saved: the notes of this network would be larger than "
                f"{MOST_BYTES // 10**6} MB; shorten or delete some"
            )
        write_whole(self.path, content)


def merged_note(seen: UnitNote, wanted: UnitNote, stored: UnitNote) -> UnitNote:
    """A note with the changes from ``seen`` to ``wanted``; a change in ``stored`` is not lost.

    If both changed the note, it has both texts. If both changed the name, the other name is
    mentioned in the note.
    """
    name = wanted.name if wanted.name != seen.name else stored.name
    star = wanted.star if wanted.star != seen.star else stored.star
    note = wanted.note if wanted.note != seen.note else stored.note
    texts = [note]
    if wanted.note != seen.note and stored.note not in (seen.note, wanted.note, ""):
        texts = [stored.note, wanted.note]
    if wanted.name != seen.name and stored.name not in (seen.name, wanted.name, ""):
        texts.append(f"Also named: {stored.name}")
    both = "\n\n".join(filter(None, texts))
    if len(both) > MOST_NOTE:
        raise NoRoomError(
            "nothing was saved: another session changed this note too, and both together are "
            f"longer than {MOST_NOTE:,} characters; copy your text and reload the page"
        )
    return UnitNote(seen.unit, name, star, both, stored.changed)


def now() -> str:
    """The time in UTC, to the second: "2026-11-26T11:05:50Z"."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
