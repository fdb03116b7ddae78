"""Measures a large index: generated peaks, real blocks, real queries.

    python -m benchmarks.large_index FOLDER [--images 131072] [--labels 64] [--listed 0]
        [--copies 0]

Writes blocks of full-width VGG19 peaks (random values and locations) into FOLDER, finishes the
index like a scan (merging, summary), and times the questions that a page asks. Each question runs
in a new process, so that only the file system's cache is warm. 131,072 images take about 5 GB.

``--listed`` makes the list of images longer than the blocks, to measure the effect of the list
alone; ImageNet has 1,281,167 images. Questions that need the missing blocks are left out. The last
``--copies`` images have the same content as others.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from deconv_core.images.decoding import DECODING
from deconv_core.index.blocks import ImageRow
from deconv_core.index.folder import IndexFolder
from deconv_core.index.manifest import ComputePath, Manifest
from deconv_core.index.summary import merge_blocks, write_summary
from deconv_core.layers import Layer
from deconv_core.network.sources import load_network
from deconv_core.peaks import Peaks
from deconv_core.scanning.plan import with_scan_results

BLOCK = 256
ALL_PEAKS = "all peaks of a map"
QUESTIONS = {
    "open": "pass",
    "top 9 of a map": "index.top('conv4_4', channel=350)",
    "top 9 of a layer": "index.top('conv4_4')",
    "top 9 of a map, then its copies": "index.copies_behind(index.top('conv4_4', 350))",
    "top 9 of a map, every copy": "index.top('conv4_4', channel=350, copies=True)",
    "top 9 of a map in one label": "index.top('conv4_4', channel=350, label='label07')",
    "table of a layer's maps": "index.maps('conv4_4')",
    ALL_PEAKS: "index.peaks('conv4_4', 350)",
    "nine images of a band": "index.sample('conv4_4', 350)",
    "labels that a map tells apart": "index.label_table('conv4_4', 350)",
    "labels that each map of a layer tells apart": "index.label_table('conv4_4')",
    "similar maps": "index.similar('conv4_4', 350)",
    "groups in a map": "index.groups('conv4_4', 350)",
    "correlations of a layer": "index.correlations('conv4_4')",
    "check every byte": "from deconv_core.index.inspection import check_index; "
    "assert not check_index(index._folder.path)",
}


def main() -> None:
    """Write the index if it does not exist, then time the questions."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=131_072)
    parser.add_argument("--labels", type=int, default=64)
    parser.add_argument("--listed", type=int, default=0, help="images in the list, if more")
    parser.add_argument("--copies", type=int, default=0, help="how many of them are copies")
    options = parser.parse_args()
    if not IndexFolder(options.folder).exists():
        write_index(
            *(options.folder, options.images, options.labels, options.listed, options.copies)
        )
    print("| question | seconds | peak memory above the imports, MB |\n| --- | ---: | ---: |")
    for name, question in QUESTIONS.items():
        if options.listed > options.images and name == ALL_PEAKS:
            break  # this and the following read every block
        seconds, memory = ask(options.folder, question)
        print(f"| {name} | {seconds:.3f} | {memory:,.0f} |", flush=True)


def write_index(path: Path, count: int, labels: int, listed: int = 0, copies: int = 0) -> None:
    """Write blocks of random peaks and finish the index like a scan; the list may be longer."""
    folder, layers = IndexFolder(path), tuple(load_network("random").layers.values())
    manifest = _manifest(layers)
    path.mkdir(parents=True)
    rng = np.random.default_rng(0)
    total = max(count, listed)
    names = [f"label{n * labels // total:02d}/{n:07d}.jpg" for n in range(total)]
    hashes = [hash_of(n % (total - copies)) for n in range(total)]
    plan = _plan(names, hashes)
    began = time.perf_counter()
    for block in range(-(-count // BLOCK)):
        here = range(block * BLOCK, min((block + 1) * BLOCK, count))
        rows = [ImageRow(n, names[n], label_of(names[n]), 500, 375, "", hashes[n]) for n in here]
        peaks = {layer.name: _peaks(rng, len(here), layer) for layer in layers}
        folder.write_block(folder.block_file(block), rows, manifest, peaks.__getitem__)
    wrote = time.perf_counter()
    merge_blocks(folder, manifest)
    plan = with_scan_results(folder, plan)
    folder.write_plan(plan, manifest)
    version = write_summary(folder, manifest, plan)
    folder.write_manifest(replace(manifest, complete=True, summary=version))
    size = sum(file.stat().st_size for file in path.rglob("*.parquet"))
    print(
        f"{count:,} images: {size / 1e9:.2f} GB, {size / count / 1e3:.0f} kB an image; blocks "
        f"{wrote - began:.0f} s, merging and summary {time.perf_counter() - wrote:.0f} s, "
        f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:,.0f} MB"
    )


def label_of(name: str) -> str:
    """The folder of an image."""
    return name.partition("/")[0]


def hash_of(number: int) -> str:
    """A text as long as the hash of an image's content, and as hard to compress."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def _peaks(rng: np.random.Generator, count: int, layer: Layer) -> Peaks:
    shape = (count, layer.channels)
    values = np.maximum(rng.normal(1.0, 1.0, shape), 0).astype(np.float32)
    rows, columns = (rng.integers(0, layer.height, shape, dtype=np.uint8) for _ in range(2))
    return Peaks(values, rows, columns)


def _plan(names: list[str], hashes: list[str]) -> pd.DataFrame:
    count = len(names)
    return pd.DataFrame(
        {
            "image_id": names,
            "label": [label_of(name) for name in names],
            "block": np.arange(count) // BLOCK,
            "removed": np.zeros(count, bool),
            "width": np.zeros(count, np.int64),
            "height": np.zeros(count, np.int64),
            "error": [""] * count,
            "note": "",
            "content_hash": hashes,
        }
    )


def _manifest(layers: tuple[Layer, ...]) -> Manifest:
    compute = ComputePath("float32", "channels_last", "cpu", False, 8, "0")
    return Manifest(
        network="random",
        fingerprint="0" * 16,
        preprocessing="torchvision",
        architecture="VGG19",
        layers=layers,
        image_root="/none",
        extensions=None,
        labels=None,
        follow_links=False,
        resize="stretch",
        value_range="type",
        decoding=DECODING,
        compute=compute,
        block_size=BLOCK,
    )


def ask(folder: Path, question: str) -> tuple[float, float]:
    """Seconds and peak memory of one question in its own process; opening the index is separate."""
    program = f"""
import time
from pathlib import Path
from deconv_core import ActivationIndex
import deconv_core.index.activation_index
def memory(kind):  # kB; getrusage is no use: its peak starts at that of the parent process
    return int(Path("/proc/self/status").read_text().split(kind + ":")[1].split()[0])
before = memory("VmRSS")
began = time.perf_counter()
index = ActivationIndex.open({str(folder)!r})
opened = time.perf_counter()
{question}
asked = time.perf_counter()
print(opened - began if {question == "pass"} else asked - opened, (memory("VmHWM") - before) / 1e3)
"""
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    seconds, memory = output.split()
    return float(seconds), float(memory)


if __name__ == "__main__":
    main()
