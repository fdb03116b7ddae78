"""Distinct names for lists: Streamlit finds an option by its label, so all labels must differ."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import MISSING, fields
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from deconv_dashboard.data.datasets import Dataset, NetworkChoice
from deconv_dashboard.wording import label_name

_Option = TypeVar("_Option", bound=Hashable)
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_DEEPEST = 32
_ORIGINS = {"demo": "ships with the program", "upload": "upload", "caltech256": "Caltech-256"}


def distinct(
    options: Iterable[_Option],
    name: Callable[[_Option], str] = str,
    details: Callable[[_Option], Sequence[str]] = lambda _: (),
) -> dict[_Option, str]:
    """A label for each option; no two labels look the same (case and spaces do not count).

    Args:
        options: ids in the order of the list.
        name: option -> its name.
        details: option -> texts that distinguish it from options of the same name, the most useful
            first; "" for no text. Only details that differ are used; if none does, a number.

    Returns:
        option -> label, in the same order.
    """
    listed = list(dict.fromkeys(options))
    labels: dict[_Option, str] = {}
    for alike in _groups(listed, name):
        labels |= (
            {alike[0]: name(alike[0])}
            if len(alike) == 1
            else _told_apart(
                {option: name(option) for option in alike}, {o: list(details(o)) for o in alike}
            )
        )
    return _numbered({option: labels[option] for option in listed})


def _groups(options: Iterable[_Option], name: Callable[[_Option], str]) -> list[list[_Option]]:
    """The options, grouped by names that look the same."""
    found: dict[str, list[_Option]] = {}
    for option in options:
        found.setdefault(_look(name(option)), []).append(option)
    return list(found.values())


def _look(text: str) -> str:
    """A normal form of a text: equal for texts that look the same to a person."""
    words = " ".join(unicodedata.normalize("NFC", text).split())
    return _UNSEEN.sub("", words).casefold()


def _told_apart(
    labels: dict[_Option, str], details: dict[_Option, list[str]]
) -> dict[_Option, str]:
    """Add to equal labels the first detail that is not the same for all of them."""
    for place in range(max(map(len, details.values()))):
        said = {o: details[o][place] if place < len(details[o]) else "" for o in labels}
        groups = _groups(labels, said.__getitem__)
        if len(groups) > 1:
            longer = {
                o: f"{label} · {said[o]}" if said[o] else label for o, label in labels.items()
            }
            rest = {o: details[o][place + 1 :] for o in labels}
            found: dict[_Option, str] = {}
            for alike in groups:
                part = {o: longer[o] for o in alike}
                found |= part if len(alike) == 1 else _told_apart(part, rest)
            return found
    return labels


def _numbered(labels: dict[_Option, str]) -> dict[_Option, str]:
    """The labels, with a number where an earlier option has the same label."""
    taken: set[str] = set()
    for option, label in labels.items():
        shown, number = label, 2
        while _look(shown) in taken:
            shown, number = f"{label} · {number}", number + 1
        labels[option] = shown
        taken.add(_look(shown))
    return labels


# --- details that distinguish datasets and networks ----------------------------------------------


def dataset_details(dataset: Dataset, shown: Callable[[Path], str]) -> list[str]:
    """The details of a dataset: the folders above it, then every setting that is not the default.

    Args:
        dataset: the dataset.
        shown: folder -> its name for people (``FolderRules.shown``).
    """
    said = _places(dataset.root, shown) if dataset.kind == "folder" else [_ORIGINS[dataset.kind]]
    padded = said + [""] * (_DEEPEST - len(said))
    settings = [
        _setting(field.name, getattr(dataset, field.name), field.default)
        for field in fields(dataset)
        if field.default is not MISSING
    ]
    return [*padded, *settings, _stored(dataset.root) if dataset.kind == "upload" else ""]


def network_details(network: NetworkChoice, shown: Callable[[Path], str]) -> list[str]:
    """The details of a network: the folders above its file, or "built in"."""
    path = Path(network.source)
    return _places(path, shown) if path.is_absolute() else ["built in"]


def _places(path: Path, shown: Callable[[Path], str]) -> list[str]:
    """The names of the folders above, the nearest first."""
    return [part for part in reversed(Path(shown(path)).parts[:-1]) if part != "/"][:_DEEPEST]


def _setting(name: str, value: object, usual: object) -> str:
    """A setting in words; "" for the default."""
    if value == usual:
        return ""
    if isinstance(value, tuple):
        listed = [label_name(str(one)) for one in value]
        more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
        return f"{', '.join(listed[:3])}{more}" or f"no {name}"
    known = {"crop": "cropped", "file": "stretched to each file's range"}
    return known.get(str(value), f"{name.replace('_', ' ')} {value}")


def _stored(folder: Path) -> str:
    """The time at which an upload was stored; "" if the upload is gone."""
    try:
        return f"{datetime.fromtimestamp(folder.stat().st_mtime):%Y-%m-%d %H:%M}"
    except OSError:
        return ""
