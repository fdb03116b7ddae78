"""The comparisons of ``benchmarks.compare`` for torchvision's networks beyond VGG.

The other sides run torchvision's own module. ``torch.fx`` gives every rectification a ``nn.ReLU``
of its own, because Captum sees modules only, and only the last call of one that is used twice.
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, fx, nn

from benchmarks.others import captum_reconstructions, inputs_of
from benchmarks.timing import CALLS, Sides, medians, print_row
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
from deconv_core.reconstruction.whole_image import image_passes

BATCH = 8
_RELUS = (torch.relu, torch.nn.functional.relu, torch.relu_)


def measure(name: str, images: ImageFolder, rounds: int, folder: Path) -> None:
    """Print a table of the scan and one of nine reconstructions, for one of torchvision's."""
    model = lively(name)
    network = load_network(model)
    traced, relus = with_own_relus(model)
    layers = [n for n, layer in network.layers.items() if not layer.is_pool]
    assert len(layers) == len(relus), "a rectification was lost"
    print(f"\n{network.architecture}: {len(network.layers)} layers\n")
    index = _measure_scan(network, traced, relus, images, rounds, folder)
    chosen = [layers[1], layers[len(layers) // 2], layers[-1]]
    print_row("nine reconstructions", "Captum, full", "Captum, cut off", "new", "cached", "differ")
    print_row("---", *["---:"] * 5)
    for layer in chosen:
        relu = relus[layers.index(layer)]
        _measure_reconstructions(network, index, images, layer, traced, relu, rounds)


def lively(name: str) -> nn.Module:
    """The module with random weights, its statistics drawn so that no map is dead."""
    from torchvision import models

    options = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    torch.manual_seed(0)
    model: nn.Module = models.get_model(name, weights=None, **options)
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            assert part.running_mean is not None
            assert part.running_var is not None
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 1.5)
            part.weight.data.uniform_(0.5, 1.0)
            part.bias.data.uniform_(0, 0.3)
    return model.eval()


def with_own_relus(model: nn.Module) -> tuple[fx.GraphModule, list[str]]:
    """A copy of a module in which every rectification is a module, and their names in order."""
    traced = fx.symbolic_trace(copy.deepcopy(model))
    modules = dict(traced.named_modules())
    names: list[str] = []
    for node in list(traced.graph.nodes):
        is_module = node.op == "call_module" and isinstance(modules[node.target], nn.ReLU)
        if is_module or (node.op == "call_function" and node.target in _RELUS):
            name = f"rectification_{len(names)}"
            traced.add_submodule(name, nn.ReLU())
            with traced.graph.inserting_after(node):
                made = traced.graph.call_module(name, (node.args[0],))
            node.replace_all_uses_with(made)
            made.args = (node.args[0],)
            traced.graph.erase_node(node)
            names.append(name)
    traced.recompile()
    return traced.eval(), names


def cut_off(traced: fx.GraphModule, name: str) -> fx.GraphModule:
    """The same up to one rectification."""
    short = copy.deepcopy(traced)
    output = next(node for node in short.graph.nodes if node.op == "output")
    output.args = (next(node for node in short.graph.nodes if node.target == name),)
    short.graph.eliminate_dead_code()
    short.recompile()
    return short.eval()


def _measure_scan(
    network: Network,
    traced: fx.GraphModule,
    relus: Sequence[str],
    images: ImageFolder,
    rounds: int,
    folder: Path,
) -> ActivationIndex:
    inputs = inputs_of(network, images, range(len(images)))
    last = torch.channels_last
    batches = [
        inputs[n : n + BATCH].contiguous(memory_format=last) for n in range(0, len(inputs), BATCH)
    ]
    found: list[tuple[Tensor, Tensor]] = []

    def keep(_: nn.Module, __: object, output: Tensor) -> None:
        highest, where = output.flatten(2).max(dim=2)
        found.append((highest, where))

    hooked: nn.Module = copy.deepcopy(traced).to(memory_format=last)
    for name in relus:
        hooked.get_submodule(name).register_forward_hook(keep)
    plain: nn.Module = copy.deepcopy(traced).to(memory_format=last)
    low: nn.Module = copy.deepcopy(traced).to(torch.bfloat16).to(memory_format=last)

    def ours(precision: str) -> ActivationIndex:
        shutil.rmtree(folder / precision, ignore_errors=True)
        return scan(network, images, folder / precision, precision=precision)

    index = ours("float32")
    _check(network, index, hooked, batches, found, images)
    seconds = medians(
        {
            "scan, float32": lambda: ours("float32"),
            "scan, bfloat16": lambda: ours("bfloat16"),
            "bare forward pass, float32, channels last": _run(plain, batches),
            "bare forward pass, bfloat16, channels last": _run(
                low, [batch.to(torch.bfloat16) for batch in batches]
            ),
            "forward hooks, float32, max and argmax": _run(hooked, batches),
        },
        rounds,
    )
    times = {name: 1000 * taken / len(images) for name, taken in seconds.items()}
    print_row("every peak", "ms an image", "of scan, float32", "of scan, bfloat16")
    print_row("---", "---:", "---:", "---:")
    for name, taken in times.items():
        ratios = [f"{taken / times[f'scan, {p}']:.2f}" for p in ("float32", "bfloat16")]
        print_row(name, f"{taken:,.1f}", *ratios)
    print()
    return index


def _run(model: nn.Module, batches: Sequence[Tensor]) -> Callable[[], object]:
    def run() -> None:
        with torch.inference_mode():
            for batch in batches:
                model(batch)

    return run


def _check(
    network: Network,
    index: ActivationIndex,
    hooked: nn.Module,
    batches: Sequence[Tensor],
    found: list[tuple[Tensor, Tensor]],
    images: ImageFolder,
) -> None:
    """Check that the peaks of the float32 scan equal the hooks'."""
    layers = [name for name, layer in network.layers.items() if not layer.is_pool]
    found.clear()
    _run(hooked, batches)()
    order = [entry.image_id for entry in images]
    for place, name in enumerate(layers):
        theirs = torch.cat([highest for highest, _ in found[place :: len(layers)]]).numpy()
        for channel in range(0, theirs.shape[1], 64):
            ours = index.peaks(name, channel).set_index("image_id")["value"][order].to_numpy()
            worst = np.abs(ours - theirs[:, channel]).max() / theirs.max()
            assert worst <= 1e-4, f"{name}/{channel} differs by {worst}"
    found.clear()


def _measure_reconstructions(
    network: Network,
    index: ActivationIndex,
    images: ImageFolder,
    layer: str,
    traced: fx.GraphModule,
    relu: str,
    rounds: int,
) -> None:
    top = index.top(layer)
    positions = [images.position(activation.image_id) for activation in top]
    inputs = [inputs_of(network, images, [position]) for position in positions]
    short = cut_off(traced, relu)
    warm = ReconstructionCache()
    image_passes(network, images, layer, positions, warm)
    full_relu, cut_relu = traced.get_submodule(relu), short.get_submodule(relu)
    made = reconstruct(network, images, top, warm)
    difference = _difference(made, captum_reconstructions(short, cut_relu, inputs, top))
    decoded = []
    for _ in range(1 + CALLS * rounds):  # one in each call: pictures, but no switches
        cache = ReconstructionCache()
        for position in positions:
            cache.pixels(images, position, network.input_size)
        decoded.append(cache)
    sides: Sides = {
        "full": lambda: captum_reconstructions(traced, full_relu, inputs, top),
        "cut": lambda: captum_reconstructions(short, cut_relu, inputs, top),
        "new": lambda: reconstruct(network, images, top, decoded.pop()),
        "cached": lambda: reconstruct(network, images, top, warm),
    }
    times = {side: 1000 * taken for side, taken in medians(sides, rounds).items()}
    ratios = [f"{times[s]:,.1f} ({times['cut'] / times[s]:,.1f}x)" for s in ("new", "cached")]
    print_row(layer, f"{times['full']:,.0f}", f"{times['cut']:,.0f}", *ratios, f"{difference:.0e}")


def _difference(ours: Sequence[Reconstruction], theirs: Sequence[Tensor]) -> float:
    """Largest difference, as a share of the picture's largest number."""
    return max(
        float(np.abs(_cut(other, made) - made.pixels).max() / np.abs(made.pixels).max())
        for made, other in zip(ours, theirs, strict=True)
    )


def _cut(picture: Tensor, made: Reconstruction) -> np.ndarray:
    box = made.box
    return picture[0, :, box.top : box.bottom, box.left : box.right].numpy()
