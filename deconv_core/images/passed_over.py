"""What lies beside the images of a folder, zip or upload, and why it is passed over.

Hidden names are passed over, and those that systems make. Only names below the chosen folder count:
a folder that a person chose is taken, whatever its name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from deconv_core.errors import Remedy

HIDDEN = "hidden"
LINK = "link to a folder"
LINK_OUT = "link out of the folders that are offered"
LINK_ROUND = "link to a folder that it lies in"
LINK_TO_NOTHING = "link to nothing"
NOT_LISTED = "folder that cannot be listed"
NO_NAME = "name that cannot be used"
OTHER_TYPE = "file of another type"
_PLURALS = {
    HIDDEN: HIDDEN,
    LINK: "links to folders",
    LINK_OUT: "links out of the folders that are offered",
    LINK_ROUND: "links to folders that they lie in",
    LINK_TO_NOTHING: "links to nothing",
    NOT_LISTED: "folders that cannot be listed",
    NO_NAME: "names that cannot be used",
    OTHER_TYPE: "files of other types",
}
FOLLOW = Remedy("follow links to folders", "follow_links=True, --follow-links")
_MOST_TYPES = 12

# In lower case: what Windows, macOS, Linux, Synology and QNAP put beside pictures.
_MADE_BY_SYSTEMS = frozenset(
    {
        *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "$recycle.bin"),
        *("recycler", "system volume information", "lost+found", "__macosx", "icon\r"),
        *("network trash folder", "temporary items", "@eadir", "@tmp", "@recycle", "#recycle"),
        *("@recently-snapshot", "#snapshot", "@sharebin", "@__thumb"),
    }
)
# The same, hidden: what a folder that a person calls empty may hold.
_HIDDEN_BY_SYSTEMS = (
    *(".ds_store", ".localized", ".directory", ".fseventsd", ".trashes", ".spotlight-v100"),
    *(".trash-", ".documentrevisions-v100", ".temporaryitems"),
)
# Pictures that cameras and programs make and that are not read: phones, raw files, drawings.
_OTHER_PICTURES = frozenset(
    {
        *(".heic", ".heif", ".hif", ".jxl", ".svg", ".eps", ".pdf", ".ai", ".xcf"),
        *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".rw2", ".orf", ".pef", ".srw"),
    }
)


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that is not offered as an image, and why.

    Attributes:
        name: its path below the folder, as text.
        reason: in words.
        kind: one of the constants of this module, by which it is counted; "" where nobody counts.
    """

    name: str
    reason: str
    kind: str = ""


def hidden_reason(name: str) -> str:
    """Why a file or folder of this name is passed over, or "" if it is not.

    Args:
        name: one part of a path.
    """
    if name.startswith("."):
        return "hidden: its name begins with a dot"
    return "hidden: made by the system" if name.lower() in _MADE_BY_SYSTEMS else ""


def made_by_a_system(name: str) -> bool:
    """True for what systems put into folders by themselves, also into empty ones."""
    lower = name.lower()
    return lower in _MADE_BY_SYSTEMS or lower.startswith(_HIDDEN_BY_SYSTEMS)


def hidden_place(parts: Sequence[str]) -> str:
    """The hidden file or the outermost hidden folder on a path, as a posix path; "" if none is.

    What lies in one hidden folder has the same place, so that it can be told as one entry.

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
        place: what ``hidden_place`` gave.
        files: how many files have this place; 0 for a hidden file itself, or where nobody counted.
    """
    reason = hidden_reason(place.rpartition("/")[2])
    return reason + (f"; a folder with {files:,} file{'' if files == 1 else 's'}" if files else "")


def count_kinds(skipped: Iterable[Skipped], other_files: Mapping[str, int]) -> dict[str, int]:
    """How much was passed over, by kind: file types (the most frequent first), then the rest."""
    types = sorted(other_files.items(), key=lambda pair: (-pair[1], pair[0]))
    rest = Counter(entry.kind for entry in skipped)
    return {**dict(types), **{kind: rest[kind] for kind in _PLURALS if rest[kind]}}


def fewer_kinds(kinds: Mapping[str, int]) -> dict[str, int]:
    """The same counts with at most a dozen file types: the rare ones are counted together."""
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


def passed_over_line(kinds: Mapping[str, int], how_to_follow: str) -> str:
    """One line: how much was passed over, by kind, and what would take it in; "" for nothing.

    Args:
        kinds: what ``count_kinds`` gave.
        how_to_follow: what enters links to folders, in words; "" does not say it.
    """
    if not kinds:
        return ""
    advice = [how_to_follow if kinds.get(LINK) else "", to_convert(kinds)]
    added = "; ".join(filter(None, advice))
    return f"passed over: {kinds_in_words(kinds)}" + (f" ({added})" if added else "")


def to_convert(kinds: Iterable[str]) -> str:
    """What to do about pictures of types that are not read; "" if there are none."""
    types = sorted(_OTHER_PICTURES & set(kinds))
    return f"{', '.join(types)} cannot be read: convert them to JPEG or PNG" if types else ""
