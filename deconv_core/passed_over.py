"""Names passed over in folders, zips and uploads: hidden ones, and those that systems make.

Only names below the chosen folder count: a folder that a person chose is taken, whatever its name.
"""

from __future__ import annotations

from collections.abc import Sequence

# In lower case: what Windows, macOS, Linux, Synology and QNAP put beside pictures.
_MADE_BY_SYSTEMS = frozenset(
    {
        *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "$recycle.bin"),
        *("recycler", "system volume information", "lost+found", "__macosx", "icon\r"),
        *("network trash folder", "temporary items", "@eadir", "@tmp", "@recycle", "#recycle"),
        *("@recently-snapshot", "#snapshot", "@sharebin", "@__thumb"),
    }
)


def hidden_reason(name: str) -> str:
    """Why a file or folder of this name is passed over, or "" if it is not.

    Args:
        name: one part of a path.
    """
    if name.startswith("."):
        return "hidden: its name begins with a dot"
    return "hidden: made by the system" if name.lower() in _MADE_BY_SYSTEMS else ""


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
    """The reason for one entry of ``hidden_place``.

    Args:
        place: what ``hidden_place`` gave.
        files: how many files have this place; for a hidden file itself 0.
    """
    reason = hidden_reason(place.rpartition("/")[2])
    return reason + (f"; a folder with {files:,} file{'' if files == 1 else 's'}" if files else "")
