"""What fuzzing has found stays found; and every seed is read as it is."""

from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

FINDS = sorted((Path(__file__).parent / "finds").glob("*/*"))

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("path", FINDS, ids=lambda path: f"{path.parent.name} {path.name}")
def test_a_find_does_no_harm_any_more(path: Path) -> None:
    TARGETS[path.parent.name].read(path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_every_seed_is_read(name: str) -> None:
    seeds = TARGETS[name].seeds()
    assert seeds
    for seed in seeds:
        TARGETS[name].read(seed)
        TARGETS[name].read(seed[: len(seed) // 2])


def test_there_is_a_find_for_no_target_that_is_gone() -> None:
    assert {path.parent.name for path in FINDS} <= set(TARGETS)
