"""Measures decoding against Pillow alone, and the memory for large photographs.

    python -m benchmarks.decoding PHOTOS [--rounds 3]

"Pillow alone" opens a file, applies its orientation, converts it to RGB and resizes it: the
shortest possible program. Pixels are compared first; they may differ only for files with a colour
profile other than sRGB. Memory is the memory that one decoding adds to a new process (Linux).
"""

from __future__ import annotations

import argparse
import io
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from benchmarks.timing import machine, print_row
from deconv_core import ImageFolder
from deconv_core.images.decoding import decode_image
from deconv_core.images.folder import read_content

SIDE = (224, 224)
_PROGRAM = """
import sys, warnings; warnings.simplefilter("ignore")
from pathlib import Path
from benchmarks.decoding import by_pillow, decode_image
def most(): return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1000
content, decode = Path(sys.argv[2]).read_bytes(), {"pillow": by_pillow, "here": decode_image}
before = most()
try: decode[sys.argv[1]](content)
except Exception: print("refused")
else: print(f"{most() - before:,.0f} MB")
"""


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", help="a folder of photographs")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    contents = [read_content(entry.path) for entry in ImageFolder(options.photos)]
    print(f"{machine()}\n")
    _compare(contents, options.rounds)
    _memory()


def by_pillow(content: bytes) -> np.ndarray:
    """A picture as 224 x 224 RGB by Pillow alone."""
    with Image.open(io.BytesIO(content)) as opened:
        upright = ImageOps.exif_transpose(opened).convert("RGB")
    return np.asarray(upright.resize(SIDE, Image.Resampling.BILINEAR))


def _compare(contents: list[bytes], rounds: int) -> None:
    equal = sum(
        np.array_equal(by_pillow(content), decode_image(content).pixels) for content in contents
    )
    ratios, here = [], 0.0
    for turn in range(rounds):
        for content in contents:
            order = (by_pillow, decode_image)[:: 1 if turn % 2 else -1]
            taken = {decode: _seconds(decode, content) for decode in order}
            ratios.append(taken[decode_image] / taken[by_pillow])
            here += taken[decode_image]
    low, median, high = statistics.quantiles(ratios, n=4)
    print_row(
        "photographs", "equal pixels", "ms of CPU an image", "times Pillow alone", "middle half"
    )
    print_row("---", "---:", "---:", "---:", "---:")
    each = 1000 * here / rounds / len(contents)
    half = f"{low:.2f} to {high:.2f}"
    print_row(str(len(contents)), str(equal), f"{each:.1f}", f"{median:.2f}", half)


def _seconds(decode: Callable[[bytes], object], content: bytes) -> float:
    began = time.process_time()
    decode(content)
    return time.process_time() - began


def _memory() -> None:
    print()
    print_row("a photograph of", "Pillow alone", "here")
    print_row("---", "---:", "---:")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as place:
        for width, height, how in (
            *((4000, 3000, "JPEG"), (12_000, 8300, "JPEG"), (12_000, 9000, "JPEG")),
            *((12_000, 9000, "progressive JPEG"), (20_000, 20_000, "JPEG"), (12_000, 8300, "PNG")),
        ):
            path = _photograph(Path(place), width, height, how)
            found = [_megabytes(decode, path) for decode in ("pillow", "here")]
            print_row(f"{width:,} x {height:,}, {how}", *found)
            path.unlink()


def _photograph(place: Path, width: int, height: int, how: str) -> Path:
    """Soft noise of a size, written without keeping it in this process."""
    path = place / ("a.png" if how == "PNG" else "a.jpg")
    program = (
        "import sys, numpy as np; from PIL import Image; Image.MAX_IMAGE_PIXELS = None\n"
        "path, width, height, progressive = sys.argv[1], *map(int, sys.argv[2:])\n"
        "cells = np.random.default_rng(0).integers(0, 256, (height // 64, width // 64, 3), 'u1')\n"
        "image = Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC)\n"
        "image.save(path, quality=85, compress_level=1, progressive=bool(progressive))"
    )
    numbers = [str(width), str(height), str(int("progressive" in how))]
    subprocess.run([sys.executable, "-c", program, str(path), *numbers], check=True)
    return path


def _megabytes(decode: str, path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, decode, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


if __name__ == "__main__":
    main()
