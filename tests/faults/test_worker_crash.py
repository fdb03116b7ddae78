"""A scan crashes: the app keeps running, the page says why, and the scan can be resumed."""

import os
import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from deconv_core.index.activation_index import ActivationIndex
from deconv_dashboard.data.datasets import Dataset, NetworkChoice
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.jobs.scans import scan_state, start_scan
from deconv_dashboard.queue.files import JobFiles
from deconv_dashboard.queue.queue import NewJob
from tests.app.conftest import APP, words
from tests.app.test_jobs import ended
from tests.core import drawings
from tests.faults import broken_scan

pytestmark = [
    pytest.mark.usefixtures("warm_jobs"),
    pytest.mark.skipif(os.name == "nt", reason="sends signals"),
]


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setenv("DECONV_HOME", str(tmp_path / "home"))
    return Registry(tmp_path / "home")


@pytest.fixture
def pair(registry: Registry, tmp_path: Path, weight_file: Path) -> tuple[Dataset, NetworkChoice]:
    """Images enough for a scan to be caught at work."""
    many = {f"{n:02}.png": drawings.noise(n, 16) for n in range(90)}
    folder = drawings.save(tmp_path / "many", many)
    return registry.add_folder(folder), registry.add_weights(weight_file)


def start_page(pair: tuple[Dataset, NetworkChoice]) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=240)
    app.query_params["dataset"] = pair[0].dataset_id
    app.query_params["network"] = pair[1].network_id
    app.run()
    assert not app.exception, app.exception
    return app


def resumed(app: AppTest, registry: Registry, path: Path) -> None:
    (button,) = [button for button in app.button if button.key == "start_scan"]
    button.click().run()
    assert not app.exception
    assert ended(registry, path).status == "done"
    assert ActivationIndex.open(path).complete


def test_a_scan_that_is_killed_at_work(
    registry: Registry, pair: tuple[Dataset, NetworkChoice]
) -> None:
    path = registry.index_path(*pair)
    start_scan(registry, *pair)
    while (state := scan_state(registry, path)).progress.done < 33:  # the first block is written
        assert state.active
        time.sleep(0.02)
    os.kill(JobFiles(registry.home).records()[0].pid, 9)
    state = ended(registry, path)
    assert (state.status, state.progress.done >= 32) == ("failed", True)
    app = start_page(pair)
    assert "It stopped too early: something outside this program ended it" in words(app).replace(
        "\\", ""
    )
    resumed(app, registry, path)


def test_a_scan_that_raises_what_nobody_expected(
    registry: Registry, pair: tuple[Dataset, NetworkChoice]
) -> None:
    path = registry.index_path(*pair)
    order = broken_scan.Order(*pair, path, registry.home, registry.within, update=False)
    key = f"scan {path.name}"
    registry.jobs.start(NewJob("scan", key, broken_scan.__name__, order, pair[0].dataset_id))
    assert ended(registry, path).status == "failed"
    app = start_page(pair)
    assert "something nobody expected" in words(app)
    resumed(app, registry, path)
