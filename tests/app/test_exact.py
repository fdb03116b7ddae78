"""A bfloat16 index: an approximate answer at once, then the float32 answer in its place."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deconv_core import ActivationIndex, ImageFolder, Network, exact_top, scan
from deconv_core.exact import ExactTop
from deconv_core.file_state import _TICK
from deconv_dashboard.gallery import answers
from deconv_dashboard.gallery import refining as exact
from deconv_dashboard.server import index_answers
from deconv_dashboard.values import Answer
from tests.app.conftest import Home, OpenPage, key_now, words
from tests.app.test_start import start

LAYER, MAP = "conv4_1", 1


@pytest.fixture(scope="module")
def in_bfloat16(
    network: Network, images: ImageFolder, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("bfloat16") / "index"
    scan(network, images, path, precision="bfloat16")
    return path


@pytest.fixture
def near(home: Home, in_bfloat16: Path) -> ActivationIndex:
    """The home's index, scanned again in bfloat16."""
    shutil.rmtree(home.index_path)
    shutil.copytree(in_bfloat16, home.index_path)
    time.sleep(2 * _TICK / 1e9)  # a file that has just changed is not trusted to stay as it is
    return ActivationIndex.open(home.index_path)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Answer]:
    """Every answer whose tiles were drawn, in order."""
    seen: list[Answer] = []
    panels: Callable[..., object] = answers.panels

    def watched(answer: Answer, *rest: object, **more: object) -> object:
        made = panels(answer, *rest, **more)
        seen.append(answer)
        approximate = [tile.text.startswith("≈ ") for tile in made[0].tiles]  # type: ignore[index]
        assert approximate == [answer.approximate] * len(answer.activations)
        return made

    monkeypatch.setattr(answers, "panels", watched)
    return seen


def test_a_map_is_shown_at_once_and_then_exactly(
    open_page: OpenPage,
    near: ActivationIndex,
    drawn: list[Answer],
    network: Network,
    images: ImageFolder,
) -> None:
    app = open_page("feature_map", layer=LAYER, map=str(MAP))
    assert [answer.approximate for answer in drawn] == [True, False]
    assert drawn[0].activations == near.top(LAYER, channel=MAP)
    assert drawn[1].activations == list(exact_top(network, images, near, LAYER, MAP))
    assert list(app.dataframe[0].value["value"]) == [a.value for a in drawn[1].activations]
    assert "Checking in float32" not in words(app)


def test_both_maps_of_a_comparison_are_checked(
    open_page: OpenPage,
    near: ActivationIndex,
    drawn: list[Answer],
    network: Network,
    images: ImageFolder,
) -> None:
    app = open_page("feature_map", layer=LAYER, map=str(MAP), map2="conv5_2/3")
    exact = [exact_top(network, images, near, *unit) for unit in ((LAYER, MAP), ("conv5_2", 3))]
    assert [answer.approximate for answer in drawn[:2]] == [True, True]
    assert [answer.activations for answer in drawn[-2:]] == [list(top) for top in exact]
    assert not any(answer.approximate for answer in drawn[-2:])
    assert "Values from the scan, in bfloat16" in words(app)


def test_numbers_that_are_not_checked_say_so(open_page: OpenPage, near: ActivationIndex) -> None:
    sheet = open_page("layer", layer=LAYER)
    assert words(sheet).count("Values from the scan, in bfloat16") == 1
    table = sheet.segmented_control(key=key_now(sheet, "maps_view")).set_value("Table").run()
    assert words(table).count("Values from the scan, in bfloat16") == 1
    app = open_page("feature_map", layer=LAYER, map=str(MAP))  # the row and the histogram
    assert words(app).count("Values from the scan, in bfloat16") == 2


def test_what_was_checked_is_not_checked_again(
    open_page: OpenPage, near: ActivationIndex, drawn: list[Answer]
) -> None:
    open_page("feature_map", layer=LAYER, map=str(MAP))
    drawn.clear()
    open_page("feature_map", layer=LAYER, map=str(MAP))
    assert [answer.approximate for answer in drawn] == [False]


def test_a_layer_and_the_first_page_too(
    open_page: OpenPage, home: Home, near: ActivationIndex, drawn: list[Answer]
) -> None:
    open_page("layer", layer=LAYER)
    assert [answer.approximate for answer in drawn] == [True, False]
    drawn.clear()
    start(**home.names)
    assert [answer.approximate for answer in drawn] == [True, False]


def test_what_cannot_be_told_apart_stays_marked(
    open_page: OpenPage, near: ActivationIndex, drawn: list[Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    short = ExactTop(near.top(LAYER, channel=MAP), exact=False, examined=400)
    monkeypatch.setattr(exact, "_exact", lambda *_: short)
    app = open_page("feature_map", layer=LAYER, map=str(MAP))
    assert "Too many images have almost equal values" in words(app)
    assert [answer.approximate for answer in drawn] == [True, True]


@pytest.mark.usefixtures("nothing_kept")
def test_a_float32_index_is_never_checked(
    open_page: OpenPage, drawn: list[Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exact, "_exact", lambda *_: pytest.fail("nothing to check"))
    app = open_page("feature_map", layer=LAYER, map=str(MAP))
    assert [answer.approximate for answer in drawn] == [False]
    assert "≈" not in words(app)
    assert not len(index_answers.settled_answers())
