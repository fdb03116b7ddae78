"""The download of VGG19's weights: a child process, watched and stopped from the Networks tab."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from deconv_core.errors import DeconvError
from deconv_core.network.sources import load_network, published_vgg19
from deconv_dashboard.data.datasets import NetworkChoice
from deconv_dashboard.data.registry import VGG19, Registry
from deconv_dashboard.frame import weights_panel
from deconv_dashboard.jobs.weights_download import start_weights_download, weights_state
from deconv_dashboard.queue.state import JobState
from tests.app.conftest import Home, address, words
from tests.app.test_start import keys, pressed, start
from tests.core.network import test_download
from tests.core.network.test_download import Handler, Server
from tests.core.network.test_sources import assert_is_features

published = test_download.published


class Slow(Handler):
    """Sends half of the file, then waits until it is let go."""

    go_on = threading.Event()

    def do_GET(self) -> None:  # noqa: N802
        content = self.server.content
        asked = self.headers.get("Range")
        self.server.asked.append((self.path, asked))
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked else 0
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        half = len(content) // 2
        self.wfile.write(content[start:half])
        self.wfile.flush()
        self.go_on.wait(240)
        self.wfile.write(content[max(start, half) :])


@pytest.fixture
def server() -> Iterator[Server]:
    Slow.go_on.clear()
    with Server(("127.0.0.1", 0), Slow) as made:
        made.asked = []
        thread = threading.Thread(target=made.serve_forever, args=(0.02,))
        thread.start()
        yield made
        Slow.go_on.set()
        made.shutdown()
        thread.join()


def until(registry: Registry, *wanted: str) -> JobState:
    end = time.monotonic() + 240
    while (state := weights_state(registry)).status not in wanted:
        assert time.monotonic() < end, state
        time.sleep(0.05)
    return state


def test_downloaded_by_a_child_and_known_as_ready(
    server: Server, published: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry(tmp_path / "home")
    assert weights_state(registry).status == "none"
    Slow.go_on.set()
    start_weights_download(registry, url=published)
    start_weights_download(registry, url=published)  # the second does nothing
    assert until(registry, "done", "failed").status == "done"
    assert registry.ready(VGG19)
    assert len(server.asked) == 1


def test_stopped_and_gone_on_with(server: Server, published: str, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "home")
    server.content += bytes(3 * 2**20 - len(server.content) % 2**20)  # several pieces
    start_weights_download(registry, url=published)
    end = time.monotonic() + 240
    while not weights_state(registry).progress.done:
        assert time.monotonic() < end
        time.sleep(0.05)
    registry.jobs.cancel(weights_state(registry).job_id)
    Slow.go_on.set()
    progress = until(registry, "cancelled").progress
    assert 0 < progress.done < progress.total
    start_weights_download(registry, url=published)
    assert until(registry, "failed").message.startswith(published.rsplit("/", 1)[1])  # its hash
    assert server.asked[1][1] == f"bytes={progress.done}-"


@pytest.mark.parametrize("killed", [False, True])
def test_two_at_once_make_one_download(
    server: Server, published: str, tmp_path: Path, killed: bool
) -> None:
    """The page's, and one by the command line; if the first is killed, the other takes over."""
    registry = Registry(tmp_path / "home")
    start_weights_download(registry, url=published)
    wait_for(lambda: len(server.asked) == 1)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(published_vgg19, registry.home, url=published)
        if killed:
            registry.jobs.end(weights_state(registry).job_id)
            wait_for(lambda: len(server.asked) == 2)
        Slow.go_on.set()
        assert_is_features(load_network(other.result(240)))
    assert until(registry, "done").status == "done"
    assert len(server.asked) == 1 + killed
    left = [path.suffix for path in (registry.home / "weights").iterdir()]
    assert sorted(left) == [".lock", ".safetensors"]


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_no_connection_is_said_and_can_be_tried_again(home: Home) -> None:
    start_weights_download(home.registry, url="http://127.0.0.1:9/vgg19-00000000.pth")
    assert "could not download" in until(home.registry, "failed").message
    app = start(**home.names)
    app.session_state["start_tab"] = "Networks"
    app.run()
    assert "Could not download" in words(app)
    assert "Try again" in [button.label for button in app.button]
    assert "the server refuses the connection" in words(app)
    assert "MB that are kept" not in words(app)
    assert "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth" in words(app)
    pressed(app, "weights_demo")
    assert address(app)["network"] == "demo"


def elsewhere() -> None:
    """A page that needs the weights."""
    from deconv_core.errors import OTHER_WAY, DownloadError
    from deconv_dashboard.data.registry import VGG19
    from deconv_dashboard.frame.moved import weights_missing
    from deconv_dashboard.frame.troubles import say_trouble
    from deconv_dashboard.server import resources

    weights_missing(resources.registry(), VGG19)
    say_trouble(DownloadError("could not download it", "try again", OTHER_WAY), "scan")


def test_other_places_lead_to_the_one_that_says_why(home: Home) -> None:
    start_weights_download(home.registry, url="http://127.0.0.1:9/vgg19-00000000.pth")
    until(home.registry, "failed")
    app = AppTest.from_function(elsewhere, default_timeout=240).run()
    assert not app.exception
    assert keys(app) == ["networks_vgg19", "networks_scan"]
    assert "127.0.0.1" not in words(app)
    assert not app.text_input


def test_a_file_from_elsewhere_is_checked_and_used(
    server: Server, published: str, home: Home, tmp_path: Path
) -> None:
    registry = home.registry
    (tmp_path / "given.pth").write_bytes(server.content)
    (tmp_path / "other.pth").write_bytes(server.content + b"x")
    start_weights_download(registry, url=published, file=tmp_path / "other.pth")
    assert "other.pth is damaged or another file" in until(registry, "failed").message
    with pytest.raises(DeconvError, match="there is no file"):
        start_weights_download(registry, url=published, file=tmp_path / "none.pth")
    start_weights_download(registry, url=published, file=tmp_path / "given.pth")
    assert until(registry, "done", "failed").status == "done"
    assert server.asked == []
    assert (tmp_path / "given.pth").is_file()
    assert registry.ready(VGG19)


def test_the_path_of_a_file_is_asked_for_where_the_failure_is_said(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_weights_download(home.registry, url="http://127.0.0.1:9/vgg19-00000000.pth")
    until(home.registry, "failed")
    app = start(**home.names)
    app.session_state["start_tab"] = "Networks"
    app.run()
    app.text_input(key="weights_file").input("/nowhere/vgg19.pth").run()
    pressed(app, "weights_use_file")
    assert "There is no file /nowhere/vgg19.pth" in words(app)


def test_the_networks_tab_offers_it_and_says_its_size(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Path, NetworkChoice]] = []
    monkeypatch.setattr(
        *(weights_panel, "start_weights_download"),
        lambda registry, network: asked.append((registry.home, network)),
    )
    app = start(**home.names)
    assert "weights_download" not in keys(app)
    app.session_state["start_tab"] = "Networks"
    app.run()
    assert "575 MB once" in words(app)
    pressed(app, "weights_download")
    assert asked == [(home.registry.home, VGG19)]
