"""Skipped files and folders: which names are hidden, why something is skipped, and counts.

Names that begin with a dot are hidden, and names that operating systems make. Only names below the
chosen folder count: a folder that a person chose is used, whatever its name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from deconv_core.errors import Remedy

HIDDEN = "hidden"
LINK = "link to a folder"
LINK_OUT = "link out of the allowed folders"
LINK_ROUND = "link to a folder that contains it"
LINK_TO_NOTHING = "link to nothing"
NOT_LISTED = "folder that cannot be listed"
NO_NAME = "name that cannot be used"
OTHER_TYPE = "file of another type"
_PLURALS = {
    HIDDEN: HIDDEN,
    LINK: "links to folders",
    LINK_OUT: "links out of the allowed folders",
    LINK_ROUND: "links to folders that contain them",
    LINK_TO_NOTHING: "links to nothing",
    NOT_LISTED: "folders that cannot be listed",
    NO_NAME: "names that cannot be used",
    OTHER_TYPE: "files of other types",
}
FOLLOW = Remedy("follow links to folders", "follow_links=True, --follow-links")
_MOST_TYPES = 12

# Names, in lower case, that Windows, macOS, Linux, Synology and QNAP add to folders of pictures.
_MADE_BY_SYSTEMS = frozenset(
    {
        *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "$recycle.bin"),
        *("recycler", "system volume information", "lost+found", "__macosx", "icon\r"),
        *("network trash folder", "temporary items", "@eadir", "@tmp", "@recycle", "#recycle"),
        *("@recently-snapshot", "#snapshot", "@sharebin", "@__thumb"),
    }
)
# Starts of hidden names that they add, also to folders that look empty.
_HIDDEN_BY_SYSTEMS = (
    *(".ds_store", ".localized", ".directory", ".fseventsd", ".trashes", ".spotlight-v100"),
    *(".trash-", ".documentrevisions-v100", ".temporaryitems"),
)
# Types of pictures that are not read: from phones, raw files of cameras, drawings.
_OTHER_PICTURES = frozenset(
    {
        *(".heic", ".heif", ".hif", ".jxl", ".svg", ".eps", ".pdf", ".ai", ".xcf"),
        *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".rw2", ".orf", ".pef", ".srw"),
    }
)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or folder that is skipped, with the reason.

    Attributes:
        name: its path below the folder, as text.
        reason: the reason in words.
        kind: the kind under which it is counted, a constant of this module; "" is not counted.
    """

    name: str
    reason: str
    kind: str = ""


def hidden_reason(name: str) -> str:
    """Why a file or folder of this name is skipped; "" if it is not.

    Args:
        name: one part of a path.
    """
    if name.startswith("."):
        return "hidden: its name begins with a dot"
    return "hidden: made by the system" if name.lower() in _MADE_BY_SYSTEMS else ""


def made_by_a_system(name: str) -> bool:
    """True for a name that operating systems add to folders by themselves."""
    lower = name.lower()
    return lower in _MADE_BY_SYSTEMS or lower.startswith(_HIDDEN_BY_SYSTEMS)


def hidden_place(parts: Sequence[str]) -> str:
    """The hidden file or the outermost hidden folder on a path, as a posix path; "" without one.

    All files in one hidden folder give the same result, so they can be listed as one entry.

    Args:
        parts: folders and file name, without the chosen folder.
    """
    for count, part in enumerate(parts, 1):
        if hidden_reason(part):
            return "/".join(parts[:count])
    return ""


def hidden_entry_reason(place: str, files: int) -> str:
    """The reason for one entry: a hidden file, or a hidden folder and everything in it.

    Args:
        place: the result of ``hidden_place``.
        files: number of files in the hidden folder; 0 for a hidden file, or if not counted.
    """
    reason = hidden_reason(place.rpartition("/")[2])
    return reason + (f"; a folder with {files:,} file{'' if files == 1 else 's'}" if files else "")


def count_kinds(skipped: Iterable[Skipped], other_files: Mapping[str, int]) -> dict[str, int]:
    """Kind -> number of skipped entries: file types, the most frequent first, then other kinds."""
    types = sorted(other_files.items(), key=lambda pair: (-pair[1], pair[0]))
    rest = Counter(entry.kind for entry in skipped)
    return {**dict(types), **{kind: rest[kind] for kind in _PLURALS if rest[kind]}}


def fewer_kinds(kinds: Mapping[str, int]) -> dict[str, int]:
    """The same counts with at most 12 file types; the rare ones are counted together."""
    types = [kind for kind in kinds if kind not in _PLURALS]
    rare = types[_MOST_TYPES - 1 :] if len(types) > _MOST_TYPES else []
    fewer = {kind: number for kind, number in kinds.items() if kind not in rare}
    return {**fewer, **({OTHER_TYPE: sum(kinds[kind] for kind in rare)} if rare else {})}


def kinds_in_words(kinds: Mapping[str, int]) -> str:
    """Counts by kind in words, for example "5 .heic, 2 hidden, 1 link to a folder"; "" for none."""
    return ", ".join(
        f"{number:,} {(_PLURALS.get(kind, kind) if number > 1 else kind) or 'without extension'}"
        for kind, number in fewer_kinds(kinds).items()
    )


def skipped_line(kinds: Mapping[str, int], how_to_follow: str) -> str:
    """One line with the counts by kind, and how to include what was skipped; "" for nothing.

    Args:
        kinds: the result of ``count_kinds``.
        how_to_follow: how to follow links to folders, in words; "" does not say it.
    """
    if not kinds:
        return ""
    advice = [how_to_follow if kinds.get(LINK) else "", to_convert(kinds)]
    added = "; ".join(filter(None, advice))
    return f"skipped: {kinds_in_words(kinds)}" + (f" ({added})" if added else "")


def to_convert(kinds: Iterable[str]) -> str:
    """Advice for types of pictures that cannot be read; "" if there are none."""
    types = sorted(_OTHER_PICTURES & set(kinds))
    return f"{', '.join(types)} cannot be read: convert them to JPEG or PNG" if types else ""
