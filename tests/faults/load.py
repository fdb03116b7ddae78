"""Many sessions open many feature maps while a scan runs: checks pictures, measures times.

    python -m tests.faults.load --sessions 20 --seconds 300 --browsers 2

Starts a server on loopback, and a scan like its page does. Every session clicks through maps of the
demo: next, previous, two clicks at once, links to other layers. Every picture must belong to the
requested map, in its texts and in its pixels; it is compared with the picture that ``deconv_core``
alone makes of the same activation. Prints latencies and the server's memory. The exit status is 1
if a page failed, a picture was wrong, or memory kept growing.
"""

import argparse
import asyncio
import base64
import io
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from deconv_core.demo import demo_images, demo_index
from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.network.sources import load_network
from deconv_core.output.rendering import Scale, tile
from deconv_core.reconstruction.reconstruct import reconstruct
from deconv_dashboard.jobs.scans import scan_state, start_scan
from tests.browser.server import Server, tracebacks_of_ours
from tests.conftest import Popen
from tests.core import drawings
from tests.faults.page_session import PageRun, PageSession

DEMO = {"network": "demo", "dataset": "demo"}
LAYERS = ("conv1_2", "conv2_2", "conv3_4", "conv4_4", "conv5_2")
MAPS = 16
_PATIENCE = 600.0
_ALT = re.compile(r"(Reconstruction|Image patch): feature map (\d+) of (\w+) in (.+)")

Shown = dict[tuple[str, int, str, str], set[bytes]]
"""(layer, map, "Reconstruction" or "Image patch", image_id) -> the PNG files seen of it"""


@dataclass
class Findings:
    """What all sessions saw together."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    troubles: list[str] = field(default_factory=list)
    shown: Shown = field(default_factory=lambda: defaultdict(set))
    memory: list[tuple[float, int]] = field(default_factory=list)
    given_up: int = 0
    pictures: int = 0
    bytes_received: int = 0

    def take(self, what: str, run: PageRun, maps: range | None) -> None:
        """Note a page run; ``maps`` are the feature maps that it may show, None any."""
        self.troubles += run.exceptions + [f"error on the page: {error}" for error in run.errors]
        if not run.finished:
            self.given_up += 1
            return
        self.seconds[what].append(run.seconds)
        layer, channel = run.address.get("layer", ""), int(run.address.get("map", "-1"))
        if maps is not None and channel not in maps:
            self.troubles.append(f"asked for a map of {maps}, the address says {channel}")
        for key in ("map_top", "layer_top"):
            for panel in run.galleries.get(key, ()):
                for drawn in panel["tiles"]:
                    self._picture(drawn, layer, channel if key == "map_top" else None)
        if maps is not None and not run.galleries.get("map_top"):
            self.troubles.append(f"no pictures of {layer}/{channel}")

    def _picture(self, drawn: dict[str, Any], layer: str, channel: int | None) -> None:
        said = _ALT.fullmatch(drawn["alt"])
        if said is None or said[3] != layer or channel not in (None, int(said[2])):
            self.troubles.append(f"{drawn['alt']!r} on the page of {layer}/{channel}")
        elif drawn["src"]:
            self.pictures += 1
            png = base64.b64decode(drawn["src"].partition(",")[2])
            if channel is not None:  # on a layer's page the scale is another
                self.shown[(layer, channel, said[1], said[4])].add(png)


async def visitor(port: int, until: float, seed: int, findings: Findings) -> None:
    """One session: opens a map, then clicks on, with short pauses."""
    chance = random.Random(seed)
    async with PageSession(port) as session:
        run = await _follow_link(session, chance, findings)
        while time.monotonic() < until:
            here, what = int(run.address.get("map", "0")), chance.random()
            if what < 0.65 and "Next" in run.buttons and here < MAPS - 2:
                run = await session.press("Next")
                findings.take("next map", run, range(here + 1, here + 2))
            elif what < 0.75 and "Previous" in run.buttons and here > 0:
                run = await session.press("Previous")
                findings.take("previous map", run, range(here - 1, here))
            elif what < 0.85 and "Next" in run.buttons and here < MAPS - 3:
                run = await session.press("Next", twice=True)
                findings.take("next map, pressed twice", run, range(here + 1, here + 3))
            elif what < 0.9:
                layer = chance.choice(LAYERS)
                findings.take(
                    "a layer", await session.open("layer", {**DEMO, "layer": layer}), None
                )
                run = await _follow_link(session, chance, findings)
            else:
                run = await _follow_link(session, chance, findings)
            for unasked in await session.look():
                findings.take("by itself", unasked, None)
                run = unasked if unasked.finished else run
            await asyncio.sleep(chance.uniform(0, 1))
        findings.bytes_received += session.received


async def _follow_link(session: PageSession, chance: random.Random, findings: Findings) -> PageRun:
    layer, channel = chance.choice(LAYERS), chance.randrange(MAPS)
    run = await session.open("feature_map", {**DEMO, "layer": layer, "map": str(channel)})
    if run.address.get("layer") != layer:
        findings.troubles.append(f"asked for {layer}, the address says {run.address}")
    findings.take("a link to a map", run, range(channel, channel + 1))
    return run


async def watch_unfinished(
    port: int, names: dict[str, str], until: float, findings: Findings
) -> None:
    """One person looks at the index that is being scanned."""
    async with PageSession(port) as session:
        while True:  # at least once, however long it took to get here
            run = await session.open("layer", {**names, "layer": "conv3_4"})
            findings.troubles += run.exceptions
            findings.seconds["a layer of the unfinished index"].append(run.seconds)
            if time.monotonic() > until:
                return
            await asyncio.sleep(2)


async def read_memory(process_id: int, until: float, findings: Findings) -> None:
    """The server's resident memory, in bytes, every two seconds."""
    began = time.monotonic()
    while time.monotonic() < until:
        status = Path(f"/proc/{process_id}/status").read_text()
        resident = int(status.split("VmRSS:")[1].split()[0]) * 1024
        findings.memory.append((time.monotonic() - began, resident))
        await asyncio.sleep(2)


async def browse(port: int, until: float, count: int, findings: Findings) -> None:
    """Real browsers beside the others, stepping with the arrow key."""
    from playwright.async_api import async_playwright

    from tests.browser.conftest import SWITCHES, chromium

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=SWITCHES)

        async def step(number: int) -> None:
            page = await (await browser.new_context()).new_page()
            page.on("pageerror", lambda error: findings.troubles.append(f"script: {error}"))
            layer = LAYERS[number % len(LAYERS)]
            address = f"http://127.0.0.1:{port}/feature_map?network=demo&dataset=demo"
            while time.monotonic() < until:
                await page.goto(f"{address}&layer={layer}&map=0", timeout=_PATIENCE * 1000)
                await _steps(page, layer, until, findings)

        await asyncio.gather(*(step(number) for number in range(count)))
        await browser.close()


async def _steps(page: Any, layer: str, until: float, findings: Findings) -> None:
    """Step from the first map on, until the time is over."""
    for channel in range(MAPS):
        began = time.perf_counter()
        wanted = f"Reconstruction: feature map {channel} of {layer} in "
        await page.locator(f'img[alt^="{wanted}"]').first.wait_for(timeout=_PATIENCE * 1000)
        what = "next map" if channel else "a link to a map"
        findings.seconds[f"{what}, in Chromium"].append(time.perf_counter() - began)
        others = f'img[alt^="Reconstruction: feature map "]:not([alt^="{wanted}"])'
        if await page.locator(others).count():
            findings.troubles.append(f"Chromium shows others beside {layer}/{channel}")
        if time.monotonic() > until or channel == MAPS - 1:
            return
        await asyncio.sleep(1)
        await page.get_by_role("button", name="Next").click(timeout=_PATIENCE * 1000)


def strangers(findings: Findings) -> list[str]:
    """Pictures that are not what the core alone makes of the same activation."""
    network, images = load_network("demo"), ImageFolder(demo_images())
    index, wrong = ActivationIndex.open(demo_index()), []
    for layer, channel in sorted({(layer, channel) for layer, channel, _, _ in findings.shown}):
        pictures = reconstruct(network, images, index.top(layer, channel=channel))
        scale = Scale.named("clipped", pictures)
        for picture in pictures:
            image_id = picture.activation.image_id
            for words, kind in (("Reconstruction", "reconstruction"), ("Image patch", "patch")):
                used = scale if kind == "reconstruction" else Scale("percentile", 0.0, 99.0)
                own = np.asarray(tile(picture, kind, used), np.int16)
                for png in findings.shown.pop((layer, channel, words, image_id), ()):
                    seen = np.asarray(Image.open(io.BytesIO(png)), np.int16)
                    if seen.shape != own.shape or np.abs(seen - own).max() > 1:
                        wrong.append(f"{words} of {layer}/{channel} in {image_id} is another's")
    return wrong + [f"no such picture: {place}" for place in findings.shown]


async def _load(server: Server, options: argparse.Namespace, findings: Findings) -> None:
    until = time.monotonic() + options.seconds
    assert server.process is not None
    people = [visitor(server.port, until, n, findings) for n in range(options.sessions)]
    if options.browsers:
        people.append(browse(server.port, until, options.browsers, findings))
    names = {"network": "demo", "dataset": server.registry.datasets()[-1].dataset_id}
    people.append(watch_unfinished(server.port, names, until, findings))
    people.append(read_memory(server.process.pid, until, findings))
    ends = await asyncio.gather(*people, return_exceptions=True)
    findings.troubles += [f"a session failed: {end!r}" for end in ends if end is not None]


def run_load(
    home: Path, options: argparse.Namespace, popen: Popen = subprocess.Popen
) -> tuple[Findings, int]:
    """Server, scan and visitors; what was found, and how many images were scanned meanwhile."""
    home.mkdir(exist_ok=True)
    patient = ("--server.websocketPingInterval", str(int(_PATIENCE)))  # else it hangs up after 30 s
    server, findings = Server(home, popen=popen, options=patient), Findings()
    photos = drawings.save(
        home / "photos", {f"{n:04}.png": drawings.noise(n, 8) for n in range(options.images)}
    )
    registry = server.registry
    dataset, network = registry.add_folder(photos), registry.network("demo")
    index = registry.index_path(dataset, network)
    server.start()
    try:
        start_scan(registry, dataset, network)
        while (state := scan_state(registry, index)).active and not state.progress.done:
            time.sleep(0.1)
        with ThreadPoolExecutor(1) as alone:  # Playwright leaves a loop running in this thread
            alone.submit(asyncio.run, _load(server, options, findings)).result()
        if (status := server.process.poll()) is not None:
            findings.troubles.append(f"the server ended ({status}): {server.log()[-2000:]}")
        scanned = scan_state(registry, index).progress.done
    finally:
        registry.jobs.end(scan_state(registry, index).job_id)
        server.stop()
    findings.troubles.extend(tracebacks_of_ours(server.log()))
    findings.troubles += strangers(findings)
    return findings, scanned


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--browsers", type=int, default=0, help="real Chromium pages beside them")
    parser.add_argument("--images", type=int, default=4000, help="images of the scan beside them")
    return parser.parse_args(arguments)


def main() -> int:
    """Run and tell."""
    options = parse()
    with tempfile.TemporaryDirectory() as home:
        findings, scanned = run_load(Path(home), options)
    print("| what | times | median s | 95 % s | longest s |\n| --- | --: | --: | --: | --: |")
    for what, taken in sorted(findings.seconds.items()):
        middle, most = np.percentile(taken, [50, 95])
        print(f"| {what} | {len(taken)} | {middle:.2f} | {most:.2f} | {max(taken):.2f} |")
    sizes = [size / 2**20 for _, size in findings.memory]
    thirds = [max(part) for part in np.array_split(np.array(sizes), 3)]
    print(
        f"\n{options.sessions} sessions, {options.seconds:.0f} s, {findings.pictures:,} pictures, "
        f"{findings.bytes_received / 1e6:,.0f} MB received, {findings.given_up} runs given up for "
        f"newer ones, {scanned:,} images scanned meanwhile\nserver's memory, MiB: {sizes[0]:,.0f} "
        f"at first, then at most {', '.join(f'{third:,.0f}' for third in thirds)} in each third"
    )
    if thirds[2] > 1.25 * thirds[1]:
        findings.troubles.append("memory grows")
    for trouble in findings.troubles[:20]:
        print(f"TROUBLE: {trouble}")
    print(f"troubles: {len(findings.troubles)}")
    return 1 if findings.troubles else 0


if __name__ == "__main__":
    sys.exit(main())
