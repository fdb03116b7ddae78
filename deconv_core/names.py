"""Makes names of files and folders safe to show: on one line, without hidden controls."""

from __future__ import annotations

import re

# Line ends and other controls, controls of text direction, halves of characters.
_NOT_SHOWN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def visible(name: str) -> str:
    """A name with a replacement character (�) for each control character.

    Without this, a name like ``photo<U+202E>gpj.exe`` is shown as ``photoexe.jpg``.
    """
    return _NOT_SHOWN.sub("\N{REPLACEMENT CHARACTER}", name)
