"""Measures how long a person waits for the Layer page while a scan runs, and without one.

    python -m benchmarks.pages_during_scan PHOTOS        # needs Chromium, or $CHROMIUM

The network is VGG19 of full width with random weights. Both times are those of a server that has
loaded it and has made no picture of the layer yet; they end when all eighteen pictures of the two
grids are decoded in the page. The other number is the longest time in which the progress of the
scan, in the sidebar of the same page, stood still.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

from playwright.sync_api import BrowserContext, sync_playwright

from benchmarks.pages import _HEADED, _PAINTED
from deconv_core import ImageFolder, load_network, scan
from deconv_dashboard.data.datasets import Dataset
from deconv_dashboard.jobs.scans import scan_state, start_scan
from tests.browser.conftest import SWITCHES, chromium
from tests.browser.server import Server

LAYERS = ("conv3_4", "conv4_4")
_SCANNED = 12  # images of the dataset whose pages are opened
_PROGRESS = """() => {
  window.standstill = 0;
  let text = '', since = performance.now();
  setInterval(() => {
    const bars = '[data-testid="stSidebar"] [data-testid="stProgress"]';
    const shown = [...document.querySelectorAll(bars)].map((bar) => bar.textContent).join();
    if (shown === '' || shown !== text) { text = shown; since = performance.now(); }
    window.standstill = Math.max(window.standstill, performance.now() - since);
  }, 50);
}"""


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    photos = parser.parse_args().photos.resolve()
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as few:
        files = [entry.path for entry in ImageFolder(photos)]
        for number, file in enumerate(files[:: max(1, len(files) // _SCANNED)]):
            shutil.copy(str(file), Path(few) / f"{number}{Path(str(file)).suffix}")
        server = Server(Path(home))
        small, large = server.registry.add_folder(Path(few)), server.registry.add_folder(photos)
        network = server.registry.network("random")
        index = server.registry.index_path(small, network)
        index.parent.mkdir(parents=True, exist_ok=True)
        scan(load_network("random"), ImageFolder(Path(few)), index)
        without, _ = _opened(server, small)
        start_scan(server.registry, large, network)
        path = server.registry.index_path(large, network)
        while scan_state(server.registry, path).progress.done == 0:
            time.sleep(0.2)
        during, standing = _opened(server, small)
        state = scan_state(server.registry, path)
        server.registry.jobs.cancel(state.job_id)
        while scan_state(server.registry, path).active:
            time.sleep(0.2)
    print("| layer | s without | s during the scan | ratio | progress stood still, s |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for layer in LAYERS:
        ratio = during[layer] / without[layer]
        print(
            f"| {layer} | {without[layer]:.2f} | {during[layer]:.2f} | {ratio:.2f} | "
            f"{standing[layer]:.1f} |"
        )
    print(f"The scan was {'running' if state.active else state.status} at the end.")


def _opened(server: Server, dataset: Dataset) -> tuple[dict[str, float], dict[str, float]]:
    """Layer -> seconds until its grids are there; layer -> longest standstill of the progress."""
    server.start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=SWITCHES)
            context = browser.new_context()
            _open(context, server, dataset, "conv1_1")  # loads torch and the network
            found = {layer: _open(context, server, dataset, layer) for layer in LAYERS}
            browser.close()
    finally:
        server.stop()
    return ({k: v[0] for k, v in found.items()}, {k: v[1] for k, v in found.items()})


def _open(
    context: BrowserContext, server: Server, dataset: Dataset, layer: str
) -> tuple[float, float]:
    page = context.new_page()
    page.set_default_timeout(300_000)
    begun = time.perf_counter()
    parameters = {"network": "random", "dataset": dataset.dataset_id, "layer": layer}
    page.goto(server.url("layer", **parameters, show="table"), wait_until="commit")
    page.evaluate(_PROGRESS)
    page.wait_for_function(_HEADED, arg=layer, polling=10)
    page.wait_for_function(_PAINTED, polling=10)
    taken = time.perf_counter() - begun
    standstill = float(page.evaluate("window.standstill")) / 1000
    page.close()
    return taken, standstill


if __name__ == "__main__":
    main()
