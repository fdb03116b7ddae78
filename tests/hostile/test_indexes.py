"""Every question refuses every hostile index with a clear message, in bounded memory and time."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from deconv_core.errors import DeconvError
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.index.folder import IndexFolder
from deconv_core.index.inspection import check_index
from tests.hostile.canary import nothing_happens
from tests.hostile.indexes import INDEXES
from tests.hostile.memory import forget_peak, peak


def refusals(folder: Path) -> list[str]:
    """What each question says, or "" where it answers."""

    def of(ask: Callable[[], object]) -> str:
        try:
            ask()
        except DeconvError as error:
            return str(error)
        return ""

    opened = of(lambda: ActivationIndex.open(folder))
    if opened:
        return [opened]
    index = ActivationIndex.open(folder)
    assert index.total >= len(index.images)
    last = list(index.layers)[-1]
    return [
        of(lambda: index.top("conv1_1")),
        of(lambda: index.top("conv1_1", channel=0, label="dog")),
        of(lambda: index.top(last, k=200)),
        of(lambda: index.peaks("conv1_1", 1)),
        of(lambda: index.maps("conv1_1")),
        of(lambda: index.maps("conv1_1", label="dog")),
        of(lambda: index.best("conv1_1", None, None)),
    ]


@pytest.mark.parametrize("finished", [True, False], ids=["finished", "unfinished"])
@pytest.mark.parametrize("kind", INDEXES)
def test_an_index_is_refused_in_words(
    kind: str, finished: bool, index: ActivationIndex, tmp_path: Path
) -> None:
    case = INDEXES[kind]
    folder = tmp_path / "index"
    shutil.copytree(index._folder.path, folder)
    if not finished:
        unfinish(folder)
    case.change(folder)
    pa.default_memory_pool().release_unused()
    before = forget_peak()
    with nothing_happens(tmp_path):
        found = refusals(folder)
        damages = [] if "no index" in found[0] else checked(folder)
    assert peak() - before < case.largest
    if case.expected and (finished or not summary_only(kind)):
        assert any(re.search(case.expected, words) for words in found), found
    if not case.expected:
        assert not any(found), found
    assert all(len(words) < 2000 for words in (*found, *damages))


def checked(folder: Path) -> list[str]:
    try:
        return [damage.reason for damage in check_index(folder)]
    except DeconvError as error:
        return [str(error)]


def unfinish(folder: Path) -> None:
    opened = IndexFolder(folder)
    opened.write_manifest(replace(opened.read_manifest(), complete=False, summary=""))


def summary_only(kind: str) -> bool:
    return "summary" in kind or "statistics" in kind
