"""A scan that dies: the app stays up, the page says why, and the scan goes on when asked to."""

import os
import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.child_process import ChildProcess
from dashboard.jobs import scan_state, start_scan
from dashboard.registry import Dataset, NetworkChoice, Registry
from deconv_core.activation_index import ActivationIndex
from tests.app.conftest import APP, words
from tests.app.test_jobs import ended
from tests.core import drawings

pytestmark = pytest.mark.skipif(os.name == "nt", reason="sends signals")


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
    app = AppTest.from_file(str(APP), default_timeout=60)
    app.query_params["dataset"] = pair[0].dataset_id
    app.query_params["network"] = pair[1].network_id
    app.run()
    assert not app.exception, app.exception
    return app


def resumed(app: AppTest, path: Path) -> None:
    (button,) = [button for button in app.button if button.key == "start_scan"]
    button.click().run()
    assert not app.exception
    assert ended(path).status == "done"
    assert ActivationIndex.open(path).complete


def test_a_scan_that_is_killed_at_work(
    registry: Registry, pair: tuple[Dataset, NetworkChoice]
) -> None:
    path = registry.index_path(*pair)
    start_scan(registry, *pair)
    while scan_state(path).done < 33:  # the first block is written
        assert scan_state(path).status == "running"
        time.sleep(0.02)
    os.kill(int(ChildProcess(path)._job()["pid"]), 9)
    state = ended(path)
    assert (state.status, state.done >= 32) == ("failed", True)
    app = start_page(pair)
    assert "The scan stopped before its end" in words(app).replace("\\", "")
    resumed(app, path)


def test_a_scan_that_raises_what_nobody_expected(
    registry: Registry, pair: tuple[Dataset, NetworkChoice], weight_file: Path
) -> None:
    """A program error in the worker, as nobody has foreseen it."""
    path = registry.index_path(*pair)
    program = (
        "import sys\n"
        "from deconv_core import scan_engine\n"
        "def scan_block(*arguments):\n"
        "    raise RuntimeError('something nobody expected')\n"
        "scan_engine.scan_block = scan_block\n"
        "from deconv_core.__main__ import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    arguments = ["-c", program, "scan", str(pair[0].root), "--index", str(path)]
    arguments += ["--network", str(weight_file), "--progress", "json"]
    ChildProcess(path).start(arguments, {"DECONV_HOME": str(registry.home)})
    assert ended(path).status == "failed"
    app = start_page(pair)
    assert "something nobody expected" in words(app)
    resumed(app, path)
