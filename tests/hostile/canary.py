"""Detects that a file executed something, or wrote outside its folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MARKER = "DECONV_TEST_CANARY"
"""The name of an environment variable: where a program in a file that runs leaves its mark, also in
a process that was started meanwhile."""


def spring() -> None:
    """What hostile pickles ask for by name."""
    Path(os.environ[MARKER]).touch()


class Bait:
    """Pickles as a call of ``spring``."""

    def __reduce__(self) -> tuple[object, tuple[()]]:
        return spring, ()


@contextmanager
def nothing_happens(outside: Path, *allowed: Path) -> Iterator[None]:
    """Fail if anything was executed, or written below ``outside`` other than in ``allowed``."""
    before = _files(outside, allowed)
    with tempfile.TemporaryDirectory() as folder:
        mark = Path(folder, "mark")
        os.environ[MARKER] = str(mark)
        yield
        assert not mark.exists(), "something was executed"
    assert _files(outside, allowed) == before, "something was written outside"


def _files(folder: Path, allowed: tuple[Path, ...]) -> dict[Path, tuple[int, int]]:
    found = {}
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if Path(place, name) not in allowed]
        for name in (*folders, *names):
            state = os.lstat(os.path.join(place, name))
            found[Path(place, name)] = (state.st_size, state.st_mtime_ns if name in names else 0)
    return found
