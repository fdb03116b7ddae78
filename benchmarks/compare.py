"""Scan and reconstruction, side by side with what a user would write, in one run.

    python -m benchmarks.compare PHOTOS [--images 48] [--rounds 3] [--layers conv1_2,conv4_4]

Full-width VGG19 with random weights (speed does not depend on their values). Both sides see the
same images and weights, and their results are compared before any time is printed. Times are
medians over the rounds, sides taking turns; the ratios are what to read, since machines differ.

The scan includes reading, decoding and writing. The reconstruction excludes decoding.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from captum.attr import NeuronDeconvolution
from torch import Tensor, nn

from deconv_core import (
    Activation,
    ActivationIndex,
    ImageFolder,
    Network,
    ReconstructionCache,
    load_network,
    reconstruct,
    scan,
)
from deconv_core.network import Convolution

LAYERS = ("conv1_2", "conv2_2", "conv3_4", "conv4_4", "conv5_2", "conv5_4")


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", help="a folder of images")
    parser.add_argument("--images", type=int, default=48, help="images of the scan (48)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--layers", default=",".join(LAYERS))
    options = parser.parse_args()
    images = first_images(options.photos, options.images)
    network = load_network("random")
    print(f"{_machine()}; {len(images)} images, {options.rounds} rounds, float32")
    index = measure_scan(network, images, options.rounds)
    measure_reconstruction(network, images, index, options.layers.split(","), options.rounds)


def first_images(root: str, count: int) -> ImageFolder:
    """A copy of the first images of a folder."""
    copies = Path(tempfile.mkdtemp(prefix="benchmark-images-"))
    for entry in list(ImageFolder(root))[:count]:
        (copies / entry.image_id).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(entry.path, copies / entry.image_id)
    return ImageFolder(copies)


def plain_model(network: Network) -> nn.Sequential:
    """The same network as modules, for everything that is not ours."""
    modules: list[nn.Module] = []
    for stage in network.stages:
        if isinstance(stage, Convolution):
            convolution = nn.Conv2d(stage.weight.shape[1], stage.weight.shape[0], 3, padding=1)
            convolution.weight.data, convolution.bias.data = (
                stage.weight.clone(),
                stage.bias.clone(),
            )  # type: ignore[union-attr]
            modules += [convolution, nn.ReLU()]
        else:
            modules.append(nn.MaxPool2d(2))
    return nn.Sequential(*modules).eval()


def measure_scan(network: Network, images: ImageFolder, rounds: int) -> ActivationIndex:
    """Scan against bare forward passes and against forward hooks."""
    inputs = network.normalise(
        torch.from_numpy(np.stack([images.read(i) for i in range(len(images))])).permute(0, 3, 1, 2)
    )
    batches = inputs.split(8)
    model = plain_model(network)
    last = plain_model(network).to(memory_format=torch.channels_last)
    hooked = hooked_peaks(model)

    def ours() -> ActivationIndex:
        with tempfile.TemporaryDirectory() as folder:
            return scan(network, images, Path(folder, "index"))

    sides: dict[str, Callable[[], object]] = {
        "scan (decode, all peaks, write)": ours,
        "bare forward pass, channels-last": lambda: [last(_last(batch)) for batch in batches],
        "bare forward pass, NCHW": lambda: [model(batch) for batch in batches],
        "forward hooks: max and argmax": lambda: [hooked(batch) for batch in batches],
    }
    seconds = _rounds(sides, rounds)
    keep = tempfile.mkdtemp(prefix="benchmark-index-")
    index = scan(network, images, keep)
    _check_scan(index, hooked(batches[0]), images)
    _print_table("Scan, all 5,504 maps of 16 layers", seconds, len(images), "ms an image")
    return index


def hooked_peaks(model: nn.Sequential) -> Callable[[Tensor], list[tuple[Tensor, Tensor]]]:
    """What a user would write: hooks that keep every map's maximum and where it is."""
    found: list[tuple[Tensor, Tensor]] = []

    def keep(_: nn.Module, __: object, output: Tensor) -> None:
        found.append(output.flatten(2).max(dim=2))

    for module in model:
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(keep)

    def run(batch: Tensor) -> list[tuple[Tensor, Tensor]]:
        found.clear()
        model(batch)
        return list(found)

    return run


def measure_reconstruction(
    network: Network,
    images: ImageFolder,
    index: ActivationIndex,
    layers: Sequence[str],
    rounds: int,
) -> None:
    """Nine reconstructions a layer against Captum's NeuronDeconvolution on the full model."""
    model = plain_model(network)
    convolutions = [name for name, layer in network.layers.items() if not layer.is_pool]
    relus = [module for module in model if isinstance(module, nn.ReLU)]
    for name in layers:
        top = index.top(name)
        relu = relus[convolutions.index(name)]
        inputs = {a.image_id: _input(network, images, a.image_id) for a in top}
        pixels = ReconstructionCache()
        for activation in top:
            pixels.pixels(images, images.position(activation.image_id))
        warm = ReconstructionCache()
        reconstruct(network, images, top, warm)

        def captum(
            top: Sequence[Activation] = top,
            relu: nn.Module = relu,
            inputs: dict[str, Tensor] = inputs,
        ) -> list[Tensor]:
            method = NeuronDeconvolution(model, relu)
            return [
                method.attribute(inputs[a.image_id], (a.unit.channel, a.row, a.column)).detach()
                * a.value
                for a in top
            ]

        sides: dict[str, Callable[[], object]] = {
            "ours, switches unknown": lambda top=top: reconstruct(network, images, top),  # type: ignore[misc]
            "ours, switches known": lambda top=top, warm=warm: reconstruct(  # type: ignore[misc]
                network, images, top, warm
            ),
            "Captum, full model": captum,
        }
        worst = _difference(network, images, top, captum())
        seconds = _rounds(sides, rounds)
        _print_table(
            f"Nine reconstructions, {name} (largest relative difference {worst:.0e})",
            seconds,
            1,
            "ms",
            against="Captum, full model",
        )


def _input(network: Network, images: ImageFolder, image_id: str) -> Tensor:
    pixels = torch.from_numpy(images.read(images.position(image_id)).copy())
    return network.normalise(pixels.permute(2, 0, 1).unsqueeze(0))


def _difference(
    network: Network, images: ImageFolder, top: Sequence[Activation], theirs: Sequence[Tensor]
) -> float:
    worst = 0.0
    for picture, other in zip(reconstruct(network, images, top), theirs, strict=True):
        box = picture.box
        cut = other[0, :, box.top : box.bottom, box.left : box.right].numpy()
        worst = max(worst, float(np.abs(cut - picture.pixels).max() / np.abs(cut).max()))
    assert worst < 1e-4, f"the two sides differ by {worst:.1e}"
    return worst


def _check_scan(
    index: ActivationIndex, hooked: Sequence[tuple[Tensor, Tensor]], images: ImageFolder
) -> None:
    layers = [name for name, layer in index.layers.items() if not layer.is_pool]
    for name, (values, _) in zip(layers, hooked, strict=True):
        stored = index.peaks(name, 0).set_index("image_id")["value"]
        for place in range(len(values)):
            ours, theirs = stored[images[place].image_id], float(values[place, 0])
            assert abs(ours - theirs) <= 1e-4 * max(abs(theirs), 1e-3), f"{name}: {ours} {theirs}"


def _last(batch: Tensor) -> Tensor:
    return batch.contiguous(memory_format=torch.channels_last)


def _rounds(sides: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            began = time.perf_counter()
            if "Captum" in name:
                side()
            else:
                with torch.inference_mode():
                    side()
            taken[name].append(time.perf_counter() - began)
    return {name: statistics.median(times) for name, times in taken.items()}


def _print_table(
    title: str, seconds: dict[str, float], divisor: int, unit: str, against: str | None = None
) -> None:
    base = seconds[against] if against else next(iter(seconds.values()))
    print(f"\n{title}\n| | {unit} | ratio |\n| --- | ---: | ---: |")
    for name, time_taken in seconds.items():
        ratio = base / time_taken if against else time_taken / base
        what = "x faster" if against else "x ours"
        print(f"| {name} | {1000 * time_taken / divisor:,.1f} | {ratio:,.2f} {what} |", flush=True)


def _machine() -> str:
    return f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"


if __name__ == "__main__":
    main()
