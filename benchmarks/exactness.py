"""Measures how far bfloat16 answers are from float32, with and without ``exact_top``.

    python -m benchmarks.exactness PHOTOS [--maps 512] [--cold 1]

The network is full-width VGG19 with random weights. The nine strongest images of every feature map
come from a bfloat16 index, a float32 index, ``exact_top`` and brute force: plain convolutions over
each whole image, in float32, one image at a time. Brute force shares only the weights and the
decoded pictures with the index and its passes. Answers that ``exact_top`` calls exact must equal
brute force in every bit; otherwise the program ends with an error.

194 photographs take about ten minutes on two free cores. ``--maps`` limits the maps of each layer,
evenly spread. ``--cold`` is the number of maps of each layer that are timed without any cache.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)

from benchmarks.timing import machine, print_row
from deconv_core import (
    Activation,
    ActivationIndex,
    ImageFolder,
    Network,
    ReconstructionCache,
    Unit,
    exact_top,
    load_network,
    scan,
)
from deconv_core.exact import SAFETY
from deconv_core.graph.steps import Convolution, MaxPooling

TOP = 9


@dataclass
class Compared:
    """The agreement of one kind of answers with brute force.

    Attributes:
        maps: number of maps.
        ordered: maps with the same images in the same order.
        placed: maps among ``ordered`` with the same locations too.
        shared: number of images in both answers.
        same_place: images among ``shared`` with the same location.
        difference: largest difference of a value of an image in both, as a share of the value.
    """

    maps: int = 0
    ordered: int = 0
    placed: int = 0
    shared: int = 0
    same_place: int = 0
    difference: float = 0.0

    def add(self, found: Sequence[Activation], true: Sequence[Activation]) -> None:
        """Compare the answers for one map."""
        ours, theirs = ([(a.image_id, a.row, a.column) for a in top] for top in (found, true))
        self.maps += 1
        self.ordered += [image for image, *_ in ours] == [image for image, *_ in theirs]
        self.placed += ours == theirs
        others = {a.image_id: a for a in true}
        for one in found:
            if (other := others.get(one.image_id)) is not None:
                self.shared += 1
                self.same_place += (one.row, one.column) == (other.row, other.column)
                difference = abs(one.value - other.value) / other.value
                self.difference = max(self.difference, difference)

    def join(self, other: Compared) -> Compared:
        """Both together."""
        return Compared(
            self.maps + other.maps,
            self.ordered + other.ordered,
            self.placed + other.placed,
            self.shared + other.shared,
            self.same_place + other.same_place,
            max(self.difference, other.difference),
        )


@dataclass
class OfLayer:
    """The measurements of one layer."""

    near: Compared = field(default_factory=Compared)
    wide: Compared = field(default_factory=Compared)
    exact: int = 0
    wrong: list[str] = field(default_factory=list)
    examined: list[int] = field(default_factory=list)
    known: list[float] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class BruteForce:
    """Peaks of every map of one layer in every image: arrays (images, channels)."""

    values: np.ndarray
    places: np.ndarray
    width: int

    def top(self, layer: str, channel: int, names: Sequence[str]) -> list[Activation]:
        """The nine strongest images of a map, only above 0; equal values are ordered by name."""
        values, places = self.values[:, channel], self.places[:, channel]
        order = sorted(range(len(names)), key=lambda n: (-values[n], names[n]))
        return [
            Activation(
                Unit(layer, channel),
                names[n],
                *divmod(int(places[n]), self.width),
                float(values[n]),
            )
            for n in order[:TOP]
            if values[n] > 0
        ]


def main() -> None:
    """Compare every map, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", help="a folder of images")
    parser.add_argument("--maps", type=int, default=10**6, help="the most maps of each layer (all)")
    parser.add_argument("--cold", type=int, default=1, help="maps of a layer timed cold (1)")
    parser.add_argument("--network", default="random", help="as load_network takes it (random)")
    options = parser.parse_args()
    network, images = load_network(options.network), ImageFolder(options.photos)
    chosen = {
        name: spread(layer.channels, options.maps)
        for name, layer in network.layers.items()
        if not layer.is_pool
    }
    with tempfile.TemporaryDirectory(prefix="exactness-") as folder:
        tell("scanning in bfloat16")
        near = scan(network, images, Path(folder, "16"), precision="bfloat16")
        tell("scanning in float32")
        wide = scan(network, images, Path(folder, "32"), precision="float32")
        names = near.images.query("error == ''")["image_id"].tolist()
        true = brute_force(network, images, names)
        measured = compare(network, images, names, chosen, (near, wide), true)
        count = sum(map(len, chosen.values()))
        print(f"{machine()}; {len(names)} images, {count:,} maps\n", flush=True)
        print_answers(measured)
        print_work(measured, near, true, names)
        if options.cold:
            time_cold(network, images, near, options.cold)
    if wrong := [line for layer in measured.values() for line in layer.wrong]:
        sys.exit("called exact, but not what brute force found:\n" + "\n".join(wrong[:20]))


def spread(count: int, wanted: int) -> list[int]:
    """At most ``wanted`` of the numbers 0 .. count - 1, evenly spread."""
    wanted = min(count, wanted)
    return [number * count // wanted for number in range(wanted)]


def tell(what: str) -> None:
    """Print progress on the error stream."""
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


@torch.inference_mode()
def brute_force(
    network: Network, images: ImageFolder, names: Sequence[str]
) -> dict[str, BruteForce]:
    """The largest value of every map of every layer in each image, and its first location."""
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    mean, deviation = (
        torch.tensor(numbers).view(1, 3, 1, 1)
        for numbers in (network.preprocessing.mean, network.preprocessing.deviation)
    )
    for number, name in enumerate(names):
        pixels = images.read(images.position(name)).transpose(2, 0, 1)[None]
        signal = torch.from_numpy(np.ascontiguousarray(pixels)).float()
        signal = (signal / network.preprocessing.divisor - mean) / deviation
        for node in network.graph.nodes:
            step = node.step
            if isinstance(step, Convolution):
                signal = F.conv2d(signal, step.weight, step.bias, padding=1)
            elif isinstance(step, MaxPooling):
                signal = F.max_pool2d(signal, 2)
            else:
                signal = F.relu(signal)
                planes = signal[0].flatten(1).numpy()
                found.setdefault(node.layer, []).append((planes.max(1), planes.argmax(1)))
        if number % 50 == 49:
            tell(f"brute force: {number + 1} of {len(names)} images")
    return {
        name: BruteForce(
            np.array([values for values, _ in peaks]),
            np.array([places for _, places in peaks]),
            network.layers[name].width,
        )
        for name, peaks in found.items()
    }


def compare(
    network: Network,
    images: ImageFolder,
    names: Sequence[str],
    chosen: dict[str, list[int]],
    indexes: tuple[ActivationIndex, ActivationIndex],
    true: dict[str, BruteForce],
) -> dict[str, OfLayer]:
    """Ask for every map, deepest layers first, so that each image needs one pass for all maps."""
    near, wide = indexes
    cache = ReconstructionCache(2**30)
    measured = {name: OfLayer() for name in chosen}
    for name in reversed(chosen):
        here = measured[name]
        for channel in chosen[name]:
            expected = true[name].top(name, channel, names)
            here.near.add(near.top(name, channel, TOP), expected)
            here.wide.add(wide.top(name, channel, TOP), expected)
            began = time.perf_counter()
            found = exact_top(network, images, near, name, channel, TOP, cache=cache)
            here.known.append(time.perf_counter() - began)
            here.examined.append(found.examined)
            here.exact += found.exact
            if found.exact and list(found) != expected:
                here.wrong.append(f"{name}/{channel}: {list(found)}, and not {expected}")
        tell(f"{name}: {here.exact} of {len(chosen[name])} maps exact, {len(here.wrong)} wrong")
    return measured


def print_answers(measured: dict[str, OfLayer]) -> None:
    """Compare the answers with brute force."""
    print_row(
        *(
            "layer",
            "maps",
            "bfloat16: the same nine in order",
            "images in both: at the same location",
        ),
        *(
            "largest difference of a value",
            "`exact_top` says exact",
            "of these, equal to brute force",
        ),
        *("float32 scan: the same nine in order, and locations", "largest difference of a value"),
    )
    print_row("---", *["---:"] * 8)
    layers = list(measured.values())
    rows = list(measured.items())
    rows.append(
        (
            "all",
            OfLayer(
                reduce(Compared.join, (layer.near for layer in layers)),
                reduce(Compared.join, (layer.wide for layer in layers)),
                sum(layer.exact for layer in layers),
                [line for layer in layers for line in layer.wrong],
            ),
        )
    )
    for name, layer in rows:
        near, wide = layer.near, layer.wide
        print_row(
            *(name, f"{near.maps:,}", share(near.ordered, near.maps)),
            *(share(near.same_place, near.shared), f"{100 * near.difference:.2f} %"),
            *(f"{layer.exact:,}", f"{layer.exact - len(layer.wrong):,}"),
            *(share(wide.placed, wide.maps), f"{wide.difference:.0e}"),
        )


def print_work(
    measured: dict[str, OfLayer],
    near: ActivationIndex,
    true: dict[str, BruteForce],
    names: Sequence[str],
) -> None:
    """Print the cost of exact answers, and the largest error as a share of the bound."""
    print(f"\nImages seen again, of {len(names)}; milliseconds with all passes cached\n")
    print_row(
        *("layer", "seen again, median", "most", "stops before the last image", "ms, median"),
        "largest error of all peaks, as a share of the bound",
    )
    print_row("---", *["---:"] * 5)
    for name, layer in measured.items():
        allowed = SAFETY * near.manifest.compute.error_bounds[name]
        print_row(
            *(name, f"{statistics.median(layer.examined):.0f}", max(layer.examined)),
            share(sum(seen < len(names) for seen in layer.examined), len(layer.examined)),
            f"{1000 * statistics.median(layer.known):.1f}",
            f"{largest_error(near, true[name], name, names) / allowed:.2f}",
        )


def time_cold(network: Network, images: ImageFolder, near: ActivationIndex, count: int) -> None:
    """Print the time and the number of images for maps without any cache."""
    print(f"\nWithout any cache, medians of {count} maps\n")
    print_row("layer", "images seen again", "s", "ms an image", "s of processor time")
    print_row("---", *["---:"] * 4)
    for name, layer in network.layers.items():
        if layer.is_pool:
            continue
        seen, taken, used = [], [], []
        for channel in spread(layer.channels, count):
            began, worked = time.perf_counter(), time.process_time()
            seen.append(exact_top(network, images, near, name, channel, TOP).examined)
            taken.append(time.perf_counter() - began)
            used.append(time.process_time() - worked)
        print_row(
            *(name, f"{statistics.median(seen):.0f}", f"{statistics.median(taken):.2f}"),
            f"{1000 * statistics.median(t / n for t, n in zip(taken, seen, strict=True)):.0f}",
            f"{statistics.median(used):.2f}",
        )


def largest_error(
    index: ActivationIndex, true: BruteForce, layer: str, names: Sequence[str]
) -> float:
    """The largest difference of a peak of the index from brute force, in any image and map."""
    return max(
        float(np.abs(found - true.values[:, channel]).max())
        for channel in range(true.values.shape[1])
        for found in [peaks_in_order(index, layer, channel, names)]
    )


def peaks_in_order(
    index: ActivationIndex, layer: str, channel: int, names: Sequence[str]
) -> np.ndarray:
    """The peak of a map in each image."""
    peaks = index.peaks(layer, channel).set_index("image_id")["value"]
    return peaks.loc[list(names)].to_numpy()


def share(part: int, whole: int) -> str:
    """A part of a whole in percent; 100 % only if the part is the whole."""
    percent = 100 * part / max(whole, 1)
    return f"{min(percent, 99.9) if part < whole else percent:.1f} %"


if __name__ == "__main__":
    main()
