"""Jobs on the pages: place in the queue, the buttons that stop them, refused deletions."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from deconv_core.errors import DeconvError
from deconv_core.output.selection import Selection
from deconv_core.units import Unit
from deconv_dashboard.frame import job_rows
from deconv_dashboard.jobs.exports import exports, start_export
from deconv_dashboard.jobs.scans import scan_state, start_scan
from tests.app.conftest import Home, OpenPage, words
from tests.app.test_start import keys, pressed, start
from tests.app.tiny_queue import Jobs, until

pytestmark = pytest.mark.skipif(os.name == "nt", reason="sends signals")


@pytest.fixture
def jobs(home: Home, tmp_path: Path) -> Iterator[Jobs]:
    """The jobs of the home."""
    made = Jobs(tmp_path)
    assert made.home == home.registry.home
    yield made
    for state in made.queue.active():
        made.queue.end(state.job_id)


@pytest.fixture
def scanning(home: Home, jobs: Jobs) -> str:
    """Key of a job that pretends to scan what the pages show."""
    name = f"scan {home.index_path.name}"
    ids = {"dataset": home.dataset.dataset_id, "network": home.network.network_id}
    jobs.start(name, **ids)
    jobs.begun(name)
    return name


def button(app: AppTest, label: str) -> list[str | None]:
    return [button.key for button in app.button if button.label == label]


def test_the_place_in_the_queue_and_a_cancel_while_it_waits(
    home: Home, jobs: Jobs, scanning: str
) -> None:
    other = home.registry.add_folder(home.dataset.root / "dog", name="only dogs")
    start_scan(home.registry, other, home.network)
    app = start(**{**home.names, "dataset": other.dataset_id})
    assert "2nd in line, after the scan of my drawings. You can close this page" in words(app)
    assert button(app, "End it") == []
    pressed(app, "cancel_scan")
    until(lambda: not home.registry.jobs.using(dataset=other.dataset_id))
    app.run()
    assert "Not scanned yet" in words(app)
    assert jobs.state(scanning).status == "running"


def test_every_page_shows_every_job_and_stops_it(
    home: Home, jobs: Jobs, scanning: str, open_page: OpenPage
) -> None:
    jobs.start("weights", kind="weights")
    app = open_page("layer")
    job_id = jobs.state("weights").job_id
    assert {f"stop {job_id}", f"stop {jobs.state(scanning).job_id}"} <= set(keys(app))
    (text,) = [part.proto.text for part in app.get("progress")]
    assert text == "Scanning: 1 of 2"
    assert "Downloading VGG19's weights: 2nd in line, after the scan of my drawings" in words(app)
    pressed(app, f"stop {job_id}")
    until(lambda: jobs.state("weights").status == "cancelled")


@pytest.mark.parametrize("page", ["start", "layer", "export"])
def test_a_job_that_does_not_stop_can_be_ended_from_every_page(
    home: Home,
    jobs: Jobs,
    scanning: str,
    open_page: OpenPage,
    monkeypatch: pytest.MonkeyPatch,
    page: str,
) -> None:
    os.kill(jobs.pid(scanning), signal.SIGSTOP)
    app = start(**home.names) if page == "start" else open_page(page)
    (pause,) = button(app, "Pause")
    pressed(app, str(pause))
    assert jobs.state(scanning).status == "cancelling"
    assert button(app, "End it") == []  # not yet
    monkeypatch.setattr(job_rows, "DEAF_SECONDS", 0.0)  # as if they had passed
    app.run()
    (end,) = button(app, "End it")
    pressed(app, str(end))
    assert jobs.state(scanning).status == "cancelled"
    app.run()
    assert button(app, "End it") == []
    assert scan_state(home.registry, home.index_path).status == "done"  # what there was is kept


def test_a_job_without_news_can_be_ended(
    home: Home, jobs: Jobs, scanning: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_rows, "QUIET_SECONDS", 0.0)
    app = start(**home.names)
    assert "No news for under 5 s" in words(app)
    assert button(app, "Pause") == ["cancel_scan"]
    pressed(app, "end cancel_scan")
    assert jobs.state(scanning).status == "cancelled"


def test_an_export_waits_is_shown_and_cancelled(
    home: Home, jobs: Jobs, scanning: str, open_page: OpenPage
) -> None:
    start_export(home.registry, home.dataset, home.network, Selection((Unit("conv1_1", 0),)))
    app = open_page("export")
    assert "2nd in line, after the scan of my drawings" in words(app)
    (export,) = exports(home.registry)
    pressed(app, f"cancel {export.export_id}")
    until(lambda: exports(home.registry)[0].state.status == "cancelled")
    app.run()
    assert "cancelled; there is no zip" in words(app)
    pressed(app, f"delete {export.export_id}")
    assert exports(home.registry) == []


def test_a_full_queue_is_said_where_the_button_is(
    home: Home, jobs: Jobs, scanning: str, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DECONV_JOBS_WAITING", "0")
    app = open_page("export")
    pressed(app, "export_build")
    assert "The export did not start: the queue is full: 0 jobs may wait" in words(app)
    other = home.registry.add_folder(home.dataset.root / "dog")
    app = start(**{**home.names, "dataset": other.dataset_id})
    pressed(app, "start_scan")
    assert "The scan did not start: the queue is full: 0 jobs may wait" in words(app)
    app = networks(start(**home.names))
    pressed(app, "weights_download")
    assert "The download did not start: the queue is full: 0 jobs may wait" in words(app)


def networks(app: AppTest) -> AppTest:
    app.session_state["start_tab"] = "Networks"
    return app.run()


def test_a_dataset_that_is_being_scanned_is_kept_and_its_job_offered(
    home: Home, jobs: Jobs, scanning: str
) -> None:
    app = start(**home.names)
    app.session_state["start_tab"] = "Datasets and scans"
    with pytest.raises(DeconvError) as refused:
        home.registry.delete_dataset(home.dataset)
    app.session_state["stored_trouble"] = refused.value, ""
    app.session_state["stored_blocked"] = home.dataset.dataset_id
    app.run()  # as the dialog, which cannot be pressed here, leaves it
    assert "A scan that needs it is running; pause or cancel that first" in words(app)
    assert home.dataset in home.registry.datasets()
    pressed(app, f"stop_stored {jobs.state(scanning).job_id}")
    until(lambda: jobs.state(scanning).status == "cancelled")
    home.registry.delete_dataset(home.dataset)
    app.run()
    assert "stop_stored" not in str(keys(app))


def test_a_network_that_is_used_is_kept_and_its_job_offered(
    home: Home, jobs: Jobs, scanning: str
) -> None:
    app = networks(start(**home.names))
    pressed(app, f"forget {home.network.network_id}")
    assert "A scan that needs it is running; pause or cancel that first" in words(app)
    pressed(app, f"stop_network {jobs.state(scanning).job_id}")
    until(lambda: jobs.state(scanning).status == "cancelled")
    app.run()
    pressed(app, f"forget {home.network.network_id}")
    assert home.network not in home.registry.networks()


def test_names_that_may_not_be_seen_here_are_not_told(
    home: Home, jobs: Jobs, scanning: str, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server for everyone, with a job that was started on loopback."""
    monkeypatch.setattr("deconv_dashboard.server.serving._LOOPBACK", ())
    monkeypatch.setenv("DECONV_FOLDERS", "")
    app = open_page("method", dataset="demo", network="demo")
    said = words(app) + "".join(part.proto.text for part in app.get("progress"))
    assert "Scanning other images with another network" in said
    assert "my drawings" not in said


def test_an_export_whose_zip_is_gone(home: Home, jobs: Jobs, open_page: OpenPage) -> None:
    """Deleted from outside, or by another session while this page is shown."""
    folder = home.registry.home / "exports"
    folder.mkdir()
    (folder / "0123abcd.zip").write_bytes(b"PK")
    app = open_page("export")
    assert [button.label for button in app.get("download_button")] == ["Download"]
    (folder / "0123abcd.zip").unlink()
    app.run()
    assert not app.exception
    assert "Nothing has been exported yet" in words(app)
