"""A scan that several sessions see, that survives a reload and a restart of the server."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from playwright.sync_api import expect

from deconv_core import ImageFolder, Network, scan
from deconv_dashboard.queue.files import JobFiles
from tests.browser.conftest import OpenPage
from tests.browser.server import Server
from tests.core import drawings

pytestmark = pytest.mark.browser
MANY = 200


@pytest.fixture(scope="module")
def many_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough images for a scan to be caught while it runs."""
    one = drawings.save(tmp_path_factory.mktemp("one"), {"a.png": drawings.noise(1, 8)})
    folder = tmp_path_factory.mktemp("many")
    content = (one / "a.png").read_bytes()
    for number in range(MANY):
        (folder / f"{number:03d}.png").write_bytes(content)
    return folder


@pytest.fixture
def address(server: Server, many_images: Path, weight_file: Path) -> str:
    """Start, with images and a network that were not scanned yet."""
    network = server.registry.add_weights(weight_file)
    dataset = server.registry.add_folder(many_images)
    return server.url(network=network.network_id, dataset=dataset.dataset_id)


def pause(server: Server) -> int:
    """Stop the scan as soon as it has seen some images; returns its process."""
    until = time.monotonic() + 240
    while not (jobs := server.registry.jobs.active()) or not jobs[0].progress.done:
        assert time.monotonic() < until, "no scan began"
        time.sleep(0.01)
    process = JobFiles(server.home).record(jobs[0].job_id).pid
    os.kill(process, signal.SIGSTOP)
    return process


@contextmanager
def paused(server: Server) -> Iterator[None]:
    """Pause the scan in this block, so that it is visible on fast machines too."""
    process = pause(server)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def test_seen_from_two_sessions_and_cancelled_from_the_second(
    server: Server, open_page: OpenPage, address: str
) -> None:
    first, second = open_page(address), open_page(address)
    expect(second.get_by_text("Not scanned yet").first).to_be_visible()
    first.get_by_role("button", name=f"Scan {MANY} images").click()
    with paused(server):
        expect(first.get_by_text("images/s").first).to_be_visible()
        expect(first.get_by_role("button", name="Pause")).to_be_visible()
        expect(second.get_by_role("button", name="Pause")).to_be_visible()
        expect(second.get_by_text("images/s").first).to_be_visible()
        second.get_by_role("button", name="Pause").click()
        expect(second.get_by_text("Pausing").first).to_be_visible()
    for page in (first, second):
        expect(page.get_by_text("Paused at").first).to_be_visible()
        expect(page.get_by_role("button", name="Resume")).to_be_visible()


def test_goes_on_through_a_reload_and_a_restart_and_resumes(
    server: Server, open_page: OpenPage, address: str
) -> None:
    page = open_page(address)
    page.get_by_role("button", name=f"Scan {MANY} images").click()
    with paused(server):
        expect(page.get_by_text("images/s").first).to_be_visible()
        page.reload()
        expect(page.get_by_role("button", name="Pause")).to_be_visible()
        page.goto("about:blank")
        server.stop()
        server.start()
        page.goto(address)
        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_text("Pausing").first).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text(f"{MANY} images scanned").first).to_be_visible(timeout=240_000)


@pytest.mark.cold
def test_a_stopped_scan_is_ended_after_its_server_was_killed(
    server: Server, open_page: OpenPage, address: str
) -> None:
    page = open_page(address)
    page.get_by_role("button", name=f"Scan {MANY} images").click()
    process = pause(server)
    expect(page.get_by_text("images/s").first).to_be_visible()
    page.goto("about:blank")
    server.process.kill()
    server.process.wait()
    server.start()
    page.goto(address)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Pausing").first).to_be_visible()
    page.get_by_role("button", name="End it").click(timeout=240_000)
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text(f"{MANY} images scanned").first).to_be_visible(timeout=240_000)
    assert psutil.pid_exists(process) is False


def test_a_link_starts_nothing(server: Server, open_page: OpenPage, address: str) -> None:
    page = open_page(address)
    expect(page.get_by_role("button", name=f"Scan {MANY} images")).to_be_visible()
    assert not list(server.home.rglob("*.job.json"))


def test_images_added_since_the_scan(
    server: Server, open_page: OpenPage, images: ImageFolder, weight_file: Path, tmp_path: Path
) -> None:
    folder = drawings.save(tmp_path / "growing", {"a.png": drawings.noise(1)})
    network = server.registry.add_weights(weight_file)
    dataset = server.registry.add_folder(folder)
    page = open_page(server.url(network=network.network_id, dataset=dataset.dataset_id))
    page.get_by_role("button", name="Scan 1 image").click()
    expect(page.get_by_text("1 image scanned").first).to_be_visible(timeout=240_000)
    drawings.save(folder, {"b.png": drawings.noise(2)})
    page.reload()
    expect(page.get_by_text("1 image added").first).to_be_visible()
    page.get_by_role("button", name="Update").click()
    expect(page.get_by_text("2 images scanned").first).to_be_visible(timeout=240_000)


def test_what_a_finished_scan_offers_opens(
    server: Server, open_page: OpenPage, network: Network, weight_file: Path, tmp_path: Path
) -> None:
    """The panel draws itself again and again; what it opens is shown by the whole page."""
    folder = tmp_path / "cells"
    folder.mkdir()
    Image.fromarray(np.arange(4096, dtype=np.uint16).reshape(64, 64)).save(folder / "dark.png")
    dataset, weights = server.registry.add_folder(folder), server.registry.add_weights(weight_file)
    scan(network, ImageFolder(folder), server.registry.index_path(dataset, weights))
    page = open_page(server.url(network=weights.network_id, dataset=dataset.dataset_id))
    page.get_by_text("1 image not readable, nearly black or nearly white").click()
    page.get_by_role("button", name="Open these images again").click()
    expect(page.get_by_text("Not scanned yet").first).to_be_visible()
    expect(page.get_by_text("stretched to each file's range").first).to_be_visible()
