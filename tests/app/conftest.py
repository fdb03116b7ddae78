"""Pages without a browser: a data folder with one scanned dataset, and a way to open pages."""

import functools
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner
from streamlit.runtime.scriptrunner.script_cache import ScriptCache
from streamlit.testing.v1 import AppTest, app_test, local_script_runner

from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_dashboard.data.datasets import Dataset, NetworkChoice
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.server import reconstructing, resources

APP = Path(__file__).parents[2] / "app.py"
PAGES = {
    "layer": "pages/1_layer.py",
    "feature_map": "pages/2_feature_map.py",
    "image": "pages/3_image.py",
    "export": "pages/4_export.py",
    "method": "pages/5_method.py",
}


# Every AppTest asks each installed package for components (0.6 s). One answer serves them all.
manifest_scanner.scan_component_manifests = functools.cache(
    manifest_scanner.scan_component_manifests
)
# Every run would compile its scripts again, as if they were new. One cache serves all runs.
SCRIPTS = ScriptCache()
app_test.ScriptCache = local_script_runner.ScriptCache = lambda: SCRIPTS
look_often = local_script_runner.require_widgets_deltas


def wait_for_run(runner: local_script_runner.LocalScriptRunner, timeout: float) -> None:
    """Wait for a run to end; AppTest alone looks for that a thousand times a second."""
    runner._script_thread.join(timeout)
    look_often(runner, timeout)


local_script_runner.require_widgets_deltas = wait_for_run


class Home:
    """A data folder in which the drawn images were scanned with the narrow network."""

    def __init__(self, path: Path, images: ImageFolder, weights: Path) -> None:
        self.registry = Registry(path)
        self.dataset: Dataset = self.registry.add_folder(images.root, name="my drawings")
        self.network: NetworkChoice = self.registry.add_weights(weights)
        self.index_path = self.registry.index_path(self.dataset, self.network)
        self.names = {
            "network": self.network.network_id,
            "dataset": self.dataset.dataset_id,
        }


@pytest.fixture
def home(
    tmp_path: Path,
    images: ImageFolder,
    index: ActivationIndex,
    weight_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Home]:
    monkeypatch.setenv("DECONV_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(reconstructing.LATER, "_seconds", 0.0)
    monkeypatch.setattr(
        "deconv_dashboard.server.reconstructing.PAINT_SECONDS", 0.0
    )  # nothing paints here
    made = Home(tmp_path / "home", images, weight_file)
    shutil.copytree(index._folder.path, made.index_path)
    resources.prepared.clear()
    yield made
    reconstructing.LATER.wait()


@pytest.fixture
def nothing_kept() -> None:
    """The server keeps nothing of earlier tests, which have computed most pictures already.

    What it keeps, it keeps by content, so other tests need not ask for this.
    """
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture(autouse=True)
def _warm(request: pytest.FixtureRequest) -> None:
    """Jobs are forks of a warm process, but in tests marked ``cold``."""
    if not request.node.get_closest_marker("cold"):
        request.getfixturevalue("warm_jobs")


OpenPage = Callable[..., AppTest]


@pytest.fixture
def open_page(home: Home) -> OpenPage:
    """Open a page like a link in a new tab; by default with the home's network and dataset."""

    def open_(page: str, **parameters: str) -> AppTest:
        app = AppTest.from_file(str(APP), default_timeout=240)
        app.switch_page(PAGES[page])
        for name, text in {**home.names, **parameters}.items():
            app.query_params[name] = text
        app.run()
        assert not app.exception, app.exception
        return app

    return open_


def key_now(app: AppTest, name: str) -> str:
    """The key of a widget whose value was perhaps changed from elsewhere."""
    counter = f"{name}_changes"
    number = app.session_state[counter] if counter in app.session_state else 0  # noqa: SIM401
    return f"{name} {number}" if number else name


def words(app: AppTest) -> str:
    """All texts of the page, without the backslashes of Markdown."""
    kinds = ("markdown", "caption", "info", "warning", "error", "success", "subheader")
    text = "\n".join(str(part.value) for kind in kinds for part in app.get(kind))
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text)


def address(app: AppTest) -> dict[str, str]:
    """The query parameters, each with one value."""
    return {
        name: value[-1] if isinstance(value, list) else value
        for name, value in app.query_params.items()
    }
