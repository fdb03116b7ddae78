"""Measures the cost of the checks of an index: the same work with and without them, in turns.

    python -m benchmarks.checks FOLDER [--photos PHOTOS] [--images 16] [--rounds 9]

FOLDER is an index of ``python -m benchmarks.large_index FOLDER``. "Without" means: no seals, no
checksums of pages, no hashes of images. The ratios matter, because
machines differ. The scan uses full-width VGG19 with random weights.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow.parquet as pq

from benchmarks.compare import first_images
from benchmarks.timing import machine, medians, print_row
from deconv_core import ActivationIndex, load_network, scan
from deconv_core.index.inspection import check_index

STAND_INS: dict[str, Callable[..., object]] = {
    "check_seal": lambda _, **__: None,
    "sealed": bytes,
    "content_hash": lambda _: "",
}
"""In the place of the functions of the core that check."""


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", help="a folder of images, to measure a scan too")
    parser.add_argument("--images", type=int, default=16, help="images of the scan (16)")
    parser.add_argument("--rounds", type=int, default=9, help="of the scan (9)")
    options = parser.parse_args()
    folder: Path = options.folder
    print(f"{machine()}\n")
    print_row("work", "seconds without checks", "time with checks, as a ratio", "middle half")
    print_row("---", "---:", "---:", "---:")

    def opened() -> ActivationIndex:
        return ActivationIndex.open(folder)

    index = opened()
    _compare("open an index", opened, 60)
    _compare("open it, top 9 of a map", lambda: opened().top("conv4_4", 350), 60)
    _compare("open it, all peaks of a map", lambda: opened().peaks("conv4_4", 350), 30)
    _compare("top 9 of a map, when it is open", lambda: index.top("conv4_4", 350), 60)
    _compare("all peaks of a map, the second time", lambda: index.peaks("conv4_4", 350), 30)
    if options.photos:
        with tempfile.TemporaryDirectory(prefix="benchmark-") as place:
            copies = first_images(options.photos, options.images, Path(place, "images"))
            network, target = load_network("random"), Path(place, "index")

            def scanned() -> None:
                shutil.rmtree(target, ignore_errors=True)
                scan(network, copies, target)

            _compare(f"scan {len(copies)} images", scanned, options.rounds)
    files = [path for path in folder.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 1e9
    taken = medians(
        {
            "check": lambda: check_index(folder),
            "read": lambda: [path.read_bytes() for path in files],
            "hash": lambda: [_hashed(path) for path in files],
        },
        3,
    )
    each = {name: f"{seconds / size:.2f} s" for name, seconds in taken.items()}
    print(
        f"\n`check` of {size:.2f} GB: {each['check']} a GB, of which read from the system's memory "
        f"{each['read']}; read and SHA-256, one file after the other, {each['hash']}"
    )


def _hashed(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _compare(name: str, work: Callable[[], object], rounds: int) -> None:
    """Print the quartiles of the ratios; their distance shows the noise of the machine."""
    pairs = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        work()
        checked = time.perf_counter()
        with unchecked():
            work()
        pairs.append((checked - began, time.perf_counter() - checked))
    without = statistics.median(seconds for _, seconds in pairs[1:])
    low, middle, high = statistics.quantiles([one / other for one, other in pairs[1:]])
    print_row(name, f"{without:.4f}", f"{middle:.2f}", f"{low:.2f} to {high:.2f}")


@contextmanager
def unchecked() -> Iterator[None]:
    """Run the program without its checks."""

    def without(made: Callable[..., Any], option: str) -> Callable[..., Any]:
        return lambda *given, **options: made(*given, **{**options, option: False})

    with ExitStack() as stack:
        for module in [m for name, m in sys.modules.items() if name.startswith("deconv_core.")]:
            for name, stand_in in STAND_INS.items():
                if hasattr(module, name):
                    stack.enter_context(patch.object(module, name, stand_in))
        for name, option in (
            ("ParquetFile", "page_checksum_verification"),
            ("ParquetWriter", "write_page_checksum"),
        ):
            stack.enter_context(patch.object(pq, name, without(getattr(pq, name), option)))
        yield


if __name__ == "__main__":
    main()
