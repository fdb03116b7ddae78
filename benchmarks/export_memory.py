"""The most memory an export takes, and that it does not grow with the feature maps.

    python -m benchmarks.export_memory [--maps 8,64,512] [--k 30] [--tile-size 64]

The demo network and its drawings, maps of conv5_1 to conv5_4 (the largest reconstructions: whole
images). Each export runs in a fresh process; its resident size (Linux) is read after every map.
Printed are, above the size before the export (network and index loaded, one map exported): what
stays after the last map, of that the images kept from map to map (at most 128 MiB), and the rest;
then what a map takes for its own time, as the median of the first and of the last quarter of the
maps, and the most of any; and the most of the whole export.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.timing import machine, print_row

PROGRAM = """
import statistics, sys, time
from pathlib import Path
from deconv_core import ActivationIndex, ImageFolder, Unit, load_network
from deconv_core.demo import demo_images, demo_index
from deconv_core.export import CACHE_BYTES, export
from deconv_core.reconstruction.cache import ReconstructionCache
from deconv_core.output.selection import Selection

def status(name):  # MB
    text = Path("/proc/self/status").read_text()
    return int(text.split(name + ":")[1].split()[0]) * 1024 / 1e6

target = sys.argv[1]
maps, k, side = map(int, sys.argv[2:])
network, images = load_network("demo"), ImageFolder(demo_images())
index = ActivationIndex.open(demo_index())
layers = [f"conv5_{number}" for number in (1, 2, 3, 4)]
units = [Unit(name, channel) for name in layers for channel in range(network.layers[name].channels)]
export(network, images, index, Selection(tuple(units[:1]), k=1), target)
Path("/proc/self/clear_refs").write_text("5")  # VmHWM begins anew
before, began = status("VmRSS"), time.perf_counter()
cache, stays, spikes = ReconstructionCache(CACHE_BYTES), [], []

def look(done, total):
    stays.append(status("VmRSS") - before)
    spikes.append(status("VmHWM") - status("VmRSS"))
    Path("/proc/self/clear_refs").write_text("5")

chosen = Selection(tuple(units[:maps]), k=k, tile_size=side or None)
export(network, images, index, chosen, target, cache=cache, progress=look)
taken, kept = time.perf_counter() - began, cache.nbytes / 1e6
quarter = max(1, len(spikes) // 4)
first, last = statistics.median(spikes[:quarter]), statistics.median(spikes[-quarter:])
most = max(map(sum, zip(stays, spikes)))
print(taken, before, stays[-1], kept, stays[-1] - kept, first, last, max(spikes), most)
"""


def main() -> None:
    """Export and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--maps", default="8,64,512", help="how many; several with commas")
    parser.add_argument("--k", type=int, default=30, help="activations of each map (30)")
    parser.add_argument("--tile-size", type=int, default=0, help="in pixels (0: native, 224)")
    options = parser.parse_args()
    settings = str(options.k), str(options.tile_size)
    print(f"{machine()}\n")
    print_row(
        *("maps", "s", "before, MB", "stays, MB", "of that images", "the rest"),
        *("one map: first quarter", "last quarter", "most", "most of all"),
    )
    print_row(*["---:"] * 10)
    for maps in options.maps.split(","):
        with tempfile.TemporaryDirectory(prefix="export-memory-") as folder:
            done = subprocess.run(
                [sys.executable, "-c", PROGRAM, Path(folder, "out.zip"), maps, *settings],
                cwd=Path(__file__).parents[1],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            print_row(maps, *(f"{float(number):,.0f}" for number in done.stdout.split()))


if __name__ == "__main__":
    main()
