"""Pictures of whole layers, made in the background: all of them, once, after everything else."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deconv_core.errors import CancelledError, DeconvError
from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.network.network import Network
from deconv_core.reconstruction.reconstruct import reconstruct
from deconv_dashboard.data.kept_pictures import KeptPictures, MadeFrom
from deconv_dashboard.frame.job_words import job_doing, job_noun
from deconv_dashboard.jobs import prepared_pictures
from deconv_dashboard.jobs.prepared_pictures import preparing_state, room_for, start_preparing
from deconv_dashboard.limits import MEGABYTE
from deconv_dashboard.queue.state import RESTING, JobState, Progress
from tests.app.conftest import Home, OpenPage, words
from tests.app.test_kept_pictures import files, near, passes, restart
from tests.app.tiny_queue import Jobs, until

__all__ = ["passes"]
LAYER = "conv4_2"


def order(home: Home) -> prepared_pictures.Order:
    where = home.dataset, home.network, home.index_path
    return prepared_pictures.Order(*where, LAYER, home.registry.home, None)


def wanted(index: ActivationIndex) -> list[Any]:
    maps = range(index.layers[LAYER].channels)
    return [found for channel in maps for found in index.top(LAYER, channel)]


def made_from(index: ActivationIndex, found: Any) -> MadeFrom:
    content = index.content_hashes([found.image_id])[found.image_id]
    return MadeFrom(index.manifest.fingerprint, content, "stretch", "type", found)


@pytest.mark.usefixtures("nothing_kept")
def test_prepared_pages_compute_nothing(
    home: Home,
    open_page: OpenPage,
    index: ActivationIndex,
    passes: list[int],
    network: Network,
    images: ImageFolder,
) -> None:
    app = open_page("layer", layer=LAYER)
    app.button(key="prepare").click().run()
    assert not app.exception
    where = home.registry, home.dataset, home.network, LAYER
    until(lambda: not preparing_state(*where).active, lambda: preparing_state(*where))
    state, asked = preparing_state(*where), wanted(index)
    assert (state.status, state.progress.done, state.progress.total) == (
        "done",
        len(asked),
        len(asked),
    )
    kept = KeptPictures(home.registry.home, 100 * MEGABYTE)
    for found, expected in zip(asked, reconstruct(network, images, asked), strict=True):
        assert near(kept.get(made_from(index, found)), expected)
    best = [top[0] for c in range(index.layers[LAYER].channels) if (top := index.top(LAYER, c))]
    assert best
    assert all(kept.tile(made_from(index, found)) for found in best)
    restart()
    passes.clear()
    for channel in range(index.layers[LAYER].channels):
        open_page("feature_map", layer=LAYER, map=str(channel))
    app = open_page("layer", layer=LAYER)
    assert "were prepared" in words(app)
    assert "draw_sheet" not in [button.key for button in app.button], "the sheet is drawn"
    assert not passes


def test_it_makes_only_what_is_missing(
    home: Home, index: ActivationIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    really = reconstruct

    def counted(network: Any, images: Any, some: Any, *rest: Any, **how: Any) -> Any:
        asked.append(list(some))
        return really(network, images, some, *rest, **how)

    monkeypatch.setattr("deconv_core.reconstruct", counted, raising=False)
    told: list[Progress] = []
    flag = threading.Event()

    def tell(progress: Progress) -> None:
        told.append(progress)
        if progress.done:
            flag.set()

    with pytest.raises(CancelledError):
        prepared_pictures.work(order(home), tell, flag)
    first = [found for part in asked for found in part]
    assert 0 < len(first) < len(wanted(index))
    assert all(len({found.image_id for found in part}) == 1 for part in asked)
    asked.clear()
    prepared_pictures.work(order(home), told.append, threading.Event())
    rest = [found for part in asked for found in part]
    assert set(first) | set(rest) == set(wanted(index))
    assert not set(first) & set(rest)
    assert told[-1].found == len(first)
    assert told[-1].done == told[-1].total == len(wanted(index))
    images = [part[0].image_id for part in asked]
    assert images == sorted(images), "one image after the other"
    asked.clear()
    prepared_pictures.work(order(home), told.append, threading.Event())
    assert not asked


def test_a_full_disk_ends_it(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECONV_PICTURES_MB", "0")
    with pytest.raises(DeconvError, match="the disk is full, or no pictures can be kept"):
        prepared_pictures.work(order(home), lambda _: None, threading.Event())


def test_the_estimate_is_near_and_not_low(home: Home, index: ActivationIndex) -> None:
    prepared_pictures.work(order(home), lambda _: None, threading.Event())
    used = sum(-(-path.stat().st_size // 4096) * 4096 for path in files(home.registry.home))
    estimate = room_for(index.layers[LAYER], len(wanted(index)))
    assert used <= estimate <= 3 * used


def test_more_than_is_kept_is_not_offered(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not open_page("layer", layer=LAYER).button(key="prepare").disabled
    monkeypatch.setenv("DECONV_PICTURES_MB", "1")
    app = open_page("layer", layer=LAYER)
    assert app.button(key="prepare").disabled
    assert "That is more than the 1 MB of pictures that are kept" in words(app)


# --- the queue -----------------------------------------------------------------------------------


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    made = Jobs(tmp_path)
    yield made
    for state in made.queue.active():
        made.queue.end(state.job_id)


def test_later_jobs_go_before_one_that_gives_way(jobs: Jobs) -> None:
    jobs.start("first")
    jobs.begun("first")
    jobs.start("idle", kind="pictures", gives_way=True)
    jobs.start("second")
    until(lambda: jobs.state("idle").status == "waiting")
    assert [state.key for state in jobs.queue.active()] == ["first", "second", "idle"]
    assert [state.place for state in jobs.queue.active()] == [0, 1, 2]
    jobs.let_go("first")
    jobs.begun("second")
    assert "idle begins" not in jobs.diary
    jobs.let_go("second")
    jobs.begun("idle")
    jobs.start("third")  # the one at work rests by itself
    jobs.begun("third")
    jobs.let_go("third", "idle")
    jobs.until("idle", "done")


def test_it_rests_while_another_job_is_active(home: Home) -> None:
    """A job of another kind begins in the same data folder."""
    other = Jobs(home.registry.home.parent)
    assert other.home == home.registry.home
    other.start("scan")
    other.begun("scan")
    told: list[Progress] = []

    def tell(progress: Progress) -> None:
        told.append(progress)
        if progress.step == RESTING:
            other.let_go("scan")

    prepared_pictures.work(order(home), tell, threading.Event())
    assert RESTING in [progress.step for progress in told]
    assert told[-1].done == told[-1].total
    assert other.state("scan").status == "done"


def test_its_name_in_words(home: Home) -> None:
    ids = {"dataset": home.dataset.dataset_id, "network": home.network.network_id}
    state = JobState(kind="pictures", name=LAYER, **ids)
    assert job_doing(home.registry, state) == (
        f"Preparing pictures of {LAYER} in my drawings with {home.network.name}"
    )
    assert job_noun(home.registry, state) == (
        f"the preparation of pictures of {LAYER} in my drawings"
    )


def test_starting_it_twice_is_one_job(home: Home) -> None:
    where = home.registry, home.dataset, home.network
    start_preparing(*where, LAYER)
    first = preparing_state(*where, LAYER).job_id
    start_preparing(*where, LAYER)
    start_preparing(*where, "conv4_3")
    until(lambda: not home.registry.jobs.active())
    assert preparing_state(*where, LAYER).job_id == first
    assert {state.status for state in home.registry.jobs.states()} == {"done"}
