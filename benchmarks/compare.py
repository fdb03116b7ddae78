"""Compares scan and reconstruction with other libraries in one run.

    python -m benchmarks.compare PHOTOS [--images 48] [--rounds 3] [--layers conv1_2,conv4_4]

Full-width VGG19 with random weights (speed does not depend on their values), and others of
torchvision's with ``--networks``. All sides see the same
images and weights, and their results are compared before any time is printed. Times are medians
over the rounds; the sides take turns (short calls run five times in each turn). The ratios matter,
because machines differ.

The scan includes reading, decoding and writing; everything else excludes decoding. zennit-crp is
measured where it is installed, on eight images.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import Tensor, nn

from benchmarks import other_networks
from benchmarks.others import (
    captum_reconstructions,
    hooked_peaks,
    inputs_of,
    plain_model,
    zennit_crp_scan,
)
from benchmarks.timing import CALLS, Sides, machine, medians, print_row
from deconv_core import (
    ActivationIndex,
    ImageFolder,
    Network,
    Reconstruction,
    ReconstructionCache,
    load_network,
    reconstruct,
    scan,
)
from deconv_core.graph.steps import Convolution, Rectification
from deconv_core.reconstruction.whole_image import image_passes

LAYERS = ("conv1_2", "conv2_2", "conv3_4", "conv4_4", "conv5_2", "conv5_4")
BATCH = 8
FEW = 8


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", help="a folder of images")
    parser.add_argument("--images", type=int, default=48, help="images of the scan (48)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--layers", default=",".join(LAYERS))
    parser.add_argument(
        "--networks",
        default="",
        help="torchvision's networks to add, for example resnet50,googlenet",
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        images = first_images(options.photos, options.images, Path(folder, "images"))
        network = load_network("random")
        print(f"{machine()}; {len(images)} images, {options.rounds} rounds\n")
        index = measure_scan(network, images, options.rounds, Path(folder))
        measure_reconstruction(network, images, index, options.layers.split(","), options.rounds)
        for name in filter(None, options.networks.split(",")):
            other_networks.measure(name, images, options.rounds, Path(folder, name))


def first_images(root: str, count: int, copies: Path) -> ImageFolder:
    """A copy of the first images of a folder."""
    for entry in list(ImageFolder(root))[:count]:
        (copies / entry.image_id).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(str(entry.path), copies / entry.image_id)
    return ImageFolder(copies)


def measure_scan(
    network: Network, images: ImageFolder, rounds: int, folder: Path
) -> ActivationIndex:
    """Compare both precisions with plain forward passes, forward hooks and zennit-crp."""
    inputs = inputs_of(network, images, range(len(images)))
    batches = [inputs[start : start + BATCH] for start in range(0, len(inputs), BATCH)]
    hooked = hooked_peaks(plain_model(network))

    def ours(precision: str) -> ActivationIndex:
        shutil.rmtree(folder / precision, ignore_errors=True)
        return scan(network, images, folder / precision, precision=precision)

    index, near = ours("float32"), ours("bfloat16")
    _check_scan(index, near, [hooked(batch) for batch in batches], images)
    seconds = medians(
        {
            "scan, float32": lambda: ours("float32"),
            "scan, bfloat16": lambda: ours("bfloat16"),
            "bare forward pass, float32, channels last": _bare(network, batches, torch.float32),
            "bare forward pass, bfloat16, channels last": _bare(network, batches, torch.bfloat16),
            "forward hooks, float32, max and argmax": lambda: [hooked(b) for b in batches],
        },
        rounds,
    )
    times = {name: 1000 * taken / len(images) for name, taken in seconds.items()}
    crp = "zennit-crp FeatureVisualization"
    if (best := zennit_crp_scan(network, inputs[:FEW])) is not None:
        _check_crp(best, hooked(inputs[:FEW]))
        few = medians({crp: lambda: zennit_crp_scan(network, inputs[:FEW])}, 1)
        times[crp] = 1000 * few[crp] / FEW
    print_row("every peak of 5,504 maps", "ms an image", "of scan, float32", "of scan, bfloat16")
    print_row("---", "---:", "---:", "---:")
    for name, taken in times.items():
        ratios = [f"{taken / times[f'scan, {p}']:.2f}" for p in ("float32", "bfloat16")]
        print_row(name, f"{taken:,.1f}", *ratios)
    return index


def _bare(network: Network, batches: Sequence[Tensor], dtype: torch.dtype) -> Callable[[], object]:
    """The fastest plain forward pass: channels last, no modules, no copies."""
    last = torch.channels_last
    ready = [batch.to(dtype).contiguous(memory_format=last) for batch in batches]
    steps = [
        (node.step.weight.to(dtype).contiguous(memory_format=last), node.step.bias.to(dtype))
        if isinstance(node.step, Convolution)
        else None
        for node in network.graph.nodes
        if not isinstance(node.step, Rectification)  # with its convolution
    ]

    def run() -> None:
        with torch.inference_mode():
            for signal in ready:
                for step in steps:
                    signal = (  # noqa: PLW2901
                        F.max_pool2d(signal, 2)
                        if step is None
                        else F.conv2d(signal, *step, padding=1).relu_()
                    )

    return run


def measure_reconstruction(
    network: Network,
    images: ImageFolder,
    index: ActivationIndex,
    layers: Sequence[str],
    rounds: int,
) -> None:
    """Compare nine reconstructions of each layer with Captum, on a full and on a cut-off model."""
    full = plain_model(network)
    relus = [module for module in full if isinstance(module, nn.ReLU)]
    names = [name for name, layer in network.layers.items() if not layer.is_pool]
    print("\nNine reconstructions, float32, ms (times faster than Captum on the full model)\n")
    print_row(
        *("layer", "Captum, full model", "Captum, model cut off", "new images"),
        *("switches cached", "largest difference"),
    )
    print_row("---", *["---:"] * 5)
    for name in layers:
        top = index.top(name)
        positions = [images.position(activation.image_id) for activation in top]
        inputs = [inputs_of(network, images, [position]) for position in positions]
        relu, cut = relus[names.index(name)], plain_model(network, until=name)
        warm = ReconstructionCache()
        image_passes(network, images, name, positions, warm)
        difference = _difference(
            reconstruct(network, images, top, warm),
            captum_reconstructions(full, relu, inputs, top),
        )
        decoded = [
            _decoded(images, positions) for _ in range(1 + CALLS * rounds)
        ]  # one in each call
        sides: Sides = {
            "full": lambda r=relu, i=inputs, t=top: captum_reconstructions(full, r, i, t),  # type: ignore[misc]
            "cut": lambda c=cut, i=inputs, t=top: captum_reconstructions(c, c[-1], i, t),  # type: ignore[misc]
            "cold": lambda t=top, d=decoded: reconstruct(network, images, t, d.pop()),  # type: ignore[misc]
            "warm": lambda t=top, w=warm: reconstruct(network, images, t, w),  # type: ignore[misc]
        }
        times = {side: 1000 * taken for side, taken in medians(sides, rounds).items()}
        ratios = [f"{times[s]:,.1f} ({times['full'] / times[s]:,.1f}x)" for s in ("cold", "warm")]
        print_row(
            name, f"{times['full']:,.0f}", f"{times['cut']:,.0f}", *ratios, f"{difference:.0e}"
        )


def _decoded(images: ImageFolder, positions: Sequence[int]) -> ReconstructionCache:
    """A cache with the pictures but without their switches."""
    cache = ReconstructionCache()
    for position in positions:
        cache.pixels(images, position)
    return cache


def _difference(ours: Sequence[Reconstruction], theirs: Sequence[Tensor]) -> float:
    worst = 0.0
    for picture, other in zip(ours, theirs, strict=True):
        box = picture.box
        cut = other[0, :, box.top : box.bottom, box.left : box.right].numpy()
        worst = max(worst, float(np.abs(cut - picture.pixels).max() / np.abs(cut).max()))
    assert worst <= 1e-5, f"the two sides differ by {worst:.1e}"
    return worst


Hooked = list[tuple[Tensor, Tensor]]


def _check_scan(
    index: ActivationIndex, near: ActivationIndex, hooked: Sequence[Hooked], images: ImageFolder
) -> None:
    """Check that every peak of the float32 scan equals the hooks' and that bfloat16 is close."""
    layers = [name for name, layer in index.layers.items() if not layer.is_pool]
    order = [entry.image_id for entry in images]
    for place, name in enumerate(layers):
        theirs = torch.cat([batch[place][0] for batch in hooked]).numpy()
        for channel in range(0, theirs.shape[1], 16):
            for made, allowed in ((index, 1e-5), (near, 0.05)):
                ours = made.peaks(name, channel).set_index("image_id")["value"][order].to_numpy()
                worst = np.abs(ours - theirs[:, channel]).max() / theirs.max()
                assert worst <= allowed, f"{name}/{channel}: {made.precision} differs by {worst}"


def _check_crp(best: object, hooked: Hooked) -> None:
    """Check that zennit-crp and the hooks have the same best image for every map of conv1_1."""
    numbers = np.asarray(best)[0]
    values = hooked[0][0].numpy()
    chosen = values[numbers, np.arange(values.shape[1])]
    assert np.allclose(chosen, values.max(axis=0), rtol=1e-4), "zennit-crp found other images"


if __name__ == "__main__":
    main()
