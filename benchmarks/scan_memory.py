"""Measures the highest memory of a scan, for different numbers of images.

    python -m benchmarks.scan_memory PHOTOS [--images 200,2000] [--precisions float32,auto]

Full-width VGG19 with random weights scans copies of the photographs. Each copy is a separate file
with different content (a number after the end of the picture). Each scan runs in a new process.
Printed is the highest resident size (VmHWM, Linux) above the size after all imports of a scan; it
includes the network's 80 MB of weights.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.timing import machine, print_row
from deconv_core import ImageFolder

PROGRAM = """
import sys, time
from pathlib import Path
import torch
import deconv_core.images.folder, deconv_core.network.sources
import deconv_core.scanning.compute, deconv_core.scanning.scan

def status(name):  # MB
    text = Path("/proc/self/status").read_text()
    return int(text.split(name + ":")[1].split()[0]) * 1024 / 1e6

photos, index, precision = sys.argv[1:]
Path("/proc/self/clear_refs").write_text("5")  # VmHWM begins anew
before = status("VmRSS")
network = deconv_core.load_network("random")
loaded = status("VmHWM")
began = time.perf_counter()
made = deconv_core.scan(network, deconv_core.ImageFolder(photos), index, precision=precision)
taken = time.perf_counter() - began
assert made.complete and not (made.images["error"] != "").any()
print(made.precision, taken, before, loaded - before, status("VmHWM") - before)
"""


def main() -> None:
    """Scan and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", help="a folder of images")
    parser.add_argument("--images", default="200,2000", help="how many; several with commas")
    parser.add_argument("--precisions", default="float32,auto")
    options = parser.parse_args()
    print(f"{machine()}\n")
    print_row(
        *("images", "precision", "computed in", "s", "after imports, MB"),
        *("highest while the network loads, MB above that", "highest of all, MB above that"),
    )
    print_row("---:", "---", "---", *["---:"] * 4)
    for count in map(int, options.images.split(",")):
        with tempfile.TemporaryDirectory(prefix="scan-memory-") as folder:
            copies = Path(folder, "images")
            copy_images(options.photos, count, copies)
            for precision in options.precisions.split(","):
                done = subprocess.run(
                    [sys.executable, "-c", PROGRAM, copies, Path(folder, precision), precision],
                    cwd=Path(__file__).parents[1],
                    stdout=subprocess.PIPE,
                    text=True,
                    check=True,
                )
                computed, *numbers = done.stdout.split()
                print_row(f"{count:,}", precision, computed, *(f"{float(n):,.0f}" for n in numbers))


def copy_images(root: str, count: int, copies: Path) -> None:
    """Make ``count`` different images by copying those of a folder again and again."""
    copies.mkdir()
    for number, entry in zip(range(count), itertools.cycle(list(ImageFolder(root)))):
        path = Path(str(entry.path))
        content = path.read_bytes() + f"{number:06d}".encode()
        (copies / f"{number:06d}{path.suffix}").write_bytes(content)


if __name__ == "__main__":
    main()
