"""Measures the memory of background jobs: four scans and an export, in turns or at once.

    python -m benchmarks.job_memory PHOTOS --images 64

Starts four scans of the same photographs by full-width VGG19, each into its own index, and an
export of the demo, in a new data folder; first one job at a time, then four at once. Prints the
highest memory of each kind and of all jobs together. A memory page that several processes share is
divided by their number (PSS). Needs Linux.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import psutil

from deconv_core.images.folder import ImageFolder
from deconv_core.output.selection import Selection
from deconv_core.units import Unit
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.jobs.exports import start_export
from deconv_dashboard.jobs.scans import start_scan
from deconv_dashboard.queue.files import JobFiles, process_of

MB = 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--images", type=int, default=64)
    options = parser.parse_args()
    print("| jobs at once | a job that waits | a scan, highest | an export, highest | together |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    for at_once in (1, 4):
        os.environ["DECONV_JOBS"] = str(at_once)
        with tempfile.TemporaryDirectory() as home:
            measure(Registry(Path(home)), options.photos, options.images, at_once)


def measure(registry: Registry, photos: Path, images: int, at_once: int) -> None:
    """Start all jobs, measure until they have ended, and print a row in MB."""
    folder = registry.home / "photos"
    folder.mkdir()
    for entry in list(ImageFolder(photos))[:images]:
        (folder / entry.image_id.replace("/", "_")).symlink_to(str(entry.path))
    network = registry.network("random")
    for other in (".png", ".gif", ".bmp", ".webp"):  # four datasets of the same pictures
        extensions = [".jpg", ".jpeg", other]
        start_scan(registry, registry.add_folder(folder, extensions=extensions), network)
    demo = registry.dataset("demo"), registry.network("demo")
    units = tuple(Unit("conv5_4", channel) for channel in range(32))
    start_export(registry, *demo, Selection(units))
    highest: dict[str, float] = {"waiting": 0.0, "scan": 0.0, "export": 0.0, "together": 0.0}
    while seen := look(registry):
        for kind, size in seen:
            highest[kind] = max(highest[kind], size)
        highest["together"] = max(highest["together"], sum(size for _, size in seen))
        time.sleep(0.5)
    states = registry.jobs.states()
    assert all(state.status == "done" for state in states), states
    cells = " | ".join(f"{size / MB:,.0f} MB" for size in highest.values())
    print(f"| {at_once} | {cells} |", flush=True)


def look(registry: Registry) -> list[tuple[str, float]]:
    """Kind of each active job, or "waiting", and its memory in bytes."""
    found, records = [], {r.job_id: r for r in JobFiles(registry.home).records()}
    for state in registry.jobs.active():
        process = process_of(records[state.job_id])
        try:
            size = process.memory_full_info().pss if process else 0
        except psutil.Error:
            continue
        found.append(("waiting" if state.status == "waiting" else state.kind, float(size)))
    return found


if __name__ == "__main__":
    main()
